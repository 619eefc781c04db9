"""Tests of the charts and the timeline: numbers become coordinates inside the drawing, whatever the numbers are."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_training.execution.outcome import Attempt, Outcome, Status
from pytest_training.jobs.model import Gate
from pytest_training.limits.protocol import Ending
from pytest_training.records.events import Event
from pytest_training.reporters.html.charts import HEIGHT, MOST_LINES, WIDTH, Behind, curves, ticks
from pytest_training.reporters.html.timeline import CHARACTER, timeline

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(st.integers(0, 3), finite, finite), max_size=60))
def test_every_point_of_a_curve_is_inside_the_drawing(points: list[tuple[int, float, float]]) -> None:
    events = [Event(log={"fold": fold, "epoch": epoch, "loss": loss}) for fold, epoch, loss in points]
    for curve in curves(events, most_points=40):
        for line in (*curve.lines, *([curve.mean] if curve.mean else [])):
            for point in line.split():
                x, y = map(float, point.split(","))
                assert 0 <= x <= WIDTH
                assert 0 <= y <= HEIGHT


@given(finite, finite)
def test_ticks_are_between_the_numbers_and_few(one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = ticks(low, high, 4)
    assert len(found) <= 20
    assert all(math.isfinite(each) for each in found)


def test_a_line_per_fold_a_mean_over_them_and_no_chart_of_a_setting() -> None:
    events = [
        Event(log={"fold": fold, "epoch": epoch, "loss": 1 / epoch + fold, "penalty": 0.1})
        for fold in range(20)
        for epoch in range(1, 6)
    ]
    (curve,) = curves(events, most_points=400)
    assert curve.metric == "loss"
    assert curve.axis == "epoch"
    assert len(curve.lines) == MOST_LINES
    assert curve.mean is not None
    assert curve.caption == "20 fits, bold: their mean"


def test_of_several_batches_in_an_epoch_the_last_counts_and_no_counter_is_drawn() -> None:
    events = [
        Event(log={"epoch": epoch, "batch": batch, "loss": epoch + batch})
        for epoch in range(1, 4)
        for batch in range(9)
    ]
    (curve,) = curves(events, most_points=40)
    (line,) = curve.lines
    assert (curve.metric, curve.axis, len(line.split()), curve.y_ticks[-1].label) == ("loss", "epoch", 3, "11")


def test_what_is_logged_by_epoch_and_what_is_logged_by_trees_are_two_charts() -> None:
    """Seen in train_baseline_models.py: a network's and a forest's loss shared an axis, and `trees` was drawn."""
    by_epoch = [Event(log={"epoch": epoch, "loss": 1 / epoch}) for epoch in range(1, 6)]
    by_trees = [Event(log={"trees": 50 * count, "loss": 2 / count}) for count in range(1, 4)]
    found = curves([*by_epoch, *by_trees], most_points=40)
    assert [(curve.metric, curve.axis) for curve in found] == [("loss", "epoch"), ("loss", "trees")]
    assert [len(curve.lines) for curve in found] == [1, 1]


def test_the_timeline_has_a_row_per_slot_and_a_bar_per_attempt() -> None:
    def outcome(job_id: str, slot: str, *starts: int) -> Outcome:
        attempts = tuple(
            Attempt(
                number=number,
                status=Status.FAILED,
                started=f"2026-01-01T10:00:{start:02d}+00:00",
                ending=Ending(wall_s=4),
                slot=slot,
            )
            for number, start in enumerate(starts, 1)
        )
        return Outcome(job_id=job_id, kind="function", title="", status=Status.PASSED, attempts=attempts)

    found = timeline([outcome("als", "gw0", 0, 5), outcome("stroke", "gw10", 2), outcome("idle", "gw2")])
    assert found is not None
    assert [slot.label for slot in found.slots] == ["worker 1", "worker 11"]
    assert [bar.job_id for bar in found.bars] == ["als", "als", "stroke"]
    assert timeline([outcome("idle", "gw2")]) is None


@pytest.mark.parametrize("ending", [Ending(wall_s=4, waiting_s=6), Ending()], ids=["ended", "killed with its slot"])
def test_a_bar_begins_where_the_job_did_and_its_waiting_lies_before_it(ending: Ending) -> None:
    attempt = Attempt(number=1, status=Status.PASSED, started="2026-01-01T10:00:00+00:00", ending=ending, slot="gw0")
    outcome = Outcome(job_id="als", kind="function", title="", status=Status.PASSED, attempts=(attempt,))
    found = timeline([msgspec.structs.replace(outcome, wall_s=4.0, waiting_s=6.0)])
    assert found is not None
    (bar,) = found.bars
    assert bar.title == "als: passed, 4.0 s, waited 6.0 s, worker 1"
    assert bar.waited / (bar.waited + bar.width) == pytest.approx(0.6, abs=0.01)
    assert bar.x - bar.waited == pytest.approx(found.ticks[0].at)


def heights(line: str) -> list[float]:
    return [float(point.split(",")[1]) for point in line.split()]


def test_a_curve_stands_before_its_gate_the_last_run_and_other_trials_on_one_scale() -> None:
    events = [Event(log={"epoch": epoch, "auc": 0.5 + epoch / 100}) for epoch in range(5)]
    last, other = [(float(epoch), 0.4) for epoch in range(5)], [(float(epoch), 0.45) for epoch in range(9)]
    gate = Gate(metric="auc", operator=">=", threshold=0.9)
    behind = Behind({"auc": gate}, {("auc", "epoch"): [last]}, {("auc", "epoch"): [other], ("loss", "epoch"): [other]})
    (curve,) = curves(events, most_points=40, behind=behind)
    (own,), (trial,), earlier = map(heights, curve.lines), map(heights, curve.behind), heights(curve.last or "")
    assert curve.gate is not None
    assert 0 < curve.gate < min(own) < max(own) < min(trial) < min(earlier) < HEIGHT
    assert curve.caption == "dots: the last run; grey: other trials; dashes: the gate >= 0.9"


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30), st.integers(0, 5), st.integers(1, 25)), max_size=20))
def test_names_on_the_timeline_do_not_overlap_and_none_is_lost(jobs: list[tuple[int, int, int, int]]) -> None:
    begins, outcomes = [0, 0, 0], []
    for number, (slot, took, pause, length) in enumerate(jobs):
        started = datetime.fromtimestamp(begins[slot] + pause, UTC).isoformat()
        begins[slot] += pause + took
        ending = Ending(wall_s=took)
        attempt = Attempt(number=1, status=Status.PASSED, started=started, ending=ending, slot=f"gw{slot}")
        name = f"{number}-" + "n" * length
        outcomes.append(Outcome(job_id=name, kind="function", title="", status=Status.PASSED, attempts=(attempt,)))
    found = timeline(outcomes)
    bars = found.bars if found else ()
    assert [bar.name for bar in bars if not bar.label] == [*(found.unnamed if found else ())]
    for bar, following in pairwise(bars):
        end = bar.label_x + len(bar.label) * CHARACTER
        assert not bar.label or bar.y != following.y or end <= following.x - following.waited
