"""What a slot, the job server and a job's process tell each other, as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.outcome import DataUsed, Ending
from pytest_training.jobs.kinds.protocol import Call, Command
from pytest_training.jobs.model import SCHEMA_VERSION, Dataset, Job, Value

NO_RESULT = 74
"""Exit status (EX_IOERR) of a job's process that could not write result.json."""

StartMethod = Literal["fork", "subprocess", "in-process"]


STOP = b"stop"
"""A line that asks for the gentle end of the connection's attempt."""
STOP_ALL = b"stop all"
"""A line that asks for the gentle end of every attempt: the run is interrupted."""


PAUSE = b"pause"
"""A line that asks for an answer as soon as the run is interrupted, and for none otherwise."""
GENTLY, AT_ONCE = "gently", "at once"
"""How jobs without a server are to end; see `RunFolder.interrupted`."""


class AttemptRequest(Value, frozen=True, kw_only=True):
    """All that a process needs to execute a job once."""

    job: Job
    start: Call | Command
    """What the job's kind says that is to be executed."""
    folder: str
    """Absolute path of the attempt's folder, which exists."""
    private: str | None = None
    """Absolute path of the folder for log, events and result; None for the attempt's own."""
    checkpoint: str
    """Absolute path of the folder that keeps the job's state across attempts."""
    seed: int
    threads: int
    datasets: tuple[Dataset, ...] = ()
    real_data_only: bool = False
    """Whether to refuse simulated data (`--training-require-real-data`)."""
    grace_s: float = 10.0
    """Seconds between SIGTERM and SIGKILL when the attempt must end."""

    @property
    def files(self) -> AttemptFolder:
        """The files that the attempt's process writes."""
        return AttemptFolder(Path(self.folder), Path(self.private) if self.private else None)


class Failure(Value, frozen=True, kw_only=True):
    """Why a job gave no metrics, told by its own process."""

    cause: Literal["error", "exit", "result", "data", "stopped"]
    message: str
    """One sentence."""
    traceback: str | None = None
    """The job's own frames."""


class Result(Value, frozen=True, kw_only=True):
    """The content of result.json."""

    metrics: dict[str, float] = {}
    failure: Failure | None = None
    data: tuple[DataUsed, ...] = ()
    peak_memory_mb: float | None = None
    """VmHWM of the process itself, reset after the fork, in MiB."""
    schema_version: int = SCHEMA_VERSION


class Reply(Value, frozen=True, kw_only=True):
    """The server's answer: how the attempt's process ended, or why none was started."""

    ending: Ending = Ending()
    refused: str | None = None
