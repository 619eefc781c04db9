"""What console and summary say of studies: verdict and best trials, which are not listed among the jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from made_studies import FAILED, PRUNED, RUN, make_study, study_job, trial
from msgspec.structs import replace

from pytest_training.commands.main import main
from pytest_training.execution.backends.in_process import InProcessLauncher
from pytest_training.execution.backends.protocol import Seat
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.execution.slot import Slot, read_outcome, save_outcome
from pytest_training.jobs.model import PlannedJob, RunSettings, Unchanged
from pytest_training.records.recorded_run import read_run
from pytest_training.records.studies import study_table
from pytest_training.reporters.closing import remark_lines, result_lines
from pytest_training.reporters.console import finished_line, word
from pytest_training.reporters.html.page import write_page
from pytest_training.reporters.markdown import summary
from pytest_training.reporters.studies import closing_lines, columns, verdict


def seeds(*values: float, **fields: Any) -> list[Outcome]:
    return [
        trial(f"seed-{seed}", {"auc": value}, seed=seed, parameters={}, **fields) for seed, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        (seeds(0.70, 0.72), "auc 0.710 ± 0.014 over 2 seeds (95 %: 0.583 to 0.837)"),
        ([*seeds(0.70), trial("seed-1", seed=1, parameters={})], "no mean over 2 trials: not all have auc"),
        (seeds(0.70), "auc 0.700 with 1 seed"),
        ([trial("n-1", {"auc": 0.7}), trial("n-2", {"auc": 0.8})], "best of 2 trials: auc 0.800 with n 2"),
        (
            [trial("n-1", {"odd": 3}), trial("n-2", {"odd": 4})],
            "no best of 2 trials: neither a gate nor the name of odd says whether more is better",
        ),
        (
            [trial("n-1", {"auc": 0.7}), trial("n-2", {"auc": 0.6}), trial("n-3", {"other": 0.8}), trial("n-4")],
            "best of 2 trials: auc 0.700 with n 1; 2 more without auc",
        ),
        ([trial("n-1", {"loss": 0.1}, **FAILED)], "no best of 1 trial: none passed with loss"),
        ([trial("n-1", **FAILED), trial("n-2")], "no best of 2 trials: none passed with a metric"),
        (
            [
                trial(
                    "x",
                    {"loss": 1e-9},
                    parameters={"lr": 3.2e-05, "name": "\x1b[31m" + "x" * 99, "on": True, "at": None, "empty": ""},
                )
            ],
            f'best of 1 trial: loss 1e-09 with lr 3.2e-05, name {"x" * 39}…, on true, at null, empty ""',
        ),
    ],
)
def test_a_study_is_told_in_a_line(trials: list[Outcome], expected: str) -> None:
    assert verdict(study_table("forest", trials)) == expected


def test_the_console_says_what_studies_came_to_and_each_remark_once() -> None:
    crossed = [
        trial(
            f"n-{n}-seed-{seed}", {"auc": n / 10 + seed / 100}, seed=seed, parameters={"n": n}, remarks=("few people",)
        )
        for n in (5, 7)
        for seed in (0, 1)
    ]
    failed = [trial("n-1", {"loss": 2.0}, study="als"), trial("n-2", study="als", **FAILED)]
    tables = [study_table("forest", crossed, job=study_job(seeds=(0, 1))), study_table("als", failed)]
    assert closing_lines(tables) == [
        "study forest: best of 2 combinations: auc 0.705 ± 0.007 over 2 seeds (95 %: 0.641 to 0.769) with n 7",
        "study als: best of 1 trial: loss 2 with n 1; 2 trials: 1 passed, 1 failed",
        "all trials: pytest-training table forest",
    ]
    assert closing_lines([]) == []
    assert remark_lines(crossed) == [("forest: few people", {})]


def test_console_summary_page_and_list_of_runs_count_jobs_and_trials_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [trial("n-1", {"loss": 0.1}), trial("n-2", {"loss": 0.2}, **PRUNED), trial("n-3", optional=True, **FAILED)]
    run = read_run(make_study(tmp_path, trials, metrics={"loss": 0.1}))
    assert run.record
    of_trials = "3 trials: 1 passed, 1 pruned, 1 failed but optional"
    line = f"1 job: 1 passed; {of_trials}"
    assert next(result_lines(run, reports="")) == (line, {"green": True})
    assert summary(run, run.comparison).startswith(f"## Training: 1 passed; {of_trials}\n")
    write_page(run, is_latest=True)
    assert "<title>1 of 1 passed" in (tmp_path / "index.html").read_text()
    assert main(["runs", "--json", "--reports", str(tmp_path)]) == 0
    (counted,) = json.loads(capsys.readouterr().out)
    assert (counted["selected"], counted["passed"]) == (1, 1)
    alone, _ = next(result_lines(msgspec.structs.replace(run, outcomes=run.outcomes[:2]), reports=""))
    assert alone == "2 jobs: 1 passed, 1 pruned"  # trials without their study


def test_a_pruned_trial_says_where_it_was_pruned() -> None:
    pruned = trial("n-1", {"loss": 0.71}, **PRUNED)
    line, _ = finished_line(pruned, width=80, done=1, total=9)
    assert line.startswith("PRUNED  forest-n-1    at epoch 2 of 9: 0.71 ")
    assert word(pruned) == "PRUNED at epoch 2 of 9: 0.71, 2.0 s"


@pytest.mark.parametrize("drawn", [{"rate": 0.3}, {"rate": 0.3, "layers": [8], "text": None}, {}])
@pytest.mark.parametrize("notes", [(), ("1 of 2 trials did not pass: forest-trial-002",)])
@pytest.mark.parametrize("width", [80, 160])
def test_an_unchanged_study_and_its_trials_say_so_with_what_was_drawn(
    tmp_path: Path, drawn: dict[str, Any], notes: tuple[str, ...], width: int
) -> None:
    folder = RunFolder(tmp_path, RUN)
    launcher = InProcessLauncher(Seat(folder=folder, owner=None))
    slot = Slot(name="main", folder=folder, launcher=launcher, seed=0, threads=1, settings=RunSettings())
    unchanged = Unchanged(run_id="20260101-1", parameters={"epochs": 3, **drawn}, metrics={"auc": 0.7})
    trials = [trial("trial-001"), *[trial("trial-002", **FAILED) for _ in notes]]
    for failed in trials[1:]:
        save_outcome(folder, failed)
    study = study_job(trials=trials)
    job = replace(study, id="forest-trial-001", kind="function", trial_of="forest", study=None, varied=(*drawn,))
    lines = []
    for each in (replace(job, parameters={"epochs": 3}), study):  # a plan lacks what will be drawn
        planned = PlannedJob(job=each, expected_s=None, expected_from="unknown", datasets=(), unchanged=unchanged)
        outcome = slot.train(planned)
        assert (outcome.status, outcome.cause) == (Status.SKIPPED, "unchanged")
        assert outcome.parameters == {"epochs": 3, **drawn}
        lines.append(finished_line(outcome, width=width, done=1, total=2)[0])
    assert all(" unchanged since" in line for line in lines)
    assert notes == outcome.notes[1:]
    first = read_outcome(folder, job.id)
    assert first is not None
    assert study_table("forest", [first]).rows[0].parameters == drawn


def test_the_summary_has_a_table_of_each_study_and_folds_its_trials(tmp_path: Path) -> None:
    trials = [trial(f"n-{n}", {"auc": n / 100}, parameters={"n": n, "text": "<b>|*"}) for n in range(30)]
    trials += [trial("n-97", {"auc": 0.99}, **PRUNED), trial("n-98", **FAILED), trial("n-99", **FAILED)]
    folder = make_study(tmp_path, trials, metrics={"auc": 0.29})
    run = read_run(folder)
    lines = summary(run, run.comparison).splitlines()
    jobs = [line for line in lines if line.startswith(("| ✅", "| ❌"))]
    assert jobs == ["| ✅ | forest | auc 0.290 |  |  |  |"]
    at = lines.index("### forest: 33 trials: 30 passed, 1 pruned, 2 failed")
    assert lines[at + 2] == "best of 31 trials: auc 0.290 with n 29, text \\<b\\>\\|\\*"
    assert lines[at + 4 : at + 8] == [
        "| trial | auc | n | text | seconds |",
        "| --- | --- | --- | --- | --- |",
        "| **n\\-29** | 0.29 | 29 | \\<b\\>\\|\\* | 2 |",
        "| n\\-28 | 0.28 | 28 | \\<b\\>\\|\\* | 2 |",
    ]
    assert "and 13 more: `pytest-training table forest`" in lines
    assert "**forest\\-n\\-98** and 1 more of forest: raised ValueError: no tree" in lines
    assert not any("pruned at epoch" in line for line in lines)


def test_a_parameter_named_like_an_interval_or_a_metric_has_a_column() -> None:
    trials = [trial("n-1", {"auc": 0.7, "auc_low": 0.6, "n": 5.0}, parameters={"n": 1, "clip_low": 0.1, "trial": "a"})]
    names, _ = columns(study_table("forest", trials), study_table("forest", trials).rows, 200)
    assert [column[0] for column in names] == [
        *("trial", "auc", "parameter n", "clip_low", "parameter trial", "seconds", "metric n")
    ]


def test_trials_are_not_compared_with_those_of_earlier_runs(tmp_path: Path) -> None:
    for day, value in ((1, 0.7), (2, 0.6)):
        trials = [trial("n-1", {"auc": value})]
        folder = make_study(tmp_path, trials, run_id=f"2026010{day}-100000-abcd", metrics={"auc": value})
    assert [each.job_id for each in read_run(folder).comparison.jobs] == ["forest"]
