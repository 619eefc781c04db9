"""A job's time in its slot: the attempts' own, and what the job waited for."""

import time
from dataclasses import dataclass

import msgspec

from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.execution.backends.protocol import Launcher


@dataclass
class Stopwatch(Launcher):
    """A launcher that measures another one: whatever the backend, a job is not booked with what it waits for."""

    launcher: Launcher
    paused_s: float = 0.0
    """Seconds of all pauses before another attempt."""

    def launch(self, request: AttemptRequest) -> Reply:
        """Execute an attempt; its ending says how long it waited."""
        begun = time.monotonic()
        reply = self.launcher.launch(request)
        return timed(reply, time.monotonic() - begun) if isinstance(reply, Reply) else reply  # the slot refuses others

    def pause(self, seconds: float) -> bool:
        """Wait before another attempt; return True if the run goes on."""
        begun = time.monotonic()
        goes_on = self.launcher.pause(seconds)
        self.paused_s += time.monotonic() - begun
        return goes_on


def timed(reply: Reply, elapsed_s: float) -> Reply:
    """Return the reply with the attempt's own time and its waiting, which are `elapsed_s` together.

    All of it is the attempt's own where nobody measured, e.g. because the job server died.
    """
    ending = reply.ending
    is_measured = ending.wall_s > 0 or reply.refused is not None or ending.ended_by is not None
    wall_s = ending.wall_s if is_measured else max(elapsed_s - ending.waiting_s, 0.0)
    waiting_s = max(elapsed_s - wall_s, 0.0)
    ending = msgspec.structs.replace(ending, wall_s=round(wall_s, 4), waiting_s=round(waiting_s, 4))
    return msgspec.structs.replace(reply, ending=ending)
