"""Messages about a run, as a real HTTP server gets them from Apprise's `json://`."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sessions import Project, text
from watching import eventually

pytest.importorskip("apprise")
PAGE = Path(__file__).parents[2] / "docs" / "notify.md"
TOKEN = "t0ken4711"
GONE, SILENT = 0, -1  # in place of a status: nobody listens, or nobody answers
UNTIL_GO = 'while not pathlib.Path("go").exists(): time.sleep(0.01)\nreturn {"score": 1.0}'


class Inbox(ThreadingHTTPServer):
    """Collects messages; answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.messages: list[dict[str, Any]] = []
        self.status = 200
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://reader:{TOKEN}@127.0.0.1:{self.server_port}/{TOKEN}"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]


class Handler(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200:
            self.server.messages.append(json.loads(content))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as inbox:
        yield inbox
        inbox.shutdown()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    (tmp_path / "go").touch()  # a run that a failed test leaves behind ends


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield silent


def notified(project: Project, urls: str, events: str = "end failure regression stall", more: str = "") -> None:
    project.write("pytest.ini", f"[pytest]\ntraining_notify = {urls}\ntraining_notify_events = {events}\n{more}")


def holding(project: Project, secret: str) -> list[Path]:
    """Return the files of the project that have the secret, but for its settings."""
    paths = [path for path in project.root.rglob("*") if path.is_file() and path.name != "pytest.ini"]
    return [path for path in paths if secret.encode() in path.read_bytes()]


@pytest.mark.slow
def test_a_run_says_what_failed_what_passed_and_what_got_worse(project: Project, inbox: Inbox) -> None:
    gate = 'GATES = {"auc": ">= 0.5"}'
    project.job("als", 'return {"auc": 0.8}', top=gate)
    project.job("stroke")
    project.run("-n0")
    project.job("als", 'return {"auc": 0.70}', top=gate)  # of another size: Python compares whole seconds
    project.job("broken", 'raise ValueError("no such column: age")')
    project.job("odd", "raise ValueError()")
    project.write("training/jobs.yaml", "jobs: {odd: {optional: true}}\n")
    notified(project, inbox.url)
    ended = project.run("-n2")
    assert ended.ret == 1, text(ended)
    *early, last = inbox.messages
    assert last["title"] == "2 of 4 passed · broken failed: ValueError: no such column: age"
    lines = last["message"].splitlines()
    [shown] = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert {last["title"], *lines[:4]} < {*shown.splitlines()}
    assert lines[0] == "broken: raised ValueError: no such column: age"
    assert lines[1] == "als auc ▼ 0.800 → 0.700 (-0.1): worse, not judged against noise"
    assert sorted(lines[2:4]) == ["als: auc 0.700", "stroke: score 0.700"]  # in the order of the run
    assert lines[4].startswith(f"{project.root.name} on ")
    assert lines[5].endswith("/index.html")
    # At once too, unless it was the last job of all; a job that may fail is no news.
    assert [message["title"] for message in early] in ([], ["broken failed: ValueError: no such column: age"])
    assert holding(project, TOKEN) == []
    assert TOKEN not in text(ended)
    assert "warning: " not in text(ended)


@pytest.mark.slow
def test_a_failure_is_sent_while_the_others_go_on_and_a_killed_run_too(project: Project, inbox: Inbox) -> None:
    project.job("als", UNTIL_GO, top="import pathlib, time")
    project.job("broken", 'raise ValueError("no")')
    notified(project, inbox.url)
    run = project.start("-n2")
    eventually(lambda: inbox.messages)
    assert inbox.titles == ["broken failed: ValueError: no"]
    assert inbox.messages[0]["message"].splitlines()[1] == "1 of 2 jobs have ended; the others go on"
    os.kill(run.pid, signal.SIGKILL)
    run.wait(120)
    eventually(lambda: len(inbox.messages) == 2)
    assert inbox.titles[1] == "killed · 0 of 2 passed · broken failed: ValueError: no"
    assert "go on: pytest --training-resume" in inbox.messages[1]["message"]


@pytest.mark.slow
def test_a_stalled_job_is_sent_once(project: Project, inbox: Inbox) -> None:
    project.job("als", UNTIL_GO.replace("0.01", "1"), top="import pathlib, time")
    notified(project, inbox.url, "stall", "training_stalled = 1s\n")
    run = project.start("-n0")
    eventually(lambda: inbox.messages)
    (project.root / "go").touch()
    run.wait(120)
    assert inbox.titles == ["als is stalled"]
    assert inbox.messages[0]["message"].startswith("stalled: no output and no CPU for ")


@pytest.mark.slow
def test_only_what_was_chosen_is_sent(project: Project, inbox: Inbox) -> None:
    project.jobs("als")
    notified(project, inbox.url, "regression")
    assert project.run("-n0").ret == 0
    assert project.run("-n0", "--training-smoke", "-o", "training_notify_events=end").ret == 0
    assert inbox.messages == []
    project.write("training/jobs.yaml", 'jobs: {als: {gates: {score: ">= 0.1"}}}\n')
    project.job("als", 'return {"score": 0.5}')
    assert project.run("-n0").ret == 0
    assert inbox.titles == ["1 of 1 passed"]
    assert project.run("-n0", "--training-notify", "", "-o", "training_notify_events=end").ret == 0
    assert len(inbox.messages) == 1


@pytest.mark.slow
@pytest.mark.parametrize("status", [500, GONE, SILENT])
def test_a_service_that_is_away_costs_one_warning_without_its_secret(
    project: Project, inbox: Inbox, silent: socket.socket, status: int
) -> None:
    project.jobs("als", "stroke")
    inbox.status, url = status, inbox.url
    if status in {GONE, SILENT}:
        inbox.shutdown()
        inbox.server_close()
    if status == SILENT:
        place = inbox.server_address[:2]
        silent.bind((str(place[0]), place[1]))
        silent.listen()  # the kernel takes the connection; nobody answers
    ended = project.run("-n0", "--training-notify", url)
    assert ended.ret == 0
    warnings = [line for line in ended.outlines if line.startswith("warning: ")]
    assert warnings == [
        "warning: training_notify: not everything was sent: ConnectionError: json://… did not take '2 of 2 passed'"
    ]
    assert TOKEN not in text(ended)
    assert holding(project, TOKEN) == []
    (record,) = project.reports.glob("runs/*/run.json")
    assert json.loads(record.read_text())["problems"] == [warnings[0].removeprefix("warning: ")]


@pytest.mark.slow
def test_one_service_that_is_away_keeps_no_message_from_another(project: Project, inbox: Inbox) -> None:
    project.jobs("als")
    ended = project.run("-n0", "--training-notify", f"json://127.0.0.1:1/{TOKEN}", "--training-notify", inbox.url)
    assert inbox.titles == ["1 of 1 passed"]
    assert "did not take" in text(ended)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--training-notify", f"jsom://{TOKEN}"), "expected a URL of Apprise like ntfy://TOPIC, found jsom://…"),
        (("--training-notify", "$NOT_SET"), "--training-notify: the environment variable NOT_SET is not set"),
        (("--training-notify", TOKEN), "expected a URL of Apprise like ntfy://TOPIC, found another text"),
        (
            ("--training-notify", "json://127.0.0.1", "-o", "training_notify_events=ende"),
            "training_notify_events: expected events, found 'ende': did you mean 'end'? Expected one of end, failure,",
        ),
    ],
)
def test_a_mistake_is_said_before_anything_trains(
    pytester: pytest.Pytester, arguments: tuple[str, ...], message: str
) -> None:
    project = Project(pytester.path, pytester)
    project.jobs("als")
    ended = project.here("-n0", *arguments)
    assert ended.ret == 4
    assert message in text(ended)
    assert TOKEN not in text(ended)
    assert not project.reports.exists()


@pytest.mark.slow
def test_a_url_may_stand_in_the_environment(project: Project, inbox: Inbox) -> None:
    project.jobs("als")
    notified(project, "$WHERE_TO", "end")
    assert project.run("-n0", env={"WHERE_TO": inbox.url}).ret == 0
    assert inbox.titles == ["1 of 1 passed"]
    assert holding(project, TOKEN) == []
