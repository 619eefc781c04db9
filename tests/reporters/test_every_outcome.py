"""Every kind of outcome is in index.html, summary.md and junit.xml, each with its true reason."""

from __future__ import annotations

import html
import re
import signal
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import every_kind
import pytest
from every_kind import REASONS
from sessions import Project, properties, text
from watching import eventually

from pytest_training.reporters.markdown import plain

TIME = r"[0-9]*\.?[0-9]*"  # as Jenkins reads it; no exponent, no sign
ENDINGS = {"failure", "error", "skipped"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("every"))
    every_kind.make(project)
    first = project.run("-k", "same")
    assert first.ret == 0, text(first)
    result = project.run("-n", "2", "--training-skip-unchanged")
    assert result.ret == 1, text(result)
    return project


def row(project: Project, job_id: str) -> str:
    """Return the text of a job's row in the page's table."""
    written = (project.reports / "index.html").read_text(encoding="utf-8")
    found = re.search(rf'<tr role="row" data-job="job-{job_id}".*?</tr>', written, re.DOTALL)
    assert found is not None, f"no row of {job_id}"
    return html.unescape(re.sub(r"<[^>]+>", " ", found[0]))


def check_structure(root: ET.Element) -> None:
    """Check what Jenkins' schema (xunit plugin, junit-10.xsd) and GitLab ask of the file."""
    assert root.tag == "testsuites"
    (suite,) = root
    assert suite.tag == "testsuite"
    assert {"name", "tests", "failures", "errors", "skipped", "time"} <= set(suite.attrib)
    cases = list(suite)
    assert {case.tag for case in cases} == {"testcase"}
    found: Counter[str] = Counter()
    for case in cases:
        assert set(case.attrib) == {"classname", "name", "time"}
        assert re.fullmatch(TIME, case.attrib["time"])
        tags = Counter(child.tag for child in case)
        assert set(tags) <= {"properties", "system-out", *ENDINGS}
        assert max(tags.values(), default=0) <= 1
        assert sum(tags[tag] for tag in ENDINGS) <= 1
        found.update(tags)
        for each in case.iter("property"):
            assert set(each.attrib) == {"name", "value"}
        for child in case:
            if child.tag in ENDINGS:
                assert set(child.attrib) <= {"message", "type"}
    counted = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    assert counted == {
        "tests": len(cases),
        "failures": found["failure"],
        "errors": found["error"],
        "skipped": found["skipped"],
    }


def junit(project: Project) -> ET.Element:
    return ET.parse(project.reports / "junit.xml").getroot()  # noqa: S314  (our own file)


@pytest.mark.parametrize("job_id", REASONS)
def test_each_outcome_is_everywhere_with_its_reason(project: Project, job_id: str) -> None:
    status, reason = REASONS[job_id]
    found = properties(project.cases()[f"test_training_job[{job_id}]"])
    shown = row(project, job_id)
    summary = (project.reports / "summary.md").read_text(encoding="utf-8")
    assert found["status"] == status
    assert " ".join(found.get("reason", "").split()).startswith(reason)
    assert {"optional": "Failed but optional"}.get(job_id, status.capitalize()) in shown
    assert reason in shown
    assert plain(reason) in summary
    if status != "passed":
        assert re.search(rf"^(\*\*|- ){job_id}\b.*{re.escape(plain(reason))}", summary, re.MULTILINE)


def test_an_unchanged_job_names_the_run_that_trained_it(project: Project) -> None:
    runs = sorted(path.name for path in (project.reports / "runs").iterdir())
    reason = f"unchanged since run {runs[0]}, whose metrics these are"
    assert properties(project.cases()["test_training_job[same]"])["reason"] == reason
    assert reason in row(project, "same")
    assert plain(reason) in (project.reports / "summary.md").read_text()


def test_a_retried_job_says_at_which_attempt_it_passed(project: Project) -> None:
    assert "| retried \\(passed at attempt 2\\) |" in (project.reports / "summary.md").read_text()
    written = (project.reports / "index.html").read_text()
    assert "passed at attempt 2" in written
    assert "Attempt 1" in written


def test_junit_has_the_structure_that_jenkins_asks_for(project: Project) -> None:
    check_structure(junit(project))
    assert len(project.cases()) == len(REASONS) + 1


def test_the_times_in_junit_are_those_of_the_trainings(project: Project) -> None:
    metadata = project.metadata()
    times = {job_id: float(project.cases()[f"test_training_job[{job_id}]"].attrib["time"]) for job_id in metadata}
    assert times == {job_id: pytest.approx(found["wall_s"], abs=0.002) for job_id, found in metadata.items()}


def test_a_run_that_is_interrupted_names_the_jobs_that_ran_and_those_that_had_not_begun(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.jobs("a")
    project.job("b", "import signal\nprint('began', flush=True)\nsignal.pause()")
    project.jobs("c")
    run = project.start("-p", "no:xdist")
    eventually(lambda: any(log.stat().st_size for log in project.reports.glob("runs/*/jobs/b/attempt-1/log.txt")))
    run.send_signal(signal.SIGINT)
    assert run.wait(120) == 2
    check_structure(junit(project))
    cases = {name[18:-1]: case for name, case in project.cases().items()}
    assert {job_id: properties(case)["status"] for job_id, case in cases.items()} == {
        "a": "passed",
        "b": "interrupted",
        "c": "not run",
    }
    assert cases["b"].find("failure") is not None
    assert cases["b"].findtext("system-out") == "began"
    skipped = cases["c"].find("skipped")
    assert skipped is not None
    assert skipped.attrib["message"] == "the run ended before this job started"
    assert "Interrupted" in row(project, "b")
    assert "the run ended before this job started" in row(project, "c")
    summary = (project.reports / "summary.md").read_text()
    assert "**b**: " in summary
    assert "- c: the run ended before this job started" in summary


def test_jobs_left_out_by_x_have_a_case_each(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.job("a", "raise ValueError")
    project.jobs("b", "c")
    assert project.run("-x", "-n", "0").ret == 1
    check_structure(junit(project))
    assert {name: properties(case)["status"] for name, case in project.cases().items()} == {
        "test_training_job[a]": "failed",
        "test_training_job[b]": "not run",
        "test_training_job[c]": "not run",
    }


def test_what_could_not_be_collected_is_told_of(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.jobs("a")
    project.write("test_bad.py", "def test_bad(:\n    pass\n")
    result = project.run("--continue-on-collection-errors", "test_jobs.py", "test_bad.py")
    assert result.ret == 1
    told = "test_bad.py could not be collected: its tests and jobs are not in this run"
    result.stdout.fnmatch_lines([f"warning: {told}"])
    assert told in (project.reports / "index.html").read_text()
    assert plain(told) in (project.reports / "summary.md").read_text()
    error = project.cases()["test_bad"].find("error")
    assert error is not None
    assert "SyntaxError" in (error.text or "")
