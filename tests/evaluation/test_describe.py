"""What `run.describe` keeps of a table: summaries in words, never rows; and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from pytest_training.evaluation.description import MOST_PREDICTORS, Description
from pytest_training.execution.attempt.run import Run

AGES = [40.0, 50.0, 60.0, np.nan]
TABLE = pd.DataFrame({"age": AGES, "sex": ["m", "f", "m", "m"], "smokes": [0, 1, 1, 1], "tau": [np.nan] * 4})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(folder=tmp_path, beside=(tmp_path, None))


def written(run: Run) -> Description:
    content = (run.folder / "description.json").read_bytes()
    assert msgspec.json.decode(content, type=Description) == run.description
    return run.description


def test_a_table_is_summarised_overall_and_by_class(run: Run) -> None:
    run.describe(TABLE, ["well", "ill", "ill", "well"], classes=("well", "ill"), units={"age": "years"})
    description = written(run)
    assert (description.rows, description.people, description.columns) == (4, 4, 4)
    assert (description.classes, description.counts) == (("well", "ill"), (2, 2))
    age, sex, smokes, tau = description.predictors
    assert (age.unit, age.missing, age.overall, age.by_class) == (
        "years",
        1,
        "50 (45 to 55)",
        ("40 (40 to 40)", "55 (52.5 to 57.5)"),
    )
    assert (sex.overall, sex.by_class) == ("m 75%, f 25%", ("m 100%, f 0%", "m 50%, f 50%"))
    assert (smokes.overall, smokes.by_class) == ("75% are 1", ("50% are 1", "100% are 1"))
    assert (tau.missing, tau.overall) == (4, "no value")


@pytest.mark.parametrize(
    ("target", "classes", "expected"),
    [
        ([0, 1, 1, 0], ("well", "ill"), (("well", "ill"), (2, 2))),
        ([0.0, 1.0, 1.0, 1.0], (), (("0", "1"), (1, 3))),
        (np.array([2, 0, 1, 2]), ("low", "middle", "high"), (("low", "middle", "high"), (1, 1, 2))),
        (pd.Series(["b", "a", "b", "b"], dtype="category"), (), (("a", "b"), (1, 3))),
        ([True, False, True, True], (), (("False", "True"), (1, 3))),
        ([1, None, 0, 1], ("well", "ill"), (("well", "ill"), (1, 2))),
        (["b", None, "a", "b"], (), (("a", "b"), (1, 2))),
        ([1.5, 2.5, 3.5, np.nan], (), ((), ())),
    ],
)
def test_every_kind_of_outcome_is_counted(run: Run, target: Any, classes: tuple[str, ...], expected: Any) -> None:
    run.describe(TABLE, target, classes=classes)
    assert (written(run).classes, run.description.counts) == expected
    assert bool(run.description.outcome) == (not expected[0])


def test_each_call_adds_to_what_is_stated(run: Run) -> None:
    run.describe(who="Patients of one clinic.", limits=["Small."], left_out={"no age": 3})
    run.describe(np.zeros((4, 2)), person=[1, 1, 2, 2], relies_on={"age": 0.02, "sex": 0.25, "x": np.nan})
    run.describe(
        model=make_pipeline(make_pipeline(StandardScaler(), MinMaxScaler()), LogisticRegression(C=2)),
        method="\n    Data: mine.\n    More.\n",
    )
    description = written(run)
    assert (description.who, description.limits, description.left_out) == (
        "Patients of one clinic.",
        ("Small.",),
        {"no age": 3},
    )
    assert (description.rows, description.people) == (4, 2)
    assert list(description.relies_on.items()) == [("sex", 0.25), ("age", 0.02)]
    assert (description.preparation, description.model) == (
        ("StandardScaler()", "MinMaxScaler()"),
        "LogisticRegression(C=2)",
    )
    assert description.method == "Data: mine.\nMore."


def test_values_that_few_rows_have_are_counted_not_named(run: Run) -> None:
    names = [f"Person {number}" for number in range(20)]
    run.describe({"name": names, "town": ["Bonn"] * 8 + ["Kiel"] * 4 + names[:8]}, [0, 1] * 10)
    name, town = run.description.predictors
    assert (name.overall, name.by_class) == ("20 others", ("10 others", "10 others"))
    assert (town.overall, town.by_class[0]) == ("Bonn 40%, 9 others", "Bonn 40%, 5 others")


DAYS = pd.date_range("2020-01-30", periods=20)


@pytest.mark.parametrize(
    "dates",
    [
        DAYS,
        DAYS.tz_localize("Europe/Berlin"),
        [each.date() for each in DAYS],
        [f"{each:%Y-%m-%d}" for each in DAYS],
        [f"{each:%Y-%m-%dT%H:%M}" for each in DAYS],
        pd.period_range("2020-01-30", periods=20),
    ],
)
def test_dates_are_a_range_of_months(run: Run, dates: Any) -> None:
    run.describe(pd.DataFrame({"day": dates}), [0, 1, 1, 1] + [1] * 16)
    assert run.description.predictors[0].overall == "2020-01 to 2020-02"
    assert run.description.predictors[0].by_class == ("2020-01 to 2020-01", "2020-01 to 2020-02")


def test_missing_dates_are_left_out_and_texts_are_no_dates(run: Run) -> None:
    run.describe(pd.DataFrame({"day": [*DAYS[:2], pd.NaT], "none": [pd.NaT] * 3, "text": ["2020-01-30", "late", "x"]}))
    assert [each.overall for each in run.description.predictors[:2]] == ["2020-01 to 2020-01", "no value"]
    assert "late 33%" in run.description.predictors[2].overall


def test_of_very_many_columns_a_part_is_described(run: Run) -> None:
    run.describe(np.zeros((3, MOST_PREDICTORS + 5)))
    assert (run.description.columns, len(run.description.predictors)) == (MOST_PREDICTORS + 5, MOST_PREDICTORS)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"features": TABLE, "target": [0, 1]}, "same number of rows, found features 4, target 2"),
        ({"features": TABLE, "person": [1]}, "same number of rows, found features 4, person 1"),
        ({"features": TABLE, "units": {"agee": "years"}}, "units has 'agee', which is no column: did you mean 'age'"),
        ({"features": TABLE, "known": ["agee"]}, "known has 'agee', which is no column: did you mean 'age'"),
        (
            {"target": ["well", "dead"], "classes": ("well", "ill")},
            "target has 'dead', expected one of well, ill",
        ),
        ({"features": np.zeros((2, 2, 2))}, "expected a table of predictors; "),
        ({"features": pd.DataFrame()}, "expected rows to describe, found 0 rows and 0 columns"),
        ({"features": pd.DataFrame({"a": []})}, "expected rows to describe, found 0 rows and 1 columns"),
        ({"features": pd.DataFrame(index=[0, 1])}, "expected rows to describe, found 2 rows and 0 columns"),
        ({"features": np.zeros((0, 3)), "target": []}, "expected rows to describe, found 0 rows and 3 columns"),
        ({"target": []}, "expected rows to describe, found 0 rows"),
        ({"limits": "Small."}, "limits"),
        ({"who": 3}, "who"),
    ],
)
def test_what_does_not_fit_is_refused_and_keeps_what_was_stated(run: Run, stated: Any, message: str) -> None:
    run.describe(who="Patients.")
    with pytest.raises(ValueError, match=message):
        run.describe(**stated)
    assert written(run) == Description(who="Patients.")


@settings(max_examples=40)
@given(
    st.lists(
        st.one_of(st.none(), st.floats(allow_infinity=False), st.text(max_size=8), st.booleans(), st.integers()),
        min_size=1,
    )
)
def test_any_column_has_words_and_its_missing_values(column: list[Any]) -> None:
    run = Run(folder=Path("unused"))
    run.describe(pd.DataFrame({"x": pd.Series(column, dtype=object)}))
    (predictor,) = run.description.predictors
    assert predictor.missing == sum(value is None or value != value for value in column)  # noqa: PLR0124  (NaN differs from itself)
    assert predictor.overall
    assert "\n" not in predictor.overall


PEOPLE, OTHERS, ILL = [1, 1, 2, 2, 3, 3], [1, 1, 1, 2, 2, 2], [0, 0, 1, 1, 0, 1]
SAYS: dict[str, Callable[[Run], object]] = {
    "the target": lambda run: run.target(ILL, PEOPLE),
    "the predictions": lambda run: run.predictions(ILL, [0.1, 0.2, 0.9, 0.8, 0.3, 0.7], person=PEOPLE),
    "the predictions of repeats": lambda run: run.predictions(ILL, np.full((2, 6), 0.5), person=PEOPLE),
    "texts": lambda run: run.target(np.array(ILL), np.array(list("aabbcc"))),
    "an earlier description": lambda run: run.describe(np.zeros((6, 2)), person=PEOPLE),
}


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("call", SAYS)
def test_the_people_of_a_table_are_those_that_any_call_states(run: Run, call: str, *, is_before: bool) -> None:
    calls: list[Callable[[Run], object]] = [SAYS[call], lambda run: run.describe(np.zeros((6, 2)), ILL)]
    for each in calls if is_before else calls[::-1]:
        each(run)
    description = written(run)
    assert (description.rows, description.people) == (6, 3)
    for evaluation in run.evaluations.values():
        assert (evaluation.rows, evaluation.people) == (description.rows, description.people)


def test_people_of_other_rows_or_of_the_description_itself_are_not_replaced(run: Run) -> None:
    run.target(ILL[:4], PEOPLE[:4])
    run.describe(np.zeros((6, 2)))
    assert written(run).people == 6
    run.describe(np.zeros((6, 2)), person=OTHERS)
    run.target(ILL, PEOPLE)
    assert written(run).people == 2
