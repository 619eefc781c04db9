"""What the tests of execution share: a folder for jobs, and one real job server for each module that wants it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_training.execution.backends.fork_server.backend import ServerHandle, ServerLauncher, start_server

from .workplace import Workplace


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """Return a folder for jobs."""
    return Workplace(tmp_path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHandle]:
    """Return a job server that has loaded numpy."""
    handle = start_server(["numpy"], log=tmp_path_factory.mktemp("server") / "server.log", seed=0)
    yield handle
    handle.close()


@pytest.fixture(scope="module")
def launcher(server: ServerHandle) -> ServerLauncher:
    """Return what asks that server."""
    return ServerLauncher(server.address)
