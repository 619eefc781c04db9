"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from .miniature import Miniature


@pytest.fixture
def miniature(tmp_path: Path) -> Miniature:
    return Miniature(tmp_path / "project")
