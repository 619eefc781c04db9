"""The values of options and settings, read into one request; loaded only where something trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import pytest

from pytest_training.errors import DeclarationError
from pytest_training.execution.backends import Backends, default_backend
from pytest_training.execution.backends.cluster.backend import Cluster
from pytest_training.execution.backends.in_process import InProcess
from pytest_training.execution.backends.protocol import Opening
from pytest_training.execution.backends.subprocess import Subprocess
from pytest_training.jobs.lookup import FileFilter, Lookup, checked_folders, is_usual_root, project_of
from pytest_training.jobs.model import RunSettings
from pytest_training.limits import LIMITS
from pytest_training.options import REGISTRY, folder_of, project_folder, source_of, text_of
from pytest_training.registry import Registry
from pytest_training.units import parse_duration
from pytest_training.wording import one_of

if TYPE_CHECKING:
    from pytest_training.planning.steps import Request

REST = ("--training-resume", "--training-skip-unchanged")  # train what is left alone
CONFLICTS = (
    ("resume", ("--epochs", "--folds", "--set"), "takes the parameters of the run"),
    ("resume", ("--training-seed",), "takes the seed of the run"),
    ("resume", ("--training-seeds", "--training-matrix"), "takes the studies of the run"),
    ("audit", REST, "trains every job whole"),
    ("twice", REST, "trains every job whole"),
    ("smoke", (*REST, "--training-audit", "--training-twice"), "trains every job briefly"),
    ("smoke", ("--training-compare", "--training-max-regression"), "judges nothing"),
)
"""Options that others cannot go with, and why."""
NOT_BESIDE_CLUSTER = {
    **dict.fromkeys(("usepdb", "trace", "training_in_process"), "debugs jobs in pytest's own process"),
    "forked": "forks this process, which talks to the cluster",
    "looponfail": "runs tests in processes of its own",
}
"""Options that a cluster cannot go with, by the names of their values, and what they do."""
MOST_SHARDS = 10_000
LONGEST_SEED = 18  # digits; JSON's readers, and ours, end at 64 bits


def read_options(config: pytest.Config) -> Request:
    """Return the values of all options and settings; raise UsageError for an invalid one."""
    from pytest_training.planning.steps import Request  # noqa: PLC0415  (an xdist worker has no use for it)

    here, registry, option = config.invocation_params.dir, config.stash.get(REGISTRY, None) or Registry(), config.option
    root, reports, catalogues = folder_of(config, "root"), folder_of(config, "reports"), option.training_catalogue
    setting = str(config.getini("training_catalogue"))
    _refuse_conflicts(config)
    if option.training_root and not root.is_dir():
        raise pytest.UsageError(f"--training-root: no folder {str(root)!r}")
    if any("\ud800" <= letter <= "\udfff" for letter in str(reports)):
        raise pytest.UsageError(f"the reports folder: expected a path that UTF-8 can hold, found {str(reports)!a}")
    has_settings = config.inipath is not None or not option.training_root
    project = project_of(root, project_folder(config), has_settings=has_settings)
    return Request(
        project=project,
        root=root,
        catalogue=here / catalogues[0] if catalogues else config.rootpath / setting if setting else None,
        reports=reports,
        seed=_seed(config),
        epochs=_count(config, "epochs"),
        folds=_count(config, "folds"),
        settings=tuple(config.getoption("training_set", default=None) or ()),
        seeds=option.training_seeds,
        matrix=tuple(option.training_matrix or ()),
        plan_file=here / option.training_plan if option.training_plan else None,
        limits=registry.limits,
        default_limits={key: limit for key in LIMITS if (limit := _number(config, key, LIMITS[key].parse)) is not None},
        run_settings=_run_settings(config, registry.backends, str(project)),
        resume=option.training_resume,
        audited=option.training_audit or option.training_twice or "",
        skip_unchanged=option.training_skip_unchanged,
        lookup=read_lookup(config),
        kinds=registry.kinds,
        compare=option.training_compare,
        max_regression=(*config.getini("training_max_regression"), *(option.training_max_regression or ())),
        smoke=option.training_smoke,
        shard=_shard(option.training_shard),
    )


def _shard(value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    number, _, count = value.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) <= MOST_SHARDS):
        raise pytest.UsageError(f"--training-shard: expected a part like 2/4, found {value[:80]!r}")
    return int(number), int(count)


def _run_settings(config: pytest.Config, backends: Backends, project: str) -> RunSettings:
    names = ("--training-in-process", "usepdb", "trace", "setuponly")
    in_process = any(config.getoption(name, default=False) for name in names)
    usual = _backend(config, backends)
    return RunSettings(
        backend=InProcess.name if in_process else Cluster.name if text_of(config, "cluster")[0] else usual,
        grace_s=_number(config, "grace", parse_duration) or 0.0,
        stalled_s=_number(config, "stalled", parse_duration) or 0.0,
        real_data_only=config.option.training_require_real_data,
        compare=config.option.training_compare,
        audit=_audit(config),
        project=project,
    )


def read_opening(config: pytest.Config, request: Request, *, most: int) -> Opening:
    """Return what a backend may need before the plan is made, for so many jobs."""
    specs, (where, source) = getattr(config.option, "tx", None) or (), text_of(config, "cluster")
    limit = len(specs) or getattr(config.option, "maxprocesses", None) or most
    return Opening(
        where=where,
        source=source,
        most=min(most, limit),
        wait_s=_number(config, "cluster-wait", parse_duration) or 0.0,
        silence_s=_number(config, "cluster-silence", parse_duration) or 0.0,
        project=str(request.project),
        reports=str(request.reports),
        forks=text_of(config, "start")[0] != Subprocess.name,
        is_dry=config.option.collectonly,
    )


def refuse_beside_cluster(config: pytest.Config) -> None:
    """Raise UsageError for an option that cannot go with a cluster."""
    if not text_of(config, "cluster")[0]:
        return
    typed = config.known_args_namespace  # xdist changes its options, as with `-n`
    used = {name: why for name, why in NOT_BESIDE_CLUSTER.items() if config.getoption(name, default=False)}
    options = {f"--{name.removeprefix('use').replace('_', '-')}": why for name, why in used.items()}
    if (distribution := getattr(typed, "dist", "no")) not in {"no", "load"}:
        options[f"--dist {distribution}"] = "distributes tests among workers; the nodes of a cluster share jobs alone"
    if getattr(typed, "tx", None):
        options["--tx"] = "names processes or machines for xdist's workers; a cluster has nodes"
    for option, why in options.items():
        problem = f"{option} {why}: --training-cluster cannot go with it; --training-cluster '' trains here"
        raise pytest.UsageError(problem)


def _refuse_conflicts(config: pytest.Config) -> None:
    for name, others, why in CONFLICTS:
        for other in others if config.getoption(f"--training-{name}") else ():
            field = other.removeprefix("--").removeprefix("training-").replace("-", "_")
            if config.getoption(f"training_{field}", default=None):
                raise pytest.UsageError(f"--training-{name} {why}: {other} cannot go with it")


def _audit(config: pytest.Config) -> Literal["", "twice", "all"]:
    option = config.option
    name = "audit" if option.training_audit else "twice" if option.training_twice else ""
    if option.training_audit and option.training_twice not in {None, option.training_audit}:
        raise pytest.UsageError("--training-audit trains jobs twice too: leave --training-twice out")
    return "all" if name == "audit" else "twice" if name else ""


def _seed(config: pytest.Config) -> int:
    value, where = text_of(config, "seed")
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
    name, where = text_of(config, "start")
    if name == "auto":
        return default_backend()
    if name not in backends:
        raise pytest.UsageError(f"{where}: expected a backend, found {name!r}: {one_of(name, ['auto', *backends])}")
    return name


def _number(config: pytest.Config, name: str, parse: Callable[[str, str], float]) -> float | None:
    value, where = text_of(config, name)
    try:
        return parse(value, where) if value else None
    except DeclarationError as error:
        raise pytest.UsageError(str(error)) from None


def read_lookup(config: pytest.Config) -> Lookup:
    """Return where the options and settings look for jobs; raise UsageError for an invalid one."""
    here, option = config.invocation_params.dir, config.option
    exclude = option.training_exclude or config.getini("training_exclude")
    is_usual = is_usual_root(folder_of(config, "root"), project_folder(config))
    discover = option.training_discover or ()
    patterns = option.training_include or config.getini("training_include")
    limit = config.getoption("training_limit", default=None)  # this and two more: run_all/pytest_options.py
    try:
        return Lookup(
            files=FileFilter.of(
                *(patterns, exclude, source_of(config, "exclude")), is_usual=is_usual and not discover, limit=limit
            ),
            folders=checked_folders([here / each for each in discover], "--training-discover"),
            own=FileFilter.of((), (), "", is_usual=is_usual),
            overrides=config.getoption("training_overrides", default=False),
            optional=config.getoption("training_optional", default=False),
            catalogues=tuple(here / file for file in (option.training_catalogue or ())[1:]),
        )
    except DeclarationError as error:
        raise pytest.UsageError(str(error)) from None
