"""Tests of train_model.py: people with several rows, leak suspects, and every kind of question."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import train_model

from pytest_training.execution.attempt.run import Run

MakeRun = Callable[..., Run]


def train(run: Run, **parameters: Any) -> dict[str, float]:
    returned = train_model.train(run, **{"epochs": 20, "folds": 3, **parameters})
    return run.predicted | returned


def save(folder: Path, frame: pd.DataFrame) -> str:
    path = folder / "table.csv"
    frame.to_csv(path, index=False)
    return str(path)


def voices(people: int = 32, recordings: int = 6) -> pd.DataFrame:
    """Return a table like UCI's Parkinson's voices: a person's recordings resemble one another, not the diagnosis."""
    random = np.random.default_rng(0)
    status = random.permutation(np.arange(people) % 4 > 0).astype(int)
    voice = np.repeat(random.normal(size=(people, 8)), recordings, axis=0)
    frame = pd.DataFrame(
        voice + 0.05 * random.normal(size=voice.shape),
        columns=["MDVP:Fo(Hz)", "MDVP:Jitter(%)", "MDVP:Shimmer", "HNR", "RPDE", "DFA", "spread1", "PPE"],
    )
    frame.insert(0, "name", [f"phon_R01_S{p:02}_{r + 1}" for p in range(people) for r in range(recordings)])
    return frame.assign(status=np.repeat(status, recordings))


def telemonitoring(people: int = 42, visits: int = 20) -> pd.DataFrame:
    """Return a table like UCI's telemonitoring: scores differ between people and hardly within them."""
    random = np.random.default_rng(0)
    voice = np.repeat(random.normal(size=(people, 6)), visits, axis=0)
    frame = pd.DataFrame(voice + 0.1 * random.normal(size=voice.shape), columns=[f"Jitter{n}" for n in range(6)])
    frame.insert(0, "subject#", np.repeat(np.arange(1, people + 1), visits))
    score = np.repeat(random.normal(29, 10, size=people), visits) + random.normal(size=len(frame))
    return frame.assign(age=np.repeat(random.integers(50, 80, size=people), visits), total_UPDRS=score)


def test_default_is_the_breast_table(make_run: MakeRun) -> None:
    metrics = train(make_run(), epochs=10)
    assert metrics["roc_auc"] > 0.95


def test_voice_table_is_refused_by_row_and_honest_by_person(make_run: MakeRun, tmp_path: Path) -> None:
    data = save(tmp_path, voices())
    with pytest.raises(ValueError, match="column 'name' looks like a person's id and repeats"):
        train(make_run(0, "refused"), data=data, target="status")
    honest = train(make_run(0, "honest"), data=data, target="status", group="name")
    leaky = train(make_run(0, "leaky"), data=data, target="status", drop="name")
    assert leaky["roc_auc"] > 0.97
    assert honest["roc_auc"] < 0.70
    assert honest["roc_auc_high"] - honest["roc_auc_low"] > 0.2, "32 people, not 192 rows"


def test_telemonitoring_table_is_refused_by_row_and_honest_by_person(make_run: MakeRun, tmp_path: Path) -> None:
    data = save(tmp_path, telemonitoring())
    with pytest.raises(ValueError, match=r"column 'subject#' looks like a person's id and repeats \(42 values"):
        train(make_run(0, "refused"), data=data, target="total_UPDRS")
    honest = train(make_run(0, "honest"), data=data, target="total_UPDRS", group="subject#")
    run = make_run(0, "leaky")
    leaky = train(run, data=data, target="total_UPDRS", drop="subject#")
    assert leaky["r2"] > 0.6
    assert honest["r2"] < 0.2
    assert "LEAK SUSPECT: 'subject#' was dropped" in " ".join(run.description.limits)


def test_predictions_name_the_person(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    train(run, data=save(tmp_path, voices()), target="status", group="name", epochs=2)
    assert run.evaluations[""].people == 32


def test_a_column_that_gives_the_answer_away_is_named(
    make_run: MakeRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"age": random.normal(60, 8, 200), "ill": [0, 1] * 100})
    frame["days_to_death"] = np.where(frame["ill"] == 1, random.integers(1, 90, 200), -1)
    run = make_run()
    with caplog.at_level(logging.WARNING):
        train(run, data=save(tmp_path, frame), target="ill", epochs=5)
    sentence = "LEAK SUSPECT: 'days_to_death' alone predicts the target almost perfectly ("
    assert sentence in caplog.text
    assert sentence in " ".join(run.description.limits)
    assert "'age' alone" not in caplog.text


def test_an_honest_table_has_no_suspect(make_run: MakeRun, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        train(make_run(), epochs=2)
    assert caplog.text == ""


@pytest.mark.parametrize("kind", ["three classes", "number"])
def test_other_questions_are_answered_and_drawn(kind: str, make_run: MakeRun, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=240)
    y = 3 * x + random.normal(size=240)
    frame = pd.DataFrame({"x": x, "sex": random.choice(["f", "m"], 240), "gap": np.where(x > 1, np.nan, x)})
    frame["y"] = y if kind == "number" else pd.cut(y, [-99, -1, 1, 99], labels=["low", "middle", "high"])
    run = make_run()
    metrics = train(run, data=save(tmp_path, frame), target="y")
    if kind == "number":
        assert metrics["r2"] > 0.7
        assert (run.folder / "measured.svg").is_file()
    else:
        assert metrics["roc_auc"] > 0.8
        assert metrics["accuracy"] > metrics["baseline_accuracy"] + 0.1


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"target": "y"}, "name it with data=FILE"),
        ({"data": "TABLE"}, r"Name it with target=COLUMN; it has \['x', 'y'\]"),
        ({"data": "TABLE", "target": "z"}, "no column 'z'"),
        ({"data": "TABLE", "target": "y", "group": "person"}, "no column 'person'"),
        ({"data": "TABLE", "target": "y", "drop": "x, w"}, "no column 'w'"),
        (
            {"data": "TABLE", "target": "y", "folds": 11},
            "11 folds need at least 11 people of the rarest",
        ),
        ({"data": "nowhere.csv", "target": "y"}, "there is no file 'nowhere.csv'"),
    ],
)
def test_mistakes_are_one_clear_sentence(
    choices: dict[str, Any], message: str, make_run: MakeRun, tmp_path: Path
) -> None:
    table = save(tmp_path, pd.DataFrame({"x": np.arange(20), "y": [0, 1] * 10}))
    choices = {name: table if value == "TABLE" else value for name, value in choices.items()}
    with pytest.raises(ValueError, match=message) as caught:
        train(make_run(), **choices)
    assert "\n" not in str(caught.value)
