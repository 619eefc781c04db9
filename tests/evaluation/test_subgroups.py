"""Subgroups: everybody is in one group of each column, and a gate can name each number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from records import binary, classes, numbers

from pytest_training.evaluation import record
from pytest_training.evaluation.judge import evaluate
from pytest_training.evaluation.metrics import observed_expected, roc_auc
from pytest_training.jobs.gates import parse_gates

RANDOM = np.random.default_rng(0)
COLUMNS: dict[str, tuple[Any, list[str]]] = {
    "texts": (np.where(np.arange(90) % 3 == 0, "male", "female"), ["female", "male"]),
    "numbers that are few": (np.arange(90) % 3, ["0", "1", "2"]),
    "numbers that are many": (np.arange(90) + 18.5, ["up to 48.17", "48.17 to 77.83", "over 77.83"]),
    "truth values": (np.arange(90) % 2 == 0, ["False", "True"]),
    "texts that are many": ([f"site {number % 30:02}" for number in range(90)], ["other"]),
    "texts whose words are equal": (np.where(np.arange(90) % 3 == 0, "a b", "a_b"), ["a b", "a_b"]),
    "minus and plus": (np.where(np.arange(90) % 3 == 0, "hr+", "hr-"), ["hr+", "hr-"]),
    "texts that need a clean name": (np.where(np.arange(90) % 3 == 0, "≥ 65 y", "< 65 y"), ["< 65 y", "≥ 65 y"]),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_everybody_is_in_one_group_of_a_column(case: str) -> None:
    values, names = COLUMNS[case]
    made = evaluate(binary(90, repeats=2, subgroup={"column": values}))
    found = [each.value for each in made.subgroups]
    assert names[-1] in found
    assert len(found) == len(names) or case == "texts that are many"
    assert len(found) <= 8
    assert sum(each.rows for each in made.subgroups) == made.rows
    assert sum(each.people for each in made.subgroups) == made.people
    assert sum(each.events or 0 for each in made.subgroups) == made.events
    numbers_of_groups = [name for name in made.metrics if "_column_" in name]
    assert len(numbers_of_groups) == sum(2 + len(each.metrics) for each in made.subgroups)  # none took another's place
    for name in numbers_of_groups:
        assert parse_gates(name, ">= 0", "jobs.yaml")


def test_a_groups_numbers_are_the_metrics_of_its_rows() -> None:
    sex = np.where(np.arange(120) % 2 == 0, "female", "male")
    record = binary(120, subgroup={"sex": sex})
    metrics = evaluate(record).metrics
    for value in ("female", "male"):
        own = record.take(np.flatnonzero(record.subgroup["sex"] == value))
        for name, measure in (("roc_auc", roc_auc), ("observed_expected", observed_expected)):
            each = [measure(own.truth[lines], own.score[lines], own.fold[lines]).value for lines in own.repeats]
            assert metrics[f"{name}_sex_{value}"] == pytest.approx(np.mean(each))
            assert metrics[f"{name}_sex_{value}_low"] < metrics[f"{name}_sex_{value}"]
        assert metrics[f"people_sex_{value}"] == 60


def test_a_small_group_and_a_group_without_events_have_counts_alone() -> None:
    record = binary(90)
    rare = np.where(record.truth[:90] == 1, "none", "some")
    few = np.where(np.arange(90) < 5, "few", "rest")
    groups = {each.value: each for each in evaluate(binary(90, subgroup={"events": rare, "size": few})).subgroups}
    assert groups["few"].metrics == {}
    assert "roc_auc" not in groups["some"].metrics
    assert groups["some"].events == 0
    assert "observed_expected" in groups["some"].metrics


def test_classes_and_numbers_have_their_own_metrics() -> None:
    sex = np.where(np.arange(60) % 2 == 0, "f", "m")
    assert {"roc_auc_sex_f", "accuracy_sex_m_high"} <= set(evaluate(classes(subgroup={"sex": sex})).metrics)
    assert {"r2_sex_f", "mae_sex_m_high", "people_sex_m"} <= set(evaluate(numbers(subgroup={"sex": sex})).metrics)


def test_of_few_events_the_interval_of_observed_to_expected_stays_above_zero_and_holds_one() -> None:
    truth = np.zeros(300, int)
    truth[:4] = 1
    made = evaluate(record.make(truth, np.full(300, 4 / 300)))
    low, high = (made.metrics[f"observed_expected_{side}"] for side in ("low", "high"))
    assert made.metrics["observed_expected"] == pytest.approx(1)
    assert 0 < low < 1 < high
    assert low * high == pytest.approx(1)
