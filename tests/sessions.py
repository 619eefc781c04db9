"""A project with training jobs in a temporary folder, and pytest sessions in it as users start them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml  # noqa: F401  (its C parser does not survive that pytester imports it anew for each session)

TWO_LINES = "def test_training_job(training_job):\n    training_job.train(), training_job.check()\n"
WAIT = """
import time

def wait_for(path):
    give_up = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < give_up, f"{path} never came"
        time.sleep(0.01)

def jobs(run):
    return run.folder.parents[2]
"""
"""For the top of a job file: a job then waits for another job instead of sleeping."""
PLUGINS = (
    "hypothesispytest",
    "timeout",
    "hydra_pytest",
    "typeguard",
    "anyio",
)  # slow to load, no part of what is tested
WITHOUT = tuple(word for plugin in PLUGINS for word in ("-p", f"no:{plugin}"))
PATIENCE_S = 240  # a session of 244 trials has taken two minutes on a machine with a load of 16
CLUSTER = os.environ.get("TRAINING_TESTS_CLUSTER", "")  # where sessions train, of `tests/cluster/test_suite_again.py`
OVER = ("--training-cluster", CLUSTER) if CLUSTER else ()


class Files:
    """A folder with `training/` and a test file in it, and the report that a run leaves there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("test_jobs.py", TWO_LINES)

    def write(self, name: str, text: str) -> Path:
        """Write a file below the root, its text dedented."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def report(self, reports: str = "reports") -> dict[str, Any]:
        """Read report.json strictly: JSON has no NaN."""
        report: dict[str, Any] = strict_json(self.root / reports / "report.json")
        return report


class Project(Files):
    """A project, and sessions in it as users start them."""

    def __init__(self, root: Path, pytester: pytest.Pytester | None = None) -> None:
        super().__init__(root)
        self.pytester = pytester
        self.reports = root / "reports"

    def job(self, job_id: str, body: str = 'return {"score": 0.7}', *, top: str = "", parameters: str = "") -> None:
        """Write a function job with this body of `train`."""
        signature = f"run, *, {parameters}" if parameters else "run"
        lines = textwrap.indent(textwrap.dedent(body), "    ")
        head = f'"""The {job_id} job."""\n{textwrap.dedent(top)}'
        self.write(f"training/train_{job_id}.py", f"{head}\ndef train({signature}):\n{lines}\n")

    def jobs(self, *job_ids: str) -> None:
        """Write jobs that pass at once."""
        for job_id in job_ids:
            self.job(job_id)

    def here(self, *arguments: str | Path) -> pytest.RunResult:
        """Run pytest in this process: faster, for sessions without workers or a cluster."""
        assert self.pytester is not None
        if OVER:
            return self.run(*arguments, cwd=Path.cwd())
        return self.pytester.runpytest_inprocess(*WITHOUT, *arguments)

    def run(
        self, *arguments: str | Path, cwd: Path | None = None, typed: str = "", env: dict[str, str] | None = None
    ) -> pytest.RunResult:
        """Run pytest in a process of its own; `typed` is its stdin."""
        return ended(command(*arguments), cwd=cwd or self.root, typed=typed, env=env)

    def ask(self, *words: str | Path, cwd: Path | None = None) -> pytest.RunResult:
        """Run `pytest-training` in a process of its own."""
        return ended(question(*words), cwd=cwd or self.root)

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start pytest as a terminal does, leading a group of its own, and return at once; `said` is what it prints."""
        with (self.root / "said.txt").open("wb") as output:
            return subprocess.Popen(
                command(*arguments),
                cwd=self.root,
                env=environment(),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """What the session that `start` began has printed so far."""
        return (self.root / "said.txt").read_text(encoding="utf-8", errors="replace")

    def follow(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start pytest and return at once; its stdout can be read."""
        return begun(command(*arguments), cwd=self.root)

    def follow_log(self, job_id: str) -> subprocess.Popen[str]:
        """Start `pytest-training logs` and return at once; stdout and stderr can be read."""
        return begun(question("logs", job_id), cwd=self.root, stderr=subprocess.PIPE)

    def metadata(self) -> dict[str, dict[str, Any]]:
        """Return each job's metadata from report.json, by id."""
        return {test["metadata"]["id"]: test["metadata"] for test in self.report()["tests"] if "metadata" in test}

    def statuses(self) -> dict[str, str]:
        """Return each job's status from report.json."""
        return {job_id: metadata["status"] for job_id, metadata in self.metadata().items()}

    def cases(self) -> dict[str, ET.Element]:
        """Return the test cases of junit.xml by name; each name is there once."""
        (suite,) = ET.parse(self.reports / "junit.xml").getroot()  # noqa: S314  (our own file)
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        names = [case.attrib["name"] for case in cases]
        assert len(set(names)) == len(names), names
        return dict(zip(names, cases, strict=True))


def command(*arguments: str | Path) -> list[str]:
    """Return the command line of a session."""
    return [sys.executable, "-m", "pytest", *WITHOUT, *OVER, *map(str, arguments)]


def question(*words: str | Path) -> list[str]:
    """Return the command line of `pytest-training`."""
    return [sys.executable, "-m", "pytest_training", *map(str, words)]


def ended(words: list[str], *, cwd: Path, typed: str = "", env: dict[str, str] | None = None) -> pytest.RunResult:
    """Run a command to its end."""
    start = time.monotonic()
    process = subprocess.run(
        words,
        cwd=cwd,
        input=typed,
        env=environment() | (env or {}),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    lines = process.stdout.splitlines(), process.stderr.splitlines()
    return pytest.RunResult(process.returncode, *lines, time.monotonic() - start)


def begun(words: list[str], *, cwd: Path, stderr: int | None = None) -> subprocess.Popen[str]:
    """Start a command and return at once; its stdout can be read."""
    return subprocess.Popen(words, cwd=cwd, env=environment(), stdout=subprocess.PIPE, stderr=stderr, encoding="utf-8")


def environment() -> dict[str, str]:
    """Return the environment without the variables of this session's own pytest and coverage."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV_"))}


def strict_json(path: Path) -> Any:
    """Read a JSON file; NaN and Infinity are errors."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{path}: {constant} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def properties(case: ET.Element) -> dict[str, str]:
    """Return the properties of a test case."""
    return {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}


def text(result: pytest.RunResult) -> str:
    """Return stdout and stderr of a session."""
    return result.stdout.str() + "\n" + result.stderr.str()
