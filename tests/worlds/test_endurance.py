"""Disks of many sizes that fill up, and eight runs at once in one folder: what is there is whole, and resuming works.

`TRAINING_ENDURANCE=10` has ten times as many disks.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sessions import strict_json

from .folder import Folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SIZES = 3 * int(os.environ.get("TRAINING_ENDURANCE", "1"))
DRAWN = random.Random(22)  # noqa: S311  (no secret)
FILLS = """
import os


def train(run, *, epochs=20):
    state = run.checkpoint.load() or {"epoch": 0}
    for epoch in range(state["epoch"], epochs):
        print("x" * 2000)
        run.log(epoch=epoch)
        run.save(f"{epoch}.bin", os.urandom(2000))
        state["epoch"] = epoch + 1
        run.checkpoint.save(**state)
    return {"epochs": float(state["epoch"])}  # the disk may be full after the last epoch: nothing is left to train then
"""
RUNS = 8
JOBS = ("one", "two", "three")


@pytest.mark.parametrize("kibibytes", [DRAWN.randrange(8, 600, 4) for _ in range(SIZES)])
def test_of_a_disk_of_any_size_what_is_there_is_whole_and_a_larger_one_ends_the_run(
    folder: Folder, mounted: Callable[..., Path], kibibytes: int
) -> None:
    reports = mounted(folder.root / "reports", f"size={kibibytes}k")
    for name in JOBS:
        folder.job(name, FILLS)
    first = folder.run("-n2")  # fails on a frame of ours and on a file that is not whole
    assert first.status in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR}, first.text
    subprocess.run(["mount", "-o", "remount,size=16m", str(reports)], check=True)
    has_begun = any(reports.glob("runs/*/plan.json"))
    second = folder.run("-n2", *(["--training-resume"] if has_begun else []))
    assert second.status == pytest.ExitCode.OK, second.text
    outcomes = {path.parent.name: strict_json(path) for path in sorted(reports.glob("runs/*/jobs/*/outcome.json"))}
    assert {name: found["status"] for name, found in outcomes.items()} == dict.fromkeys(
        ("one", "two", "three"), "passed"
    )
    assert {found["metrics"]["epochs"] for found in outcomes.values()} == {20.0}


def test_eight_runs_at_once_in_one_folder_harm_each_other_in_nothing(folder: Folder) -> None:
    folder.job("one", "import time\n\n\ndef train(run):\n    time.sleep(1)\n    return {'seed': float(run.seed)}\n")
    runs = [folder.begin("-n0", "--training-seed", str(seed)) for seed in range(RUNS)]
    for ended in folder.end_all(*runs):
        ended.counted(passed=2)
    reports = folder.root / "reports"
    connection = sqlite3.connect(reports / "history.sqlite")
    assert connection.execute("SELECT count(*), count(DISTINCT run_id) FROM outcomes").fetchone() == (2 * RUNS, RUNS)
    connection.close()
    seeds = {strict_json(path)["metrics"]["seed"] for path in reports.glob("runs/*/jobs/one/outcome.json")}
    assert seeds == set(map(float, range(RUNS)))
    ids, page = {path.name for path in reports.glob("runs/*")}, (reports / "index.html").read_text(encoding="utf-8")
    assert strict_json(reports / "report.json")["training"]["run_id"] in ids
    assert len({run_id for run_id in ids if f"runs/{run_id}/" in page}) == 1  # of two that end at once, of either one
