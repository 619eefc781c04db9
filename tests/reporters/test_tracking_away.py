"""Tracking whose server is away, hangs, breaks or is named wrongly: one warning, and the run is as it always is."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest
from sessions import Project, text

SETTING = "--training-tracking"
WARNING = "warning: training_tracking: not everything was sent: "


class Broken(http.server.BaseHTTPRequestHandler):
    """Answers every request with 500."""

    def do_GET(self) -> None:
        self.send_error(500)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    project = Project(pytester.path, pytester)
    project.jobs("als", "stroke")
    return project


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else takes meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def broken_port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def warnings(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("warning: ")]


def test_a_server_out_of_reach_costs_one_warning(project: Project, closed_port: int) -> None:
    result = project.here(SETTING, f"mlflow:http://me:pw8643@127.0.0.1:{closed_port}")
    assert result.ret == 0
    reason = f"ConnectionError: http://127.0.0.1:{closed_port} does not answer (ConnectionError)"
    assert warnings(result) == [f"{WARNING}{reason}"]
    assert project.statuses() == {"als": "passed", "stroke": "passed"}


def test_a_server_that_breaks_costs_one_warning(project: Project, broken_port: int) -> None:
    result = project.here(SETTING, f"mlflow:http://127.0.0.1:{broken_port}")
    assert result.ret == 0
    reason = f"ConnectionError: http://127.0.0.1:{broken_port} answers with an error (500)"
    assert warnings(result) == [f"{WARNING}{reason}"]


@pytest.mark.slow
def test_a_server_that_never_answers_costs_one_warning(project: Project, silent_port: int) -> None:
    result = project.here(SETTING, f"mlflow:http://127.0.0.1:{silent_port}")
    assert result.ret == 0
    reason = f"ConnectionError: http://127.0.0.1:{silent_port} does not answer (ReadTimeout)"
    assert warnings(result) == [f"{WARNING}{reason}"]


def test_no_file_of_a_run_shows_a_password(project: Project, closed_port: int) -> None:
    project.write("pytest.ini", f"[pytest]\ntraining_tracking = mlflow:http://me:pw8643@127.0.0.1:{closed_port}\n")
    one = f"mlflow:http://me:pw9754@127.0.0.1:{closed_port}"
    results = [project.here(), project.here(f"{SETTING}={one}"), project.here("-o", f"training_tracking={one}")]
    assert [len(warnings(result)) for result in results] == [1, 1, 1]
    shown = [text(result) for result in results]
    files = [path.read_bytes().decode("utf-8", "replace") for path in project.reports.rglob("*") if path.is_file()]
    assert any('"--training-tracking=***"' in file for file in files)
    assert not [each for each in (*shown, *files) if "pw8643" in each or "pw9754" in each]


@pytest.mark.parametrize("value", ["wandb:secret7", "mlflow", "mlflow:", "http://127.0.0.1:5000"])
def test_what_is_no_mlflow_is_a_mistake_before_anything_trains(project: Project, value: str) -> None:
    result = project.here(SETTING, value)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    tool = value.partition(":")[0]
    message = f"ERROR: --training-tracking: expected mlflow:URI, like mlflow:http://127.0.0.1:5000, found {tool}:…"
    result.stderr.fnmatch_lines([message])
    assert "secret7" not in text(result)
    assert not project.reports.exists()


def test_an_empty_value_switches_tracking_off(project: Project, closed_port: int) -> None:
    project.write("pytest.ini", f"[pytest]\ntraining_tracking = mlflow:http://127.0.0.1:{closed_port}\n")
    result = project.here(SETTING, "")
    assert result.ret == 0
    assert warnings(result) == []
