"""The pytest hooks of every session; a session that trains has those of session/owner.py or session/worker.py too.

pytest imports this module at every start, in projects without trainings too: so other modules are imported on demand.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_training import hookspecs, options
from pytest_training.fixture import FIXTURE

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_training.session.training_job import TrainingJob

SESSION = "training-session"  # name of the plugin of a process that trains


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks."""
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, None, None]:
    """Declare the options with everyday names where there are jobs, after the project has declared its own."""
    if any(getattr(early_config.known_args_namespace, f"training_{name}") for name in options.NAMING_PATHS):
        from pytest_training.pytest_adapter import settle_root  # noqa: PLC0415  (see the module's docstring)

        settle_root(early_config, parser, args)
    with options.initial_conftests(early_config, _initial_paths):
        yield
    if options.has_jobs(early_config):
        from pytest_training import pytest_adapter  # noqa: PLC0415  (as above)

        pytest_adapter.leave_as_written(early_config)
        options.add_job_options(parser)
        if early_config.known_args_namespace.training_root:
            pytest_adapter.leave_out_unknown(early_config, parser, args)
        pytest_adapter.note_unknown_options(parser, args)


def _initial_paths(config: pytest.Config) -> list[str]:
    from pytest_training.session.arguments import initial_paths  # noqa: PLC0415  (see the module's docstring)

    return initial_paths(config)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin of this process: a worker of a run, or the session that may own one."""
    values = getattr(config, "workerinput", None)
    if not (options.has_jobs(config) if values is None else "training" in values):
        return
    from pytest_training.registry import Registry  # noqa: PLC0415  (see the module's docstring)
    from pytest_training.session.arguments import settle_arguments  # noqa: PLC0415  (as above)
    from pytest_training.session.hooks import call_before_training  # noqa: PLC0415  (as above)
    from pytest_training.session.items import Neighbours  # noqa: PLC0415  (as above)

    config.stash[options.REGISTRY] = registry = Registry()
    call_before_training(config, "pytest_training_register", registry=registry)
    settle_arguments(config)
    config.pluginmanager.register(Neighbours(), "training-neighbours")
    if values is None:
        from pytest_training.session.owner import Owner  # noqa: PLC0415  (as above)

        config.pluginmanager.register(Owner(config), SESSION)
    else:
        from pytest_training.session.items import Worker  # noqa: PLC0415  (as above)

        config.pluginmanager.register(Worker(config), SESSION)


@pytest.hookimpl(optionalhook=True, tryfirst=True)  # xdist's own counts in any case
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Return for `-n auto` how many CPUs a container may use, which xdist does not know; None lets xdist count.

    With a cluster it is no limit: as many jobs at once as the cluster has room for.
    """
    from pytest_training.machine import cpu_quota, machine_cores  # noqa: PLC0415  (see the module's docstring)

    if options.has_jobs(config) and options.text_of(config, "cluster")[0]:
        return 0
    is_counted = options.has_jobs(config) and "PYTEST_XDIST_AUTO_NUM_WORKERS" not in os.environ
    return machine_cores() if is_counted and cpu_quota() is not None else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one item per job of every test that has the fixture."""
    if FIXTURE not in metafunc.fixturenames:
        return
    session: Any = metafunc.config.pluginmanager.getplugin(SESSION)
    if session is None:  # no jobs here: the name may be a fixture of the project's own
        return
    parameters = [
        pytest.param(job, id=job.id, marks=[getattr(pytest.mark, tag) for tag in job.tags])
        for job in session.jobs_to_collect()
    ]
    metafunc.parametrize(FIXTURE, parameters, indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shorten a job's failure to one line in summaries: under CI, pytest's would repeat traceback and log there."""
    report = yield
    failure = call.excinfo.value if call.excinfo else None
    is_ours = isinstance(failure, pytest.fail.Exception) and not failure.pytrace
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    if is_ours and crash and FIXTURE in getattr(item, "fixturenames", ()):
        crash.message = crash.message.partition("\n")[0]
    return report


@pytest.fixture
def training_job(request: pytest.FixtureRequest) -> TrainingJob:
    """Give the test its job: `training_job.train()` trains, `training_job.check()` fails unless it passed."""
    from pytest_training.session.training_job import SLOT, TrainingJob  # noqa: PLC0415  (see the module's docstring)

    if (slot := request.config.stash.get(SLOT, None)) is None:
        pytest.fail(options.nothing_to_train(request.config), pytrace=False)
    return TrainingJob(request.param, slot, request.node)
