"""How an attempt is ended that exceeds a limit, or that the run interrupts: SIGTERM, the grace period, SIGKILL."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from pytest_training import errors, processes
from pytest_training.limits import Limits
from pytest_training.limits.protocol import Ending
from pytest_training.limits.tree import Tree, oom_kills

PRUNED = "pruned"


class Ladder(Struct, kw_only=True):
    """One attempt under its limits."""

    tree: Tree
    limits: Limits
    most: Mapping[str, float]  # what the job may use, by the limits' keys
    grace_s: float
    note: Callable[[Tree], None] | None = None  # gets the tree after each measurement
    sign: Path | None = None  # a file that ends the attempt once it is there: its search gives it up
    ended_by: str | None = None  # the key of the limit that it exceeded, `pruned` or `interrupted`
    measured: float | None = None  # what that limit measured then
    problem: str | None = None  # why a limit could not be measured, which ends the attempt too
    kill_at: float = math.inf
    due: float = 0.0  # time of the next measurement

    def __post_init__(self) -> None:
        self.tree.memory.limit_mb = self.most.get("memory", math.inf)

    def watch(self) -> None:
        """Measure the tree and do what is due now; to be called again and again."""
        begun = time.monotonic()
        if begun >= self.kill_at:
            self.tree.kill()
        if begun >= self.due:
            self.tree.sample()
            for key in filter(self.most.__contains__, self.limits):
                self._check(key)
            if self.note:
                self.note(self.tree)
            if self.sign and self.sign.exists():
                self.end(PRUNED)
            self.due = time.monotonic() + min(10 * (time.monotonic() - begun), 2.0)  # thousands of processes take long

    def _check(self, key: str) -> None:
        try:
            measured = float(self.limits[key].measure(self.tree)) if self.ended_by is None else 0.0
        except OSError:  # a process has ended meanwhile
            return
        except errors.FROM_OTHERS as error:  # a limit from outside may raise anything: it fails this attempt alone
            self.problem = f"limit {key!r} cannot be measured: {type(error).__name__}: {error}"
            self.end(key)
            return
        if measured > self.most[key]:
            self.measured = measured
            self.end(key)

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
        return Ending(
            exit_status=None if exit_code < 0 else exit_code,
            signal=processes.signal_name(-exit_code) if exit_code < 0 else None,
            ended_by=self.ended_by,
            measured=self.measured,
            wall_s=round(self.tree.age_s, 4),
            cpu_s=round(cpu_s, 4),
            free_mb=self.tree.pressure.free_mb if exit_code else None,
            oom_killer=exit_code != 0 and oom_kills() > min(self.tree.pressure.kills, default=math.inf),
            stalled_s=round(self.tree.stillness.longest_s, 1),
            peak_memory_mb=round(self.tree.memory.peak_mb, 1) or None,
        )
