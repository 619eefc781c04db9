"""Tests of records/events.py and execution/event_log.py: what a job reports is kept, thinned, bounded and followed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_training.execution import event_log
from pytest_training.execution.event_log import EventLog
from pytest_training.records.events import LARGEST_STEP, MOST_VALUES, EventTail, read_events


def test_events_are_read_back_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    log = EventLog(file)
    log.log({"epoch": 1, "loss": float("nan"), "word": "\ud800"})
    log.progress(1, 4)
    log.close()
    with file.open("ab") as more:
        more.write(b'{"t":9,"log":{"epo')
    events = list(read_events(file, largest=10_000))
    assert [event.log for event in events] == [{"epoch": 1, "loss": None, "word": "\\ud800"}, None]
    assert events[1].progress == (1, 4)


def test_a_rare_event_is_in_the_file_at_once(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    log = EventLog(file)
    log.log({"epoch": 1})
    assert file.read_text().count("\n") == 1
    log.close()


def test_a_full_file_takes_few_more_events_and_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "FULL", 100_000)
    file = tmp_path / "events.jsonl"
    log = EventLog(file)
    for step in range(200_000):
        log.log({"step": step})
    log.close()
    assert file.stat().st_size < 300_000
    assert json.loads(file.read_text().splitlines()[-1])["log"] == {"step": 199_999}


def test_what_no_json_can_say_is_the_jobs_error(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    with pytest.raises(TypeError, match=r"run.log\(loss=…\): expected a number or a string, found list"):
        log.log({"loss": [1]})
    log.close()


def test_a_tail_follows_a_growing_file_and_knows_pid_progress_and_newest_values(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    tail = EventTail(file)
    assert not tail.poll()
    file.write_bytes(b'{"t":0,"pid":42}\n{"t":1,"log":{"epoch":1}}\n{"t":1,"pro')
    assert tail.poll()
    assert (tail.pid, tail.values, tail.progress) == (42, {"epoch": 1}, None)
    with file.open("ab") as more:
        more.write(b'gress":[3,10]}\n{"t":2,"log":{"epoch":2}}\n')
    assert tail.poll()
    assert (tail.values, tail.progress) == ({"epoch": 2}, (3.0, 10.0))


def test_of_very_much_at_once_a_tail_looks_at_the_end_only(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    lines = [b'{"t":1,"log":{"step":%d}}' % step for step in range(100_000)]
    file.write_bytes(b'{"t":0,"pid":42}\n' + b"\n".join(lines) + b"\n")
    assert file.stat().st_size > 4 * LARGEST_STEP
    tail = EventTail(file)
    tail.poll()
    assert (tail.pid, tail.values) == (42, {"step": 99_999})


def test_yes_and_no_are_values_too(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.log({"epoch": 3, "improved": True})
    log.close()
    (event,) = read_events(tmp_path / "events.jsonl", largest=1000)
    assert event.log == {"epoch": 3, "improved": True}


def test_of_very_many_names_a_tail_keeps_some(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps({"log": {f"name{n}": 1, "loss": n}}) + "\n" for n in range(1000)))
    tail = EventTail(file)
    tail.poll()
    assert len(tail.values) == MOST_VALUES
    assert tail.values["loss"] == 999


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"t":0,"pid":1}\n')
    (tmp_path / "events.jsonl").symlink_to(secret)
    assert list(read_events(tmp_path / "events.jsonl", largest=100)) == []
