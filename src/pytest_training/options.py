"""Every option and setting of the plugin is declared here, and read in option_values.py where something trains.

Loaded at every start of pytest, in projects without trainings too.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_training.registry import Registry

LOOKED_AT = 5_000  # directory entries: where a folder called training/ holds data, looking for jobs must stay cheap

REGISTRY: pytest.StashKey[Registry] = pytest.StashKey()
"""On config: what this process's runs can be made of, where there is something to train."""


def add_options(parser: pytest.Parser) -> None:
    """Declare what may be declared in every project: names that nobody else uses."""
    group = parser.getgroup("training", "training jobs")
    group.addoption("--training-root", metavar="DIR", help="folder with the training jobs (default: training)")
    group.addoption(
        "--training-catalogue",
        action="append",
        metavar="FILE",
        help="catalogue of jobs (default: jobs.yaml in the root); a further one applies after the first",
    )
    group.addoption("--training-reports", metavar="DIR", help="folder for reports (default: reports)")
    group.addoption("--training-seed", metavar="N", help="seed of random, numpy and torch in every job (default: 0)")
    group.addoption("--training-plan", metavar="FILE", help="also write the plan as JSON")
    group.addoption(
        "--training-in-process",
        action="store_true",
        help="run jobs in the pytest process, for debugging (implied by --pdb)",
    )
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
    _add_search_options(parser)
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
    parser.addini("training_max_regression", "like --training-max-regression, one a line", type="linelist", default=[])
    parser.addini("training_progress", "like --training-progress", default="auto")
    parser.addini("training_heartbeat", "time between two lines about a job that goes on", default="1m")
    parser.addini("training_root", "folder with the training jobs", default="training")
    parser.addini("training_catalogue", "catalogue of jobs", default="")
    parser.addini("training_reports", "folder for reports", default="reports")
    parser.addini("training_seed", "seed of random, numpy and torch in every job", default="0")
    parser.addini("training_grace", "time between asking a job to end and killing it", default="10s")
    parser.addini(
        "training_start",
        "how a job's process starts: auto, fork (job server) or subprocess (a fresh interpreter each)",
        default="auto",
    )


def _add_search_options(parser: pytest.Parser) -> None:
    """Declare the options for folders that nobody prepared for the plugin."""
    group = parser.getgroup("training")
    group.addoption(
        "--training-discover", action="append", metavar="DIR", help="a further folder with jobs (may be repeated)"
    )
    group.addoption(
        "--training-include",
        action="append",
        metavar="PATTERN",
        help="files that are jobs (default: train_*.py); with --training-discover, in the further folders",
    )
    group.addoption(
        "--training-exclude", action="append", metavar="REGEX", help="files that are no jobs, by their path"
    )
    parser.addini("training_include", "files that are jobs", type="args", default=[])
    parser.addini("training_exclude", "files that are no jobs, by their path", type="args", default=[])


def add_job_options(parser: pytest.Parser) -> None:
    """Declare the limits, and `--epochs`, `--folds` and `--set` unless a conftest.py of the project has its own."""
    from pytest_training.limits import LIMITS  # noqa: PLC0415  (see the module's docstring)

    group = parser.getgroup("training")
    for limit in LIMITS.values():
        group.addoption(f"--training-{limit.key}", metavar=limit.metavar, help=limit.help)
        parser.addini(f"training_{limit.key}", limit.help, default="")
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


NAMING_PATHS = ("training_root", "training_discover", "training_catalogue", "training_reports", "training_plan")


def names_paths(config: pytest.Config) -> bool:
    """Return True if the command line names a path that pytest may take for one of tests."""
    return any(getattr(config.known_args_namespace, name) for name in NAMING_PATHS)


def is_asked_for(config: pytest.Config) -> bool:
    """Return True if the command line names jobs outside the training folder, or other files than usual."""
    typed = config.known_args_namespace
    return bool(typed.training_discover or typed.training_include)


def has_jobs(config: pytest.Config) -> bool:
    """Return True if this project has something to train; no file is read."""
    root, typed = training_root(config), config.known_args_namespace
    if is_asked_for(config):
        return True
    if typed.training_root or typed.training_catalogue or config.getini("training_catalogue"):
        return True  # a missing folder or file is an error then
    suffix = "" if config.hook.pytest_training_register.get_hookimpls() else ".py"  # there may be other kinds of job
    return root.is_dir() and ((root / "jobs.yaml").is_file() or any(_looks_like_job(root, suffix)))


def _looks_like_job(root: Path, suffix: str) -> Iterator[str]:
    left = LOOKED_AT
    for _, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        yield from (name for name in files if name.startswith("train_") and name.endswith(suffix))
        left -= len(files) + len(folders)
        if left < 0:
            return


def training_root(config: pytest.Config) -> Path:
    """Return the folder with the jobs: of the command line, else of the settings, relative to the root."""
    typed = config.known_args_namespace.training_root  # `option` has only defaults while conftest files are loaded
    if typed:
        return config.invocation_params.dir / str(typed)
    folder: Path = config.rootpath / str(config.getini("training_root"))
    return folder


def reports_folder(config: pytest.Config) -> Path:
    """Return the folder for reports: of the command line, else of the settings, relative to the root."""
    typed = path_below(config.invocation_params.dir, config.getoption("--training-reports"))
    return typed or config.rootpath / str(config.getini("training_reports"))


def shown_path(path: Path, config: pytest.Config) -> str:
    """Return a path as the user would type it."""
    relative = os.path.relpath(path, config.invocation_params.dir)
    return str(path) if relative.startswith("..") else relative


def nothing_to_train(config: pytest.Config) -> str:
    """Say why a test that asks for a job gets none."""
    if has_jobs(config):
        return (
            "xdist's workers know of no run: no test file or conftest.py that was given names the fixture "
            "training_job. Name it in the test's signature, or run without -n"
        )
    return f"no training jobs: expected files like train_als.py in {training_root(config)}"


def path_below(base: Path, value: object) -> Path | None:
    """Return the path that an option or a setting names, or None if it names none."""
    return base / str(value) if value else None
