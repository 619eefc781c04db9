"""The page of very many jobs stays small and is made soon."""

from __future__ import annotations

import time
from pathlib import Path

from made_runs import make_run

from pytest_training.reporting.publishing import publish

SECONDS = 10.0
BYTES = 15_000_000


def test_the_page_of_1000_jobs_with_100_epochs_is_made_soon_and_bounded(tmp_path: Path) -> None:
    folder = make_run(tmp_path, jobs=1000, epochs=100)
    begun = time.process_time()
    publish(folder, against="last", project=tmp_path, is_latest=True)
    assert time.process_time() - begun < SECONDS
    assert (tmp_path / "index.html").stat().st_size < BYTES
    assert (tmp_path / "summary.md").stat().st_size < 500_000
