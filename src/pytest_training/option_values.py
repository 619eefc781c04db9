"""What the command line and pytest.ini ask for, read into one value; loaded only where something trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_training.errors import DeclarationError
from pytest_training.execution.backends import Backends, default_backend
from pytest_training.execution.backends.in_process import InProcess
from pytest_training.jobs.search import PATTERNS, FileFilter, Search, checked_folders, checked_pattern, project_of
from pytest_training.limits import LIMITS
from pytest_training.options import REGISTRY, path_below, reports_folder, training_root
from pytest_training.planning.request import Request
from pytest_training.registry import Registry
from pytest_training.units import parse_duration
from pytest_training.wording import did_you_mean

SEARCH = pytest.StashKey[Search]()
"""On config: where jobs are found, of a plugin that reads it from options of its own."""
LONGEST_SEED = 18  # digits; JSON's readers, and ours, end at 64 bits


@dataclass(frozen=True, kw_only=True)
class Options(Request):
    """What the command line and pytest.ini ask for: what is trained, and how this session trains it."""

    plan_file: Path | None
    backend: str
    """Name of what executes the attempts."""
    grace_s: float
    real_data_only: bool


def read_options(config: pytest.Config) -> Options:
    """Read every option; a value that cannot be is a `pytest.UsageError`."""
    here, root, registry = config.invocation_params.dir, config.rootpath, config.stash.get(REGISTRY, None) or Registry()
    [catalogue, *_] = config.getoption("--training-catalogue") or [None]
    reports = reports_folder(config)
    _check_path(reports, "the reports folder")
    found_root = training_root(config)
    if not found_root.is_dir() and config.getoption("--training-root"):
        raise pytest.UsageError(f"--training-root: no folder {str(found_root)!r}")
    in_process = any(config.getoption(name, default=False) for name in ("--training-in-process", "usepdb", "trace"))
    return Options(
        project=_project(config, found_root),
        root=found_root,
        catalogue=path_below(here, catalogue) or path_below(root, config.getini("training_catalogue")),
        reports=reports,
        seed=_seed(config),
        epochs=_count(config, "epochs"),
        folds=_count(config, "folds"),
        settings=tuple(config.getoption("training_set", default=None) or ()),
        plan_file=path_below(here, config.getoption("--training-plan")),
        backend=InProcess.name if in_process else _backend(config, registry.backends),
        limits=registry.limits,
        default_limits=_limits(config),
        grace_s=_number(config, "grace", parse_duration) or 0.0,
        real_data_only=bool(config.getoption("--training-require-real-data")),
        resume=_resume(config),
        skip_unchanged=bool(config.getoption("--training-skip-unchanged")),
        search=config.stash[SEARCH] if SEARCH in config.stash else read_search(config),
        kinds=registry.kinds,
        compare=config.getoption("--training-compare"),
        max_regression=(
            *config.getini("training_max_regression"),
            *(config.getoption("--training-max-regression") or ()),
        ),
    )


def _project(config: pytest.Config, root: Path) -> Path:
    named = config.known_args_namespace.training_root
    return project_of(root, config.rootpath, has_settings=config.inipath is not None or not named)


def _check_path(path: Path, what: str) -> None:
    """Refuse a path that no file in UTF-8 can name."""
    if not all(ord(letter) < 0xD800 or ord(letter) > 0xDFFF for letter in str(path)):
        raise pytest.UsageError(f"{what}: expected a path that UTF-8 can hold, found {str(path)!a}")


def _text(config: pytest.Config, name: str) -> tuple[str, str]:
    """Return a value and how the user would spell where it comes from."""
    typed = config.getoption(f"--training-{name}", default=None)
    if typed is not None:
        return str(typed), f"--training-{name}"
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


def _backend(config: pytest.Config, backends: Backends) -> str:
    name = str(config.getini("training_start"))
    if name == "auto":
        return default_backend()
    if name not in backends:
        where, names = f"training_start in {config.inipath or 'the settings'}", ["auto", *backends]
        raise pytest.UsageError(
            f"{where}: expected one of {', '.join(names)}, found {name!r}{did_you_mean(name, names)}"
        )
    return name


def _limits(config: pytest.Config) -> dict[str, float]:
    limits = {key: _number(config, key, limit.parse) for key, limit in LIMITS.items()}
    return {key: most for key, most in limits.items() if most is not None}


def _number(config: pytest.Config, name: str, parse: Callable[[str, str], float]) -> float | None:
    value, where = _text(config, name)
    try:
        return parse(value, where) if value else None
    except DeclarationError as error:
        raise pytest.UsageError(str(error)) from None


def read_search(config: pytest.Config) -> Search:
    """Read the options that say where jobs are found; a value that cannot be is a `pytest.UsageError`."""
    here = config.invocation_params.dir
    include = config.getoption("--training-include") or config.getini("training_include") or PATTERNS
    exclude = config.getoption("--training-exclude") or config.getini("training_exclude")
    folders = [here / str(folder) for folder in config.getoption("--training-discover") or ()]
    try:
        return Search(
            files=FileFilter(
                include=tuple(include),
                exclude=tuple(checked_pattern(pattern, "--training-exclude") for pattern in exclude),
            ),
            folders=checked_folders(folders, "--training-discover"),
            catalogues=tuple(here / str(file) for file in (config.getoption("--training-catalogue") or ())[1:]),
        )
    except DeclarationError as error:
        raise pytest.UsageError(str(error)) from None
