"""The measured projects: a temporary folder each, with jobs for the plugin or plain tests for pytest alone."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from measuring import WORKERS

TEST = "def test_training_job(training_job):\n    training_job.train()\n    training_job.check()\n"
NOTHING = 'def train(run):\n    """Do nothing."""\n    return {"score": 1.0}\n'

THREAD_POOL = """
import subprocess, sys
from multiprocessing.pool import ThreadPool

with ThreadPool({workers}) as pool:
    codes = pool.map(lambda path: subprocess.run([sys.executable, path]).returncode, {paths!r})
sys.exit(any(codes))
"""


def training_project(folder: Path, sources: Iterable[str], settings: str = "") -> Path:
    """Make a project for the plugin: one file per job, ids 0000, 0001 and so on."""
    (folder / "training").mkdir(parents=True)
    (folder / "pytest.ini").write_text(f"[pytest]\n{settings}", encoding="utf-8")
    (folder / "test_training_jobs.py").write_text(TEST, encoding="utf-8")
    for index, source in enumerate(sources):
        (folder / "training" / f"train_{index:04}.py").write_text(source, encoding="utf-8")
    return folder


def forget_runs(project: Path) -> None:
    """Make the next run of a project its first."""
    shutil.rmtree(project / "reports", ignore_errors=True)


def plain_project(folder: Path, seconds: Sequence[float]) -> Path:
    """Make a project of plain tests, one per duration, that sleep."""
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    body = "time.sleep(seconds)" if any(seconds) else "pass"
    (folder / "test_plain.py").write_text(
        f"import time\n\nimport pytest\n\n\n@pytest.mark.parametrize('seconds', {list(seconds)!r})\n"
        f"def test_plain(seconds):\n    {body}\n",
        encoding="utf-8",
    )
    return folder


def empty_project(folder: Path) -> Path:
    """Make a folder where pytest finds nothing."""
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return folder


def program_project(folder: Path, sources: Sequence[str]) -> Path:
    """Make one program per job, with a thread pool (`pool.py`) and a Makefile that start each as a subprocess."""
    folder.mkdir(parents=True)
    names = [f"job_{index:04}.py" for index in range(len(sources))]
    for name, source in zip(names, sources, strict=True):
        (folder / name).write_text(source, encoding="utf-8")
    (folder / "pool.py").write_text(THREAD_POOL.format(workers=WORKERS, paths=names), encoding="utf-8")
    targets = " ".join(name.removesuffix(".py") for name in names)
    rule = f"\nall: {targets}\n.PHONY: all {targets}\n{targets}:\n\t@{sys.executable} $@.py\n"
    (folder / "Makefile").write_text(rule, encoding="utf-8")
    return folder
