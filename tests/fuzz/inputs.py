"""The places where text from outside comes in, each as a function that lets through only the errors that are meant.

Used by hypothesis (`test_inputs.py`), which knows the formats, and by atheris (`atheris_targets.py`), which does not.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_training.errors import DataError, DeclarationError, TrainingError
from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.execution.folder import AttemptFolder, RunFolder
from pytest_training.execution.job_files import artifacts, log_tail
from pytest_training.execution.judge import judge
from pytest_training.execution.pins import read_lock
from pytest_training.execution.slot import read_outcome
from pytest_training.execution.unfinished import unfinished_outcome
from pytest_training.jobs.gates import parse_gates
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.model import Gate, Job, Parameter
from pytest_training.jobs.plan_file import read_plan, save_plan
from pytest_training.limits.protocol import Ending
from pytest_training.planning.description import describe_plan
from pytest_training.planning.parameters import apply_options, note_missing
from pytest_training.planning.plan import make_plan
from pytest_training.planning.studies import expand_all
from pytest_training.records.events import MOST_VALUES, EventTail, read_events
from pytest_training.records.history import PASSED, History
from pytest_training.records.history_file import APPLICATION_ID, TABLES
from pytest_training.reporters.console import failure_text, finished_line
from pytest_training.reporters.html.charts import curves
from pytest_training.reporters.watch import WatchedJob
from pytest_training.units import parse_duration, parse_size

FUNCTION = (
    'def train(run, *, epochs=1, folds=2, rate=0.1, name="a", on=False, many=(1, 2), some={}, any=None):\n    pass\n'
)
SCRIPT = 'import argparse\np = argparse.ArgumentParser()\np.add_argument("--size", type=int)\np.parse_args()\n'
PLACE: dict[str, Any] = {"source": "training/train_x.py", "home": "/nowhere", "root": "/nowhere"}
TYPES: tuple[Any, ...] = ("int", "float", "str", "bool", "list", "dict", "any")
PARAMETERS = tuple(Parameter(name=f"p_{kind}", type=kind) for kind in TYPES)
JOB = Job(id="x", kind="function", declared=(*PARAMETERS, Parameter(name="epochs", type="int", default=3)), **PLACE)
LARGEST_PICTURE = 200_000  # characters of a job's curves, whatever it logged
GATES = (Gate(metric="a", operator=">=", threshold=0.5),)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder, and hold that nothing is written beside it."""
    with tempfile.TemporaryDirectory() as outer:
        folder = Path(outer, "inside")
        folder.mkdir()
        yield folder
        assert [path.name for path in Path(outer).iterdir()] == ["inside"], "something was written outside"


def catalogue(content: bytes) -> None:
    """Load a project with this catalogue, then plan, describe and write what was found."""
    with scratch() as root:
        training = root / "training"
        training.mkdir()
        (training / "train_one.py").write_text(FUNCTION)
        (training / "train_two.py").write_text(SCRIPT)
        (training / "jobs.yaml").write_bytes(content)
        with contextlib.suppress(DeclarationError):
            jobs, datasets = load_jobs(training, root)
            jobs = expand_all(jobs, 0, KINDS)
            plan = make_plan(note_missing(jobs), datasets, run_id="r", seed=0, workers=2, threads=1, measured={})
            describe_plan(plan)
            save_plan(plan, root / "plan.json")
            assert read_plan(root / "plan.json") == plan
            for job in jobs:
                folder = RunFolder(root / "reports", "r").job(job.id).attempt(1)
                folder.create()
                assert folder.path.resolve().is_relative_to(root.resolve() / "reports" / "runs" / "r" / "jobs")


def setting(text: str) -> None:
    """Give the text to `--set`."""
    with contextlib.suppress(DeclarationError):
        (job,) = apply_options([JOB], settings=[text])
        json.dumps(job.parameters, allow_nan=False)


def number(text: str) -> None:
    """Take the text as duration, size and gate."""
    for parse in (parse_duration, parse_size):
        with contextlib.suppress(DeclarationError):
            assert 0 < parse(text, "here") < float("inf")
    with contextlib.suppress(DeclarationError):
        parse_gates("a", text, "here")


def result(content: bytes) -> None:
    """Judge an attempt that left this as its result.json, and show what came of it."""
    with scratch() as root:
        folder = AttemptFolder(root / "attempt-1")
        folder.create()
        folder.result.write_bytes(content)
        judge(_request(folder, JOB), Reply(ending=Ending(exit_status=0)), since=0.0)


def metrics(content: bytes) -> None:
    """Judge an attempt at a script that left this as its metrics.json."""
    with scratch() as root:
        folder = AttemptFolder(root / "attempt-1")
        folder.create()
        (folder.artifacts / "metrics.json").write_bytes(content)
        job = Job(id="x", kind="script", gates=GATES, **{**PLACE, "root": str(root)})
        verdict = judge(_request(folder, job), Reply(ending=Ending(exit_status=0)), since=0.0)
        json.dumps(verdict.metrics, allow_nan=False)


def _request(folder: AttemptFolder, job: Job) -> AttemptRequest:
    start = KINDS[job.kind].start(job, folder=str(folder.artifacts), seed=0)
    return AttemptRequest(job=job, start=start, folder=str(folder.path), checkpoint=str(folder.path), seed=0, threads=1)


def record(content: bytes) -> None:
    """Read this as started.json and as outcome.json, and say what is known of the job."""
    with scratch() as root:
        run = RunFolder(root, "r")
        folder = run.job("x").attempt(1)
        folder.create()
        folder.started.write_bytes(content)
        folder.log.write_bytes(content)
        run.job("x").outcome.write_bytes(content)
        outcome = unfinished_outcome(run, JOB, seed=0, slot="", cause="worker died", reason="x")
        for known in filter(None, (outcome, read_outcome(run, "x"))):
            failure_text(known, folder="reports")
            finished_line(known, width=80, done=1, total=1)
        log_tail(folder.log)
        artifacts(folder.artifacts)


def events(content: bytes) -> None:
    """Follow a file of events while it grows in three pieces, then draw its curves: whole, and of its beginning."""
    with scratch() as root:
        file = root / "events.jsonl"
        watched = WatchedJob(JOB, expected_s=1.0, tail=EventTail(file))
        for end in (len(content) // 3, 2 * len(content) // 3, len(content)):
            file.write_bytes(content[:end])
            follow(watched)
        for largest in (len(content), len(content) // 2):
            drawn = curves(read_events(file, largest=largest), most_points=20)
            assert len(repr(drawn)) < LARGEST_PICTURE
            json.dumps([[tick.label for tick in (*curve.x_ticks, *curve.y_ticks)] for curve in drawn], allow_nan=False)


def follow(watched: WatchedJob) -> None:
    """Look at what a running job has reported, as the live view does."""
    assert watched.tail is not None
    watched.tail.poll()
    assert len(watched.values()) < 1000
    assert len(watched.tail.values) <= MOST_VALUES
    assert watched.share is None or 0 <= watched.share <= 1
    assert watched.remaining_s is None or watched.remaining_s >= 0


def lock(content: bytes) -> None:
    """Read this as data.lock."""
    with scratch() as root:
        (root / "data.lock").write_bytes(content)
        with contextlib.suppress(DataError):
            read_lock(root / "data.lock")


def plan(content: bytes) -> None:
    """Read this as the plan of an earlier run."""
    with scratch() as root:
        (root / "plan.json").write_bytes(content)
        with contextlib.suppress(DeclarationError):
            read_plan(root / "plan.json")


def history(content: bytes) -> None:
    """Ask a history that is these bytes."""
    with scratch() as root:
        (root / "history.sqlite").write_bytes(content)
        _ask(root)


def history_row(wall_s: object, parameters: object, outcome: object) -> None:
    """Ask a history with a row that holds these."""
    with scratch() as root:
        connection = sqlite3.connect(root / "history.sqlite", isolation_level=None)
        for table in TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO outcomes (run_id, job_id, machine, status, wall_s, parameters, outcome)"
            " VALUES ('r', 'x', 'm', 'passed', ?, ?, ?)",
            (wall_s, parameters, outcome),
        )
        connection.close()
        _ask(root)


def _ask(root: Path) -> None:
    asked = History(root / "history.sqlite", machine="m", timeout_s=0.1)
    for seconds in asked.expected([JOB]).values():
        assert 0 < seconds < float("inf")
    asked.recent(asked.job_ids(), 3)
    asked.newest(["x"], which=PASSED)


def job_id(text: str) -> None:
    """Make a folder for a job of that id in a run folder."""
    with scratch() as root:
        run = RunFolder(root / "reports", "r")
        with contextlib.suppress(TrainingError):
            run.job(text)
