"""Tests of reporting/github.py and markdown.py: nothing that a job named becomes a command or Markdown."""

from __future__ import annotations

from pathlib import Path

from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.jobs.model import Job, Plan, PlannedJob
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.reporters.github import add_step_summary, failure_annotations
from pytest_training.reporters.markdown import summary

HOSTILE = "x\n::set-output name=a::b | <script>alert(1)</script> [link](http://evil) @everyone `code` \x1b[31m"


def run(tmp_path: Path, *outcomes: Outcome, root: str = "") -> TrainingRun:
    jobs = tuple(
        PlannedJob(
            job=Job(id=each.job_id, kind="function", source="training/train_x.py:3", home="", root=root),
            expected_s=None,
            expected_from="unknown",
        )
        for each in outcomes
    )
    plan = Plan(run_id="r1", seed=0, workers=2, threads=1, jobs=jobs)
    return TrainingRun(RunFolder(tmp_path, "r1"), plan, outcomes)


def failed(**more: object) -> Outcome:
    known = {"job_id": "als", "kind": "function", "title": HOSTILE, "status": Status.FAILED, "cause": "error"}
    return Outcome(**known | more)  # type: ignore[arg-type]  # the tests give the types that they need


def test_each_failure_is_one_annotation_line_with_its_place(tmp_path: Path) -> None:
    lines = list(failure_annotations(run(tmp_path, failed(reason=HOSTILE)), {"GITHUB_ACTIONS": "true"}))
    assert len(lines) == 1
    assert lines[0].startswith("::error file=training/train_x.py,line=3,title=training als::x ::set-output")
    assert "\n" not in lines[0]
    assert list(failure_annotations(run(tmp_path, failed()), {})) == []
    optional = list(failure_annotations(run(tmp_path, failed(optional=True)), {"GITHUB_ACTIONS": "true"}))
    assert optional[0].startswith("::warning ")


def test_an_annotation_names_the_file_below_the_folder_that_github_has(tmp_path: Path) -> None:
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)}
    lines = list(failure_annotations(run(tmp_path, failed(), root=str(tmp_path / "ml")), environment))
    assert lines[0].startswith("::error file=ml/training/train_x.py,line=3,")


def test_the_summary_shows_what_a_job_printed_and_does_nothing_else(tmp_path: Path) -> None:
    outcome = failed(
        reason=HOSTILE, metrics={HOSTILE: 0.5}, traceback="````\n</details>\n" + HOSTILE, parameters={HOSTILE: HOSTILE}
    )
    text = summary(run(tmp_path, outcome), None)
    assert "\x1b" not in text
    outside = text.split("<details>")[0]
    assert "<script>" not in outside
    assert "\\<script\\>" in outside
    assert "](http" not in outside
    assert "@everyone" not in outside
    assert "`````text" in text  # a longer fence than the one in the traceback
    assert "did not finish" in text


def test_the_step_summary_is_added_to_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "step.md"
    file.write_text("before\n")
    assert add_step_summary("## Training\n", {"GITHUB_STEP_SUMMARY": str(file)}) is None
    assert file.read_text() == "before\n## Training\n\n"
    assert add_step_summary("x", {}) is None
    problem = add_step_summary("x", {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "step.md")})
    assert problem is not None
    assert problem.startswith("the step summary is not written")
