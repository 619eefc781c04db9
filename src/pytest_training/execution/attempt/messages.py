"""Messages between a slot, the job server and a job's process, as JSON."""

from pathlib import Path
from typing import Literal, get_args

from pytest_training.evaluation.finding import Examined
from pytest_training.evaluation.noise import Difference
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.outcome import DataUsed
from pytest_training.jobs.kinds.protocol import Call, Command
from pytest_training.jobs.model import SCHEMA_VERSION, Dataset, Job, NeededOutcome, RunSettings, Value
from pytest_training.limits.protocol import Ending, LimitReference
from pytest_training.limits.tree import Stillness

NO_RESULT = 74  # exit status (EX_IOERR) of a job's process that could not write result.json


class Place(Value, frozen=True, kw_only=True):
    """Where an attempt is executed, if its slot did not know before."""

    node: str
    host: str
    threads: int
    cards: dict[str, str] = {}  # the GPUs that are its own: what each is on the host, by its id


class Usage(Place, frozen=True, kw_only=True):
    """The content of usage.json: what a running attempt uses, as the machine that executes it measures."""

    pid: int  # of a process on that host
    memory_mb: float
    still_s: float  # seconds for which it has been stalled, 0 if it is not
    at: float  # by that host's clock, in seconds since 1970


class AttemptRequest(Value, frozen=True, kw_only=True):
    """All that a process needs to execute a job once."""

    job: Job
    start: Call | Command  # what to execute, from the job's kind
    folder: str  # absolute path of the attempt's folder, which exists
    private: str | None = None  # absolute path of the folder for log, events and result; None for the attempt's own
    checkpoint: str  # absolute path of the folder that keeps the job's state across attempts
    seed: int
    threads: int
    datasets: tuple[Dataset, ...] = ()
    needed: dict[str, NeededOutcome] = {}  # outcomes of the jobs that it needs, by job id
    earlier: dict[str, str] = {}  # absolute folders with earlier predictions to compare with, by run
    settings: RunSettings = RunSettings()
    environment: dict[str, str | None] = {}  # what the slot has changed since the backend's start; None if gone
    limits: tuple[LimitReference, ...] = ()  # those of the job's limits that are not the plugin's own
    may_be_pruned: bool = False  # True if a file in its folder ends it
    place: Place | None = None  # where it is executed, if that writes what it uses: another machine cannot look

    @property
    def is_examined(self) -> bool:
        """True if an audit examines what the job has stated, after it has trained."""
        return self.settings.audit == "all" and self.job.twin_of is not None and not self.job.shuffle

    @property
    def files(self) -> AttemptFolder:
        """The files that the attempt's process writes."""
        path = Path(self.folder)  # RUNS/run/jobs/ID/attempt-1
        below = path.parents[min(self.job.id.count("/") + 3, len(path.parents) - 1)]
        return AttemptFolder(path, Path(self.private) if self.private else None, below)

    @property
    def sign(self) -> Path | None:
        """The file that ends the attempt, if there may be one."""
        return self.files.pruned if self.may_be_pruned else None

    @property
    def stillness(self) -> Stillness:
        """What notices that the attempt is stalled."""
        return Stillness((self.files.log, self.files.events), self.settings.stalled_s)


class Failure(Value, frozen=True, kw_only=True):
    """Why a job returned no metrics, written by its own process."""

    cause: Literal["error", "exit", "result", "data", "stopped"]
    message: str  # one sentence
    traceback: str | None = None  # the job's own frames
    free_mb: float | None = None  # MiB that the machine or the job's container had left when an error was raised


class Result(Value, frozen=True, kw_only=True):
    """The content of result.json."""

    metrics: dict[str, float] = {}
    interval_method: str = ""  # how the intervals of its predictions come about, in words
    failure: Failure | None = None
    data: tuple[DataUsed, ...] = ()
    remarks: tuple[str, ...] = ()  # what the job said with `run.note`
    notes: tuple[str, ...] = ()  # remarks on what the job logged, and on its end
    loading_s: float = 0.0  # seconds that it took to load the job's file
    differences: dict[str, dict[str, Difference]] = {}  # to predictions of the same people, by earlier run and metric
    examined: Examined | None = None  # what an audit has found in the job's data and predictions
    schema_version: int = SCHEMA_VERSION


class Pruned(Value, frozen=True, kw_only=True):
    """The content of pruned.json: a search gives the trial up."""

    reason: str = "pruned"  # one sentence
    metrics: dict[str, float] = {}  # the numbers beside the one that was compared


LostCause = Literal["server died", "worker died"]
LOST: tuple[LostCause, ...] = get_args(LostCause)  # causes of attempts that were lost; another attempt may mend it


class Lost(Value, frozen=True, kw_only=True):
    """An attempt that was lost: its process may have ended, but no ending was reported."""

    cause: LostCause
    reason: str  # one sentence


class Reply(Value, frozen=True, kw_only=True):
    """A launcher's answer: how the attempt's process ended, why none was started, or how it was lost."""

    ending: Ending = Ending()
    refused: str | None = None
    lost: Lost | None = None
    notes: tuple[str, ...] = ()  # sentences about how it was executed, for the outcome
    place: Place | None = None


class Loading(Value, frozen=True, kw_only=True):
    """The content of loading.json: what the job server loads once for all jobs, written while it does."""

    now: str = ""  # the package that is being imported; empty once jobs are served
    since: float = 0.0  # when that began, in seconds since 1970
    seconds: dict[str, float] = {}  # how long each package took
    problems: tuple[str, ...] = ()  # sentences about packages that are left to the jobs
