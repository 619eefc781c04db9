"""Every option and setting of the plugin, declared and read in this one place."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_training.errors import DeclarationError
from pytest_training.limits import LIMITS
from pytest_training.search_options import add_search_options, is_asked_for, read_search
from pytest_training.units import parse_duration

if TYPE_CHECKING:
    from pytest_training.jobs.search import Search

LONGEST_SEED = 18  # digits; JSON's readers, and ours, end at 64 bits
LOOKED_AT = 5_000  # directory entries: where a folder called training/ holds data, looking for jobs must stay cheap


@dataclass(frozen=True)
class Options:
    """What the command line and pytest.ini ask for, checked as far as one can without knowing the jobs."""

    project: Path
    root: Path
    """The folder with the jobs."""
    catalogue: Path | None
    reports: Path
    seed: int
    epochs: int | None
    folds: int | None
    settings: tuple[str, ...]
    plan_file: Path | None
    in_process: bool
    start_method: str
    limits: dict[str, float]
    """Of jobs that state none, by the limit's key."""
    grace_s: float
    real_data_only: bool
    resume: str | None
    """Run to resume: its id, or `last`."""
    skip_unchanged: bool
    search: Search
    compare: str | None
    """What the run is compared with: `last`, a run, a branch or a commit."""
    max_regression: tuple[str, ...]
    """Rules like `0.02`, `roc_auc=0.02` or `mae=5%`; of two for a metric the later counts."""


def add_options(parser: pytest.Parser) -> None:
    """Declare what may be declared in every project: names that nobody else uses."""
    group = parser.getgroup("training", "training jobs")
    group.addoption("--training-root", metavar="DIR", help="folder with the training jobs (default: training)")
    group.addoption("--training-catalogue", metavar="FILE", help="catalogue of jobs (default: jobs.yaml in the root)")
    group.addoption("--training-reports", metavar="DIR", help="folder for reports (default: reports)")
    group.addoption("--training-seed", metavar="N", help="seed of random, numpy and torch in every job (default: 0)")
    group.addoption("--training-plan", metavar="FILE", help="also write the plan as JSON")
    group.addoption(
        "--training-in-process",
        action="store_true",
        help="run jobs in the pytest process, for debugging (implied by --pdb)",
    )
    for limit in LIMITS.values():
        group.addoption(f"--training-{limit.key}", metavar=limit.metavar, help=limit.help)
    group.addoption("--training-require-real-data", action="store_true", help="fail jobs that train on simulated data")
    group.addoption(
        "--training-resume",
        nargs="?",
        const="last",
        metavar="RUN",
        help="train what did not pass in a run (default: the last), with its parameters, seed and checkpoints",
    )
    group.addoption(
        "--training-skip-unchanged",
        action="store_true",
        help="skip jobs whose code, parameters, data, seed and package versions equal those of their last pass",
    )
    add_search_options(parser)
    group.addoption(
        "--training-compare",
        metavar="WHAT",
        help="say what got better or worse: than in the last run (last), in a RUN, on a BRANCH or at a COMMIT",
    )
    group.addoption(
        "--training-max-regression",
        action="append",
        metavar="[METRIC=]NUMBER",
        help="fail jobs whose metric got worse than that against the compared run, e.g. 0.02, roc_auc=0.02 or mae=5%%",
    )
    group.addoption(
        "--training-progress",
        choices=("auto", "live", "lines", "off"),
        help="how to show a run that goes on (default: auto: live on a terminal, else lines)",
    )
    group.addoption("--training-report", metavar="RUN", help="write the report of an earlier run (or last), and exit")
    group.addoption(
        "--training-history", nargs="?", const="", metavar="JOB", help="print the last runs of a job or all, and exit"
    )
    group.addoption("--training-logs", metavar="JOB", help="follow the log of a job of the run in progress, and exit")
    parser.addini("training_max_regression", "like --training-max-regression, one a line", type="linelist", default=[])
    parser.addini("training_progress", "like --training-progress", default="auto")
    parser.addini("training_heartbeat", "time between two lines about a job that goes on", default="1m")
    parser.addini("training_root", "folder with the training jobs", default="training")
    parser.addini("training_catalogue", "catalogue of jobs", default="")
    parser.addini("training_reports", "folder for reports", default="reports")
    parser.addini("training_seed", "seed of random, numpy and torch in every job", default="0")
    for limit in LIMITS.values():
        parser.addini(f"training_{limit.key}", limit.help, default="")
    parser.addini("training_grace", "time between asking a job to end and killing it", default="10s")
    parser.addini(
        "training_start",
        "how a job's process starts: auto, fork (job server) or subprocess (a fresh interpreter each)",
        default="auto",
    )


def add_job_options(parser: pytest.Parser) -> None:
    """Declare `--epochs`, `--folds` and `--set`, unless a conftest.py of the project has its own."""
    group = parser.getgroup("training")
    for name in ("epochs", "folds"):
        _add(group, f"--{name}", dest=f"training_{name}", metavar="N", help=f"{name} of every job that has them")
    _add(
        group,
        "--set",
        action="append",
        dest="training_set",
        metavar="JOB.PARAMETER=VALUE",
        help="set a parameter, e.g. --set als.epochs=5 or --set '*.folds=3'",
    )


def _add(group: pytest.OptionGroup, name: str, **how: str) -> None:
    try:
        group.addoption(name, **how)
    except (ValueError, argparse.ArgumentError):  # the project's own of that name; `--set` still sets every parameter
        return


NAMING_PATHS = (
    *("training_root", "training_discover", "training_catalogue", "training_add_catalogue"),
    *("training_reports", "training_plan"),
)


def names_paths(config: pytest.Config) -> bool:
    """Whether the command line names a path that pytest may have taken for one of tests."""
    return any(getattr(config.known_args_namespace, name) for name in NAMING_PATHS)


QUESTIONS = ("training_report", "training_history", "training_logs")


def asks_about_runs(config: pytest.Config) -> bool:
    """Whether the command line asks for something that needs no session."""
    return any(getattr(config.option, name) is not None for name in QUESTIONS)


def has_jobs(config: pytest.Config) -> bool:
    """Whether this project has something to train, found without reading a file."""
    root, given = training_root(config), config.known_args_namespace
    if is_asked_for(config):
        return True
    if given.training_root or given.training_catalogue or config.getini("training_catalogue"):
        return True  # asked for: what is missing will be told
    return root.is_dir() and ((root / "jobs.yaml").is_file() or any(_looks_like_job(root)))


def _looks_like_job(root: Path) -> Iterator[str]:
    left = LOOKED_AT
    for _, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        yield from (name for name in files if name.startswith("train_") and name.endswith(".py"))
        left -= len(files) + len(folders)
        if left < 0:
            return


def training_root(config: pytest.Config) -> Path:
    """Return the folder with the jobs: of the command line, else of the settings, relative to the root."""
    given = config.known_args_namespace.training_root  # `option` has only defaults while conftest files are loaded
    if given:
        return config.invocation_params.dir / str(given)
    folder: Path = config.rootpath / str(config.getini("training_root"))
    return folder


def reports_folder(config: pytest.Config) -> Path:
    """Return the folder for reports: of the command line, else of the settings, relative to the root."""
    given = _path(config.getoption("--training-reports"), config.invocation_params.dir)
    return given or config.rootpath / str(config.getini("training_reports"))


def nothing_to_train(config: pytest.Config) -> str:
    """Say why a test that asks for a job gets none."""
    if has_jobs(config):
        return (
            "xdist's workers know of no run: no test file or conftest.py that was given names the fixture "
            "training_job. Name it in the test's signature, or run without -n"
        )
    return f"no training jobs: expected files like train_als.py in {training_root(config)}"


def read_options(config: pytest.Config) -> Options:
    """Read every option; a value that cannot be is a `pytest.UsageError`."""
    here, root = config.invocation_params.dir, config.rootpath
    catalogue = _path(config.getoption("--training-catalogue"), here) or _path(
        config.getini("training_catalogue"), root
    )
    reports = reports_folder(config)
    _check_path(reports, "the reports folder")
    found_root = training_root(config)
    if not found_root.is_dir() and config.getoption("--training-root"):
        raise pytest.UsageError(f"--training-root: no folder {str(found_root)!r}")
    in_process = any(config.getoption(name, default=False) for name in ("--training-in-process", "usepdb", "trace"))
    return Options(
        project=_project(config, found_root),
        root=found_root,
        catalogue=catalogue,
        reports=reports,
        seed=_seed(config),
        epochs=_count(config, "epochs"),
        folds=_count(config, "folds"),
        settings=tuple(config.getoption("training_set", default=None) or ()),
        plan_file=_path(config.getoption("--training-plan"), here),
        in_process=in_process,
        start_method=_start_method(config),
        limits=_limits(config),
        grace_s=_number(config, "grace", parse_duration) or 0.0,
        real_data_only=bool(config.getoption("--training-require-real-data")),
        resume=_resume(config),
        skip_unchanged=bool(config.getoption("--training-skip-unchanged")),
        search=read_search(config),
        compare=config.getoption("--training-compare"),
        max_regression=(
            *config.getini("training_max_regression"),
            *(config.getoption("--training-max-regression") or ()),
        ),
    )


def _project(config: pytest.Config, root: Path) -> Path:
    from pytest_training.jobs.search import project_of  # noqa: PLC0415  (only where there is something to train)

    named = config.known_args_namespace.training_root
    return project_of(root, config.rootpath, known=config.inipath is not None or not named)


def _check_path(path: Path, what: str) -> None:
    """Refuse a path that no file in UTF-8 can name."""
    if not all(ord(letter) < 0xD800 or ord(letter) > 0xDFFF for letter in str(path)):
        raise pytest.UsageError(f"{what}: expected a path that UTF-8 can hold, found {str(path)!a}")


def _path(given: object, base: Path) -> Path | None:
    return base / str(given) if given else None


def _text(config: pytest.Config, name: str) -> tuple[str, str]:
    """Return a value and how the user would spell where it comes from."""
    given = config.getoption(f"--training-{name}", default=None)
    if given is not None:
        return str(given), f"--training-{name}"
    return str(config.getini(f"training_{name}")), f"training_{name} in {config.inipath or 'the settings'}"


def _resume(config: pytest.Config) -> str | None:
    run: str | None = config.getoption("--training-resume")
    if run is None:
        return None
    for option, name in (("--epochs", "training_epochs"), ("--folds", "training_folds"), ("--set", "training_set")):
        if config.getoption(name, default=None):
            raise pytest.UsageError(f"--training-resume takes the parameters of the run: {option} cannot go with it")
    if config.getoption("--training-seed") is not None:
        raise pytest.UsageError("--training-resume takes the seed of the run: --training-seed cannot go with it")
    return run


def _seed(config: pytest.Config) -> int:
    value, where = _text(config, "seed")
    if not value.strip().isdecimal() or len(value.strip()) > LONGEST_SEED:
        raise pytest.UsageError(
            f"{where}: expected a whole number of at least 0, of at most {LONGEST_SEED} digits, found {value[:80]!r}"
        )
    return int(value)


def _count(config: pytest.Config, name: str) -> int | None:
    value = config.getoption(f"training_{name}", default=None)  # None too where the project has its own --epochs
    try:
        return None if value is None else int(value)
    except ValueError:
        raise pytest.UsageError(f"--{name}: expected a whole number of at least 1, found {value[:80]!r}") from None


def _start_method(config: pytest.Config) -> str:
    from pytest_training.execution.backends.launcher import default_start_method  # noqa: PLC0415

    value = str(config.getini("training_start"))
    if value == "auto":
        return default_start_method()
    if value not in {"fork", "subprocess"}:
        where = f"training_start in {config.inipath or 'the settings'}"
        raise pytest.UsageError(f"{where}: expected auto, fork or subprocess, found {value!r}")
    return value


def _limits(config: pytest.Config) -> dict[str, float]:
    limits = {key: _number(config, key, limit.parse) for key, limit in LIMITS.items()}
    return {key: most for key, most in limits.items() if most is not None}


def _number(config: pytest.Config, name: str, parse: Callable[[str, str], float]) -> float | None:
    value, where = _text(config, name)
    try:
        return parse(value, where) if value else None
    except DeclarationError as error:
        raise pytest.UsageError(str(error)) from None
