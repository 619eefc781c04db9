"""What the tests of adoption share."""

from __future__ import annotations

from pathlib import Path

import pytest

from .repository import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Return a repository that has been trained once with --epochs 7, by three workers."""
    repository = Repository(tmp_path_factory.mktemp("foreign"))
    ended = repository.pytest("--training-root", str(repository.root), "-n", "3", "--epochs", "7")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    repository.told = ended.stdout
    return repository
