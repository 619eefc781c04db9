"""What the tests of the medical jobs share: their folder on the path, and a run of the real kind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from pytest_training.execution.attempt.run import Run
from pytest_training.jobs.loading import load_jobs

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "training"))


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep simulated data out of the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute with one thread, as a slot among others does: OpenMP's threads wait actively where cores are taken."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """Return a function that makes a run with the datasets of the catalogue."""
    datasets = {dataset.name: dataset for dataset in load_jobs(ROOT / "training", ROOT)[1]}

    def make(seed: int = 0, name: str = "run", **more: Any) -> Run:
        folder = tmp_path / name
        folder.mkdir()
        return Run(folder=folder, seed=seed, datasets=datasets, **more)

    return make
