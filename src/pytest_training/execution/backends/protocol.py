"""What a backend is: where a run's attempts are executed, and how they are ended with it."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.execution.equipment import NodeRecord
from pytest_training.execution.folder import RunFolder
from pytest_training.jobs.model import Job
from pytest_training.limits import LIMITS, Limits


class BackendRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run, as a backend starts for it."""

    folder: RunFolder
    imports: tuple[str, ...]  # modules that the selected jobs import, to be loaded once for all of them
    seed: int
    report_problem: Callable[[str], None]  # adds a sentence to the run's reports
    has_work: bool = True  # False if every job is unchanged
    say: Callable[[str], None] = lambda _: None  # writes a line on the terminal, for a start that takes long


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend may need before the plan is made."""

    where: str = ""  # what stands after `--training-cluster`
    source: str = "--training-cluster"  # the option or setting that says so
    most: int | None = None  # the most attempts at once that the user and the jobs allow; None if neither says
    wait_s: float = 600.0  # for the first node
    silence_s: float = 30.0  # a node that was not heard of for so long is given up
    project: str = "."
    reports: str = "."
    forks: bool = True  # False if the user wants a fresh interpreter for each attempt
    is_dry: bool = False  # True if nothing may be started


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """The place of one slot in a run."""

    folder: RunFolder
    owner: int | None = None  # in an xdist worker the pid of its parent, which owns the run
    limits: Limits = msgspec.field(default_factory=lambda: LIMITS)


class Launcher(Protocol):
    """Executes a slot's attempts, one at a time."""

    def launch(self, request: AttemptRequest) -> Reply:
        """Execute an attempt and return how its process ended, or `Reply(lost=…)` if its end was not seen.

        Every file of the attempt is in the request's folder then. A KeyboardInterrupt ends the attempt gently.
        """
        ...

    def pause(self, seconds: float) -> bool:
        """Wait before another attempt; return True if the run goes on."""
        ...


class Lease(Protocol):
    """Room that was taken for one attempt."""

    @property
    def name(self) -> str:
        """What the slot is called that executes the attempt."""
        ...


class Rooms(Protocol):
    """The places of a backend that executes many attempts at once for the one process that owns the run."""

    lost: str  # why no attempt can be executed any more; empty while some can
    tell: Callable[[], None]  # what it calls, in any thread, when there may be room again

    def try_lease(self, job: Job) -> Lease | None:
        """Take room for a job's first attempt, or return None if no place is free."""
        ...

    def release(self, lease: Any) -> None:
        """Give room back, unless that was done before: a job may be refused before its first attempt."""
        ...

    def unfit(self, job: Job) -> str | None:
        """Return why there can never be room for the job, or None."""
        ...

    def note_work(self, *, waiting: int, running: int) -> None:
        """Note how many jobs have not started and how many run."""
        ...


def launch_timed(launcher: Launcher, request: AttemptRequest) -> Reply:
    """Execute an attempt and measure its own time apart from its waiting; unmeasured, all is its own."""
    begun = time.monotonic()
    reply = launcher.launch(request)
    if not isinstance(reply, Reply):
        return reply  # the slot refuses it
    elapsed_s, ending = time.monotonic() - begun, reply.ending
    has_begun = reply.lost is None or any(each.exists() for each in _first_files(request))
    is_measured = ending.wall_s > 0 or reply.refused is not None or ending.ended_by is not None or not has_begun
    wall_s = ending.wall_s if is_measured else max(elapsed_s - ending.waiting_s, 0.0)
    waiting_s = round(max(elapsed_s - wall_s, 0.0), 4)
    return msgspec.structs.replace(
        reply, ending=msgspec.structs.replace(ending, wall_s=round(wall_s, 4), waiting_s=waiting_s)
    )


def _first_files(request: AttemptRequest) -> tuple[Path, ...]:
    """Return what an attempt's process leaves at once: an attempt without any of it was lost on its way."""
    return request.files.log, request.files.events, request.files.usage


class Backend(Protocol):
    """One object in the owner's process, which starts and ends it, and one in each slot's, which makes a launcher.

    To be subclassed, as a class that can be made without arguments.
    """

    name: str  # what `training_start` calls it
    capacity: int | None = None  # the most attempts that it executes at once; None if the number of slots decides

    is_elsewhere: bool = False  # True if other machines may execute attempts: their pids are not looked up here
    has_rooms: bool = False  # True if one process has many attempts executed at once, without xdist
    rooms: Rooms | None = None  # set by `start` then

    def open(self, opening: Opening) -> int | None:  # noqa: ARG002  (for those that need it)
        """Reach what it executes attempts on, before the plan; return the most attempts that it executes at once."""
        return self.capacity

    def start(self, run: BackendRun) -> Any:  # noqa: ARG002  (for those that need it)
        """Start, in the owner's process; return what the slots need, as a JSON value."""
        return None

    def remarks(self, jobs: Sequence[Job]) -> Iterable[str]:  # noqa: ARG002  (for those that need it)
        """Say what is wrong with the place, once it is open, or in a dry run with jobs that are to be trained there."""
        return ()

    def place(self) -> str:
        """Say where the run executes its attempts, or in a dry run would; nothing if that is this session's machine."""
        return ""

    def slots(self) -> int | None:
        """Return the most attempts at once in the whole run, or None if `open` has returned it."""
        return None

    def nodes(self) -> tuple[NodeRecord, ...]:
        """Describe the machines that have executed attempts, if this one has not."""
        return ()

    def launcher(self, connection: Any, seat: Seat) -> Launcher:
        """Return the launcher of a slot, in that slot's process; `connection` is what `start` has returned."""
        ...

    def launcher_at(self, lease: Any) -> Launcher:
        """Return the launcher of a slot whose first attempt has that room; only for a backend with rooms."""
        raise NotImplementedError

    def stop_all(self, grace_s: float) -> float:
        """Ask every attempt to end, at once if there is no grace; return the seconds that it may still take."""
        return grace_s

    def close(self) -> None:
        """End every attempt and what was started; a second call does nothing."""
        return
