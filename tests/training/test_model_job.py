"""Tests of train_model.py: people with several rows, leak suspects, and every kind of question."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import train_model

from pytest_training.errors import DataError
from pytest_training.execution.attempt.run import Run

pytestmark = pytest.mark.slow

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


def test_default_is_the_breast_table_without_a_suspect(make_run: MakeRun) -> None:
    run = make_run()
    metrics = train(run, epochs=10)
    assert metrics["roc_auc"] > 0.95
    assert (metrics["leak_suspects"], run.notes) == (0, ())


def test_voice_table_is_refused_by_row_and_honest_by_person(make_run: MakeRun, tmp_path: Path) -> None:
    data = save(tmp_path, voices())
    with pytest.raises(DataError, match="column 'name' looks like a person's id and repeats"):
        train(make_run(0, "refused"), data=data, target="status")
    run = make_run(0, "honest")
    honest = train(run, data=data, target="status", group="name")
    leaky = train(make_run(0, "leaky"), data=data, target="status", drop="name", epochs=5)
    assert run.evaluations[""].people == 32
    assert honest["roc_auc"] < 0.70
    assert honest["roc_auc_high"] - honest["roc_auc_low"] > 0.2, "32 people, not 192 rows"
    assert (honest["leak_suspects"], leaky["leak_suspects"]) == (0, 2)


def test_telemonitoring_table_is_honest_by_person_and_the_bypass_is_caught_by_data(
    make_run: MakeRun, tmp_path: Path
) -> None:
    table = telemonitoring().rename(columns={"subject#": "Proband"})
    data = save(tmp_path, table)
    honest = train(make_run(0, "honest"), data=data, target="total_UPDRS", group="Proband")
    assert honest["r2"] < 0.2
    assert honest["leak_suspects"] == 0
    run = make_run(0, "leaky")
    assert train(run, data=data, target="total_UPDRS", drop="Proband", epochs=5)["leak_suspects"] >= 1
    (sentence, *_) = [note for note in run.notes if "'Proband'" in note and "leak suspect" in note]
    assert "group=Proband keeps its rows together" in sentence
    assert sentence in run.description.limits
    assert run.notes[0].startswith("7 of 8 columns used")


def repeated(people: int, rows: int, *, noise: float = 0.0, **columns: Callable[[int], Any]) -> pd.DataFrame:
    """Return several rows of each person, that resemble one another unless there is an id, and a coin toss."""
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(people), rows)
    values = random.normal(size=(people, 4))[person] if not columns else random.normal(size=(len(person), 4))
    frame = pd.DataFrame(values + noise * random.normal(size=values.shape), columns=["age", "bmi", "crp", "ldl"])
    ids = {name: [make(each) for each in person.tolist()] for name, make in columns.items()}
    return frame.assign(**ids, y=random.integers(0, 2, people)[person])


def tables() -> dict[str, tuple[pd.DataFrame, str]]:
    """Return tables that give their answer away, each with a part of the sentence that names it.

    Those of 300 people have an age that says a little of the target.
    """
    random = np.random.default_rng(0)
    people = pd.DataFrame(random.normal(size=(300, 3)), columns=["age", "bmi", "crp"])
    drive, noise = people["age"] + random.normal(size=300), pd.Series(random.normal(size=300))
    people["y"] = y = (drive > 0).astype(int)
    days = np.where(y, random.exponential(300, 300), random.uniform(200, 999, 300)).round()
    come, dates = random.integers(0, 900, 300), [f"2021-03-{1 + n % 28:02}" for n in range(300)]
    gone, ordered = come + 3 + 9 * y + random.integers(5, size=300), noise.where(random.random(300) < 0.05 + 0.85 * y)
    return {
        "each row five times": (repeated(100, 5), "400 of 500 rows repeat another row exactly"),
        "visits": (repeated(60, 8, noise=0.05), "groups of about 8"),
        "number": (
            repeated(100, 3, NHS_nr=lambda each: 4_857_000_000 + 104_729 * each % 90_000),
            "'NHS_nr' looks like",
        ),
        "text": (repeated(100, 3, Fallnummer=lambda each: f"F-{7 * each % 100:03}"), "'Fallnummer' looks like an id"),
        "mixed": (repeated(100, 3, hospital_number=lambda each: f"{31 * each % 997}X"), "'hospital_number' looks like"),
        "cases came first": (people.assign(x=2 * (-y).rank(method="first") + 1000), "'x' alone predicts"),
        "date of death": (people.assign(x=np.where(y, dates, "")), "whether 'x' is missing tells the target"),
        "time to event": (people.assign(time_to_event=days), "'time_to_event' alone predicts"),
        "target twice": (people.assign(x=np.where(y, "yes", "no")), "'x' alone predicts the target (ROC AUC 1.000"),
        "cost": (people.assign(y=drive, x=850 * drive + 300 * noise), "'x' alone predicts the target (R² 0.9"),
        "known later": (people.assign(x=2.2 * y + noise), "'x' alone predicts the target (ROC AUC 0.9"),
        "two columns": (people.assign(come=come, gone=gone), "together predict the target"),
        "ordered for cases only": (people.assign(x=ordered), "of the positive class and"),
    }


TABLES = tables()


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_gives_its_answer_away_is_named_unless_it_is_known(
    case: str, make_run: MakeRun, tmp_path: Path
) -> None:
    table, sentence = TABLES[case]
    data, run = save(tmp_path, table), make_run()

    def suspects(*known: str) -> list[str]:
        choices: dict[str, Any] = {"group": None, "positive": None, "drop": [], "known": [*known]}
        own = train_model.obtain(run, data, target="y", **choices)
        return [train_model.warning(each) for each in train_model.examine(own, own.cohort, [*known])]

    warnings = suspects()
    assert any(sentence in warning for warning in warnings)
    said = [re.findall(r"known=([^ ]+)", warning)[0].split(",") for warning in warnings]
    assert suspects(*(name for names in said for name in names)) == []


def test_a_column_with_four_values_among_400_rows_is_used(make_run: MakeRun, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"age": random.normal(60, 8, 400), "rare": [1.0, 2.5, 3.0, 4.0, *[np.nan] * 396]})
    frame["ill"] = (frame["age"] + random.normal(0, 8, 400) > 60).astype(int)
    run = make_run()
    metrics = train(run, data=save(tmp_path, frame), target="ill", epochs=10)
    assert metrics["roc_auc"] > 0.7
    assert (metrics["leak_suspects"], run.notes) == (0, ("2 of 2 columns used",))


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
        assert run.evaluations[""].classes == ("high", "low", "middle")


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"target": "y"}, "name it with data=FILE"),
        ({"data": "TABLE"}, r"Name it with target=COLUMN; it has \['x', 'y'\]"),
        ({"data": "TABLE", "target": "z"}, "no column 'z'"),
        ({"data": "TABLE", "target": "y", "group": "person"}, "no column 'person'"),
        ({"data": "TABLE", "target": "y", "drop": "x, w"}, "no column 'w'"),
        ({"data": "TABLE", "target": "y", "known": "same-rows, w"}, "no column 'w'"),
        ({"data": "TABLE", "target": "y", "folds": 11}, "11 folds need at least 11 people of the rarest"),
        ({"data": "nowhere.csv", "target": "y"}, "there is no file 'nowhere.csv'"),
    ],
)
def test_mistakes_are_one_clear_sentence(
    choices: dict[str, Any], message: str, make_run: MakeRun, tmp_path: Path
) -> None:
    table = save(tmp_path, pd.DataFrame({"x": np.arange(20) / 2, "y": [0, 1] * 10}))
    choices = {name: table if value == "TABLE" else value for name, value in choices.items()}
    with pytest.raises(DataError, match=message) as caught:
        train(make_run(), **choices)
    assert "\n" not in str(caught.value)
