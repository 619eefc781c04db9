"""Tests of records/comparison.py: better, worse, the same, and what noise may explain."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pytest_training.evaluation.noise import Difference
from pytest_training.execution.outcome import GateResult, Outcome, Status, StudyResult
from pytest_training.execution.studies import means
from pytest_training.jobs.model import Gate
from pytest_training.records.comparison import Comparison, compare
from pytest_training.records.history import Recorded
from pytest_training.reporters.closing import comparison_lines


def outcome(metrics: dict[str, float], **more: Any) -> Outcome:
    return Outcome(
        **{"job_id": "als", "kind": "function", "title": "", "status": Status.PASSED, "metrics": metrics} | more
    )


def compared(before: Outcome, now: Outcome) -> Comparison:
    return compare([now], {"als": Recorded(run_id="r1", started="", outcome=before)}, against="run r1")


def test_each_metric_is_better_worse_or_the_same_by_its_direction() -> None:
    found = compared(
        outcome({"roc_auc": 0.8, "loss": 0.5, "mae": 1.0, "odd": 1.0}),
        outcome({"roc_auc": 0.9, "loss": 0.6, "mae": 1.0, "odd": 2.0}),
    )
    verdicts = {change.metric: change.verdict for change in found.jobs[0].changes}
    assert verdicts == {"roc_auc": "better", "loss": "worse", "mae": "same", "odd": "changed"}
    assert found.jobs[0].changes[0].words() == "▲ 0.800 → 0.900 (+0.1): better, not judged against noise"


def test_an_interval_alone_calls_no_difference_chance_as_a_gate_on_regressions_does_not() -> None:
    now = outcome({"roc_auc": 0.84, "roc_auc_low": 0.80, "roc_auc_high": 0.88})
    change = compared(outcome({"roc_auc": 0.85}), now).jobs[0].changes[0]
    assert change.verdict == "worse"
    assert change.words() == "▼ 0.850 → 0.840 (-0.01): worse, not judged against noise"


def test_other_parameters_and_another_status_are_told() -> None:
    found = compared(
        outcome({"r2": 0.1}, parameters={"epochs": 5, "old": 1}),
        outcome({"r2": 0.1}, parameters={"epochs": 9}, status=Status.FAILED, cause="gate"),
    )
    assert found.jobs[0].parameters == ("epochs", "old")
    assert found.jobs[0].status == ("passed", "failed")
    assert found.jobs[0].is_notable


def test_a_result_that_is_taken_over_is_no_change_and_what_did_not_run_has_no_other_parameters() -> None:
    taken = compared(outcome({"r2": 0.1}), outcome({"r2": 0.1}, status=Status.SKIPPED, cause="unchanged")).jobs[0]
    assert (taken.status, taken.is_notable) == (None, False)
    idle = compared(outcome({"r2": 0.1}, parameters={"lr": 0.1}), outcome({}, status=Status.NOT_RUN)).jobs[0]
    assert (idle.status, idle.parameters) == (("passed", "not run"), ())


def test_the_status_is_compared_with_what_ended_last_and_metrics_with_what_has_them() -> None:
    trained = Recorded(run_id="r1", started="", outcome=outcome({"r2": 0.1}))
    failed = Recorded(run_id="r2", started="", outcome=outcome({}, status=Status.FAILED, cause="timeout"))
    (job,) = compare([outcome({"r2": 0.2})], {"als": failed}, {"als": trained}, against="the last run").jobs
    assert (job.status, job.changes[0].before) == (("failed", "passed"), 0.1)
    assert job.remarks == ("metrics against run r1",)
    lines = [text for text, _ in comparison_lines(Comparison("the last run", (job,)), is_asked=False)]
    assert lines[1] == "  als: failed, now passed; metrics against run r1"
    (never,) = compare([outcome({"r2": 0.2})], {"als": failed}, {}, against="the last run").jobs
    assert (never.status, never.changes, never.remarks) == (("failed", "passed"), (), ())


def gated(*gates: Gate, **more: Any) -> Outcome:
    results = tuple(GateResult(gate=gate, found=0.1, passed=True) for gate in gates)
    return outcome({"r2": 0.1}, gates=results, **more)


def test_gates_that_were_removed_added_or_changed_are_told() -> None:
    r2, looser, mae = (Gate(metric=name, operator=">", threshold=at) for name, at in (("r2", 2), ("r2", 0), ("mae", 3)))
    auc, f1 = (Gate(metric=name, operator=">=", threshold=0.5) for name in ("auc", "f1"))
    (job,) = compared(gated(r2, auc, mae, status=Status.FAILED, cause="gate"), gated(looser, mae, f1)).jobs
    assert job.remarks == ("gate r2 > 2 → > 0", "gate auc >= 0.5 removed", "gate f1 >= 0.5 added")
    assert compared(outcome({"r2": 0.1}, status=Status.FAILED, cause="result"), gated(r2)).jobs[0].remarks == ()


def test_differences_that_show_only_in_later_digits_are_shown_with_them() -> None:
    change = compared(outcome({"r2": 0.80001}), outcome({"r2": 0.80002})).jobs[0].changes[0]
    assert change.words() == "▲ 0.80001 → 0.80002 (+1e-05): better, not judged against noise"


def test_jobs_without_an_earlier_outcome_are_named() -> None:
    assert compare([outcome({"r2": 0.1})], {}, against="run r1").missing == ("als",)


SEEDS = StudyResult(metric="roc_auc", direction="higher", seeds=5)


def seeds(mean: float, sd: float, name: str = "roc_auc") -> Outcome:
    spread = {f"{name}_sd": sd, f"{name}_low": mean - sd, f"{name}_high": mean + sd}
    return outcome({name: mean, **spread}, study=SEEDS)


def paired(value: float, low: float, high: float, run_id: str = "r1") -> Outcome:
    """Return an outcome with 0.7 whose predictions were compared with those of a run."""
    return outcome(
        {"roc_auc": 0.7}, differences={run_id: {"roc_auc": Difference(value, low, high, "paired by people")}}
    )


ALONE = outcome({"roc_auc": 0.8})
BEYOND, WITHIN, UNJUDGED = "worse, beyond noise", "within noise", "worse, not judged against noise"


@pytest.mark.parametrize(
    ("before", "now", "judgement", "arrow"),
    [
        (seeds(0.8, 0.01), seeds(0.78, 0.01), BEYOND, "▼"),
        (seeds(0.8, 0.01), seeds(0.795, 0.01), WITHIN, "▼"),
        (seeds(0.5, 0.01, "loss"), seeds(0.52, 0.01, "loss"), BEYOND, "▲"),  # an arrow says where the value went
        (seeds(0.8, 0.01), seeds(0.82, 0.01), "better, beyond noise", "▲"),
        (seeds(1.0, 0.01, "odd"), seeds(2.0, 0.01, "odd"), "changed, beyond noise", "▲"),
        (seeds(0.8, 0.01), outcome({"roc_auc": 0.7}), UNJUDGED, "▼"),  # one side alone has seeds
        (ALONE, seeds(0.7, 0.01), UNJUDGED, "▼"),
        (seeds(0.8, 0.0), seeds(0.7, 0.01), BEYOND, "▼"),
        (seeds(0.8, 0.0), seeds(0.7, 0.0), UNJUDGED, "▼"),  # the job does not use its seed
        (ALONE, paired(-0.1, -0.15, -0.05), BEYOND, "▼"),
        (ALONE, paired(-0.1, -0.25, 0.05), WITHIN, "▼"),
        (ALONE, paired(-0.1, -0.2, -0.1, "r0"), UNJUDGED, "▼"),  # another run
        (ALONE, paired(-0.3, -0.4, -0.2), UNJUDGED, "▼"),  # other predictions than those of the metrics
        (outcome({"roc_auc": 0.7}), paired(0.0, 0.0, 0.0), "", "="),
    ],
)
def test_better_or_worse_is_said_beyond_noise_or_with_the_word_that_nothing_judged_it(
    before: Outcome, now: Outcome, judgement: str, arrow: str
) -> None:
    (job,) = compared(before, now).jobs
    change = job.changes[0]
    assert (change.judgement, change.arrow) == (judgement, arrow)
    assert job.is_loud == change.judgement.startswith(("better", "worse"))
    assert judgement in change.words()


def test_the_interval_of_a_difference_and_its_method_are_stated() -> None:
    found = compared(seeds(0.8, 0.01), seeds(0.78, 0.01))
    assert found.jobs[0].changes[0].words() == "▼ 0.800 → 0.780 (-0.02, -0.0318 to -0.00824): worse, beyond noise"
    assert found.noise_lines == ["intervals of differences of als: 90 %, Welch over 5 and 5 seeds"]


STUDIES = 400


def test_of_equal_jobs_few_are_called_worse_and_a_shift_of_2_sd_is_found() -> None:
    """A noisy job of known mean and sd, in studies of 5 seeds, as a run judges them."""
    draw = random.Random(1)  # noqa: S311  (numbers for a simulation)

    def study(mean: float) -> Outcome:
        return outcome(means([{"roc_auc": draw.gauss(mean, 0.01)} for _ in range(5)]), study=SEEDS)

    pairs = [(study(0.8), study(0.8), study(0.78)) for _ in range(STUDIES)]
    covered = sum(each.metrics["roc_auc_low"] <= 0.8 <= each.metrics["roc_auc_high"] for each, _, _ in pairs)
    worse = [
        sum(compared(pair[0], pair[number]).jobs[0].changes[0].judgement == BEYOND for pair in pairs)
        for number in (1, 2)
    ]
    assert 0.92 <= covered / STUDIES <= 0.98
    assert worse[0] / STUDIES <= 0.05
    assert worse[1] / STUDIES >= 0.8
