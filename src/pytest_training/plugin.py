"""The pytest hooks that every session has; each calls the module that knows. A run has more: owner.py, worker.py.

Imported by pytest at every start, in projects without trainings too: nothing heavy, no behaviour, before it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_training import hookspecs, options
from pytest_training.fixture import FIXTURE

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_training.session.training_job import TrainingJob


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
    if options.names_paths(early_config):
        from pytest_training.pytest_adapter import settle_root  # noqa: PLC0415  (see the module's docstring)

        settle_root(early_config, parser, args)
    yield
    if options.has_jobs(early_config):
        options.add_job_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register what this process is: a worker of a run, or the session that may own one."""
    if hasattr(config, "workerinput"):
        if "training" in config.workerinput:
            from pytest_training.session.distribution import use_shipped_test  # noqa: PLC0415  (pytest imports this module at every start)
            from pytest_training.session.worker import Worker  # noqa: PLC0415  (see the module's docstring)

            _register_parts(config)
            use_shipped_test(config)
            config.pluginmanager.register(Worker(config), "training-worker")
    elif options.has_jobs(config):
        from pytest_training.session.distribution import use_shipped_test  # noqa: PLC0415  (pytest imports this module at every start)
        from pytest_training.session.owner import Owner  # noqa: PLC0415  (pytest imports this module at every start)

        _register_parts(config)
        use_shipped_test(config)
        config.pluginmanager.register(Owner(config), "training-owner")


def _register_parts(config: pytest.Config) -> None:
    from pytest_training.registry import Registry  # noqa: PLC0415  (see the module's docstring)
    from pytest_training.session.hooks import call_before_training  # noqa: PLC0415  (pytest imports this module at every start)

    config.stash[options.REGISTRY] = registry = Registry()
    call_before_training(config, "pytest_training_register", registry=registry)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one item per job of every test that asks for `training_job`."""
    if FIXTURE not in metafunc.fixturenames:
        return
    source: Any = metafunc.config.pluginmanager.getplugin("training-worker")
    source = source or metafunc.config.pluginmanager.getplugin("training-owner")
    if source is None:  # no jobs here: the name may be a fixture of the project's own
        return
    jobs = source.jobs_to_collect()
    parameters = [pytest.param(job, id=job.id, marks=[getattr(pytest.mark, tag) for tag in job.tags]) for job in jobs]
    metafunc.parametrize(FIXTURE, parameters, indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Leave one line of a job's failure for summaries: under CI, pytest's would repeat traceback and log there."""
    report = yield
    failure = call.excinfo.value if call.excinfo else None
    is_ours = isinstance(failure, pytest.fail.Exception) and not failure.pytrace
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    if is_ours and crash and FIXTURE in getattr(item, "fixturenames", ()):
        crash.message = crash.message.partition("\n")[0]
    return report


@pytest.fixture
def training_job(request: pytest.FixtureRequest) -> TrainingJob:
    """Give the test its job: `training_job.train()` trains, `training_job.check()` fails unless all is well."""
    from pytest_training.session.context import SLOT  # noqa: PLC0415  (pytest imports this module at every start)
    from pytest_training.session.training_job import TrainingJob  # noqa: PLC0415  (pytest imports this module at every start)

    slot = request.config.stash.get(SLOT, None)
    if slot is None:
        pytest.fail(options.nothing_to_train(request.config), pytrace=False)
    return TrainingJob(request.param, slot, request.node)
