"""Tests of records/run_record.py: durations of a run against the best possible."""

from __future__ import annotations

import pytest

from pytest_training.execution.outcome import Outcome, Status
from pytest_training.records.run_record import moment, timing


def ran(start_s: int, end_s: int, *, waited_s: int = 0) -> Outcome:
    return Outcome(
        job_id="als",
        kind="function",
        title="",
        status=Status.PASSED,
        started=f"2026-01-01T10:00:{start_s:02d}.000+00:00",
        ended=f"2026-01-01T10:00:{end_s:02d}.000+00:00",
        wall_s=end_s - start_s - waited_s,
        waiting_s=waited_s,
    )


def test_the_bound_is_the_sum_over_the_workers_or_the_longest_job() -> None:
    balanced = timing([ran(0, 4), ran(0, 4), ran(4, 8)], workers=2)
    assert (balanced.work_s, balanced.makespan_s, balanced.lower_bound_s) == (12, 8, 6)
    assert balanced.efficiency == pytest.approx(0.75)
    assert timing([ran(0, 9), ran(0, 1)], workers=4).lower_bound_s == 9


def test_what_jobs_wait_for_is_neither_work_nor_part_of_the_bound() -> None:
    imports = [ran(0, 4, waited_s=3), ran(0, 9, waited_s=3)]
    measured = timing(imports, workers=2)
    assert (measured.work_s, measured.waiting_s, measured.lower_bound_s, measured.makespan_s) == (7, 6, 6, 9)


def test_jobs_that_never_started_count_for_nothing() -> None:
    waiting = Outcome(job_id="als", kind="function", title="", status=Status.NOT_RUN)
    assert timing([ran(0, 4), waiting], workers=1) == timing([ran(0, 4)], workers=1)
    nothing = timing([waiting], workers=4)
    assert (nothing.makespan_s, nothing.efficiency, nothing.lower_bound_s) == (None, None, 0)


def test_a_clock_that_jumps_back_gives_no_negative_duration() -> None:
    jumped = Outcome(
        job_id="als",
        kind="function",
        title="",
        status=Status.PASSED,
        started="2026-01-01T10:00:00+00:00",
        ended="2026-01-01T09:00:00+00:00",
        wall_s=5,
    )
    assert timing([jumped], workers=1).makespan_s == 0
    assert timing([jumped], workers=1).efficiency is None


@pytest.mark.parametrize("written", ["", "yesterday", "2026-13-01T00:00:00"])
def test_an_unreadable_time_is_none(written: str) -> None:
    assert moment(written) is None


def test_a_time_without_zone_is_utc() -> None:
    assert moment("2026-01-01T10:00:00") == moment("2026-01-01T10:00:00+00:00")
