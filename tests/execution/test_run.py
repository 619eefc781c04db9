"""Tests of execution/run.py: what a job can ask and tell."""

from __future__ import annotations

import gc
import json
import math
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_training.errors import DataError
from pytest_training.execution.attempt.run import Run
from pytest_training.execution.outcome import DataUsed
from pytest_training.jobs.model import Dataset


def logged(tmp_path: Path, **values: Any) -> dict[str, Any]:
    """Return what a reader finds of `run.log(**values)`."""
    run = Run(folder=tmp_path, events=tmp_path / "events.jsonl")
    run.log(**values)
    run.close()
    (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    event = json.loads(line)
    assert event["t"] >= 0
    found: dict[str, Any] = event["log"]
    return found


def test_events_are_one_json_object_a_line_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    run = Run(folder=tmp_path, events=tmp_path / "events.jsonl")
    run.log(fold=0, loss=0.5, stage="warm-up\n")
    run.progress(1, 10)
    run.close()
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [sorted(event) for event in events] == [["log", "t"], ["progress", "t"]]
    assert events[0]["log"] == {"fold": 0, "loss": 0.5, "stage": "warm-up\n"}
    assert events[1]["progress"] == [1, 10]


@pytest.mark.parametrize("value", [math.nan, -math.inf, np.float32("nan"), np.array([np.inf]), Fraction(10) ** 400])
def test_the_first_number_that_is_not_finite_is_remarked(tmp_path: Path, value: Any) -> None:
    run = Run(folder=tmp_path, events=tmp_path / "events.jsonl")
    for epoch in range(5):
        run.log(fold=1, epoch=epoch, loss=value if epoch > 2 else 0.5, text=":null")
    run.close()
    assert run.remarks == ("loss is not finite at fold 1, epoch 3",)


def test_finite_numbers_need_no_remark(tmp_path: Path) -> None:
    run = Run(folder=tmp_path, events=tmp_path / "events.jsonl")
    run.log(loss=0.5, text='":null')
    run.close()
    assert run.remarks == ()


def test_numbers_of_every_library_become_plain_ones(tmp_path: Path) -> None:
    values = {"a": np.float32(0.5), "b": np.int64(3), "c": np.array([2.0]), "d": Fraction(1, 4), "e": True}
    assert logged(tmp_path, **values) == {"a": 0.5, "b": 3, "c": 2.0, "d": 0.25, "e": True}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), Fraction(10**400)])
def test_a_number_that_is_not_finite_becomes_null(tmp_path: Path, value: Any) -> None:
    assert logged(tmp_path, loss=value) == {"loss": None}


@pytest.mark.parametrize("text", ["\ud800", np.str_("warm-up"), 2**70])
def test_whatever_text_or_whole_number_is_logged_the_line_is_json(tmp_path: Path, text: Any) -> None:
    assert set(logged(tmp_path, value=text)) == {"value"}


def test_what_is_no_number_and_no_text_is_named(tmp_path: Path) -> None:
    run = Run(folder=tmp_path, events=tmp_path / "events.jsonl")
    with pytest.raises(TypeError, match=r"run\.log\(loss=…\): expected a number or a string, found ndarray"):
        run.log(loss=np.arange(3))  # type: ignore[arg-type]  # what the test is about
    with pytest.raises(TypeError, match="found NoneType"):
        run.log(loss=None)  # type: ignore[arg-type]  # what the test is about
    run.close()
    assert (tmp_path / "events.jsonl").read_text() == ""


def test_logging_without_a_place_or_after_the_end_does_nothing(tmp_path: Path) -> None:
    run = Run(folder=tmp_path)
    run.log(loss=1.0)
    run.progress(1, 2)
    run.close()
    run.close()
    assert not list(tmp_path.iterdir())


def test_data_that_is_not_declared_says_where_to_declare_it(tmp_path: Path) -> None:
    run = Run(folder=tmp_path, datasets={"csf": Dataset(name="csf", real=True)})
    with pytest.raises(DataError, match=r"'visits' is not declared for this job \(declared: csf\).*jobs\.yaml"):
        run.data("visits")
    assert run.used == ()


def test_data_is_recorded_once_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "visits.csv").write_bytes(b"age\n61\n")
    declared = Dataset(name="visits", real=False, path="visits.csv", home=str(tmp_path))
    run = Run(folder=tmp_path, datasets={"visits": declared})
    assert run.used == ()
    assert run.data("visits") == run.data("visits") == tmp_path / "visits.csv"
    used: DataUsed = next(iter(run.used))
    assert (used.name, used.real, len(used.sha256 or "")) == ("visits", False, 64)


def test_save_returns_the_path_below_the_jobs_folder(tmp_path: Path) -> None:
    assert Run(folder=tmp_path).save("scores.json", {"auc": 1}) == tmp_path / "scores.json"


def test_a_run_without_a_file_of_events_leaves_no_file_open(tmp_path: Path) -> None:
    """So that tests of a job may make a `Run` where warnings are errors."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Run(folder=tmp_path).log(loss=0.5)
        gc.collect()
    assert [str(each.message) for each in caught] == []
