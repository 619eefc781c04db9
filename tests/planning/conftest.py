"""What the tests of planning share."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobs.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return an empty project in a temporary folder."""
    return Project(tmp_path)
