"""Tests of reporting/screen.py and live.py: what stands on a terminal after pytest and the live view have written."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from pytest_training.execution.attempt.messages import Loading
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Attempt, Outcome, Status
from pytest_training.execution.readers.protocol import Following, Measured, Point, Reader, RunningAttempt
from pytest_training.jobs.model import Gate, Job, Parameter, PlannedJob
from pytest_training.pytest_adapter import TerminalFile
from pytest_training.records.events import EventTail
from pytest_training.reporters.live import Screen, drawn, region
from pytest_training.reporters.watch import Watch, WatchedJob
from pytest_training.text import cells

NOW = datetime(2026, 11, 27, 14, 5, 30, tzinfo=UTC)


class Terminal:
    """As much of a terminal as the view uses: text, newlines, carriage returns, cursor up, clearing."""

    def __init__(self) -> None:
        self.rows: list[str] = [""]
        self.row = self.column = 0

    def write(self, text: str) -> int:
        rest = text
        while rest:
            if rest[0] == "\x1b":
                end = next(index for index, letter in enumerate(rest[2:], 2) if letter.isalpha())
                self._control(rest[2:end], rest[end])
                rest = rest[end + 1 :]
                continue
            letter, rest = rest[0], rest[1:]
            if letter == "\n":
                self.row, self.column = self.row + 1, 0
                if self.row == len(self.rows):
                    self.rows.append("")
            elif letter == "\r":
                self.column = 0
            else:
                row = self.rows[self.row].ljust(self.column)
                self.rows[self.row] = row[: self.column] + letter + row[self.column + 1 :]
                self.column += 1
        return len(text)

    def _control(self, number: str, letter: str) -> None:
        if letter == "A":
            self.row -= int(number)
            assert self.row >= 0
        elif letter == "K":
            self.rows[self.row] = self.rows[self.row][: self.column]
        elif letter == "J":
            self.rows[self.row] = self.rows[self.row][: self.column]
            del self.rows[self.row + 1 :]
        else:
            assert letter in "hlm", letter

    def flush(self) -> None:
        pass


class Writer:
    def __init__(self, file: Any) -> None:
        self._file = file


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_what_pytest_writes_lands_above_the_lines(terminal: Terminal) -> None:
    writer = Writer(terminal)
    screen = Screen(TerminalFile(SimpleNamespace(_tw=writer)))
    writer._file.write("collected 2 items\n")
    screen.show(["als 10 %", "0 done"])
    writer._file.write("PASSED  als\n")
    screen.show(["stroke 5 %"])
    screen.say("running stroke for 1 min")
    assert terminal.rows == ["collected 2 items", "PASSED  als", "running stroke for 1 min", "stroke 5 %"]
    screen.close()
    writer._file.write("done\n")
    assert terminal.rows == ["collected 2 items", "PASSED  als", "running stroke for 1 min", "done", ""]
    assert writer._file is terminal


def test_a_line_that_pytest_has_not_ended_is_kept(terminal: Terminal) -> None:
    writer = Writer(terminal)
    screen = Screen(TerminalFile(SimpleNamespace(_tw=writer)))
    writer._file.write("test_jobs.py::test[als] ")
    screen.show(["als 10 %"])
    screen.show(["als 20 %", "more"])
    assert terminal.rows == ["test_jobs.py::test[als] ", "als 20 %", "more"]
    writer._file.write("PASSED\n")
    assert terminal.rows == ["test_jobs.py::test[als] PASSED", "als 20 %", "more"]
    screen.close()
    assert terminal.rows == ["test_jobs.py::test[als] PASSED", ""]


def job(job_id: str, tmp_path: Path, **values: float) -> WatchedJob:
    watched = WatchedJob(
        Job(id=job_id, kind="function", source="", home="", root=""), expected_s=100.0, slot="gw0", memory_mb=196.0
    )
    watched.tail = EventTail(tmp_path / "events.jsonl", progress=(3.0, 10.0), values=dict(values))
    return watched


@pytest.mark.parametrize("width", [20, 40, 59, 80, 99, 200])
def test_no_line_is_wider_than_the_terminal(width: int, tmp_path: Path) -> None:
    running = [job("diabetes_progression", tmp_path, epoch=3, loss=0.41234), job("als", tmp_path)]
    counts = Counter(done=3, failed=1, running=2, waiting=8)
    lines = region(running, counts, 61, size=(width, 30), now=NOW)
    if width >= 40:
        assert max(cells(line.plain) for line in lines) <= width
        assert "30 %" in lines[0].plain
    assert ("3 done · 2 running · 8 waiting · 1 failed")[: width - 1] in lines[-1].plain
    if width >= 99:
        assert "epoch 3 · loss 0.412" in lines[0].plain
        assert "196 MiB" in lines[0].plain
        assert "left" in lines[0].plain


def test_more_jobs_than_the_terminal_has_rows_are_counted(tmp_path: Path) -> None:
    running = [job(f"job{number}", tmp_path) for number in range(200)]
    lines = region(running, Counter(), None, size=(60, 20), now=NOW)
    assert len(lines) == 16
    assert lines[-2].plain == "… and 186 more jobs are running"


def planned(job_id: str, expected_s: float | None) -> PlannedJob:
    return PlannedJob(job=job(job_id, Path()).job, expected_s=expected_s, expected_from="catalogue")


NOWHERE = Path()


def watch(*jobs: PlannedJob, workers: int = 2, sees_starts: bool = False, root: Path = NOWHERE) -> Watch:
    return Watch(RunFolder(root, "run"), {each.job.id: each for each in jobs}, workers, sees_starts)


def test_the_end_of_a_run_is_expected_from_what_runs_and_what_waits(tmp_path: Path) -> None:
    watched = watch(planned("a", 100.0), planned("b", 50.0), planned("c", 30.0), planned("d", 20.0))
    assert watched.remaining_s() == 100.0  # a | b, c, d
    watched.begun.add("a")
    watched.running["a"] = job("a", tmp_path)
    watched.running["a"].since = time.monotonic() - 60  # three tenths done: 140 s are left
    assert watched.remaining_s() == pytest.approx(140.0, abs=1.0)


def test_a_job_of_which_nothing_is_known_is_expected_to_take_as_long_as_the_others(tmp_path: Path) -> None:
    watched = watch(planned("a", None), planned("b", None), planned("c", None), workers=1)
    assert watched.remaining_s() is None
    watched.begun.add("a")
    watched.running["a"] = job("a", tmp_path)
    watched.running["a"].since = time.monotonic() - 30  # 30 of 100 s
    assert watched.remaining_s() == pytest.approx(270.0, abs=1.0)
    ended = Outcome(job_id="a", kind="function", title="", status=Status.FAILED, wall_s=30.0)
    watched.outcomes = {"a": ended}
    watched.poll()
    assert watched.counts() == {"done": 0, "failed": 1, "running": 0, "waiting": 2}
    assert watched.took_s == [30.0]
    assert watched.remaining_s() == 60.0


def test_the_line_of_the_run_says_when_it_ends_where_there_is_room() -> None:
    def line(width: int) -> str:
        lines = region([], Counter(done=3, waiting=8), 3661, size=(width, 30), now=NOW)
        return lines[-1].plain

    assert line(80) == "3 done · 0 running · 8 waiting · done about 15:06, 1:01:01 left"
    assert line(60) == "3 done · 0 running · 8 waiting · done about 15:06"
    assert line(40) == "3 done · 0 running · 8 waiting"
    (late,) = region([], Counter(done=3), 12 * 3600, size=(80, 30), now=NOW)
    assert late.plain.endswith(" · done about Sat 02:05, 12:00:00 left")


def test_before_the_first_job_the_line_of_the_run_says_what_it_waits_for() -> None:
    (line,) = region([], Counter(waiting=8), "loading monai, 40 s", size=(80, 30), now=NOW)
    assert line.plain == "0 done · 0 running · 8 waiting · loading monai, 40 s"


def named(job_id: str, tmp_path: Path, **fields: Any) -> WatchedJob:
    watched = job(job_id, tmp_path)
    watched.job = msgspec.structs.replace(watched.job, **fields)
    return watched


def labels(running: list[WatchedJob], width: int) -> list[str]:
    lines = region(running, Counter(), None, size=(width, 30), now=NOW)[:-1]
    return [line.plain.partition("━")[0].removeprefix("gw0 ").rstrip() for line in lines]


def test_long_ids_are_cut_in_their_middle_where_they_are_least_alike(tmp_path: Path) -> None:
    running = [named(f"{name}_from_structured_records_v{name[0]}2", tmp_path) for name in ("alzheimers", "asthma")]
    assert labels(running, 80) == ["alzheimer…ecords_va2", "asthma_fr…ecords_va2"]
    assert labels(running, 200)[0] == running[0].job.id


def test_trials_show_their_parameters_as_columns_where_there_is_room(tmp_path: Path) -> None:
    varied = ("depth", "rate")
    running = [
        named("net-4-a", tmp_path, trial_of="net", varied=varied, parameters={"depth": 4, "rate": 0.25}, seed=1),
        named("net-12-b", tmp_path, trial_of="net", varied=varied, parameters={"depth": 12, "rate": 1e-5}, seed=3),
        named("als", tmp_path, parameters={"depth": 4}),
    ]
    assert labels(running, 120) == [
        "net  depth 4   rate 0.25   seed 1",
        "net  depth 12  rate 1e-05  seed 3",
        "als",
    ]
    running[0].job = msgspec.structs.replace(running[0].job, trial_of="a_network_of_some_width")
    assert labels(running, 90)[:2] == [
        "a_ne…width  depth 4   rate 0.25   seed 1",
        "net         depth 12  rate 1e-05  seed 3",
    ]
    assert labels(running, 60) == ["net-4-a", "net-12-b", "als"]
    searched = named("net-trial-007", tmp_path, trial_of="net", varied=varied)
    assert labels([searched], 120) == ["net-trial-007"]
    searched.drawn = {"depth": 4, "rate": 0.25}
    assert labels([searched], 120) == ["net-trial-007  depth 4  rate 0.25"]


def test_a_job_that_waits_for_the_imports_of_others_is_shown_as_waiting(tmp_path: Path) -> None:
    watched = watch(planned("a", 100.0), sees_starts=True, root=tmp_path)
    watched.start(watched.planned["a"].job)
    attempt = watched.folder.job("a").attempt(1)
    attempt.create()
    attempt.started.write_bytes(b"{}")
    loading = Loading(now="monai", since=time.time() - 40)
    watched.folder.loading.write_bytes(msgspec.json.encode(loading))
    (waiting,) = watched.poll()
    waiting.since = time.monotonic() - 65
    (line, _) = region([waiting], Counter(), None, size=(100, 30), now=NOW)
    assert waiting.is_waiting
    assert "waiting" in line.plain
    assert re.search(r"loading monai, 4\d", line.plain)
    assert re.search(r"1:0[5-9]|1:1\d", line.plain)
    assert watched.remaining_s() == 100.0
    attempt.events.write_text('{"t": 0.0, "pid": 1}\n')
    (running,) = watched.poll()
    assert not running.is_waiting
    assert running.begun is not None
    assert running.begun > running.since


class Lines(Reader):
    """Follows a log of lines like `2 0.41`: an epoch of three, and a loss."""

    name = "lines"

    def follow(self, attempt: RunningAttempt) -> Following:
        self.log, self.lines_read = attempt.folder.log, 0
        return self

    def poll(self) -> Iterator[Point]:
        lines = self.log.read_text().splitlines()
        for epoch, loss in map(str.split, lines[self.lines_read :]):
            yield Point("stdout", {"epoch": float(epoch), "loss": float(loss)}, progress=(float(epoch), 3.0))
        self.lines_read = len(lines)

    def metrics(self) -> list[tuple[str, Measured]]:
        return []


@pytest.mark.parametrize(
    ("kind", "lines", "shown", "share"),
    [
        ("script", ["", "1 0.5\n", "1 0.5\n2 0.4\n"], ["", "epoch 1 · loss 0.500", "epoch 2 · loss 0.400 ↓"], 2 / 3),
        ("script", ["1 0.5\n", "1 0.5\nno number\n", "1 0.5\n"], ["epoch 1 · loss 0.500"] * 3, 1 / 3),
        ("function", ["1 0.5\n"], [""], None),
    ],
)
def test_what_a_program_says_elsewhere_is_shown_while_it_trains(
    tmp_path: Path, kind: str, lines: list[str], shown: list[str], share: float | None
) -> None:
    watched = watch(planned("a", None), root=tmp_path)
    watched.registry.add_reader(Lines())
    watched.start(msgspec.structs.replace(watched.planned["a"].job, kind=kind))
    attempt = watched.folder.job("a").attempt(1)
    attempt.create()
    attempt.started.write_bytes(msgspec.json.encode(Attempt(number=1, status=Status.INTERRUPTED)))
    attempt.events.write_text(f'{{"t": 0.0, "pid": {os.getpid()}}}\n')
    for content, words in zip(lines, shown, strict=True):
        attempt.log.write_text(content)
        (running,) = watched.poll()
        running.memory_measured = 0.0  # as if a second had passed
        assert running.values() == words
    assert running.share == share


def test_arrows_show_where_a_metric_went_and_their_colour_whether_that_is_better(tmp_path: Path) -> None:
    watched = named("als", tmp_path, gates=(Gate(metric="lift", operator=">=", threshold=1.0),))
    assert watched.tail
    for values in (
        {"epoch": 1.0, "loss": 0.5, "lift": 2.0, "odd": 1.0},
        {"epoch": 2.0, "loss": 0.4, "lift": 1.5, "odd": 2.0},
    ):
        watched.tail.values = dict(values)
        watched.note_trends()
    watched.note_trends()
    assert watched.values() == "epoch 2 · loss 0.400 ↓ · lift 1.500 ↓ · odd 2"
    (line, _) = region([watched], Counter(), None, size=(140, 30), now=NOW)
    arrows = {
        str(span.style): line.plain[span.start : span.end] for span in line.spans if span.style in {"green", "red"}
    }
    assert arrows["red"] == "↓"
    assert drawn(line, colours=True).count("\x1b[32m↓") == drawn(line, colours=True).count("\x1b[31m↓") == 1


def test_a_job_whose_start_no_file_tells_is_never_shown_as_waiting(tmp_path: Path) -> None:
    secret = Parameter(name="token", variable="TOKEN")
    hidden = msgspec.structs.replace(job("b", tmp_path).job, declared=(secret,))
    elsewhere = watch(planned("a", None), root=tmp_path)
    private = watch(sees_starts=True, root=tmp_path)
    for watched, each in ((elsewhere, elsewhere.planned["a"].job), (private, hidden)):
        watched.start(each)
        assert [running.is_waiting for running in watched.poll()] == [False]


def test_what_other_machines_measured_is_scaled_by_what_has_ended_so_far(tmp_path: Path) -> None:
    def elsewhere(job_id: str, expected_s: float) -> PlannedJob:
        return PlannedJob(job=job(job_id, tmp_path).job, expected_s=expected_s, expected_from="durations.json")

    watched = watch(elsewhere("a", 10.0), elsewhere("b", 40.0), elsewhere("c", 20.0), planned("d", 5.0))
    for each in ("a", "b"):
        watched.start(watched.planned[each].job)
    assert watched.remaining_s() == pytest.approx(40.0, abs=1.0)
    ended = Outcome(job_id="a", kind="function", title="", status=Status.PASSED, wall_s=30.0)
    watched.outcomes = {"a": ended}
    assert [each.expected_s for each in watched.poll()] == [120.0]
    broken = msgspec.structs.replace(ended, job_id="c", status=Status.FAILED, cause="error", wall_s=0.1)
    watched.start(watched.planned["c"].job)
    watched.outcomes["c"] = broken
    assert [each.expected_s for each in watched.poll()] == [120.0]
    del watched.outcomes["c"]
    watched.begun.remove("c")
    assert watched.remaining_s() == pytest.approx(120.0, abs=1.0)
    watched.outcomes = {"a": ended, "b": msgspec.structs.replace(ended, job_id="b", wall_s=120.0)}
    assert watched.poll() == []
    assert watched.remaining_s() == 60.0
