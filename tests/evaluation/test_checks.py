"""The checks of an audit on data: each says what is wrong, is silent about what is well, or says what it lacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegressionCV, Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pytest_training.evaluation import checks, record
from pytest_training.evaluation.examination import OF_METRICS, Examination
from pytest_training.evaluation.finding import CHECKS, Examined

RANDOM = np.random.default_rng(0)
ROWS = 200
X = pd.DataFrame(RANDOM.normal(size=(ROWS, 3)), columns=["a", "b", "c"])
Y = (X["a"] + RANDOM.normal(size=ROWS) > 0).astype(int).to_numpy()
FOLD = RANDOM.permutation(ROWS) % 5
RISK = 1 / (1 + np.exp(-X["a"].to_numpy()))
NOISE = 3 * RANDOM.normal(size=ROWS)
FIVE = np.repeat(np.arange(40), 5)


def stated(*, fold: Any = FOLD, truth: Any = Y, score: Any = RISK, row: Any = None, **others: Any) -> Examination:
    """Return what an honest job states, but for what the test changes."""
    examination = Examination(choices=others.pop("choices", {}))
    examination.declare(others.pop("declared", truth), others.get("person"))
    examination.describe(
        others.pop("features", X), others.pop("target", truth), others.get("person"), others.get("model")
    )
    if fold is not None:
        examination.records.append(record.make(truth, score, fold=fold, row=row, person=others.get("person")))
    return examination


class Case(NamedTuple):
    """What a job states, the check that it is about, and a part of what that check says."""

    code: str
    said: str
    examination: Callable[[], Examination]


def of_site_three() -> Examination:
    return stated(score=np.where(FOLD == 3, 1 - Y, Y) * 0.8 + 0.1)


def numbers() -> Examination:
    target = (X["a"] + NOISE)[:30]
    return stated(truth=target, score=target + 1, fold=FOLD[:30], features=X[:30])


CHOSEN: dict[str, Any] = {
    "number": {"C": [(1.0, [0.1, 1.0]), (10.0, [0.1, 1.0, 10.0]), (10.0, [10.0, 1.0, 0.1])]},
    "text": {"kernel": [("rbf", ["linear", 1, "rbf"])]},
    "inner": {"C": [(1.0, [0.1, 1.0, 10.0])] * 3 + [(10.0, [0.1, 1.0, 10.0])] * 2},
}
FOUND = {
    "people": Case("A01", "40 of 40 people are held out in several folds", lambda: stated(person=FIVE)),
    "people of text": Case("A01", "40 of 40 people", lambda: stated(person=[f"p{each}" for each in FIVE])),
    "copies": Case("A03", "rows of 100 different ones", lambda: stated(features=pd.concat([X[:100]] * 2))),
    "sites": Case("A12", "more apart than chance lets them (p ", of_site_three),
    "largest": Case("A13", "C is 10.0, the largest of its grid, in 2 of 3", lambda: stated(choices=CHOSEN["number"])),
    "last": Case("A13", "kernel is 'rbf', the largest of its grid", lambda: stated(choices=CHOSEN["text"])),
    "few of a class": Case(
        "A14",
        "10 people of the rarest class, expected 20 at least; a regression with 3 predictors",
        lambda: stated(truth=(X.index < 10) * 1),
    ),
    "few people": Case("A14", "30 people, expected 40 at least; a regression with 3 predictors needs", numbers),
    "dropped": Case(
        "A16",
        "50 of 200 rows have no prediction",
        lambda: stated(truth=Y[50:], score=RISK[50:], fold=FOLD[50:], row=np.arange(50, 200), declared=Y, target=Y),
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_each_fault_is_found_and_said(name: str) -> None:
    case = FOUND[name]
    found = {finding.code: finding.sentence for finding in case.examination().examine().findings}
    assert case.said in found[case.code]
    assert found.keys() <= {case.code, "A02", "A03"}, found


LACKING: dict[str, tuple[Callable[[], Examination], str]] = {
    "A01": (lambda: stated(fold=None), "train calls no run.predictions"),
    "A12": (lambda: stated(fold=np.zeros(ROWS)), "the predictions are of one fold; run.predictions(…, fold=…) says"),
    "A03": (lambda: stated(features=None), "train states no table: run.describe(features, target)"),
    "A02": (lambda: stated(features=X[:150]), "the table has 150 rows and the target 200"),
    "A04": (lambda: stated(features=np.zeros((4, 3, 3))), "the check failed: ValueError: Must pass 2-d input"),
    "A05": (
        lambda: stated(features=X[::-1], declared=pd.Series(Y), target=None),
        "features and target have the same index in another order; expected one order",
    ),
    "A13": (stated, "train states no choice: run.choice(name, chosen, among=grid)"),
    "A14": (
        lambda: Examination(choices=CHOSEN["text"]),
        "train states no target: run.target(y) or run.describe(features, y)",
    ),
}


@pytest.mark.parametrize("code", LACKING)
def test_what_a_check_lacks_is_said_with_the_call_that_states_it(code: str) -> None:
    make, said = LACKING[code]
    examined = make().examine()
    assert said in examined.unchecked[code]
    assert code not in [finding.code for finding in examined.findings]


@pytest.mark.parametrize("rows", [30, ROWS])
@pytest.mark.parametrize("kind", ["number", "one column", "two columns", "few values"])
def test_people_of_the_rarest_class_are_counted_of_classes_alone(kind: str, rows: int) -> None:
    declared: Any = {
        "number": X["a"][:rows],
        "one column": X[["a"]][:rows].to_numpy(),
        "two columns": X[["a", "b"]][:rows],
        "few values": np.r_[0, 0, np.ones(rows - 2)],
    }[kind]
    made = stated(truth=Y[:rows], score=RISK[:rows], fold=FOLD[:rows], declared=declared, target=declared).examine()
    said = {finding.code: finding.sentence for finding in made.findings} | dict(made.unchecked)
    found = said.get("A14", "")
    assert found.startswith(
        {
            "two columns": "the target has 2 columns; the checks are of one",
            "few values": "2 people of the rarest class, expected 20 at least",
        }.get(kind, "30 people, expected 40 at least" if rows == 30 else "")
    )
    assert bool(found) == (rows == 30 or kind in {"two columns", "few values"})


def test_an_honest_job_has_no_findings_and_the_least_number_of_people() -> None:
    examined = stated(choices=CHOSEN["inner"]).examine()
    assert (examined.findings, examined.unchecked) == ((), {})
    assert "with 3 predictors needs" in examined.facts[0]
    assert {*checks.CHECKS_OF_DATA, *OF_METRICS} == set(CHECKS)


def test_people_of_the_target_count_for_the_table_too() -> None:
    examination = Examination()
    examination.declare(Y, FIVE)
    examination.describe(X, Y, None, None)
    made = examination.examine([record.make(Y, RISK, fold=FOLD)])
    assert "A01" in [finding.code for finding in made.findings]


def test_people_of_the_predictions_count_for_the_least_number_too() -> None:
    examination = Examination()
    examination.describe(X, Y, None, None)
    made = examination.examine([record.make(Y, RISK, fold=FIVE % 5, person=FIVE)])
    assert made.facts[0].endswith("; here are 40")


ORDER = np.argsort(-Y, kind="stable")
GAP = np.where(RANDOM.random(ROWS) < np.where(Y == 1, 0.95, 0.05), 1 + RANDOM.random(ROWS), np.nan)
BEFORE = 100 * RANDOM.random(ROWS)
AFTER = BEFORE + np.where(Y == 1, 1, -1) * (0.5 + RANDOM.random(ROWS))
SUSPECTS = {  # by the check that suspects it; `pair` is a code of a suspect too
    "A04": {"charge": (850 * Y + 30 * NOISE)[ORDER]},
    "A05": {"pair": BEFORE[ORDER], "later": AFTER[ORDER]},
    "A06": {"gaps": GAP[ORDER]},
    "A07": {"number": np.arange(ROWS)},
}


def suspected(*known: str) -> Examined:
    columns = {name: values for each in SUSPECTS.values() for name, values in each.items()}
    examination = stated(features=X[["b", "c"]].assign(**columns), truth=Y[ORDER])
    examination.known += known
    return examination.examine()


def test_columns_that_the_job_states_as_known_are_no_suspects_and_are_named() -> None:
    examined = suspected("charge", "pair", "later", "gaps", "number")
    assert not {finding.code for finding in examined.findings} & SUSPECTS.keys()
    assert examined.known == ("charge", "pair", "later", "gaps", "number")
    assert examined.facts[0].endswith("suspects them: 'charge', 'pair', 'later', 'gaps' and 1 more")


@pytest.mark.slow
@pytest.mark.parametrize("code", SUSPECTS)
def test_all_other_columns_stay_suspects(code: str) -> None:
    known = [name for other, columns in SUSPECTS.items() for name in columns if other != code]
    assert [each.code for each in suspected(*known).findings if each.code in SUSPECTS] == [code]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2), st.booleans()), min_size=2, max_size=40))
@settings(max_examples=50)
def test_people_are_apart_where_they_are_in_several_folds(lines: list[tuple[int, int, bool]]) -> None:
    person, fold, truth = zip(*lines, strict=True)
    folds: dict[int, set[int]] = {}
    for each, held_out in zip(person, fold, strict=True):
        folds.setdefault(each, set()).add(held_out)
    apart = sum(len(each) > 1 for each in folds.values())
    if len(set(fold)) > 1 and len(set(truth)) > 1:
        data = checks.Data(stated(truth=truth, score=[0.5] * len(truth), fold=fold, person=person, features=None))
        assert (checks.persons_apart(data) or "0 of").startswith(f"{apart} of")


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=[1e-9, 1e-8, 1e-7], cv=2)),
            "est of its grid, in 1 of 1",
        ),
        (
            GridSearchCV(Ridge(), [{"alpha": [1e7, 1e8]}, {"alpha": [1e9]}]),
            "alpha is 10000000.0, the smallest of its grid",
        ),
        (RidgeCV([1e-6, 1e6, 1e9]), "alpha is 1e-06, the smallest of its grid, in 1 of 1"),
        (RidgeCV([1e-9, 10.0, 1e9]), None),
        ("a model in words", None),
    ],
)
def test_choices_of_scikit_learns_own_are_read_from_the_described_model(model: Any, said: str | None) -> None:
    if hasattr(model, "fit"):
        model.fit(X, Y if isinstance(model, type(make_pipeline(StandardScaler()))) else X["b"] + NOISE)
    found = [finding.sentence for finding in stated(model=model).examine().findings if finding.code == "A13"]
    assert len(found) == (said is not None)
    assert (said or "") in " ".join(found)
