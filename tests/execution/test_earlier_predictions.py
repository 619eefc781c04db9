"""What an earlier run has left is compared with, or is left alone: it never fails the job that looks at it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pytest_training.evaluation import judge, record
from pytest_training.evaluation.record import Predictions
from pytest_training.evaluation.result import file_name
from pytest_training.execution.attempt.earlier import differences


def predictions(seed: int = 0, *, people: int = 40, name: str = "", **stated: Any) -> Predictions:
    random = np.random.default_rng(seed)
    truth = np.arange(people) % 2
    fold = np.tile(np.arange(people) // 2 % 4, (2, 1))
    return record.make(truth, random.random((2, people)), **{"fold": fold, "name": name, **stated})


def leave(made: Predictions, folder: Path) -> Path:
    """Write what an attempt leaves, and return the folder."""
    record.write(made, folder)
    (folder / file_name("evaluation", made.name)).write_bytes(msgspec.json.encode(judge.evaluate(made)))
    return folder


def test_predictions_are_compared_with_those_of_their_name(tmp_path: Path) -> None:
    for name in ("", "both", "gone"):
        leave(predictions(1, name=name), tmp_path)
    own = {name: predictions(2, name=name) for name in ("", "both", "new")}
    found = differences(own, {"r1": str(tmp_path)})["r1"]
    assert {"roc_auc", "both_roc_auc"} <= found.keys()
    assert not [name for name in found if name.startswith(("new", "gone"))]
    values = [judge.evaluate(each).metrics["roc_auc"] for each in (own[""], predictions(1))]
    assert found["roc_auc"].value == pytest.approx(values[0] - values[1])


def test_the_cutoff_of_each_side_is_its_own(tmp_path: Path) -> None:
    leave(predictions(1, cutoff=0.2), tmp_path)
    own = predictions(2, cutoff=0.7)
    found = differences({"": own}, {"r1": str(tmp_path)})["r1"]
    before = judge.evaluate(predictions(1, cutoff=0.2)).metrics["sensitivity"]
    assert found["sensitivity"].value == pytest.approx(judge.evaluate(own).metrics["sensitivity"] - before)


def leave_a_pipe(folder: Path) -> None:
    (folder / "predictions.csv").unlink()
    os.mkfifo(folder / "predictions.csv")


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "predictions.csv").unlink(),
        lambda folder: (folder / "predictions.csv").write_text("truth\n\x00"),
        lambda folder: (folder / "predictions.csv").write_text("truth," + "9" * 200_000 + "\n1,2\n"),
        lambda folder: (folder / "predictions.csv").write_bytes(b"truth,score_0\n\xff\xfe"),
        lambda folder: (folder / "predictions.csv").write_text("truth,row,person\n1,2\n"),
        leave_a_pipe,
        lambda folder: (folder / "evaluation.json").unlink(),
        lambda folder: (folder / "evaluation.json").write_text("{"),
        lambda folder: leave(predictions(1, people=44), folder),
        lambda folder: leave(predictions(1, person=np.arange(40) + 7), folder),
        lambda folder: leave(predictions(1, fold=None), folder),
        lambda folder: leave(record.make(np.arange(40.0), np.arange(40.0), fold=np.arange(40) % 4), folder),
    ],
)
def test_nothing_that_an_earlier_run_left_fails_a_job(damage: Callable[[Path], object], tmp_path: Path) -> None:
    leave(predictions(1), tmp_path)
    damage(tmp_path)
    assert differences({"": predictions(2)}, {"r1": str(tmp_path), "r0": str(tmp_path / "gone")}) == {
        "r1": {},
        "r0": {},
    }
