"""Logs each job as a run of MLflow, in the process of a door; docs/tracking.md says what is where."""

import os
import posixpath
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

import msgspec
import pytest

from pytest_training.execution.outcome import Outcome, Status
from pytest_training.execution.readers.protocol import COUNTERS, GROUPS, STEPS
from pytest_training.jobs.model import Job
from pytest_training.records.events import Event, read_events
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.run_record import moment
from pytest_training.reporters.door_process import Sign
from pytest_training.text import shorten
from pytest_training.units import MEBIBYTE

ANSWER_S = 4  # in which a server must answer; MLFLOW_HTTP_REQUEST_TIMEOUT is another limit
REACH_S = 3.0  # in which somebody must take a connection
LOADING_S = 120.0  # to import MLflow, or to make a new database
PORTS = {"http": 80, "https": 443}
HOST = r"([^\s/@]*@)?([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?"
ADDRESS = re.compile(rf"https?://{HOST}([/?]\S*)?|databricks|(?!https?:)[a-zA-Z][\w+.-]+:\S+")  # plugins have more
BYTES_PER_S = MEBIBYTE  # of an upload at worst, while jobs train
LONGEST_TEXT, LONGEST_KEY = 5000, 250  # characters; MLflow refuses more
MOST_POINTS, MOST_TEXTS = 1000, 100  # in one request
LARGEST_EVENTS = 64 * MEBIBYTE
TIMEOUT, RETRIES = "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
REFUSED = range(400, 429)  # statuses of HTTP; 429 asks for patience
STATUSES = {Status.PASSED: "FINISHED", Status.FAILED: "FAILED"}  # else KILLED


class Point(NamedTuple):
    """A number of a curve."""

    key: str
    value: float
    seconds: float  # since the attempt's start
    step: int


def check(_config: pytest.Config, values: list[str], where: str) -> list[str]:
    """Return the URI; raise UsageError for another value than `mlflow:URI`, and without MLflow."""
    tool, _, uri = values[0].partition(":")
    if tool != "mlflow" or not ADDRESS.fullmatch(uri):
        raise pytest.UsageError(f"{where}: expected mlflow:URI, like mlflow:http://127.0.0.1:5000, found {tool}:…")
    if find_spec("mlflow") is None:
        raise pytest.UsageError(f"{where}: MLflow is not installed: pip install 'pytest-training[tracking]'")
    return [uri]


class Reporter:
    """The runs of MLflow that belong to one run of pytest-training."""

    def __init__(self, words: list[str], run: TrainingRun, say: Callable[[Sign], None]) -> None:
        self.uri, self.run, self.say = words[0], run, say
        self.jobs = {planned.job.id: planned.job for planned in run.plan.jobs}
        self.begun: dict[str, str] = {}  # MLflow's id of each job's run
        self.ended, self.step = set[str](), "an answer"
        self.answer_s = int(os.environ.setdefault(TIMEOUT, str(ANSWER_S)))
        os.environ.setdefault(RETRIES, "0")  # the door tries again, and does not keep the run waiting
        follow(lambda: self.say((self.answer_s + 1.0, self.step)))
        threading.Thread(target=import_module, args=("mlflow",), daemon=True).start()  # while jobs train

    def run_start(self) -> None:
        """Reach the server, and find or make the experiment, which has the name of the project's folder."""
        self.say((REACH_S + 1, "the server"))
        parts = urlsplit(self.uri)
        if parts.scheme in PORTS.keys() - {*getproxies()}:  # nothing is sent: who is there is MLflow's to verify
            place = parts.hostname or "", parts.port or PORTS[parts.scheme]
            try:
                socket.create_connection(place, REACH_S).close()
            except OSError as error:
                problem = f"nobody answers at {place[0]}:{place[1]}: {error.strerror or error}"
                raise ConnectionError(problem) from None
        self.say((LOADING_S, "the import of MLflow"))
        from mlflow import MlflowClient  # noqa: PLC0415  (takes seconds)

        self._allow()
        if parts.scheme not in PORTS:
            self.say((LOADING_S, "the database"))
        self.client = MlflowClient(self.uri)
        root = next(iter(self.jobs.values())).root
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or Path(root).name
        found = self.client.get_experiment_by_name(name)
        self.experiment = found.experiment_id if found else self.client.create_experiment(name)

    def job_start(self, job: Job, started: str) -> None:
        """Begin a run of MLflow, below that of its study."""
        if job.twin_of or job.id in self.begun:  # a further training of an audit is no result
            return
        study = self.jobs.get(job.trial_of or "")
        if study:
            self.job_start(study, started)
        commit = self.run.provenance.commit if self.run.provenance else None
        tags = {
            "mlflow.parentRunId": self.begun[study.id] if study else None,
            "mlflow.source.name": job.source,
            "mlflow.source.git.commit": commit,
            "commit": commit,
            "job": job.id,
            "run": self.run.folder.run_id,
        }
        self._allow()
        known = {name: text for name, text in tags.items() if text}
        begun = self.client.create_run(self.experiment, milliseconds(started), known, run_name=job.id)
        self.begun[job.id] = begun.info.run_id

    def job_end(self, outcome: Outcome) -> None:
        """Log what the job came to, and end its run."""
        job = self.jobs[outcome.job_id]
        if job.id not in self.begun:
            if job.twin_of or not outcome.is_trained or outcome.cause == "unchanged":
                return
            self.job_start(job, outcome.started)
        self._log(self.begun[job.id], outcome)
        self._upload(self.begun[job.id], outcome)
        ended = milliseconds(outcome.ended)
        self.client.set_terminated(self.begun[job.id], STATUSES.get(outcome.status, "KILLED"), ended)
        self.ended.add(job.id)

    def run_end(self, run: TrainingRun) -> None:
        """End the runs of MLflow that are left: of studies without a verdict, or if pytest was killed."""
        for outcome in run.outcomes:
            if outcome.job_id in self.begun and outcome.job_id not in self.ended:
                self.job_end(outcome)

    def _log(self, run_id: str, outcome: Outcome) -> None:
        from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415  (as above)

        end = milliseconds(outcome.ended)
        last: dict[str, int] = {}
        attempt = outcome.attempts[-1].folder if outcome.attempts else ""
        start = milliseconds(outcome.attempts[-1].started) if attempt else end
        events = self.run.folder.path / attempt / "events.jsonl"
        points = curve_points(read_events(events, largest=LARGEST_EVENTS))
        while some := list(islice(points, MOST_POINTS)):
            last |= {point.key: max(point.step, last.get(point.key, 0)) for point in some}
            self._allow()
            curves = [Metric(each.key, each.value, start + int(1000 * each.seconds), each.step) for each in some]
            self.client.log_batch(run_id, curves)
        metrics = list({key(name): value for name, value in final_numbers(outcome).items()}.items())
        texts = [Param(key(name), as_text(value)) for name, value in outcome.parameters.items()]
        tags = [RunTag(key(name), as_text(value)) for name, value in tags_of(outcome).items()]
        for first in range(0, max(len(metrics), len(texts), len(tags)), MOST_TEXTS):
            part = slice(first, first + MOST_TEXTS)
            numbers = [Metric(name, value, end, last.get(name, 0)) for name, value in metrics[part]]
            self._allow()
            self.client.log_batch(run_id, numbers, texts[part], tags[part])

    def _upload(self, run_id: str, outcome: Outcome) -> None:
        for path in map(PurePosixPath, filter(None, (*outcome.artifacts, outcome.log))):
            file = self.run.folder.path / path
            if file.is_symlink() or not file.is_file():  # the job may have removed it
                continue
            self._allow(f"the upload of {path}", file.stat().st_size)
            below = file_key("/".join(path.parent.parts).partition("/artifacts/")[2])
            try:
                with TemporaryDirectory() as folder:
                    link = Path(folder, file_key(path.name))
                    link.symlink_to(file)
                    self.client.log_artifact(run_id, str(link), below or None)
            except Exception as error:  # an unusual name must not keep all others back
                if not is_refusal(error):
                    raise
                self.say(f"{path} is refused: {error}")

    def _allow(self, step: str = "an answer", size: int = 0) -> None:
        """Give the next request time for that many bytes; after the run's end, no longer than without bytes read."""
        os.environ[TIMEOUT] = str(self.answer_s + size // BYTES_PER_S)
        self.step = step
        self.say((self.answer_s + 1.0, step))


def follow(is_sent: Callable[[], object]) -> None:
    """Call `is_sent` for each part of a request that went out: the clients say nothing of an upload."""
    send: Any = HTTPConnection.send
    told: Any = lambda connection, data: (send(connection, data), is_sent())[0]  # noqa: E731  (as urllib3 calls it)
    HTTPConnection.send = told  # type: ignore[method-assign]  # urllib3 sends with it


def is_refusal(error: Exception) -> bool:
    """Return True if a server does not want this item; else it has trouble of its own."""
    answer = getattr(error, "response", None)  # of an HTTPError
    status = answer.status_code if answer is not None else getattr(error, "get_http_status_code", lambda: 500)()
    return int(status) in REFUSED


def curve_points(events: Iterable[Event]) -> Iterator[Point]:
    """Yield each number that a job logged at its step, or counted where it has none; `loss/fold 2` is one of a fit."""
    counted = Counter[str]()
    for event in events:
        log = event.log or {}
        axis = next((name for name in STEPS if isinstance(log.get(name), float)), "")
        names = [name for name, v in log.items() if isinstance(v, str) or (name in GROUPS and v is not None)]
        fit = " ".join(f"{each} {v:g}" if isinstance(v := log[each], float) else f"{each} {v}" for each in names)
        for name, value in log.items():
            if isinstance(value, float) and name not in COUNTERS:
                curve, at = key(f"{name}/{fit}" if fit else name), log.get(axis)
                is_whole = isinstance(at, float) and at.is_integer()
                yield Point(curve, value, event.t, int(at) if is_whole else counted[curve])  # type: ignore[arg-type]  # a float
                counted[curve] += 1


def final_numbers(outcome: Outcome) -> dict[str, float]:
    """Return the metrics, intervals among them, and what the job took."""
    if not outcome.attempts:  # of a study, or of an earlier run
        return outcome.metrics
    took = {"wall_s": outcome.wall_s, "cpu_s": outcome.cpu_s, "peak_memory_mb": outcome.peak_memory_mb}
    return outcome.metrics | {f"resources/{name}": value for name, value in took.items() if value is not None}


def tags_of(outcome: Outcome) -> dict[str, Any]:
    """Return what a person filters runs by, and the text of MLflow's description."""
    gates = [f"{each.gate.metric} {each.gate.operator} {each.gate.threshold:g}" for each in outcome.gates]
    said = [outcome.title, f"{outcome.shown}: {outcome.reason}" if outcome.reason else str(outcome.shown)]
    tags = {
        "status": outcome.shown.value,
        "cause": outcome.cause,
        "reason": outcome.reason,
        "seed": outcome.seed,
        "attempts": len(outcome.attempts),
        "gates": "; ".join(gates),
        "interval_method": outcome.interval_method,
        "data": outcome.data_origin,
        **{f"data.{each.name}.sha256": each.sha256 for each in outcome.data},
        "study": outcome.trial_of,
        "best": outcome.study.best if outcome.study else None,
        "mlflow.note.content": "\n\n".join(filter(None, (*said, *outcome.remarks, *outcome.notes))),
    }
    return {name: value for name, value in tags.items() if value not in (None, "")}


def key(name: str) -> str:
    """Return a name with `_` for what MLflow allows in none."""
    text = re.sub(r"[^\w./ -]", "_", name)[:LONGEST_KEY]
    is_path = posixpath.normpath(text) == text and not text.startswith((".", "/"))
    return text if is_path else re.sub(r"[./]", "_", text)


def file_key(name: str) -> str:
    """Return a file's name with `_` for what would end its address: MLflow's client sends it as it is."""
    return re.sub(r"[#?%]", "_", name)


def as_text(value: Any) -> str:
    """Return a value as text: numbers, lists and mappings as JSON."""
    return shorten(value if isinstance(value, str) else msgspec.json.encode(value).decode(), LONGEST_TEXT)


def milliseconds(time: str) -> int:
    """Return a time of an outcome as MLflow has it."""
    return int(1000 * (moment(time) or datetime.now(UTC)).timestamp())
