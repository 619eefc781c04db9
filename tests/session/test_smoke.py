"""`--training-smoke`: every job briefly, no gate judged, nothing of the whole runs changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sessions import Project, text

JOBS = {
    "short": ("return {'score': epochs / 100}", "epochs=90, folds=5", "GATES = {'score': '>= 0.5'}"),
    "stated": ("return {'score': epochs + rate}", "epochs=90, rate=1.0", ""),
    "misnamed": ("return {'accuracy': 1.0}", "epochs=90", "GATES = {'acuracy': '>= 0.5'}"),
    "several": ("return {'auc': depth / 10 + run.seed}", "depth=3", ""),
    "whole": ("return {'loss': 0.5}", "", "GATES = {'loss': ['<= 0.4', '>= 0.1']}"),
}
SCRIPT = """
    import argparse, json
    p = argparse.ArgumentParser()
    p.add_argument("--num-epochs", type=int, default=50)
    json.dump({"epochs": p.parse_args().num_epochs}, open("metrics.json", "w"))
    """
CATALOGUE = """
    jobs:
      stated: {smoke: {epochs: 1, rate: 7}}
      needy: {command: [echo, done], needs: [short]}
      several: {matrix: {depth: [3, 4]}, seeds: 5, gates: {auc_low: ">= 0.9"}}
    """


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    project = Project(pytester.path, pytester)
    for job_id, (body, parameters, top) in JOBS.items():
        project.job(job_id, body, parameters=parameters, top=top)
    project.write("training/train_script.py", SCRIPT)
    project.write("training/jobs.yaml", CATALOGUE)
    return project


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_smoke_run_judges_no_gate_and_leaves_all_of_the_whole_runs(project: Project) -> None:
    assert project.here("-k", "short or needy").ret == 0
    before = contents(project.reports)
    result = project.here("--training-smoke")
    assert result.ret == 0, text(result)
    assert contents(project.reports) == before, "no report, no history"

    tests = {test["metadata"]["id"]: test["metadata"] for test in project.report("reports/smoke")["tests"]}
    parameters = {job_id: each["parameters"] for job_id, each in tests.items()}
    assert {each["status"] for each in tests.values()} == {"passed"}
    assert parameters["short"] == {"epochs": 2, "folds": 2}
    assert parameters["stated"] == {"epochs": 1, "rate": 7.0}
    assert parameters["script"] == {"num_epochs": 2}
    assert [each["passed"] for job in tests.values() for each in job["gates"]] == [None] * 5
    assert tests["short"]["gates"][0]["gate"]["unjudged"] == "smoke run"
    assert "no metric 'acuracy', which a gate needs (did you mean 'accuracy'?)" in (tests["misnamed"]["remarks"][0])
    assert tests["whole"]["notes"] == ["trained whole: no epochs, folds or smoke:"]
    assert project.report("reports/smoke")["training"]["smoke"] is True

    assert [job_id for job_id in tests if job_id.startswith("several")] == [
        *("several-depth-3-seed-0", "several-depth-4-seed-0", "several")
    ]
    assert tests["several"]["metrics"] == {"auc": 0.4}

    result.stdout.fnmatch_lines(
        [
            "all trials: pytest-training table several --reports reports/smoke",
            "misnamed: no metric 'acuracy', which a gate needs (did you mean 'accuracy'?)*",
            "smoke run: 5 gates not judged; in no history, and the reports of the last whole run stay",
            "7 jobs: 7 passed; 2 trials: 2 passed",
            "warning: several, whole, needy: trained whole: no epochs, folds or smoke:",
            "reports: reports/smoke/runs/*",
            "page: file:///*/reports/smoke/index.html",
        ]
    )
    smoke = {name: each.decode() for name, each in contents(project.reports / "smoke").items()}
    assert set(smoke) >= {"index.html", "summary.md", "report.json", "junit.xml"}
    assert "history.sqlite" not in smoke
    assert not [name for name in ("index.html", "summary.md") if "compare with" in smoke[name] or "▼" in smoke[name]]
    assert smoke["summary.md"].startswith("## Smoke run: 7 passed; 2 trials: 2 passed")
    assert "| not judged: smoke run |" in smoke["summary.md"]
    assert ": smoke run</h1>" in smoke["index.html"]
    assert smoke["index.html"].count("not judged: smoke run") == 4 + 5  # jobs with gates, and gates
    assert smoke["junit.xml"].count("not judged: smoke run") == 5

    resumed = project.here("--training-resume", "--training-compare", "last", "--training-skip-unchanged")
    resumed.stdout.fnmatch_lines(["every selected job of run * passed: nothing to train"])
    alone = project.here("--training-smoke", "-k", "needy")
    alone.stdout.fnmatch_lines(["*needs short, which is not selected: -k 'needy or short'"])
    whole = project.here("--training-compare", "last", "-k", "short")
    whole.stdout.fnmatch_lines(["against the last run of each job:", "  no metric changed"])
    again = project.here("--training-reports=reports/smoke", "--training-resume")
    again.stderr.fnmatch_lines(["*is a smoke run, and nothing resumes one"])


def test_options_are_stronger_than_a_smoke_run_and_a_failing_job_fails_it(project: Project) -> None:
    project.job("broken", "1 / 0", parameters="epochs=9")
    result = project.here("--training-smoke", "--set", "stated.rate=3", "-k", "stated or broken", "-v")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*stated* PASSED score 4, *", "2 jobs: 1 failed, 1 passed"], consecutive=False)
    assert not (project.reports / "index.html").exists()
    assert (project.reports / ".gitignore").exists()
    assert not (project.reports / "smoke" / ".gitignore").exists()
    plan = project.here("--training-smoke", "--collect-only", "-k", "short").stdout.str()
    assert re.search("1 training job on 1 slot, .*, smoke run: no gate is judged", plan)
