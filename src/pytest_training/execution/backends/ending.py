"""The reply about an attempt whose process has ended: the same from every backend that watches processes itself."""

from __future__ import annotations

from pytest_training.execution.attempt.messages import Reply
from pytest_training.execution.outcome import Ending
from pytest_training.limits.ladder import Ladder
from pytest_training.processes import signal_name


def reply_of(exit_code: int, ladder: Ladder, *, wall_s: float, cpu_s: float, peak_mb: float) -> Reply:
    """Return the reply; a negative exit code is a signal's."""
    by_signal = exit_code < 0
    ending = Ending(
        exit_status=None if by_signal else exit_code,
        signal=signal_name(-exit_code) if by_signal else None,
        ended_by=ladder.ended_by,
        measured=ladder.measured,
        wall_s=round(wall_s, 4),
        cpu_s=round(cpu_s, 4),
        peak_memory_mb=round(peak_mb, 1) or None,
    )
    return Reply(ending=ending, refused=ladder.problem)
