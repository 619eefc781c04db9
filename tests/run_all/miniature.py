"""This repository in small: its own files, and twelve jobs of the same ids that train nothing, in milliseconds."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from sessions import WITHOUT, environment

TOP = Path(__file__).parents[2]
COPIED = (
    *("run_all_training.py", "verify_run_all.py", "demo_parallel_mode.py", "test_run_all_training.py"),
    *("test_training_jobs.py", "pytest.ini"),
)
IDS = sorted(path.stem.removeprefix("train_") for path in (TOP / "training").glob("train_*.py"))
JOB = '''
"""The {job_id} job."""
import time

GATES = {{"score": ">= 0.5"}}

def train(run, *, epochs=3, folds=5):
    """Train nothing."""
    time.sleep({seconds})
    print("epochs", epochs, "folds", folds)
    return {{"score": 0.8, "epochs": epochs}}
'''

SIDE_BY_SIDE = """
import json, time

def train(run, *, epochs=1, folds=2):
    jobs = run.folder.parents[2]
    workers = json.loads((jobs.parent / "plan.json").read_text())["workers"]
    give_up = time.monotonic() + 120
    while workers > 1 and len(list(jobs.iterdir())) < 2:
        assert time.monotonic() < give_up, "no other job ever began"
        time.sleep(0.01)
    return {}
"""
"""A job that, where several are trained at a time, ends only when another has begun."""


class Miniature:
    """The small repository, and its command line."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        for name in COPIED:
            if (TOP / name).exists():
                shutil.copy(TOP / name, root / name)
        for job_id in IDS:
            self.write(f"training/train_{job_id}.py", JOB.format(job_id=job_id, seconds=0.01))
        self.write("training/jobs.yaml", "defaults: {timeout: 1m}\njobs:\n  als: {tags: [neurology]}\n")

    def write(self, name: str, text: str) -> Path:
        """Write a file below the root, its text dedented."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs run_all_training.py."""
        return [sys.executable, str(self.root / "run_all_training.py"), *arguments]

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run run_all_training.py to its end."""
        return run(self.command(*arguments), cwd=cwd or self.root)

    def summary(self, folder: str = "reports") -> dict[str, Any]:
        """Return the newest summary."""
        files = sorted((self.root / folder).glob("run_all_training_*.json"), key=lambda path: path.stat().st_mtime)
        found: dict[str, Any] = json.loads(files[-1].read_text(encoding="utf-8"))
        return found

    def statuses(self) -> dict[str, str]:
        """Return the status of each job of the newest summary."""
        return {job["id"]: job["status"] for job in self.summary()["jobs"]}


def surroundings() -> dict[str, str]:
    """Return the environment without what pytest has put into it, and pytest without what is slow to load."""
    return environment() | {"PYTEST_ADDOPTS": shlex.join(WITHOUT)}


def run(command: list[str], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=180,
        check=False,
    )
