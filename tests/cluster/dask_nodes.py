"""A Dask cluster of processes on 127.0.0.1, as somebody else would have started it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
from sessions import environment
from watching import eventually


class Nodes:
    """A scheduler and its workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", self.file)
        eventually(lambda: is_whole(self.file))

    @property
    def where(self) -> str:
        """What to write after `--training-cluster`."""
        address: str = json.loads(self.file.read_text())["address"]
        return address

    def add(self, *names: str, threads: int = 1, has_nanny: bool = False) -> None:
        """Start workers; their folder is theirs alone."""
        for name in names:
            nanny = "--nanny" if has_nanny else "--no-nanny"
            words = ["--name", name, "--nthreads", str(threads), nanny, "--memory-limit", "0"]
            self._start("worker", *words, "--scheduler-file", self.file, "--local-directory", self.folder / name)

    def _start(self, kind: str, *words: str | Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--host", "127.0.0.1", "--no-dashboard"]
        with (self.folder / f"{kind}.log").open("ab") as log:
            return subprocess.Popen([*command, *map(str, words)], env=environment(), stdout=log, stderr=log)


def is_whole(file: Path) -> bool:
    """Return True if a scheduler has written all of its file."""
    return file.exists() and file.read_text().endswith("}")


def line_of(job: int) -> list[psutil.Process]:
    """Return the job server of an attempt's process, the server's keeper, the Dask worker, and what is above it."""
    return psutil.Process(job).parents()
