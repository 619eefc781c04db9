"""The suite of selecting, resuming, needs and studies once more, over two nodes of a Dask cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .dask_nodes import Nodes

TESTS = Path(__file__).parents[1]
SUITE = (
    "test_needs.py",
    "test_resuming.py",
    "test_trials.py",
    "session/test_selection.py",
    "session/test_selected_items.py",
    "execution/test_searching.py",
)
DIFFERENT = {
    "test_a_job_that_another_plugin_puts_before_its_need_is_not_green": "here the plan decides the order",
    "test_a_resumed_run_trains_what_is_left_and_judges_the_whole_study": "its jobs read a variable of this machine",
}
"""Tests whose jobs come to something else on a cluster, and why."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_suite_passes_on_a_cluster(tmp_path: Path, mark: str) -> None:
    nodes = Nodes(tmp_path / "nodes")
    nodes.add("w0", "w1")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV_"))}
    left_out = " or ".join(DIFFERENT)
    words = ["-q", "-n", "2", "-p", "no:cacheprovider", "-k", f"not ({left_out})", *SUITE]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=TESTS,
        env=environment | {"TRAINING_TESTS_CLUSTER": nodes.where},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ended.returncode == pytest.ExitCode.OK, ended.stdout[-20_000:]
