"""What the tests of the plugin share."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from watching import processes_with

pytest_plugins = ["pytester"]

for ignored in (signal.SIGINT, signal.SIGHUP):  # as a shell's background job and nohup do; children inherit it
    if signal.getsignal(ignored) == signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored == signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow tests unless `-m` is given: `-m slow` runs them."""
    if config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)


@pytest.fixture
def memory() -> Iterator[Path]:
    """Return a folder in memory: a thousand folders in one another take a disk seconds."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)  # Python's own rmtree ends in a RecursionError


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return what stands in the environment of every process that the test starts; end those that are left."""
    mark = f"SESSION_OF={tmp_path}."
    monkeypatch.setenv(*mark.split("=", 1))
    yield mark
    for pid in processes_with(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
