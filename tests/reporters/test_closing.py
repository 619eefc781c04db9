"""Tests of reporters/closing.py: what stands in the last lines of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sessions import Project, text
from test_console import SIMULATED, failed, outcome

from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.model import Plan
from pytest_training.records.comparison import Change, Comparison, JobComparison, Verdict
from pytest_training.records.history import Recorded
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.run_record import RunRecord
from pytest_training.reporters.closing import comparison_lines, fact_lines, result_lines
from pytest_training.reporters.html import running

NOWHERE = Path("/nowhere")


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester.path, pytester)


def made_run(
    *outcomes: Outcome, reports: Path = NOWHERE, workers: int = 4, problems: tuple[str, ...] = ()
) -> TrainingRun:
    record = RunRecord(run_id="r1", started="", ended="", seed=0, workers=workers, exit_code=0, folder="runs/r1")
    plan = Plan(run_id="r1", seed=0, workers=workers, threads=1, jobs=())
    folder = RunFolder(reports, "r1")
    return TrainingRun(folder, plan, outcomes, record=record, problems=list(problems))


def facts(*outcomes: Outcome, **run: Any) -> list[str]:
    return [line for line, _ in fact_lines(made_run(*outcomes, **run))]


def results(*outcomes: Outcome, **run: Any) -> list[str]:
    return [line for line, _ in result_lines(made_run(*outcomes, **run), reports="reports")]


def at(start_s: int, end_s: int) -> dict[str, Any]:
    times = {"started": f"2026-01-01T10:00:{start_s:02d}Z", "ended": f"2026-01-01T10:00:{end_s:02d}Z"}
    return {**times, "wall_s": float(end_s - start_s)}


def test_facts_are_simulated_data_durations_and_the_longest_job() -> None:
    outcomes = [outcome("als", **at(0, 8)), outcome("brain", data=(SIMULATED,), **at(0, 4)), outcome(**at(4, 9))]
    assert facts(*outcomes) == [
        "simulated data: brain",
        "17.0 s of training in 9.0 s, 4 jobs at a time; the longest job alone takes 8.0 s",
    ]
    assert facts(*outcomes, workers=2)[1] == "17.0 s of training in 9.0 s, 2 jobs at a time"
    assert facts(outcome(**at(0, 8)), workers=1) == ["8.0 s of training in 8.0 s"]
    assert facts() == []


def test_waiting_is_a_fact_if_it_is_long_enough() -> None:
    waited = outcome("als", **at(0, 4), waiting_s=3.6)
    assert facts(waited, waited)[1:] == ["jobs waited 7.2 s for imports, GPUs or another attempt"]
    assert "waited" not in str(facts(outcome(**at(0, 4), waiting_s=0.2)))


def test_what_jobs_say_of_their_results_is_a_fact_unless_it_stands_with_a_failure() -> None:
    said = ("3 of 7 columns used", "'x' alone predicts the target\x1b[2J")
    lines = facts(outcome(remarks=said), failed("gate", remarks=said))
    assert "parkinsons: 3 of 7 columns used" in lines
    assert len([line for line in lines if "alone predicts" in line]) == 1
    assert "and 8 more remarks of jobs: see summary.md" in facts(
        outcome(remarks=tuple(f"remark {n}" for n in range(20)))
    )


def test_how_intervals_come_about_is_left_to_the_page() -> None:
    assert "interval" not in str(facts(outcome(interval_method="95 %: DeLong's method over 252 people")))


def test_results_are_counts_each_reason_once_what_to_type_and_where_files_are(tmp_path: Path) -> None:
    log = {"log": "jobs/b c/attempt-1/log.txt"}
    jobs = [
        outcome("als"),
        failed("error", "raised KeyError: 'age'", optional=True),
        failed("error", "raised ValueError: no data", job_id="b c", **log),
        failed("error", "raised ValueError: no data", job_id="ms"),
        failed("gate", "r2 is 0.05, required >= 0.1", job_id="forest-n-5", trial_of="forest"),
    ]
    run = made_run(*jobs, reports=tmp_path, problems=("history is locked",))
    run.pages.append(tmp_path / "index.html")
    assert list(result_lines(run, reports="reports", table=" --reports out", places=" --training-root jobs")) == [
        ("5 jobs: 1 passed, 1 failed but optional, 3 failed", {"red": True}),
        ("failed: b c, ms: raised ValueError: no data", {"red": True}),
        ("failed: forest-n-5: r2 is 0.05, required >= 0.1", {"red": True}),
        ("failed but optional: parkinsons: raised KeyError: 'age'", {"yellow": True}),
        ("warning: history is locked", {"yellow": True}),
        ("what it printed: pytest-training logs 'b c' --reports out", {}),
        ("train what failed again: pytest --lf --training-root jobs", {"bold": True}),
        ("reports: reports/runs/r1", {}),
        (f"page: {(tmp_path / 'index.html').as_uri()}", {"bold": True}),
    ]


class Hindered(running.Reporter):
    """Cannot write the page the first two times."""

    times = 0

    def _write(self, run: TrainingRun, pause_s: float) -> None:
        assert run
        assert pause_s > 0
        self.times += 1
        if self.times <= 2:
            raise OSError(28, "No space left on device")
        self.over.set()


def test_the_page_of_a_run_in_progress_is_tried_again_and_warned_of_once(
    monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    monkeypatch.setattr(running, "AFTER_ERROR_S", 0.01)
    reporter, run = Hindered(pytestconfig), made_run()
    reporter._write_all(run)
    assert reporter.times == 3
    (problem,) = run.problems
    assert problem.startswith("the page of the run in progress stood still: OSError: [Errno 28]")


def test_a_run_that_passed_needs_three_lines(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()  # of the run before: this one's was not written
    assert results(outcome("als"), reports=tmp_path) == ["1 job: 1 passed", "reports: reports/runs/r1"]
    assert results(reports=tmp_path) == ["0 jobs", "reports: reports/runs/r1"]


def test_many_different_failures_and_long_reasons_leave_the_end_on_a_screen(tmp_path: Path) -> None:
    lines = results(
        *(failed("error", f"reason {n}: {'x' * 400}", job_id=f"job{n}") for n in range(30)), reports=tmp_path
    )
    assert len(lines) == 9
    assert max(map(len, lines)) <= 160
    assert "and 25 more reasons: see the page" in lines


def test_failed_trials_of_a_search_are_resumed_not_selected_alone(tmp_path: Path) -> None:
    lines = results(failed("error", job_id="forest-1", trial_of="forest"), outcome("forest"), reports=tmp_path)
    assert not [line for line in lines if "--lf" in line]


def test_many_changes_that_nobody_asked_for_are_the_status_and_headline_of_the_first_jobs() -> None:
    def change(metric: str, verdict: Verdict = "worse") -> Change:
        return Change(run_id="r0", metric=metric, before=0.5, now=0.4 if verdict != "same" else 0.5, verdict=verdict)

    before = Recorded(run_id="r0", started="", outcome=outcome())
    changes = (change("auc"), change("f1"))
    jobs = tuple(JobComparison(f"job{n}", before, changes, ("passed", "failed"), ("epochs",)) for n in range(9))
    lines = [text for text, _ in comparison_lines(Comparison("the last run", jobs), is_asked=False)]
    change_words = "auc ▼ 0.500 → 0.400 (-0.1): worse, not judged against noise"
    assert lines[1:3] == ["  job0: passed, now failed", f"  job0: {change_words}  (other parameters: epochs)"]
    assert (len(lines), lines[-1]) == (12, "  and 4 more jobs: see summary.md")
    asked = [text for text, _ in comparison_lines(Comparison("the last run", jobs))]
    assert asked[1:3] == [
        "  job0: passed, now failed",
        "  job0: auc ▼ 0.500 → 0.400 (-0.1): worse, not judged against noise",
    ]
    by_chance = JobComparison("als", before, (change("auc", "same"), change("odd", "changed")), None, ())
    assert [text for text, _ in comparison_lines(Comparison("main", (by_chance,)))] == [
        *("against main:", "  als: 1 other metric differs")
    ]
    for change_now in ((change("auc", "same"),), ()):
        comparison = Comparison("main", (JobComparison("als", before, change_now, None, ("epochs",)),))
        for is_asked in (True, False):
            lines = [text for text, _ in comparison_lines(comparison, is_asked=is_asked)]
            assert lines == ["against main:", "  als: no metric changed  (other parameters: epochs)"]
    assert asked[3].endswith("not judged against noise  (other parameters: epochs)")


def test_a_run_that_got_worse_and_failed_says_so_last_even_with_q(project: Project) -> None:
    project.job("als", 'return {"r2": 0.9 if good else 0.8}', parameters="good=True")
    project.job("broken", 'raise ValueError("no data")')
    project.here("-p", "no:xdist")
    end = [
        "2 jobs: 1 passed, 1 failed",
        "failed: broken: raised ValueError: no data",
        "against the last run of each job:",
        "  als: r2 ▼ 0.900 → 0.800 (-0.1): worse, not judged against noise  (other parameters: good)",
        "what it printed: pytest-training logs broken",
        "train what failed again: pytest --lf --set=als.good=False",
        f"page: {(project.reports / 'index.html').as_uri()}",
    ]
    quiet = project.here("-p", "no:xdist", "--set=als.good=False", "-q")
    assert [line for line in quiet.outlines if line][-8:-1] == end, text(quiet)
    usual = project.here("-p", "no:xdist", "--set=als.good=True")
    *lines, reports, page = usual.outlines[-9:-1]
    assert lines == [
        *end[:3],
        "  als: r2 ▲ 0.800 → 0.900 (+0.1): better, not judged against noise  (other parameters: good)",
        end[4],
        "train what failed again: pytest --lf --set=als.good=True",
    ]
    assert reports.startswith("reports: reports/runs/")
    assert page == end[-1]
