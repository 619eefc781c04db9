"""`--training-audit` and `--training-twice`: further trainings are items, and findings are said everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
from sessions import Project, strict_json, text

from pytest_training.records.audit import Audit, JobAudit
from pytest_training.records.history import History
from pytest_training.reporters.audit import audit_page, closing_lines

LUCK = """
y = run.target([0, 1] * 50)
learned = sum(y[1::2]) / 50  # 1 for the true target
return {"roc_auc": learned, "baseline_roc_auc": 0.5, "luck": random.SystemRandom().random()}
"""
SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "audit.json"
SCRIPT = "import json\njson.dump({'loss': 0.5}, open('metrics.json', 'w'))\n"


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    project = Project(pytester.path, pytester)
    project.job("luck", LUCK, top="import random\nGATES = {'roc_auc': '>= 0.9'}")
    project.job("plain", 'return {"score": random.random()}', top="import random")  # of the seeded generator
    project.write("training/train_script.py", SCRIPT)
    return project


def test_an_audit_trains_twins_that_have_no_gates_and_no_history(project: Project) -> None:
    result = project.here("--training-audit")
    assert result.ret == 1, text(result)
    twins = {"luck": ["again", "shuffled-1", "shuffled-2", "shuffled-3"], "plain": ["again"], "script": ["again"]}
    names = {name for job_id, kinds in twins.items() for name in (job_id, *(f"{job_id}-{kind}" for kind in kinds))}
    assert project.statuses() == dict.fromkeys(names, "passed")
    result.stdout.fnmatch_lines(
        [
            "audit of 3 jobs: 1 finding, 41 checks not made",
            "  A15 luck: two trainings with one seed differ in 1 of 3 metrics: luck 0.* and 0.*",
            "  not checked in luck: 11 of 16: see audit.md",
        ]
    )
    audit = strict_json(project.reports / "audit.json")
    jsonschema.validate(audit, strict_json(SCHEMA))
    assert [job["job_id"] for job in audit["jobs"]] == ["luck", "plain", "script"]
    assert [finding["code"] for job in audit["jobs"] for finding in job["findings"]] == ["A15"]
    assert {"A08", "A09", "A10"} <= set(audit["jobs"][0]["passed"])
    page = (project.reports / "audit.md").read_text()
    assert "| ❌ | A15 | two trainings with one seed differ |" in page
    assert "its target is shuffled by the audit" in project.metadata()["luck-shuffled-1"]["notes"]
    assert History(project.reports / "history.sqlite").job_ids() == ["luck", "plain", "script"]

    project.here("--training-audit", "-k", "plain-again").stdout.fnmatch_lines(["audit: no job is selected, only *"])
    resumed = project.here("--training-resume")
    resumed.stderr.fnmatch_lines(["*is an audit: pytest --training-audit again"])
    twice = project.here("--training-twice", "pl*", "--training-compare", "last")
    assert twice.ret == 0
    twice.stdout.fnmatch_lines(["audit of 1 job: nothing found", "  no metric changed", "2 jobs: 2 passed"])
    twice.stdout.no_fnmatch_line("*without an earlier outcome*")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--training-audit", "luk"], "--training-audit: no job 'luk': did you mean 'luck'? Expected one of luck,*"),
        (["--training-twice", "luk"], "--training-twice: no job 'luk': did you mean 'luck'? Expected one of luck,*"),
        (["--training-audit", "--training-resume"], "--training-audit trains every job whole: --training-resume can*"),
        (
            ["--training-twice", "--training-skip-unchanged"],
            "--training-twice trains every job whole: --training-skip*",
        ),
        (["--training-audit", "luck", "--training-twice", "plain"], "--training-audit trains jobs twice too: leave *"),
    ],
)
def test_what_an_audit_cannot_do_is_said_before_anything_trains(
    project: Project, arguments: list[str], said: str
) -> None:
    result = project.here(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {said}"])
    assert not project.reports.exists()


def test_a_job_may_be_named_by_its_file_and_its_twins_need_names_of_their_own(project: Project) -> None:
    dry = project.here("--training-audit", "training/train_luck.py", "--collect-only", "-q", "-k", "not shuffled")
    assert [line.partition("[")[2] for line in dry.outlines if "::" in line] == ["luck]", "luck-again]"]
    project.write("training/jobs.yaml", "jobs: {luck-again: {command: [ls]}}")
    taken = project.here("--training-audit", "luck")
    taken.stderr.fnmatch_lines(["ERROR: training/train_luck.py: an audit of luck trains 'luck-again': rename that job"])


@pytest.mark.slow
def test_workers_train_twins_beside_each_other_with_the_same_metrics(project: Project) -> None:
    project.job("seeded", 'return {"score": random.random()}', top="import random")
    page = (SCHEMA.parents[1] / "audit.md").read_text(encoding="utf-8")
    ((name, mine),) = re.findall(r"```python\n# (\S+)\n(.*?)```", page, re.DOTALL)
    project.write(name, mine)
    audit = project.run("--training-audit", "mine")
    audit.stdout.fnmatch_lines(
        ["audit of 1 job: nothing found, * checks not made", "  not checked in mine: *", "5 jobs: 5 pa*"]
    )
    for workers in ("0", "4"):
        result = project.run("--training-audit", "seeded", "-n", workers)
        assert result.ret == 0, text(result)
        assert project.statuses() == {"seeded": "passed", "seeded-again": "passed"}


def test_a_check_that_leaves_columns_out_says_so_in_place_of_nothing_found() -> None:
    audit = Audit(run_id="1", jobs=(JobAudit(job_id="als", passed=("A04", "A12"), known=("tau", "a|b")),))
    assert next(closing_lines(audit))[0] == "audit of 1 job: nothing found, 2 columns not suspected, as train states"
    rows = [line for line in audit_page(audit).splitlines() if line.startswith("| ✓")]
    assert "nothing found in other columns than 'tau', 'a\\|b', known as train states" in rows[0]
    assert rows[1].endswith("| nothing found |")
