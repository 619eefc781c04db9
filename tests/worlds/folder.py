"""A project that real pytest processes train, and checks of what each run prints and leaves."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from sessions import Files, command, environment

import pytest_training

PACKAGE = Path(pytest_training.__file__).parent
PATIENCE_S = 120.0
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


class Folder(Files):
    """A project whose runs are checked: each run's output and files must be whole."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.write("pytest.ini", "[pytest]\ntestpaths = test_jobs.py\n")

    def job(self, name: str, text: str = QUICK) -> Path:
        """Write a job."""
        return self.write(f"training/train_{name}.py", text)

    def environment(self, changes: dict[str, str | None] | None = None) -> dict[str, str]:
        """Return this process's environment with changes; None removes a variable."""
        changed = {**environment(), "COLUMNS": "200", **(changes or {})}
        return {name: value for name, value in changed.items() if value is not None}

    def run(self, *arguments: str, environment: dict[str, str | None] | None = None) -> Ended:
        """Train; fail on a traceback of the plugin or an incomplete file."""
        return self.end(self.begin(*arguments, environment=environment))

    def begin(
        self, *arguments: str, before: tuple[str, ...] = (), environment: dict[str, str | None] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a run; the command `before` takes the run's own as its last arguments."""
        return subprocess.Popen(
            [*before, *command("-p", "no:cacheprovider", *arguments)],
            cwd=self.root,
            env=self.environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def end(self, run: subprocess.Popen[bytes]) -> Ended:
        """Wait for a run and check its output and files."""
        return self.end_all(run)[0]

    def end_all(self, *runs: subprocess.Popen[bytes]) -> list[Ended]:
        """Wait for runs and check what they printed, and the files once none writes any more."""
        printed = [run.communicate(timeout=PATIENCE_S)[0].decode("utf-8", "replace") for run in runs]
        for text in printed:
            assert_no_frames_of_ours(text)
        for reports in self.root.rglob("reports"):
            if reports.is_dir():
                assert_whole(reports)
        return [Ended(run.returncode, text) for run, text in zip(runs, printed, strict=True)]


def assert_no_frames_of_ours(text: str) -> None:
    """Assert that a text has no internal error and no frame of the plugin; a job's own traceback is allowed."""
    for sign in ("INTERNALERROR", f"{PACKAGE}/"):
        assert sign not in text, text


def assert_whole(reports: Path) -> None:
    """Assert that every file below a reports folder is complete and none has a temporary name."""
    files = [path for path in reports.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in files if "partial" in path.name]
    for path in files:
        if path.suffix == ".json" and "artifacts" not in path.parts:
            json.loads(path.read_bytes())
        if path.name == "junit.xml":
            ET.fromstring(path.read_bytes())  # noqa: S314  (pytest wrote it)
