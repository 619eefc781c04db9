"""Tests of evaluation/leaks.py: what gives an answer away is named, and honest tables have no suspect."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from pytest_training.evaluation import leaks
from pytest_training.evaluation.result import Question

pytestmark = pytest.mark.slow


class Table(NamedTuple):
    """A table with its answer."""

    features: pd.DataFrame
    target: Any
    question: Question = "binary"
    person: Any = None


def patients(rows: int = 240, *, seed: int = 0, question: Question = "binary") -> Table:
    """Return a table in which age says something of the target, as in an honest study."""
    random = np.random.default_rng(seed)
    features = pd.DataFrame(
        {
            "age": random.normal(60, 10, rows).round(),
            "bmi": random.normal(27, 4, rows),
            "sex": random.choice(["f", "m"], rows),
            "crp": np.where(random.random(rows) < 0.2, np.nan, random.lognormal(1, 1, rows)),
        }
    )
    drive = (features["age"].to_numpy() - 60) / 12 + random.normal(size=rows)
    target = {"binary": (drive > 0.4).astype(int), "number": drive, "classes": np.digitize(drive, [-0.7, 0.7])}[
        question
    ]
    return Table(features, target, question)


def with_column(make: Callable[[np.random.Generator, Table], dict[str, Any]], **how: Any) -> Table:
    """Return the patients with further columns."""
    table = patients(**how)
    return table._replace(features=table.features.assign(**make(np.random.default_rng(1), table)))


def ordered(table: Table) -> Table:
    """Return the table with cases first, and a number for each row."""
    order = np.argsort(-table.target, kind="stable")
    features = table.features.iloc[order].reset_index(drop=True).assign(lab_number=1700 + 3 * np.arange(len(order)))
    return table._replace(features=features, target=table.target[order])


def several(people: int, rows: int, *, noise: float, columns: int = 5, seed: int = 0) -> Table:
    """Return several rows of each person, and a coin toss for each person."""
    random = np.random.default_rng(seed)
    features = np.repeat(random.normal(size=(people, columns)), rows, axis=0)
    table = pd.DataFrame(features + noise * random.normal(size=features.shape)).rename(columns="m{}".format)
    return Table(table, np.repeat(random.integers(0, 2, people), rows))


def yes_and_no() -> Table:
    """Return each of 100 people five times, with yes and no alone."""
    table = several(100, 5, noise=0, columns=8)
    return table._replace(features=(table.features > 0).astype(int))


def with_id(name: str, make: Callable[[int], Any]) -> Table:
    """Return 100 people with three rows each that do not resemble each other, and an id."""
    table = several(300, 1, noise=0)
    numbers = np.random.default_rng(2).permutation(100)
    ids = np.repeat([make(int(number)) for number in numbers], 3)
    return Table(table.features.assign(**{name: ids}), np.repeat(table.target[:100], 3))


LEAKS: dict[str, tuple[Callable[[], Table], str, str]] = {
    "cases came first": (lambda: ordered(patients()), "column", "lab_number"),
    "date of death": (
        lambda: with_column(lambda r, t: {"x": np.where(t.target, r.integers(9, 99, 240), np.nan)}),
        "gaps",
        "x",
    ),
    "time to event": (
        lambda: with_column(
            lambda r, t: {"time_to_event": np.where(t.target, r.exponential(300, 240), r.uniform(200, 999, 240))}
        ),
        "column",
        "time_to_event",
    ),
    "follow-up until the event": (
        lambda: with_column(lambda r, t: {"days": np.where(t.target, r.integers(1, 364, 240), 365)}),
        "column",
        "days",
    ),
    "target twice": (lambda: with_column(lambda _, t: {"again": t.target}), "column", "again"),
    "target twice in words": (
        lambda: with_column(lambda _, t: {"again": np.where(t.target, "ill", "well")}),
        "column",
        "again",
    ),
    "class twice": (lambda: with_column(lambda _, t: {"again": t.target * 2}, question="classes"), "column", "again"),
    "number twice": (lambda: with_column(lambda _, t: {"again": 3 - t.target}, question="number"), "column", "again"),
    "target × 850 and noise": (
        lambda: with_column(
            lambda r, t: {"cost": 850 * t.target + r.normal(0, 850 * t.target.std() / 3, 240)}, question="number"
        ),
        "column",
        "cost",
    ),
    "known later": (lambda: with_column(lambda r, t: {"dose": 2.4 * t.target + r.normal(size=240)}), "column", "dose"),
    "ordered for cases only": (
        lambda: with_column(lambda r, t: {"lab": np.where(r.random(240) < 0.1 + 0.8 * t.target, 1.5, np.nan)}),
        "gaps",
        "lab",
    ),
    "drug of cases": (
        lambda: with_column(lambda r, t: {"drug": np.where((t.target == 1) & (r.random(240) < 0.6), "yes", "no")}),
        "column",
        "drug",
    ),
    "ward of cases": (
        lambda: with_column(
            lambda r, t: {"ward": np.where(t.target * (r.random(240) < 0.4), 7, r.integers(1, 6, 240))}
        ),
        "column",
        "ward",
    ),
    "a bit and its sum": (
        lambda: with_column(lambda r, t: {"a": (bit := r.integers(0, 2, 240)), "b": bit ^ t.target}),
        "pair",
        "a b",
    ),
    "length of stay": (
        lambda: with_column(
            lambda r, t: {
                "come": (day := r.integers(0, 900, 240)),
                "gone": day + 4 + 20 * t.target + r.integers(9, size=240),
            }
        ),
        "pair",
        "come gone",
    ),
    "quotient": (
        lambda: with_column(
            lambda r, t: {"w": (w := r.lognormal(0, 1, 240)), "z": w * (t.target + 5)}, question="number"
        ),
        "pair",
        "w z",
    ),
    "each row five times": (lambda: several(100, 5, noise=0), "same-rows", ""),
    "each coarse row five times": (
        lambda: (t := several(100, 5, noise=0))._replace(features=t.features.round()),
        "same-rows",
        "",
    ),
    "two columns five times": (lambda: several(100, 5, noise=0, columns=2), "same-rows", ""),
    "each yes and no five times": (yes_and_no, "same-rows", ""),
    "visits": (lambda: several(60, 8, noise=0.05), "same-rows", ""),
    "visits of changing people": (lambda: several(60, 8, noise=0.2, columns=12), "same-rows", ""),
    "visits under wrong ids": (
        lambda: several(60, 8, noise=0.05)._replace(person=np.arange(480) // 2),
        "same-rows",
        "",
    ),
    "NHS_nr": (lambda: with_id("NHS_nr", lambda number: 4_000_000 + 7919 * number), "id", "NHS_nr"),
    "Fallnummer": (lambda: with_id("Fallnummer", lambda number: f"F{number:04}/19"), "id", "Fallnummer"),
    "initials": (
        lambda: with_id("wer", lambda number: f"{'abcdefghij'[number // 10]}{'klmnopqrst'[number % 10]}"),
        "id",
        "wer",
    ),
}


@pytest.mark.parametrize("case", LEAKS)
def test_what_gives_the_answer_away_is_named(case: str) -> None:
    make, code, columns = LEAKS[case]
    table = make()
    suspects = leaks.suspects(table.features, table.target, question=table.question, person=table.person)
    assert [(suspect.code, " ".join(sorted(suspect.columns))) for suspect in suspects] == [(code, columns)]
    for name in suspects[0].columns:
        assert repr(name) in suspects[0].sentence


@pytest.mark.parametrize("case", ["known later", "ordered for cases only", "a bit and its sum", "NHS_nr", "visits"])
def test_what_is_known_is_no_suspect(case: str) -> None:
    make, code, columns = LEAKS[case]
    table = make()
    for known in columns.split() or [code]:
        assert leaks.suspects(table.features, table.target, question=table.question, known=[known]) == []


@pytest.mark.parametrize(
    ("people", "copies", "question"), [(300, 150, "binary"), (300, 60, "binary"), (300, 40, "number")]
)
def test_copies_of_rows_are_named_as_rows_whatever_their_columns_look_like(
    people: int, copies: int, question: Question
) -> None:
    table = patients(people, question=question)
    crp = table.features["bmi"].round(2)
    features = table.features[["age", "sex"]].assign(crp=crp)
    rows = np.concatenate([np.arange(people), np.random.default_rng(1).permutation(people)[:copies]])
    for known in ([], ["crp", "age", "sex"]):
        suspects = leaks.suspects(features.iloc[rows], table.target[rows], question=question, known=known)
        assert [suspect.code for suspect in suspects] == ["same-rows"]
        assert re.search(rf"\d+ of {people + copies:,} rows repeat another row exactly", suspects[0].sentence)
    assert leaks.suspects(features, table.target, question=question) == []


def rounded(seed: int) -> Table:
    """Return measurements that repeat, and a city with its altitude: none of them is an id."""
    table, random = patients(400, seed=seed), np.random.default_rng(seed)
    city = random.integers(40, size=400)
    altitude = random.integers(0, 900, 40)[city]
    return table._replace(
        features=table.features.assign(
            city=[f"city {n}" for n in city], altitude=altitude, bmi=table.features["bmi"].round()
        )
    )


def few_known(seed: int) -> Table:
    """Return a column with four values among 400 rows."""
    table = patients(400, seed=seed)
    return table._replace(features=table.features.assign(rare=[1.0, 2.0, 3.0, 4.0, *[np.nan] * 396]))


def visits_with_person(seed: int) -> Table:
    """Return visits whose person is stated."""
    return several(60, 8, noise=0.05, seed=seed)._replace(person=np.repeat(np.arange(60), 8))


def changing_outcome(seed: int) -> Table:
    """Return visits with an outcome of their own each: nothing of a person tells it."""
    return several(60, 8, noise=0.05)._replace(target=np.random.default_rng(seed).integers(0, 2, 480))


def many_columns(seed: int) -> Table:
    """Return far more columns than rows."""
    random = np.random.default_rng(seed)
    return Table(pd.DataFrame(random.normal(size=(60, 200))).rename(columns=str), random.integers(0, 2, 60))


def strong(seed: int) -> Table:
    """Return a grade of five steps that tells much: most of the highest are cases."""
    random = np.random.default_rng(seed)
    grade = random.integers(1, 6, 600)
    target = (random.random(600) < 1 / (1 + np.exp(-1.2 * (grade - 3.5)))).astype(int)
    return Table(pd.DataFrame({"grade": grade, "age": random.normal(60, 9, 600)}), target)


def coarse(seed: int) -> Table:
    """Return few categories, so that many people have equal rows."""
    random = np.random.default_rng(seed)
    values = random.integers(0, 3, (400, 5))
    return Table(
        pd.DataFrame(values).rename(columns="c{}".format),
        (values.sum(axis=1) + random.normal(size=400) > 5).astype(int),
    )


HONEST: dict[str, Callable[[int], Table]] = {
    "binary": lambda seed: patients(seed=seed),
    "number": lambda seed: patients(seed=seed, question="number"),
    "classes": lambda seed: patients(seed=seed, question="classes"),
    "few people": lambda seed: patients(30, seed=seed),
    "rounded": rounded,
    "few known": few_known,
    "person stated": visits_with_person,
    "changing outcome": changing_outcome,
    "many columns": many_columns,
    "coarse": coarse,
    "strong": strong,
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("case", HONEST)
def test_an_honest_table_has_no_suspect(case: str, seed: int) -> None:
    table = HONEST[case](seed)
    assert leaks.suspects(table.features, table.target, question=table.question, person=table.person) == []


def test_a_target_of_one_value_or_a_table_of_one_row_has_no_suspect() -> None:
    table = patients(12)
    assert leaks.suspects(table.features, np.ones(12), question="binary") == []
    assert leaks.suspects(table.features[:1], [1], question="binary") == []
    assert leaks.suspects(table.features[[]], table.target, question="binary") == []


def test_rows_of_one_person_have_one_code() -> None:
    for table, rows in ((several(40, 5, noise=0), 5), (several(40, 5, noise=0.05, columns=8), 5)):
        codes = leaks.same_people(table.features)
        assert codes is not None
        assert len(set(zip(codes, np.arange(40 * rows) // rows, strict=True))) == len(set(codes)) == 40
    for honest in (patients(), coarse(0), rounded(0)):
        assert leaks.same_people(honest.features) is None


def test_a_target_in_another_order_than_the_table_is_refused() -> None:
    features, target, *_ = patients()
    with pytest.raises(ValueError, match="features and target have the same index in another order"):
        leaks.suspects(features, pd.Series(target)[::-1], question="binary")
