"""Every option and setting of the plugin, declared at every start of pytest; option_values.py reads them."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pytest

from pytest_training.fixture import SHIPPED_TEST

if TYPE_CHECKING:
    from pytest_training.registry import Registry

MAX_ENTRIES = 5_000  # of directories: where a folder called training/ holds data, looking for jobs must stay cheap
DEEPEST = 100  # folders in one another
REGISTRY: pytest.StashKey[Registry] = pytest.StashKey()
"""On config: the kinds, limits, readers and backends of this process; only if there is something to train."""
PROJECT: pytest.StashKey[Path] = pytest.StashKey()  # on config: the folder of the project, once it is determined
MARKS = (".git", "pyproject.toml", "setup.py", "setup.cfg", "tox.ini")  # names that mark the folder of a project
NAMING_PATHS = ("root", "discover", "catalogue", "reports", "plan")  # pytest may take their values for paths of tests


class Option(NamedTuple):
    """An option `--training-NAME`, a setting `training_NAME` of pytest.ini, or both."""

    name: str
    help: str
    option: Mapping[str, Any] | None = None  # arguments for argparse; None if there is only the setting
    setting: str | list[str] | None = None  # default of the setting; None if there is only the option
    type: Literal["string", "args", "linelist"] = "string"  # type of the setting


MODES = ("auto", "live", "lines", "off")
SWITCH = {"action": "store_true"}
SEVERAL = {"action": "append"}
JOB = {"metavar": "JOB", "nargs": "?", "const": "*"}  # its id, a pattern or its file; all without one
OPTIONS = (
    Option("root", "folder with the training jobs (default: training)", {"metavar": "DIR"}, "training"),
    Option(
        "catalogue",
        "catalogue of jobs (default: jobs.yaml in the root); give several, and later ones override",
        {"metavar": "FILE", **SEVERAL},
        "",
    ),
    Option("reports", "folder for reports (default: reports)", {"metavar": "DIR"}, "reports"),
    Option("seed", "seed of random, numpy and torch in every job (default: 0)", {"metavar": "N"}, "0"),
    Option("seeds", "train jobs with N seeds from the run's seed on, or with a list like 0,3,7", {"metavar": "N"}),
    Option("matrix", "train a job with each value of a parameter", {"metavar": "JOB.PARAMETER=V,V", **SEVERAL}),
    Option("plan", "also write the plan as JSON", {"metavar": "FILE"}),
    Option("in-process", "run jobs in the pytest process, for debugging (implied by --pdb)", SWITCH),
    Option("require-real-data", "fail jobs that train on simulated data", SWITCH),
    Option(
        "resume",
        "train the jobs of a run that did not pass (default: the last), with its parameters, seed and checkpoints",
        {"metavar": "RUN", "nargs": "?", "const": "last"},
    ),
    Option("skip-unchanged", "skip jobs whose code, parameters, data, seed and packages passed before", SWITCH),
    Option("smoke", "train every job briefly to see that it runs through; judge no gates, keep no history", SWITCH),
    Option("shard", "train part N of M of the jobs, one part on each of M machines", {"metavar": "N/M"}),
    Option("discover", "a further folder with jobs (may be repeated)", {"metavar": "DIR", **SEVERAL}),
    Option(
        "include",
        "files that are jobs (default: train_*.py; with --training-root or --training-discover auto: what trains)",
        {"metavar": "PATTERN", **SEVERAL},
        [],
        "args",
    ),
    Option("exclude", "files that are not jobs: a pattern of their paths", {"metavar": "REGEX", **SEVERAL}, [], "args"),
    Option("compare", "compare with an earlier run: last, a RUN, a BRANCH or a COMMIT", {"metavar": "WHAT"}),
    Option(
        "max-regression",
        "fail jobs with a metric that is worse than in the compared run, beyond noise, by more than 2%, 0.02 or mae=5%",
        {"metavar": "[METRIC=]NUMBER", **SEVERAL},
        [],
        "linelist",
    ),
    Option("audit", "train jobs again and with a shuffled target, and check their data, splits and metrics", JOB),
    Option("twice", "train jobs twice with the same seed, and compare their metrics to the last bit", JOB),
    Option("progress", "how a run shows progress (default: auto: live on a terminal)", {"choices": MODES}, "auto"),
    Option("heartbeat", "time between two lines about a running job", setting="1m"),
    Option("grace", "time between asking a job to end and killing it", setting="10s"),
    Option("stalled", "time without output and CPU use after which a job counts as stalled", setting="10m"),
    Option(
        "cluster",
        "train on a Dask cluster: local:N, tcp://HEAD:8786, file:SCHEDULER.json, slurm (pbs, sge, lsf, htcondor), "
        "ssh:HOST,HOST or MODULE:FUNCTION; -n is the most jobs at once",
        {"metavar": "WHERE"},
        "",
    ),
    Option("cluster-wait", "how long to wait for the first node of a cluster", setting="10m"),
    Option("cluster-silence", "time without a sign of life after which a node of a cluster is given up", setting="30s"),
    Option("tracking", "also log jobs to a tracking server: mlflow:URI", {"metavar": "WHERE"}, ""),
    Option(
        "notify",
        "send messages about a run to a URL of Apprise, like ntfy://TOPIC or $VARIABLE",
        {"metavar": "URL", **SEVERAL},
        [],
        "linelist",
    ),
    Option(
        "notify-events", "events that send a message", setting=["end", "failure", "regression", "stall"], type="args"
    ),
    Option("start", "how a job starts: auto, fork (job server) or subprocess (a fresh interpreter)", setting="auto"),
)
DOORS = {"tracking": "mlflow", "notify": "notify"}
"""By setting the module of `reporters` that serves it, loaded only if it has a value.

Their values may hold a password or a token: no report shows them.
"""
EVERYDAY: dict[str, dict[str, str]] = {
    "--epochs": {"metavar": "N", "help": "epochs of every job that has them"},
    "--folds": {"metavar": "N", "help": "folds of every job that has them"},
    "--set": {**SEVERAL, "metavar": "JOB.PARAMETER=VALUE", "help": "set a parameter, like als.epochs=5 or '*.folds=3'"},
}
"""Options with names that a project's conftest.py may have too."""


def add_options(parser: pytest.Parser, options: Iterable[Option] = OPTIONS) -> None:
    """Declare options with names that only this plugin uses."""
    group = parser.getgroup("training", "training jobs")
    for name, text, option, setting, kind in options:
        if option is not None:
            group.addoption(f"--training-{name}", help=text.replace("%", "%%"), **option)
        if setting is not None:
            parser.addini(f"training_{name.replace('-', '_')}", text, type=kind, default=setting)


def add_job_options(parser: pytest.Parser) -> None:
    """Declare the limits, and `--epochs`, `--folds` and `--set` unless a conftest.py of the project has its own."""
    from pytest_training.limits import LIMITS  # noqa: PLC0415  (only where there are jobs)

    add_options(parser, [Option(each.key, each.help, {"metavar": each.metavar}, "") for each in LIMITS.values()])
    for name, option in EVERYDAY.items():
        with contextlib.suppress(ValueError, argparse.ArgumentError):  # a name of the project's own
            parser.getgroup("training").addoption(name, dest=f"training_{name.removeprefix('--')}", **option)


def is_asked_for(config: pytest.Config) -> bool:
    """Return True if the command line names jobs outside the training folder, or other files than usual."""
    typed = config.known_args_namespace
    return bool(typed.training_discover or typed.training_include)


@contextlib.contextmanager
def initial_conftests(config: pytest.Config, own: Callable[[pytest.Config], Sequence[str]]) -> Iterator[None]:
    """Have pytest load the user's own conftest.py alone where an option names the jobs: others may be strangers'."""
    typed = config.known_args_namespace
    before, names_jobs = typed.file_or_dir, typed.training_root or is_asked_for(config)
    if names_jobs and not any(named_path(config, each).exists() for each in before):
        typed.file_or_dir = [str(SHIPPED_TEST), *own(config)]
    yield
    typed.file_or_dir = before


def has_jobs(config: pytest.Config) -> bool:
    """Return True if this project has something to train; no file is read."""
    typed = config.known_args_namespace
    is_named = typed.training_root or typed.training_catalogue or config.getini("training_catalogue")
    if is_named or is_asked_for(config):
        return True  # a missing folder or file is an error then
    return holds_jobs(config, folder_of(config, "root"))


def holds_jobs(config: pytest.Config, folder: Path) -> bool:
    """Return True if a folder has files of jobs or a catalogue, by their names."""
    has_kinds = config.hook.pytest_training_register.get_hookimpls()  # there may be other kinds of job
    is_usual = config.getini("training_root") == "training" and not config.getini("training_include")
    names = _job_names(folder, "" if has_kinds else (".py", ".ipynb"), "train_" if is_usual else "")
    return folder.is_dir() and ((folder / "jobs.yaml").is_file() or any(names))


def _job_names(root: Path, suffix: str | tuple[str, ...], prefix: str = "train_") -> Iterator[str]:
    remaining = MAX_ENTRIES
    deepest = str(root).count(os.sep) + DEEPEST  # os.walk is recursive
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "__")) and folder.count(os.sep) < deepest]
        yield from (name for name in files if name.startswith(prefix) and name.endswith(suffix))
        remaining -= len(files) + len(folders)
        if remaining < 0:
            return


def folder_of(config: pytest.Config, name: Literal["root", "reports"]) -> Path:
    """Return the folder with the jobs or for reports: of the command line, else of the settings below the root."""
    typed = getattr(config.known_args_namespace, f"training_{name}")  # `option` lacks values while conftests load
    if typed:
        return config.invocation_params.dir / str(typed)
    return project_folder(config) / str(config.getini(f"training_{name}"))


def project_folder(config: pytest.Config) -> Path:
    """Return pytest's root, or, if that has no folder with jobs, the one above what the command line names that has."""
    if PROJECT not in config.stash:
        root, setting = Path(config.rootpath), str(config.getini("training_root"))
        is_settled = config.known_args_namespace.training_root or (root / setting).is_dir()
        above = () if is_settled else _folders_above(config, setting)
        config.stash[PROJECT] = next((each for each in above if holds_jobs(config, each / setting)), root)
    return config.stash[PROJECT]


def _folders_above(config: pytest.Config, setting: str) -> Iterator[Path]:
    """Yield the folders that may be the project of what the command line names: beside it, marked, around its jobs."""
    for argument in config.known_args_namespace.file_or_dir or [""]:
        path = named_path(config, argument)
        is_marked = False
        for folder in (path, *path.parents) if path.exists() else ():
            is_nearest = not is_marked and any((folder / mark).exists() for mark in MARKS)
            if is_nearest or folder in {path, path.parent} or path.is_relative_to(folder / setting):
                yield folder
            is_marked = is_marked or is_nearest


def named_path(config: pytest.Config, argument: str) -> Path:
    """Return the file or folder that an argument of the command line names, links left as they are."""
    return Path(os.path.normpath(config.invocation_params.dir / argument.partition("::")[0]))


def text_of(config: pytest.Config, name: str) -> tuple[str, str]:
    """Return a value, and the option or setting that it comes from."""
    typed, setting = config.getoption(f"--training-{name}", default=None), f"training_{name.replace('-', '_')}"
    return str(config.getini(setting) if typed is None else typed), source_of(config, name)


def source_of(config: pytest.Config, name: str) -> str:
    """Return the option or setting that a value comes from."""
    if config.getoption(f"--training-{name}", default=None) not in (None, []):
        return f"--training-{name}"
    setting = f"training_{name.replace('-', '_')}"
    overrides = [each.partition("=")[0] for each in config.getoption("override_ini", default=None) or ()]
    return f"-o {setting}" if setting in overrides else f"{setting} in {config.inipath or 'the settings'}"


def secret_values(config: pytest.Config, name: str) -> list[str]:
    """Return the values of a setting in `DOORS`; none if it is off."""
    typed, setting = config.getoption(f"--training-{name}", default=None), config.getini(f"training_{name}")
    values = setting if typed is None else typed
    return list(filter(None, [values] if isinstance(values, str) else values))


def recorded_arguments(config: pytest.Config) -> tuple[str, ...]:
    """Return the command line as files may show it."""
    secret = [value for name in DOORS for value in secret_values(config, name)]
    return tuple(masked(str(word), secret) for word in config.invocation_params.args)


def masked(text: str, secret: Iterable[str]) -> str:
    """Return the text with `***` for secret values, for user and password in any URL, and for what it asks (`?a=b`)."""
    for value in secret:
        text = text.replace(value, "***")
    return re.sub(r"(?<=://)[^/\s@]+(?=@)|(?<=\?)[^\s=]+=\S+", "***", text)


def shown_path(path: Path, config: pytest.Config) -> str:
    """Return a path as the user would type it."""
    relative = os.path.relpath(path, config.invocation_params.dir)
    return str(path) if relative.startswith("..") else relative


def nothing_to_train(config: pytest.Config) -> str:
    """Return the reason why a test has no job."""
    if has_jobs(config):
        return (
            "xdist's workers have no run: no test file or conftest.py on the command line names the fixture "
            "training_job. Name it in the test's signature, or run without -n"
        )
    from pytest_training.jobs.discovery import nothing_below  # noqa: PLC0415  (see the module's docstring)
    from pytest_training.jobs.lookup import FileFilter  # noqa: PLC0415  (as above)

    return nothing_below(folder_of(config, "root"), project_folder(config), FileFilter())
