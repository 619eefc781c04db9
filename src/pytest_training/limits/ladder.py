"""How an attempt is ended that exceeds a limit, or that the run interrupts: SIGTERM, the grace period, SIGKILL."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_training.errors import FROM_OTHERS
from pytest_training.limits import Limits
from pytest_training.limits.protocol import Ending, Limit, Tree
from pytest_training.processes import signal_name


@dataclass(kw_only=True)
class Ladder:
    """One attempt under its limits."""

    tree: Tree
    limits: Limits
    most: Mapping[str, float]
    """What the job may use, by the limits' keys."""
    grace_s: float
    ended_by: str | None = None
    """The key of the limit that it exceeded, or `interrupted`."""
    measured: float | None = None
    """What that limit measured then."""
    problem: str | None = None
    """Why a limit could not be measured, which ends the attempt too."""
    kill_at: float | None = None

    def __post_init__(self) -> None:
        self.tree.memory.limit_mb = self.most.get("memory", math.inf)

    def watch(self) -> None:
        """Measure the tree and do what is due now; to be called again and again."""
        self.tree.sample()
        if self.kill_at is not None:
            if time.monotonic() >= self.kill_at:
                self.tree.kill()
            return
        for key, limit in self.limits.items():
            if key in self.most and (measured := self._measure(key, limit)) > self.most[key]:
                self.measured = measured
                self.end(key)
                return

    def _measure(self, key: str, limit: Limit) -> float:
        try:
            return float(limit.measure(self.tree))
        except OSError:  # a process has ended meanwhile
            return 0.0
        except FROM_OTHERS as error:  # a limit from outside may raise anything: it fails this attempt alone
            problem = f"limit {key!r} cannot be measured: {type(error).__name__}: {error}"
            self.problem = problem
            self.end(key)
            return 0.0

    def end(self, cause: str) -> None:
        """Ask the attempt to end; another cause, or a later call, changes nothing."""
        if self.ended_by is None:
            self.ended_by = cause
            self.kill_at = time.monotonic() + self.grace_s
            self.tree.terminate()

    def end_now(self) -> None:
        """Let no grace period hold up the end."""
        self.kill_at = time.monotonic()

    def ending(self, exit_code: int, *, cpu_s: float) -> Ending:
        """Return how the attempt ended; a negative exit code is a signal's."""
        by_signal = exit_code < 0
        return Ending(
            exit_status=None if by_signal else exit_code,
            signal=signal_name(-exit_code) if by_signal else None,
            ended_by=self.ended_by,
            measured=self.measured,
            wall_s=round(self.tree.age_s, 4),
            cpu_s=round(cpu_s, 4),
            free_mb=self.tree.pressure.free_mb if exit_code else None,
            oom_killer=exit_code != 0 and self.tree.pressure.has_killed(),
            stalled_s=round(self.tree.stillness.longest_s, 1),
            peak_memory_mb=round(self.tree.memory.peak_mb, 1) or None,
        )
