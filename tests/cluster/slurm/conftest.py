"""Starts a Slurm once; sessions have the jobqueue.yaml of docs/cluster.md.

What is missing skips these tests; with SLURM_TESTS=required, as .ci/run has it, it fails them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.slurm.one_node import PACKAGES, Slurm, missing

PAGE = Path(__file__).parents[3] / "docs/cluster.md"
REQUIRED = os.environ.get("SLURM_TESTS") == "required"


@pytest.fixture(scope="session")
def daemons() -> Iterator[Slurm]:
    if names := missing():
        why = f"needs {', '.join(names)}: apt-get install --no-install-recommends {PACKAGES}"
        (pytest.fail if REQUIRED else pytest.skip)(why)
    slurm = Slurm()
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


@pytest.fixture
def slurm(daemons: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """Return a Slurm with an empty queue, which sessions of this test use."""
    settings = tmp_path / "dask/jobqueue.yaml"
    settings.parent.mkdir()
    settings.write_text(page_settings(), encoding="utf-8")
    for name, value in {**daemons.environment, "DASK_CONFIG": str(settings.parent)}.items():
        monkeypatch.setenv(name, value)
    yield daemons
    for job in daemons.queue():
        daemons.cancel(job)


def page_settings() -> str:
    """Return the jobqueue.yaml that the page shows."""
    (settings,) = re.findall(r"```yaml\n(jobqueue:.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(settings)
