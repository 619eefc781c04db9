"""Tracking whose server is away, hangs, breaks or is named wrongly: one warning, and the run is as it always is."""

from __future__ import annotations

import http.client
import http.server
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from sessions import Project, text

from pytest_training.options import masked
from pytest_training.reporters.door import Door
from pytest_training.reporters.mlflow import ADDRESS, follow

SETTING = "--training-tracking"
WARNING = "warning: training_tracking: not everything was sent: "


class Broken(http.server.BaseHTTPRequestHandler):
    """Answers every request with 500."""

    def do_GET(self) -> None:
        self.send_error(500)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
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
    [warning] = warnings(result)
    assert warning == f"{WARNING}ConnectionError: nobody answers at 127.0.0.1:{closed_port}: Connection refused"
    assert project.statuses() == {"als": "passed", "stroke": "passed"}


@pytest.mark.slow
def test_a_server_that_breaks_costs_one_warning_without_its_token(project: Project, broken_port: int) -> None:
    result = project.here(SETTING, f"mlflow:http://127.0.0.1:{broken_port}/?token=S3CR3T")
    assert result.ret == 0
    [warning] = warnings(result)
    assert warning.startswith(f"{WARNING}MlflowException: ")
    assert "S3CR3T" not in text(result)


@pytest.mark.slow
def test_a_server_that_never_answers_costs_one_warning(project: Project, silent_port: int) -> None:
    result = project.here(SETTING, f"mlflow:http://127.0.0.1:{silent_port}")
    assert result.ret == 0
    [warning] = warnings(result)
    assert warning.startswith(WARNING)


def test_messages_hide_what_a_url_asks() -> None:
    for said in ("at http://host/?token=S3CR3T", "url: ?token=S3CR3T/api", "url: /path?token=S3CR3T/api"):
        assert "S3CR3T" not in masked(said, [])


def test_an_upload_gives_a_sign_for_each_part_that_went_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken_port: int
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "send", http.client.HTTPConnection.send)  # and back again
    signs: list[int] = []
    follow(lambda: signs.append(1))
    file = tmp_path / "model.bin"
    file.write_bytes(b"x" * 1_000_000)
    with file.open("rb") as source:
        requests.put(f"http://127.0.0.1:{broken_port}", data=source, timeout=60)
    assert len(signs) > 20


def test_a_run_waits_no_longer_than_its_bound_whatever_the_process_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_training.reporters.door.LONGEST_WAIT_S", 0.2)
    door: Any = object.__new__(Door)
    door.setting, door.values, door.unsent, door.give_up, door.step = "tracking", [], b"", time.monotonic() + 1000, "it"
    door.process, door.run = subprocess.Popen(["sleep", "60"]), SimpleNamespace(problems=[])
    over = threading.Event()
    door.listener = threading.Thread(target=over.wait, daemon=True)
    door.listener.start()
    door.pytest_training_run_end()
    over.set()
    assert door.process.returncode == -9
    assert door.run.problems == ["training_tracking: not everything was sent: the run waited 0 s for it"]


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


@pytest.mark.parametrize(
    "address", ["./mlruns", "htp://foo bar", "http://host:999999", "http://[::1", "http://ho st", "http:", "secret7"]
)
def test_what_is_no_address_is_a_mistake_before_anything_trains(project: Project, address: str) -> None:
    result = project.here(SETTING, f"mlflow:{address}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--training-tracking: expected mlflow:URI, like mlflow:http://127.0.0.1:5000, found mlflow:…" in text(result)
    assert "secret7" not in text(result)
    assert not project.reports.exists()


@pytest.mark.parametrize(
    "address", ["http://u:p@h:1/a?b=c", "https://[::1]:5", "sqlite:///a.db", "mysql+pymysql://h/d"]
)
def test_addresses_of_servers_and_databases_are_taken(address: str) -> None:
    assert ADDRESS.fullmatch(address)


@pytest.mark.parametrize(
    ("option", "value"), [(SETTING, "mlflow:$NOT_SET"), ("--training-notify", "json://host/${NOT_SET}")]
)
def test_a_variable_that_is_not_set_is_a_mistake(project: Project, option: str, value: str) -> None:
    result = project.here(option, value)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"{option}: the environment variable NOT_SET is not set" in text(result)
    assert not project.reports.exists()


def test_an_empty_value_switches_tracking_off(project: Project, closed_port: int) -> None:
    project.write("pytest.ini", f"[pytest]\ntraining_tracking = mlflow:http://127.0.0.1:{closed_port}\n")
    result = project.here(SETTING, "")
    assert result.ret == 0
    assert warnings(result) == []
