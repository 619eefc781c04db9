"""Tracking with a real MLflow server: what its own client reads back, and what a server that goes away costs.

MLflow's server skips these tests if it is missing; with TRACKING_TESTS=required, as .ci/run has it, it fails them.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from sessions import WAIT, Project
from watching import eventually

from pytest_training.reporters.mlflow import file_key, key

pytestmark = pytest.mark.slow
SLOW_S = 240.0  # the server takes long to start where others use the machine too
HAS_SERVER = any(True for each in importlib.metadata.distributions(name="mlflow") if each)
CURVES = """
for fold in range(2):
    for epoch in range(30):
        run.log(fold=fold, epoch=epoch, loss=1 / (epoch + 1), lr=0.1)
for step in range(3):
    run.log(step=step, auc=step / 10)
run.save("coefficients.json", {"age": 0.25, "sex": -1})
(run.folder / "plots").mkdir()
(run.folder / "plots" / "50 % of #1 ü.txt").write_text("half", encoding="utf-8")
return {"auc": 0.871234567890123, "auc_low": 0.8, "auc_high": 0.9, "auc@stdout": 1e-300, "odd//name": -7}
"""


class Server(NamedTuple):
    """A server in a process group of its own."""

    process: subprocess.Popen[bytes]
    uri: str

    def send(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)


@contextlib.contextmanager
def serving(folder: Path, port: int) -> Iterator[Server]:
    """Run `mlflow server` there until it is no longer needed."""
    if not HAS_SERVER:
        (pytest.fail if os.environ.get("TRACKING_TESTS") == "required" else pytest.skip)(
            "needs mlflow: pip install mlflow"
        )
    places = ("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts")
    words = [sys.executable, "-m", "mlflow", "server", "--workers=1", "--port", str(port), *places]
    with (folder / "server.log").open("ab") as log:
        few = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # else it starts processes of its own
        process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True, cwd=folder, env=few)
    server = Server(process, f"http://127.0.0.1:{port}")
    try:
        eventually(lambda: process.poll() is not None or answers(server.uri), within_s=SLOW_S)
        assert process.poll() is None, (folder / "server.log").read_text()
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.send(signal.SIGKILL)
        process.wait()


def answers(uri: str) -> bool:
    try:
        return bool(requests.get(f"{uri}/health", timeout=5).status_code == 200)
    except requests.RequestException:
        return False


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module", autouse=True)
def _client() -> None:
    """Import MLflow before pytester notes which modules are there: it does not survive a second import."""
    importlib.import_module("mlflow.tracking.client")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), free_port()) as server:
        yield server


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester.path, pytester)


class Tracked:
    """What MLflow's client reads of a project."""

    def __init__(self, uri: str, project: Project) -> None:
        from mlflow import MlflowClient  # noqa: PLC0415  (takes seconds, and these tests are slow)

        self.client = MlflowClient(uri)
        experiment = self.client.get_experiment_by_name(project.root.name)
        runs = self.client.search_runs([experiment.experiment_id]) if experiment else []
        self.runs: dict[str, Any] = {run.info.run_name: run for run in reversed(runs)}  # the newest is the first

    def statuses(self) -> dict[str, str]:
        return {name: run.info.status for name, run in self.runs.items()}

    def curve(self, job_id: str, metric: str) -> list[tuple[int, float]]:
        history = self.client.get_metric_history(self.runs[job_id].info.run_id, metric)
        return [(each.step, each.value) for each in history]

    def files(self, job_id: str, folder: Path) -> dict[str, bytes]:
        """Return what each artifact holds, by its path."""
        root = Path(self.client.download_artifacts(self.runs[job_id].info.run_id, "", str(folder)))
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def warnings(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("warning: ")]


def test_everything_is_read_back_equal(project: Project, server: Server, tmp_path: Path) -> None:
    project.job("als", CURVES, parameters="rate=0.1, layers=(3, 4), name='a b', strict=True")
    project.job("killed", "import os\nrun.log(step=0, loss=2)\nos.kill(os.getpid(), 9)")
    project.job("gated", "return {'auc': 0.5}", top='GATES = {"auc": ">= 0.6"}')
    sha256 = hashlib.sha256(project.write("training/panel.csv", "age\n40\n").read_bytes()).hexdigest()
    project.job("fed", "return {'rows': len(run.data('panel').read_text().split()) - 1}")
    project.write(
        "training/jobs.yaml",
        f"""
        jobs:
          als: {{matrix: {{rate: [0.1, 0.2]}}, gates: {{auc: ">= 0.5"}}}}
          fed: {{data: [panel]}}
        data:
          panel: {{path: panel.csv, real: true, sha256: {sha256}}}
        """,
    )
    subprocess.run(["git", "init", "-q"], cwd=project.root, check=True)
    subprocess.run(["git", "add", "."], cwd=project.root, check=True)
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *author, "commit", "-qm", "all"], cwd=project.root, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project.root, check=True, capture_output=True, text=True)
    commit = head.stdout.strip()
    result = project.run("-n", "2", "--training-tracking", f"mlflow:{server.uri}")
    assert warnings(result.outlines) == []

    tracked, told = Tracked(server.uri, project), project.metadata()
    good = dict.fromkeys(("als", "als-rate-0.1", "als-rate-0.2", "fed"), "FINISHED")
    assert tracked.statuses() == {**good, "killed": "FAILED", "gated": "FAILED"}
    for name, run in tracked.runs.items():
        metrics = {key(metric): value for metric, value in told[name]["metrics"].items()}
        assert metrics.items() <= run.data.metrics.items()
        assert {parameter: read(text) for parameter, text in run.data.params.items()} == told[name]["parameters"]
        assert run.data.tags["status"] == told[name]["status"]
        assert run.data.tags["run"] == project.report()["training"]["run_id"]
        assert run.data.tags["commit"] == commit
        assert tracked.files(name, tmp_path_factory_of(tmp_path, name)) == left_by(project, told[name])
    assert {"data": "real", "data.panel.sha256": sha256}.items() <= tracked.runs["fed"].data.tags.items()
    trial = tracked.runs["als-rate-0.2"]
    assert trial.data.metrics["auc"] == 0.871234567890123
    assert {
        "auc_low": 0.8,
        "auc_high": 0.9,
        "auc_stdout": 1e-300,
        "odd__name": -7.0,
    }.items() <= trial.data.metrics.items()
    assert trial.data.tags["mlflow.parentRunId"] == tracked.runs["als"].info.run_id
    assert tracked.curve("als-rate-0.2", "loss/fold 1") == [(epoch, 1 / (epoch + 1)) for epoch in range(30)]
    assert tracked.curve("als-rate-0.2", "auc") == [(0, 0.0), (1, 0.1), (2, 0.2), (2, 0.871234567890123)]
    assert tracked.curve("killed", "loss") == [(0, 2.0)]
    assert tracked.runs["killed"].data.tags["cause"] == "crash"
    assert tracked.runs["gated"].data.tags["gates"] == "auc >= 0.6"


def tmp_path_factory_of(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    return folder


def left_by(project: Project, job: dict[str, Any]) -> dict[str, bytes]:
    """Return the files that a job left, by their place in MLflow."""
    paths = [*job["artifacts"], *filter(None, [job["log"]])]
    names = {path.partition("/artifacts/")[2] or Path(path).name: project.reports / path for path in paths}
    return {file_key(name): path.read_bytes() for name, path in names.items()}


def read(text: str) -> Any:
    """Return a parameter's value: JSON, or else a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def test_an_attempt_of_a_job_that_was_tried_again_is_the_last(project: Project, server: Server) -> None:
    body = """
        is_second = Path("once").exists()
        Path("once").touch()
        run.log(step=0, loss=1 + is_second)
        is_second or os.abort()
        return {"score": 1}
    """
    project.job("als", body, top="import os\nfrom pathlib import Path")
    project.write("training/jobs.yaml", "jobs:\n  als: {retries: 1}\n")
    result = project.run("--training-tracking", f"mlflow:{server.uri}")
    assert (result.ret, warnings(result.outlines)) == (0, [])
    tracked = Tracked(server.uri, project)
    assert tracked.statuses() == {"als": "FINISHED"}
    assert tracked.runs["als"].data.tags["attempts"] == "2"
    assert tracked.curve("als", "loss") == [(0, 2.0)]


def test_jobs_without_a_training_have_no_run(project: Project, server: Server) -> None:
    project.jobs("als")
    words = ("--training-tracking", f"mlflow:{server.uri}")
    assert project.run(*words).ret == 0
    assert len(Tracked(server.uri, project).runs) == 1
    assert project.run(*words, "--training-smoke").ret == 0
    assert project.run(*words, "--training-skip-unchanged").ret == 0
    tracked = Tracked(server.uri, project)
    assert len(tracked.client.search_runs([tracked.runs["als"].info.experiment_id])) == 1


def test_a_killed_pytest_leaves_killed_runs(project: Project, server: Server) -> None:
    project.job(
        "als",
        "run.log(step=0, loss=2)\nrun.log(step=1, loss=1)\nopen('began', 'w')\nwait_for(Path('never'))",
        top=waiting(),
    )
    process = project.start("--training-tracking", f"mlflow:{server.uri}")
    eventually(lambda: Tracked(server.uri, project).statuses() == {"als": "RUNNING"}, within_s=SLOW_S)
    eventually((project.root / "began").exists)
    process.kill()
    process.wait()
    eventually(lambda: Tracked(server.uri, project).statuses() == {"als": "KILLED"}, within_s=SLOW_S)
    assert Tracked(server.uri, project).curve("als", "loss") == [(0, 2.0), (1, 1.0)]


def waiting() -> str:
    return f"from pathlib import Path\n{WAIT.replace('120', str(SLOW_S))}"


def test_a_server_that_hangs_in_a_run_costs_one_warning(project: Project, server: Server) -> None:
    project.job("als", "wait_for(Path('gone'))\nreturn {'score': 1}", top=waiting())
    process = project.start("--training-tracking", f"mlflow:{server.uri}")
    eventually(lambda: Tracked(server.uri, project).statuses() == {"als": "RUNNING"}, within_s=SLOW_S)
    server.send(signal.SIGSTOP)
    try:
        (project.root / "gone").touch()
        assert process.wait(SLOW_S) == 0
    finally:
        server.send(signal.SIGCONT)
    [warning] = warnings(project.said.splitlines())
    assert warning.startswith("warning: training_tracking: not everything was sent: ")
    assert project.statuses() == {"als": "passed"}


def test_a_server_that_comes_late_gets_everything_and_one_that_dies_costs_one_warning(
    project: Project, tmp_path: Path
) -> None:
    project.job("als", "wait_for(Path('there'))\nreturn {'score': 0.25}", top=waiting())
    port = free_port()
    words = ("--training-tracking", f"mlflow:http://127.0.0.1:{port}")
    process = project.start(*words)
    with serving(tmp_path, port) as server:
        (project.root / "there").touch()
        assert process.wait(SLOW_S) == 0
        assert warnings(project.said.splitlines()) == []
        assert Tracked(server.uri, project).runs["als"].data.metrics["score"] == 0.25

        project.job("als", "wait_for(Path('gone'))\nreturn {'score': 1}", top=waiting())
        process = project.start(*words)
        eventually(lambda: "RUNNING" in Tracked(server.uri, project).statuses().values(), within_s=SLOW_S)
        server.send(signal.SIGKILL)
        (project.root / "gone").touch()
        assert process.wait(SLOW_S) == 0
    [warning] = warnings(project.said.splitlines())
    assert warning.startswith("warning: training_tracking: not everything was sent: ")
    assert project.statuses() == {"als": "passed"}
