"""`pytest-training runs`, `diff` and `best`: all runs side by side, whatever is left of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import psutil
import pytest
from past_runs import Pasts, outcome, pasts

from pytest_training.atomic import write_atomically
from pytest_training.execution.outcome import Status, StudyResult
from pytest_training.records.run_record import BegunRun
from pytest_training.records.strict_json import encode

__all__ = ["pasts"]
NOT_JUDGED = ["not", "judged", "against", "noise"]


def passed(job_id: str = "als", **metrics: float) -> Any:
    return outcome(job_id, metrics=metrics)


def go_on(pasts: Pasts, run_id: str) -> None:
    """Let a run be one of this process: it is in progress."""
    process = psutil.Process()
    begun = BegunRun(run_id=run_id, started="", pid=os.getpid(), pid_started=process.create_time())
    write_atomically(pasts.folder(run_id) / "begun.json", encode(begun))


def test_the_list_has_every_run_in_whatever_state(pasts: Pasts) -> None:
    removed = pasts(passed(auc=0.9), branch="main", commit="c" * 40)
    plain = pasts(passed(auc=0.8), outcome("stroke", Status.FAILED, cause="error"))
    killed = pasts(passed(auc=0.99), finished=False)
    unrecorded = pasts(passed(auc=0.7), recorded=False)
    going = pasts(passed(auc=0.6), passed("begun"), outcome("stroke", Status.NOT_RUN), finished=False)
    (pasts.folder(going) / "jobs" / "begun" / "outcome.json").unlink()
    go_on(pasts, going)
    damaged = pasts(passed(auc=0.6), recorded=False)
    (pasts.folder(damaged) / "plan.json").write_text("{")
    shutil.rmtree(pasts.folder(removed))
    lines = {line["run_id"]: line for line in pasts.json("runs")}
    assert list(lines) == [removed, plain, killed, unrecorded, going, damaged]
    assert [(line["selected"], line["passed"], line["notes"]) for line in lines.values()] == [
        (1, 1, ["no folder"]),
        (2, 1, ["1 failed"]),
        (1, 1, ["did not finish"]),
        (1, 1, ["not in the history"]),
        (3, 1, ["in progress", "1 running", "1 not run"]),
        (0, 0, ["cannot be read"]),
    ]
    assert lines[removed]["best"] == ["als"]
    assert (lines[removed]["branch"], lines[removed]["commit"]) == ("main", "c" * 40)
    code, printed, said = pasts.answer("runs")
    assert (code, said) == (0, "")
    words = [line.split() for line in printed.splitlines()]
    assert words[1] == [removed, "2026-01-05", "10:00", "c" * 10, "1", "1", "no", "folder", "als"]
    assert words[2] == [plain, "2026-01-05", "10:00", "2", "1", "1", "failed"]


def test_a_study_counts_once_with_all_its_trials(pasts: Pasts) -> None:
    trials = [outcome(f"als-seed-{seed}", trial_of="als", metrics={"auc": 0.9}) for seed in range(3)]
    pasts(*trials, outcome("als", kind="study", metrics={"auc": 0.8}, study=StudyResult(metric="auc", direction="")))
    (line,) = pasts.json("runs")
    assert (line["selected"], line["passed"], line["notes"], line["best"]) == (1, 1, [], ["als"])


@pytest.mark.parametrize("recorded", [True, False])
def test_trials_without_their_study_count_each(pasts: Pasts, recorded: bool) -> None:  # noqa: FBT001  (a case)
    failed = outcome("als-seed-1", Status.FAILED, trial_of="als", cause="error")
    pasts(outcome("als-seed-0", trial_of="als"), failed, recorded=recorded)
    (line,) = pasts.json("runs")
    assert (line["selected"], line["passed"], line["notes"][-1]) == (2, 1, "1 failed")


def study(pasts: Pasts, *values: float) -> str:
    """Leave a run with a study that is decided by another metric than its first one."""
    trials = [outcome(f"als-seed-{n}", trial_of="als", metrics={"auc": value}) for n, value in enumerate(values)]
    verdict = StudyResult(metric="brier", direction="lower", best="als-seed-1")
    metrics = {"auc": max(values), "brier": max(values)}
    return pasts(*trials, outcome("als", kind="study", metrics=metrics, study=verdict, attempts=()))


def test_the_best_of_a_study_is_by_its_own_metric_and_in_the_folder_of_its_best_trial(pasts: Pasts) -> None:
    best, _ = study(pasts, 0.1, 0.2), study(pasts, 0.8, 0.9)
    answer = pasts.json("best", "als")
    assert (answer["run_id"], answer["metric"]) == (best, "brier")
    assert Path(answer["folder"]) == pasts.folder(best) / "jobs/als-seed-1/attempt-1/artifacts"
    assert pasts.json("best", "als-seed-0")["metric"] == "auc"


def test_the_best_of_a_study_over_seeds_is_a_mean_that_has_no_best_trial(pasts: Pasts) -> None:
    trials = [outcome(f"als-seed-{seed}", trial_of="als", metrics={"auc": 0.9}) for seed in range(2)]
    verdict = StudyResult(metric="auc", direction="higher", best="als-seed-0", seeds=2)
    run = pasts(*trials, outcome("als", kind="study", metrics={"auc": 0.9}, study=verdict, attempts=()))
    _, printed, said = pasts.answer("best", "als")
    assert printed.strip() == str(pasts.folder(run) / "jobs/als-seed-0/attempt-1/artifacts")
    assert said.strip().endswith("a mean over 2 seeds has no best trial: the folder is that of its first")


def test_the_difference_of_studies_is_that_of_the_studies_alone(pasts: Pasts) -> None:
    study(pasts, 0.1, 0.2, 0.3)
    study(pasts, 0.8, 0.9)
    answer = pasts.json("diff")
    assert [job["job_id"] for job in answer["jobs"]] == ["als"]
    assert list(answer["only_in"].values()) == [[], []]


def test_runs_without_a_common_job_are_told_in_one_sentence(pasts: Pasts) -> None:
    first, second = pasts(passed("als")), pasts(passed("stroke"))
    code, printed, _ = pasts.answer("diff")
    assert code == 0
    assert printed.splitlines()[0] == f"no job is in both {first} and {second}"
    assert f"only in {first}: als" in printed


def test_without_runs_the_list_says_so(pasts: Pasts) -> None:
    assert pasts.answer("runs") == (0, f"no run in {pasts.reports}\n", "")
    assert pasts.json("runs") == []


def test_a_damaged_history_is_a_warning_and_the_folders_are_listed(pasts: Pasts) -> None:
    run_id = pasts(passed(auc=0.9))
    (pasts.reports / "history.sqlite").write_text("garbage" * 1000)
    code, printed, said = pasts.answer("runs")
    assert (code, run_id in printed) == (0, True)
    assert said.startswith("warning: ")


def test_the_best_of_a_damaged_history_says_that_it_is_damaged(pasts: Pasts) -> None:
    pasts(passed(auc=0.9))
    (pasts.reports / "history.sqlite").write_text("garbage" * 1000)
    code, _, said = pasts.answer("best", "als")
    assert (code, said.startswith("warning: "), "is no readable history" in said) == (2, True, True)


def test_the_difference_to_a_run_with_a_damaged_plan_is_that_of_the_history(pasts: Pasts) -> None:
    pasts(passed(auc=0.8))
    second = pasts(passed(auc=0.9))
    whole = pasts.json("diff")
    (pasts.folder(second) / "plan.json").write_text("{")
    code, printed, said = pasts.answer("diff")
    assert (code, "auc ▲ 0.800 → 0.900" in printed, said.startswith("warning: ")) == (0, True, True)
    assert pasts.json("diff")["jobs"] == whole["jobs"]


def test_the_difference_of_two_runs_is_in_statuses_metrics_parameters_and_versions(pasts: Pasts) -> None:
    first = pasts(
        outcome("als", metrics={"auc": 0.8}, parameters={"epochs": 3}),
        outcome("stroke", metrics={"mae": 2.0}),
        outcome("same", metrics={"auc": 0.5}),
        passed("gone"),
        commit="a" * 40,
    )
    second = pasts(
        outcome("als", metrics={"auc": 0.9}, parameters={"epochs": 5}),
        outcome("stroke", Status.FAILED, cause="error"),
        outcome("same", metrics={"auc": 0.5}),
        passed("new"),
        commit="b" * 40,
    )
    code, printed, said = pasts.answer("diff")
    assert (code, said) == (0, "")
    assert [line.split() for line in printed.splitlines()] == [
        ["job", "status", first, "→", second],
        [
            "als",
            "passed",
            *["auc", "▲", "0.800", "→", "0.900", "(+0.1):", "better,", "not", "judged", "against", "noise"],
        ],
        ["epochs:", "3", "→", "5"],
        ["stroke", "passed", "→", "failed"],
        ["1", "of", "3", "jobs", "are", "the", "same", "in", "both", "runs"],
        ["only", "in", f"{first}:", "gone"],
        ["only", "in", f"{second}:", "new"],
        ["numpy:", "2.1", "→", "2.2"],
        ["commit:", "a" * 10, "→", "b" * 10],
    ]
    answer = pasts.json("diff", first, second)
    assert [job["job_id"] for job in answer["jobs"]] == ["als", "stroke", "same"]
    assert answer["only_in"] == {first: ["gone"], second: ["new"]}
    assert pasts.json("diff", second, first)["only_in"] == {second: ["new"], first: ["gone"]}


@pytest.mark.parametrize("words", [("20260101", "20260102"), ("previous", "last"), ("20260101-100000-abcd",), ()])
def test_runs_are_named_by_ids_their_beginnings_and_words_also_without_a_folder(
    pasts: Pasts, words: tuple[str, ...]
) -> None:
    first, second = pasts(passed(auc=0.8)), pasts(passed(auc=0.9))
    shutil.rmtree(pasts.folder(first))
    assert (pasts.json("diff", *words)["first"], pasts.json("diff", *words)["second"]) == (first, second)


def test_a_run_is_not_compared_with_itself_or_with_none(pasts: Pasts) -> None:
    run_id = pasts(passed(auc=0.8))
    assert pasts.answer("diff", run_id, "last")[::2] == (
        *(2, f"pytest-training diff: error: {run_id} and last are the same run, {run_id}\n"),
    )
    code, _, said = pasts.answer("diff", "nonsense")
    assert (code, said.startswith("pytest-training diff: error: run 'nonsense': expected one of the 1 runs in")) == (
        2,
        True,
    )
    assert pasts.answer("diff")[0] == 2


@pytest.mark.parametrize(
    ("metric", "gate", "values", "best"),
    [
        ("auc", "", (0.7, 0.9, 0.8), 1),
        ("mae", "", (0.7, 0.9, 0.8), 0),
        ("auc", "", (0.9, 0.9, 0.8), 1),  # of equal ones the newest
        ("mae", "", (0.9, 0.7, 0.7), 2),
        ("size", "size >=", (1.0, 3.0, 2.0), 1),  # the gate says which is better
        ("size", "size <=", (1.0, 3.0, 2.0), 0),
        ("auc", "auc <=", (0.7, 0.9, 0.8), 0),  # and it counts more than the name
    ],
)
def test_the_best_is_that_of_the_headline_by_its_gate_or_its_name(
    pasts: Pasts, metric: str, gate: str, values: tuple[float, ...], best: int
) -> None:
    ids = [
        pasts(outcome("als", metrics={"first": 1.0, metric: value} if gate else {metric: value}, gate=gate))
        for value in values
    ]
    pasts(outcome("als", Status.FAILED, cause="gate", metrics={metric: -99.0}))
    pasts(outcome("als", Status.SKIPPED, cause="unchanged", metrics={metric: 99.0}))
    pasts(outcome("als", metrics={metric: 55.0}), finished=False)  # no whole run
    answer = pasts.json("best", "als")
    assert (answer["run_id"], answer["metric"]) == (ids[best], metric)
    code, printed, said = pasts.answer("best", "als")
    assert (code, Path(printed.strip()), Path(printed.strip()).is_dir()) == (
        0,
        pasts.folder(ids[best]) / "jobs/als/attempt-1/artifacts",
        True,
    )
    assert said.startswith("the best that passed of 5 outcomes of als: ")


@pytest.mark.parametrize(
    ("outcomes", "words", "message"),
    [
        ([], "als", "the history has no job 'als': expected one of (there is none)"),
        ([passed("als", auc=0.9)], "asl", "the history has no job 'asl': did you mean 'als'?"),
        ([outcome("als", Status.FAILED, metrics={"auc": 0.9})], "als", "als has never passed with a metric"),
        ([passed("als")], "als", "als has never passed with a metric"),
        ([passed("als", size=3.0)], "als", "neither a gate nor its name says whether more of 'size' is better"),
    ],
)
def test_where_nobody_knows_a_best_one_sentence_says_why(
    pasts: Pasts, outcomes: list[Any], words: str, message: str
) -> None:
    if outcomes:
        pasts(*outcomes)
    code, printed, said = pasts.answer("best", words)
    assert (code, printed) == (2, "")
    assert said.startswith(f"pytest-training best: error: {message}")


def test_a_best_without_a_folder_is_no_other_one(pasts: Pasts) -> None:
    first, _ = pasts(passed(auc=0.9)), pasts(passed(auc=0.8))
    shutil.rmtree(pasts.folder(first))
    message = f"the best of als, auc 0.900 in run {first}, has no folder any more"
    assert pasts.answer("best", "als") == (2, "", f"pytest-training best: error: {message}\n")
