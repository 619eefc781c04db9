"""Tests of records/durations.py: a file that people commit, merge and edit, and what it tells another machine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import Job
from pytest_training.records.durations import (
    Durations,
    JobDurations,
    Measured,
    expected_here,
    machine_speed,
    read_durations,
    updated,
    write_durations,
)

entries = st.builds(
    JobDurations,
    speed=st.floats(0.1, 1000),
    measured=st.lists(st.builds(Measured, seconds=st.floats(0.001, 1e6)), max_size=2).map(tuple),
)


def job(job_id: str, **parameters: Any) -> Job:
    return Job(id=job_id, kind="function", source="train_als.py", home="/", root="/", parameters=parameters)


def took(seconds: float, **parameters: Any) -> Measured:
    return Measured(seconds=seconds, parameters=parameters)


def entry(*measured: Measured, speed: float = 1.0) -> JobDurations:
    return JobDurations(speed=speed, measured=measured)


@settings(max_examples=40)
@given(jobs=st.dictionaries(st.sampled_from(["als", "ä b", 'x"y', "deep/one", "\n"]), entries))
def test_what_is_written_is_read_one_line_a_job(jobs: dict[str, JobDurations], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "durations.json"
    saved = Durations(jobs=jobs)
    write_durations(saved, path)
    assert read_durations(path) == saved
    assert json.loads(path.read_text(encoding="utf-8"))["schema_version"] == 1
    assert len(path.read_text(encoding="utf-8").splitlines()) == 5 + max(len(jobs), 1)


def test_the_file_is_sorted_and_has_of_each_job_what_decides_its_duration() -> None:
    measured = {
        "stroke": [took(3.14159, epochs=20, folds=5, rate=0.1, token="$TOKEN"), took(99.0, epochs=20, rate=0.2)],
        "als": [took(0.5, epochs=2), took(9.0, epochs=100), took(11.0, epochs=100), took(1.0, epochs=1)],
        "never": [],
    }
    assert updated(Durations(), measured, speed=60.0) == Durations(
        jobs={
            "als": entry(took(10.0, epochs=100), took(0.5, epochs=2), took(1.0, epochs=1), speed=60.0),
            "stroke": entry(took(3.14, epochs=20, folds=5), speed=60.0),
        }
    )


@pytest.mark.parametrize(
    ("now", "speed", "stays"),
    [
        *((10.5, 1.0, True), (5.2, 2.0, True), (9.5, 1.0, True), (10.5, 0.6, True)),
        *((13.0, 1.0, False), (10.0, 2.0, False), (0.0, 1.0, True)),
    ],
    ids=[
        *("hardly slower", "on a machine twice as fast", "hardly faster", "on the same machine, now busy"),
        *("slower", "faster", "nothing measured"),
    ],
)
def test_a_line_changes_only_if_the_duration_does(now: float, speed: float, stays: bool) -> None:  # noqa: FBT001  (a case)
    saved = Durations(jobs={"als": entry(took(10.0, epochs=5)), "other": entry(took(1.0))})
    new = updated(saved, {"als": [took(now, epochs=5)]}, speed=speed)
    assert (new == saved) == stays
    assert new.jobs["other"] == saved.jobs["other"]


def test_two_branches_that_measured_different_jobs_merge(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    path, base = tmp_path / "durations.json", {f"job{number}": [took(number)] for number in range(1, 10)}
    saved = updated(Durations(), base, speed=1.0)
    write_durations(saved, path)
    git("init", "-b", "main")
    git("add", "durations.json")
    git("commit", "-m", "base")
    for branch, job_id in (("one", "job2"), ("two", "job8")):
        git("checkout", "-b", branch, "main")
        write_durations(updated(saved, {job_id: [took(77.0)]}, speed=1.0), path)
        git("commit", "-am", branch)
    git("merge", "one")
    merged = read_durations(path).jobs
    assert {job_id for job_id, each in merged.items() if each.measured[0].seconds == 77.0} == {"job2", "job8"}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "found Input data was truncated"),
        ('{\n<<<<<<< HEAD\n"jobs": {}', "found the marks of a merge conflict"),
        ("[]", "found Expected `object`, got `array`"),
        ('{"jobs": {"als": {"speed": "fast", "measured": []}}}', "found Expected `float`, got `str`"),
        ('{"jobs": {"als": {"speed": 1}}}', "found Object missing required field `measured`"),
        ('{"jobs": {}, "colour": 1}', "found Object contains unknown field `colour`"),
        ('{"schema_version": 9}', "expected version 1, found 9"),
        ("[" * 100_000, "found "),
    ],
)
def test_a_file_that_is_none_is_refused_with_what_is_wrong(tmp_path: Path, content: str, found: str) -> None:
    path = tmp_path / "durations.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        read_durations(path)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert found in str(caught.value)


def test_no_file_is_no_duration_and_a_folder_is_a_mistake(tmp_path: Path) -> None:
    assert read_durations(tmp_path / "durations.json") == Durations()
    with pytest.raises(DeclarationError, match="cannot be read: Is a directory"):
        read_durations(tmp_path)


def test_jobs_that_ran_on_both_machines_tell_how_fast_this_one_is() -> None:
    there = Durations(
        jobs={name: entry(took(seconds)) for name, seconds in {"a": 10.0, "b": 20.0, "c": 30.0, "d": 8.0}.items()}
    )
    expected = expected_here(there, [job(name) for name in "abcde"], {"a": 5.0, "b": 10.0, "c": 60.0})
    assert expected == {"d": 4.0}


def test_lines_of_several_machines_are_comparable() -> None:
    there = Durations(jobs={"slow": entry(took(10.0), speed=1.0), "fast": entry(took(2.0), speed=5.0)})
    there.jobs["both"] = entry(took(4.0), speed=2.0)
    assert expected_here(there, [job(name) for name in there.jobs], {"both": 16.0}) == {"slow": 20.0, "fast": 20.0}


def test_without_a_common_job_the_speeds_of_the_machines_decide() -> None:
    speed = machine_speed()
    assert speed > 0
    there = Durations(jobs={"a": entry(took(10.0), speed=speed * 1e6), "b": entry(took(20.0), speed=speed * 1e6)})
    expected = expected_here(there, [job("a"), job("b"), job("c")], {"c": 3.0})
    assert expected["b"] == pytest.approx(2 * expected["a"])
    assert expected["a"] > 1e5


def test_parameters_scale_what_was_measured_elsewhere() -> None:
    there = Durations(jobs={"a": entry(took(14.0, epochs=10), took(6.0, epochs=2)), "known": entry(took(1.0))})
    expected = expected_here(there, [job("a", epochs=5, rate=0.1), job("known")], {"known": 2.0})
    assert expected == {"a": pytest.approx(18.0)}


@pytest.mark.parametrize(
    "bad", [entry(took(-1.0)), entry(took(0.0)), entry(took(5.0), speed=0.0), entry(took(5.0), speed=-3.0), entry()]
)
def test_a_line_without_a_sense_is_no_expectation(bad: JobDurations) -> None:
    assert expected_here(Durations(jobs={"a": bad}), [job("a")], {}) == {}
