"""Tests of metrics: finite numbers under short names, or one sentence that says what is wrong."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_training.errors import ResultError
from pytest_training.execution.outcome import UnfitMetricError, finite_metrics, sort_metrics
from pytest_training.wording import safe_repr

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.decimals()
    | st.fractions()
    | st.text()
    | st.binary()
    | st.builds(np.float32, st.floats(width=32))
    | st.builds(np.int64, st.integers(-(2**63), 2**63 - 1))
)
NAMES = st.text() | st.integers() | st.none()
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner) | st.builds(np.array, st.lists(st.floats())),
    max_leaves=6,
)


@settings(deadline=None)
@given(ANYTHING)
@example({"a": 10**400})
@example({"a": Fraction(10**400)})
@example({"lone surrogate \ud800": 1})
def test_whatever_a_job_returns_is_finite_numbers_or_one_sentence(returned: Any) -> None:
    try:
        metrics = finite_metrics(returned)
    except ResultError as error:
        assert str(error).isprintable()  # noqa: PT017  (what is returned may also be metrics)
        assert len(str(error)) < 400  # noqa: PT017  (as above)
    else:
        assert all(type(name) is str and math.isfinite(value) for name, value in metrics.items())
        assert msgspec.json.decode(msgspec.json.encode(metrics), type=dict[str, float]) == metrics


@pytest.mark.parametrize(
    "value", [0.5, np.float64(0.5), np.float32(0.5), np.array(0.5), np.array([0.5]), Fraction(1, 2), Decimal("0.5")]
)
def test_scalars_of_every_library_are_metrics(value: Any) -> None:
    assert finite_metrics({"r2": value}) == {"r2": 0.5}


@pytest.mark.parametrize(
    "value", [1, True, np.True_, np.array(True), np.int64(1), np.uint8(1), Decimal(1), np.array(1)]
)
def test_whole_numbers_and_truth_values_of_every_library_are_metrics(value: Any) -> None:
    metrics = finite_metrics({"converged": value})
    assert (metrics, type(metrics["converged"])) == ({"converged": 1.0}, float)


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=5).filter(str.isprintable), SCALARS, max_size=5))
def test_each_value_is_a_metric_or_is_named_whatever_the_others_are(returned: dict[str, Any]) -> None:
    metrics, refused = sort_metrics(returned)
    assert metrics.keys() | refused.keys() == returned.keys()
    assert not metrics.keys() & refused.keys()
    for name, value in returned.items():
        assert sort_metrics({name: value}).metrics == {key: metrics[key] for key in metrics.keys() & {name}}
    if refused:
        with pytest.raises(UnfitMetricError) as caught:
            finite_metrics(returned)
        assert caught.value.metrics == metrics


def test_names_of_numpy_become_plain_strings() -> None:
    (name,) = finite_metrics({np.str_("r2"): 1})
    assert type(name) is str


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (math.nan, "metric 'r2' is nan; expected a finite number"),
        (math.inf, "metric 'r2' is inf; expected a finite number"),
        (Decimal("sNaN"), "metric 'r2' is nan; expected a finite number"),
        (np.array([True, False]), "metric 'r2' is array([ True, False]) (ndarray); expected a finite number"),
        ("0.9", "metric 'r2' is '0.9' (str); expected a finite number"),
        (None, "metric 'r2' is None (NoneType); expected a finite number"),
        (1 + 2j, "metric 'r2' is (1+2j) (complex); expected a finite number"),
        (np.array([1.0, 2.0]), "metric 'r2' is array([1., 2.]) (ndarray); expected a finite number"),
    ],
)
def test_a_wrong_value_is_named_with_its_metric(value: Any, told: str) -> None:
    with pytest.raises(ResultError) as caught:
        finite_metrics({"r2": value})
    assert str(caught.value) == told


def test_anything_but_a_mapping_is_named() -> None:
    with pytest.raises(ResultError, match=r"train returned \[0.9\] \(list\); expected a dict of metric names"):
        finite_metrics([0.9])


@pytest.mark.parametrize("name", [3, "", None, ("a", "b"), "x" * 300, "a\nb", "\ud800"])
def test_a_name_that_is_no_short_printable_string_is_refused(name: Any) -> None:
    with pytest.raises(ResultError, match="expected a short printable string"):
        finite_metrics({name: 1.0})


def test_an_object_that_cannot_show_itself_is_shown_by_its_type() -> None:
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert safe_repr(Shy()) == "<Shy>"


def test_a_value_is_shown_in_one_short_line() -> None:
    class Loud:
        def __repr__(self) -> str:
            return "one\n  two\x1b[31m"

    assert safe_repr(Loud()) == "one two\\x1b[31m"
    assert len(safe_repr("x" * 1000)) < 100
