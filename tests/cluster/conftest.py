"""What the tests of clusters share."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from watching import processes_with


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return what stands in the environment of every process that the test starts; end those that are left."""
    mark = f"CLUSTER_OF={tmp_path}."
    monkeypatch.setenv(*mark.split("=", 1))
    yield mark
    for pid in processes_with(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
