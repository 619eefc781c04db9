"""Tests of records/events.py and attempt/run.py: what a job reports is kept, bounded and followed."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_training.execution.attempt import event_log
from pytest_training.execution.attempt.event_log import EventLog
from pytest_training.records.events import LARGEST_STEP, MOST_VALUES, EventTail, read_events


def test_events_are_read_back_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    log = EventLog(file)
    log.log(epoch=1, loss=float("nan"), word="\ud800")
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
    log.log(epoch=1)
    assert file.read_text().count("\n") == 1
    log.close()


def logged(file: Path) -> list[dict[str, Any]]:
    return [event["log"] for line in file.read_text().splitlines() if "log" in (event := json.loads(line))]


def test_of_events_in_a_row_the_last_few_are_not_yet_in_the_file(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    for step in range(event_log.PER_SECOND - 1):
        log.log(step=step)
        written = logged(tmp_path / "events.jsonl")  # as SIGKILL would leave it
        assert step - len(written) < event_log.BATCH
        assert step >= event_log.BATCH or len(written) == step + 1
    log.close()
    assert logged(tmp_path / "events.jsonl") == [{"step": step} for step in range(event_log.PER_SECOND - 1)]


def test_of_too_many_events_a_second_the_newest_of_each_kind_is_kept(tmp_path: Path) -> None:
    file, count = tmp_path / "events.jsonl", 200_000
    log, begun = EventLog(file), time.monotonic()
    for step in range(count):
        log.log(step=step, loss=0.5)
        if step % 1000 == 0:
            log.log(step=step, validation=0.5)
        log.progress(step, count)
    log.close()
    seconds = time.monotonic() - begun
    found = logged(file)
    assert len(found) <= (seconds + 1) * 2 * (event_log.PER_SECOND + 1)
    assert [event["step"] for event in found[:1000]] == sorted(event["step"] for event in found[:1000])
    assert {"step": count - 1, "loss": 0.5} in found
    assert {"step": count - 1000, "validation": 0.5} in found
    progress = [event.progress for event in read_events(file, largest=2**24) if event.progress]
    assert progress[-1] == (count - 1, count)  # the newest loss may be written behind it


def test_the_newest_of_a_second_is_kept_at_the_end_of_that_second(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    log, begun, step = EventLog(file), time.monotonic(), 0
    while time.monotonic() - begun < 1.2:
        log.log(step=step)
        step += 1
    log.close()
    times = [event["t"] for line in file.read_text().splitlines() if (event := json.loads(line))]
    assert times == sorted(times)
    assert any(abs(moment - times[0] - 1) < 0.002 for moment in times)


def test_the_first_event_after_a_second_is_in_the_file_at_once(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    log = EventLog(file)
    for step in range(100_000):
        log.log(step=step)
    seconds_over = time.monotonic() + 1
    while time.monotonic() < seconds_over:
        pass
    log.log(step=-1)
    assert logged(file)[-2:] == [{"step": 99_999}, {"step": -1}]
    log.close()


def test_a_kind_of_event_that_comes_seldom_is_written_at_once_between_those_that_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    log = EventLog(file)
    for step in range(100_000):
        log.log(step=step, loss=0.5)
    log.log(epoch=1, validation=0.7)
    assert {"epoch": 1, "validation": 0.7} in logged(file)
    log.close()


def test_threads_that_log_at_once_do_not_harm_each_other(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    log = EventLog(file)

    def work(number: int) -> None:
        for step in range(20_000):
            log.log(**{f"of_{number}": step})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    names = {name for event in logged(file) for name in event}
    assert names == {f"of_{number}" for number in range(4)}


def test_what_a_thread_logs_after_the_end_of_its_job_is_ignored(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.close()
    for step in range(2 * event_log.PER_SECOND):
        log.log(step=step)
    assert (tmp_path / "events.jsonl").read_bytes() == b""


def test_a_full_file_takes_few_more_events_and_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "FULL", 10_000)
    file = tmp_path / "events.jsonl"
    log = EventLog(file)
    for step in range(4_000):  # fewer than a burst may have
        log.log(step=step)
    log.close()
    assert file.stat().st_size < 100_000
    assert logged(file)[-1] == {"step": 3_999}


def test_names_that_a_job_makes_up_as_it_goes_do_not_grow_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "FULL", 0)
    file = tmp_path / "events.jsonl"
    log, begun = EventLog(file), time.monotonic()
    for step in range(10_000):
        log.log(**{f"metric_{step}": 0.5})
    log.close()
    assert len(logged(file)) <= (event_log.MOST_KINDS + 2) * (2 + time.monotonic() - begun)


def test_an_array_is_taken_as_it_is_when_it_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "FULL", 100)
    file = tmp_path / "events.jsonl"
    loss: Any = np.array(0.0)
    log = EventLog(file)
    for step in range(1_000):
        loss[...] = step
        log.log(loss=loss)
    loss[...] = -1.0
    log.close()
    assert logged(file)[-1] == {"loss": 999.0}
    assert {"loss": -1.0} not in logged(file)


def test_what_cannot_be_said_of_an_event_that_was_left_out_is_null(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "FULL", 0)
    monkeypatch.setattr(event_log, "SECOND_S", 3600.0)
    log = EventLog(tmp_path / "events.jsonl")
    wrong: Any = [1]
    for value in (0.5, 0.6, wrong):
        log.log(loss=value)
    log.close()
    assert logged(tmp_path / "events.jsonl") == [{"loss": 0.5}, {"loss": None}]


def test_what_no_json_can_say_is_the_jobs_error(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    wrong: Any = [1]
    with pytest.raises(TypeError, match=r"run.log\(loss=…\): expected a number or a string, found list"):
        log.log(loss=wrong)
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
    log.log(epoch=3, improved=True)
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


def test_a_rare_progress_is_seen_before_many_other_events(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    tail = EventTail(file)
    file.write_bytes(b'{"t":0,"pid":42}\n')
    tail.poll()
    with file.open("ab") as more:
        more.write(b'{"t":1,"progress":[1,10]}\n{"t":1,"progress":[3,10]}\n')
        more.write(b'{"t":1,"log":{"step":7}}\n' * 1_000)
    tail.poll()
    assert (tail.progress, tail.values) == ((3.0, 10.0), {"step": 7})


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"t":0,"pid":1}\n')
    (tmp_path / "events.jsonl").symlink_to(secret)
    assert list(read_events(tmp_path / "events.jsonl", largest=100)) == []
