"""Tags of jobs as registered marks, so that `-m neurology` works and `--strict-markers` stays strict."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_training.jobs.model import Job


def register_tags(config: pytest.Config, jobs: Iterable[Job]) -> None:
    """Register every tag of the jobs as a mark."""
    for tag in sorted({tag for job in jobs for tag in job.tags}):
        config.addinivalue_line("markers", f"{tag}: training jobs with this tag")
