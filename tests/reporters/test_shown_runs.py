"""What a user finds after a run: the page, summary, JUnit report, history and logs; also of a run that was killed."""

from __future__ import annotations

import html
import json
import platform
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import hostile
import pytest
from made_runs import make_run, publish
from sessions import WAIT, Project, properties, text
from watching import eventually


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def page(project: Project) -> str:
    return (project.reports / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_run_leaves_page_summary_and_junit_with_the_end_of_the_log(project: Project) -> None:
    project.job("als", 'print("almost there"); run.log(epoch=1, loss=1.0); return {"r2": 0.3}')
    project.job("stroke", 'print("so near"); raise ValueError("no data")')
    result = project.run("-n", "2")
    assert result.ret == 1, text(result)
    written = page(project)
    assert "1 failed" in written
    assert "almost there" in written
    assert "raised ValueError: no data" in written
    assert "stroke" in (project.reports / "summary.md").read_text()
    cases = project.cases()
    assert "almost there" in (cases["test_training_job[als]"].findtext("system-out") or "")
    assert "so near" in (cases["test_training_job[stroke]"].findtext("system-out") or "")
    assert json.loads(next(project.reports.glob("runs/*/run.json")).read_text())["exit_code"] == 1


def test_the_command_that_the_page_shows_trains_the_job_again_as_it_was(project: Project) -> None:
    project.job("als", 'return {"r2": float(share), "seed": float(run.seed)}', parameters='share=0.5, word=""')
    project.job("mri", 'return {"r2": float(share) + depth}', parameters="share=0.5, depth=1, trees=2")
    study = ("--training-matrix", "mri.depth=1,2", "--set", "mri.share=0.5", "--set", "mri-depth-2.trees=3")
    settings = ("--set", "als.share=0.25", "--set", "als.word=two 'words' <b>")
    assert project.run("-p", "no:xdist", "--training-seed", "7", *settings, *study).ret == 0
    before = project.metadata()["als"]
    found = re.findall(r'<pre class="command".*?to run (\S+) again">(.*?)</pre>', page(project))
    commands = {job_id: shlex.split(html.unescape(command)) for job_id, command in found}
    assert commands["mri"] == ["pytest", "-k", "mri", "--training-seed", "7", *study]
    assert commands["mri-depth-2"][-4:] == ["--set", "mri-depth-2.share=0.5", "--set", "mri-depth-2.trees=3"]
    program, *arguments = commands["als"]
    assert program == "pytest"
    again = project.run("-p", "no:xdist", *arguments)
    assert again.ret == 0, text(again)
    now = project.metadata()["als"]
    assert [now[key] for key in ("metrics", "parameters", "seed")] == [
        before[key] for key in ("metrics", "parameters", "seed")
    ]
    assert now["metrics"] == {"r2": 0.25, "seed": 7.0}


def test_a_resumed_study_is_run_again_by_the_options_of_the_first_run(project: Project) -> None:
    project.job("mri", 'assert pathlib.Path("mended").exists(); return {"r2": 0.5}', top="import pathlib")
    study = ("--training-seeds", "2")
    assert project.run("-p", "no:xdist", "--training-seed", "7", *study).ret == 1
    (project.root / "mended").touch()
    for _ in range(2):
        result = project.run("-p", "no:xdist", "--training-resume")
    assert "nothing to train" in text(result)
    command = re.search(r'<pre class="command".*?to run mri again">(.*?)</pre>', page(project))
    assert command
    assert command[1] == "pytest -k mri --training-seed 7 --training-seeds 2"


def test_the_page_has_a_timeline_and_the_licence_and_citation_of_the_data(tmp_path: Path) -> None:
    publish(make_run(tmp_path, jobs=2))
    written = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'class="gantt"' in written
    assert "licence: CC BY 4.0" in written
    assert "Doe 2020" in written


def commands(lines: list[str]) -> Iterator[str]:
    """Yield what GitHub's runner takes for commands: it looks behind spaces, and can be told to stop."""
    stopped_by = None
    for line in map(str.strip, lines):
        if stopped_by is not None:
            stopped_by = None if line == f"::{stopped_by}::" else stopped_by
        elif line.startswith("::stop-commands::"):
            stopped_by = line.removeprefix("::stop-commands::")
        elif line.startswith("::") or "##[" in line:  # the older form works anywhere in a line
            yield line


def test_nothing_that_a_hostile_job_says_becomes_markup_or_grows_the_reports(project: Project) -> None:
    hostile.make(project)
    env = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(project.root / "step.md")}
    result = project.run(env=env)
    assert result.ret == 1, text(result)
    written = page(project)
    assert len(written) < 300_000
    assert written.count("<script>") == 1  # ours
    assert "<img src=x" not in written
    assert html.escape(hostile.HTML, quote=False)[:20] in written
    assert "\x1b" not in written
    assert "root:x:0" not in written
    assert written.count("data:image/svg+xml;base64,") == 2
    assert "Content-Security-Policy" in written
    links = re.findall(r'(?:src|href)="([^"]*)"', written)
    assert {link.partition(":")[0].partition("/")[0].partition("#")[0] for link in links} == {"", "data", "runs"}
    cases = project.cases()
    for job_id in ("evil", "fails"):
        log = cases[f"test_training_job[{job_id}]"].findtext("system-out") or ""
        assert hostile.HTML in log
        assert len(log) <= 32_000
        assert properties(cases[f"test_training_job[{job_id}]"])["title"].startswith(f"Title {hostile.HTML}")
    assert (project.reports / "junit.xml").stat().st_size < 200_000
    summary = (project.reports / "summary.md").read_text(encoding="utf-8")
    assert (project.root / "step.md").read_text(encoding="utf-8") == summary + "\n"
    assert len(summary) < 20_000
    shown_as_it_is = r"^(`{3,})text\n.*?^\1$"
    told = re.sub(shown_as_it_is, "", summary, flags=re.DOTALL | re.MULTILINE)
    told = re.sub(r"\\.", "", told)  # Markdown shows an escaped character and does nothing
    for dangerous in ("<script", "<img", "](", "@everyone", "://", " #1", " `code", "**bold"):
        assert dangerous not in told, dangerous
    (annotation,) = commands(result.outlines)
    assert annotation.startswith("::error file=training/train_fails.py,title=training fails::raised ValueError: ")


REPORTS = ("plan.json", "report.json", "junit.xml", "index.html", "summary.md")


def test_reports_name_neither_the_computer_nor_its_user(project: Project) -> None:
    home = project.root.parent
    project.job("fails", 'print(__file__)\nraise ValueError(f"not in {__file__}")')
    project.job(
        "reads", 'assert data == os.environ["HOME"] + "/x"\nreturn {"x": 1.0}', top="import os", parameters="data=''"
    )
    result = project.run("-n", "2", "--set", f"reads.data={home}/x", env={"HOME": str(home)})
    assert project.statuses() == {"fails": "failed", "reads": "passed"}, text(result)
    (run,) = project.reports.glob("runs/*")
    own = re.compile(rf"{re.escape(str(home))}/(?!x\b)|\b{re.escape(platform.node())}\b")
    for path in [*(run / name for name in REPORTS), *(project.reports / name for name in REPORTS[1:])]:
        written = path.read_text(encoding="utf-8")
        assert not own.search(written), path
        assert f"~/{project.root.name}/" in written, path
    assert project.metadata()["reads"]["parameters"] == {"data": f"{home}/x"}  # what ran
    assert f"--set reads.data={home}/x" in page(project)


@pytest.mark.slow
def test_history_comparison_and_regression(project: Project) -> None:
    project.job("als", 'return {"roc_auc": float(score), "loss": 0.5}', parameters="score=0.9")
    assert "no history" in text(project.ask("history"))
    first = project.run("--training-compare", "last", "--training-max-regression", "0.02")
    assert first.ret == 0, text(first)
    assert "nothing to compare with" in text(first)

    near = project.run("--set", "als.score=0.89", "--training-max-regression", "0.02", "--training-compare", "last")
    assert near.ret == 0, text(near)
    near.stdout.fnmatch_lines(
        ["*als: roc_auc ▼ 0.900 → 0.890 (-0.01): worse, not judged against noise*other parameters: score*"]
    )

    worse = project.run("--set", "als.score=0.8", "--training-max-regression", "0.02")
    assert worse.ret == 1
    worse.stdout.fnmatch_lines(
        ["*roc_auc got worse: 0.8, was 0.89 in run * with other parameters (score), at most 0.02 worse*"]
    )

    past = project.ask("history", "als")
    past.stdout.fnmatch_lines(["job*when*status*", "als*PASSED*roc_auc 0.9*", "als*PASSED*0.89*", "als*FAILED*0.8*"])
    assert past.ret == 0
    unknown = project.ask("history", "asl")
    assert unknown.ret == 2
    assert "the history has no job 'asl': did you mean 'als'? Expected one of als" in text(unknown)


def test_a_regression_rule_that_cannot_be_is_a_usage_error(project: Project) -> None:
    project.jobs("als")
    result = project.run("--training-max-regression", "much")
    assert result.ret == 4
    assert "--training-max-regression: expected a number like 2%, 0.02 or roc_auc=0.02, found 'much'" in text(result)


@pytest.mark.slow
def test_lines_say_when_a_job_starts_and_that_it_goes_on(project: Project) -> None:
    body = 'run.log(epoch=3)\nrun.progress(1, 4)\nwait_for(jobs(run).parents[3] / "go")\nreturn {"score": 1.0}'
    project.job("als", body, top=WAIT)
    session = project.start("-o", "training_heartbeat=0.4s")
    eventually(lambda: re.search(r"^running als  for .*s, 25 %, epoch 3", project.said, re.MULTILINE))
    (project.root / "go").touch()
    assert session.wait(120) == 0
    lines = ["started als", "running als  for *s, 25 %, epoch 3*", "PASSED*als*"]
    pytest.LineMatcher(project.said.splitlines()).fnmatch_lines(lines)
    assert "\x1b" not in project.said
    quiet = project.run("-o", "training_heartbeat=0.4s", "--training-progress=off")
    assert "started" not in quiet.stdout.str()
