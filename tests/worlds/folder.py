"""A folder of jobs that real pytest processes train, and what such a run must never show or leave."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from sessions import WITHOUT, environment

import pytest_training

PACKAGE = Path(pytest_training.__file__).parent
PATIENCE_S = 60.0
TEST = "def test_training_job(training_job):\n    training_job.train()\n    training_job.check()\n"
QUICK = '''"""Say one half."""


def train(run, *, epochs=1):
    run.log(epoch=epochs)
    run.save("note.txt", "x")
    return {"score": 0.5}
'''


@dataclass
class Ended:
    """A run that has ended."""

    status: int
    text: str
    """What it printed, stdout and stderr."""

    def counted(self, **expected: int) -> None:
        """Assert how many tests had which outcome, by pytest's own last line."""
        last = self.text.strip().splitlines()[-1]
        for word, count in expected.items():
            assert f"{count} {word}" in last, self.text


class Folder:
    """A project with `training/` and a test file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.write("pytest.ini", "[pytest]\ntestpaths = test_jobs.py\n")
        self.write("test_jobs.py", TEST)

    def write(self, name: str, text: str) -> Path:
        """Write a file below the root, its text dedented."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def job(self, name: str, text: str = QUICK) -> Path:
        """Write a job."""
        return self.write(f"training/train_{name}.py", text)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of a run."""
        return [sys.executable, "-m", "pytest", *WITHOUT, "-p", "no:cacheprovider", *arguments]

    def environment(self, changes: dict[str, str | None] | None = None) -> dict[str, str]:
        """Return this process's environment with changes; None takes a variable away."""
        changed = {**environment(), "COLUMNS": "200", **(changes or {})}
        return {name: value for name, value in changed.items() if value is not None}

    def run(self, *arguments: str, environment: dict[str, str | None] | None = None) -> Ended:
        """Train, and hold what every run must hold: no traceback of ours, no half file."""
        return self.end(self.begin(*arguments, environment=environment))

    def begin(
        self, *arguments: str, before: tuple[str, ...] = (), environment: dict[str, str | None] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a run; `before` is a command that is given the run's own as its last arguments."""
        return subprocess.Popen(
            [*before, *self.command(*arguments)],
            cwd=self.root,
            env=self.environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def end(self, run: subprocess.Popen[bytes]) -> Ended:
        """Wait for a run and look at what it printed and left."""
        printed, _ = run.communicate(timeout=PATIENCE_S)
        ended = Ended(run.returncode, printed.decode("utf-8", "replace"))
        assert_no_frames_of_ours(ended.text)
        for reports in self.root.rglob("reports"):
            if reports.is_dir():
                assert_whole(reports)
        return ended

    def report(self, reports: str = "reports") -> dict[str, Any]:
        """Return report.json."""
        found: dict[str, Any] = json.loads((self.root / reports / "report.json").read_bytes())
        return found


def assert_no_frames_of_ours(text: str) -> None:
    """Assert that a text shows no internal error and no frame of the plugin; a job's own traceback may stand there."""
    for sign in ("INTERNALERROR", f"{PACKAGE}/"):
        assert sign not in text, text


def assert_whole(reports: Path) -> None:
    """Assert that no file below a reports folder is half there, and none is left under a temporary name."""
    files = [path for path in reports.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in files if "partial" in path.name]
    for path in files:
        if path.suffix == ".json" and "artifacts" not in path.parts:
            json.loads(path.read_bytes())
        if path.name == "junit.xml":
            ET.fromstring(path.read_bytes())  # noqa: S314 - pytest wrote it
