"""The page of very many jobs stays small; how soon it is made is measured by benchmarks/report.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import make_run, publish

BYTES = 15_000_000


@pytest.mark.slow
def test_the_page_of_1000_jobs_with_100_epochs_and_earlier_runs_is_bounded(tmp_path: Path) -> None:
    for day in (2, 3, 4):
        make_run(tmp_path, jobs=1000, epochs=1, run_id=f"2026010{day}-100000-abcd")
    folder = make_run(tmp_path, jobs=1000, epochs=100)
    publish(folder)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count('<details class="job') >= 1000
    assert page.count('class="spark"') >= 8000
    assert len(page.encode()) < BYTES
    assert (tmp_path / "summary.md").stat().st_size < 500_000


@pytest.mark.slow
def test_the_page_of_2000_trials_is_bounded(tmp_path: Path) -> None:
    publish(make_run(tmp_path, jobs=12, epochs=100, trials=2000))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count('scope="row" data-value="forest-trial-') == 2000
    assert len(page.encode()) < BYTES / 4
