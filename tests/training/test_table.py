"""Tests of training/cohorts/table.py: any CSV becomes a cohort, or one sentence says why not."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cohorts import Cohort, table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def write(folder: Path, text: str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def load(path: Path, target: str = "y", **choices: Any) -> Cohort:
    return table.load(path, target=target, **{"group": None, "drop": [], "positive": None, **choices})


def rows(count: int = 20, **columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(count) * 0.5, "y": [0, 1] * (count // 2), **columns})


def save(folder: Path, frame: pd.DataFrame, **how: Any) -> Path:
    frame.to_csv(folder / "data.csv", index=False, **how)
    return folder / "data.csv"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_usual_separators_and_a_byte_order_mark_are_read(separator: str, tmp_path: Path) -> None:
    path = save(tmp_path, rows(), sep=separator, encoding="utf-8-sig")
    cohort = load(path)
    assert list(cohort.features) == ["x"]
    assert cohort.classes == ("0", "1")


REFUSED = {
    "empty file": ("", "cannot be read as a CSV|0 rows"),
    "header alone": ("x,y\n", "0 rows"),
    "one column": ("y\n1\n0\n", "1 columns"),
    "ragged": ("x,y\n1,2\n1,2,3,4\n", "cannot be read as a CSV"),
    "no target": ("x,yy\n1,0\n2,1\n", r"no column 'y'; did you mean 'yy'"),
    "one class": ("x,y\n1,0\n2,0\n", "one value only, 0:"),
    "empty target": ("x,y\n1,\n2,\n", "one value only|has no row"),
    "nothing to learn from": ("x,y\n1,0\n1,1\n", "no column is left"),
    "texts": ("x,y\n" + "".join(f"{n},answer {n}\n" for n in range(40)), "40 different texts"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trained_on_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    text, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as caught:
        load(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe" * 50)
    for path, message in (
        (tmp_path / "image.csv", "not a CSV in UTF-8"),
        (tmp_path / "none.csv", "no file"),
        (tmp_path, "is a folder"),
        (write(tmp_path, "x,y\n1,\0\n"), "zero bytes"),
    ):
        with pytest.raises(ValueError, match=message):
            load(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_any_bytes_give_a_cohort_or_a_value_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(b"x,y\n" + content)
    with contextlib.suppress(ValueError):
        assert len(load(path))


def test_rows_without_a_target_are_left_out_and_counted(tmp_path: Path) -> None:
    frame = rows()
    frame["y"] = frame["y"].astype(object)
    frame.loc[[0, 3, 4], "y"] = None
    cohort = load(save(tmp_path, frame))
    assert len(cohort) == 17
    assert cohort.dropped == {"no y": 3}


def test_numbers_categories_dates_and_missing_values_are_handled(tmp_path: Path) -> None:
    frame = rows(
        sex=["f", "m"] * 10,
        seen=["2021-03-05"] * 10 + ["2022-04-06"] * 10,
        born=["05.03.1960"] * 10 + ["25.12.1970"] * 10,
        note=[f"free text {n}" for n in range(20)],
        site=["same"] * 20,
        pressure=[120, None] * 10,
        smoker=[True, False] * 10,
    )
    cohort = load(save(tmp_path, frame))
    assert list(cohort.features) == ["x", "sex", "seen", "born", "pressure", "smoker"]
    assert isinstance(cohort.features["sex"].dtype, pd.CategoricalDtype)
    assert cohort.features["seen"].iloc[0] == (pd.Timestamp("2021-03-05") - pd.Timestamp("2000-01-01")).days
    assert cohort.features["born"].iloc[-1] == (pd.Timestamp("1970-12-25") - pd.Timestamp("2000-01-01")).days
    assert cohort.features["pressure"].isna().sum() == 10
    notes = " ".join(cohort.limits)
    assert "'note' was left out: free text" in notes
    assert "'site' was left out: it has one value only" in notes
    assert "'seen' was read as dates" in notes


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([0, 1], ("0", "1")),
        ([1, 2], ("1", "2")),
        (["yes", "no"], ("no", "yes")),
        (["Benign", "Malignant"], ("Benign", "Malignant")),
        (["healthy", "ALS"], ("healthy", "ALS")),
        ([True, False], ("False", "True")),
        ([0, 1, 2], ("0", "1", "2")),
        (["a", "c", "b"], ("a", "b", "c")),
        ([9, 10, 2], ("2", "9", "10")),
        ([0.5, 0.25, 3.0, 1.5], ()),
        (list(range(30)), ()),
    ],
)
def test_kind_of_question_and_positive_class(values: list[Any], classes: tuple[str, ...], tmp_path: Path) -> None:
    count = 60
    frame = pd.DataFrame({"x": np.arange(count), "y": (values * count)[:count]})
    cohort = load(save(tmp_path, frame))
    assert cohort.classes == classes
    if classes:
        assert [classes[label] for label in cohort.target] == [str(value) for value in frame["y"]]


def test_positive_class_may_be_chosen_and_must_exist(tmp_path: Path) -> None:
    path = save(tmp_path, rows(21, y=["a", "b", "c"] * 7))
    cohort = load(path, positive="b")
    assert cohort.classes == ("a or c", "b")
    assert cohort.target.sum() == 7
    with pytest.raises(ValueError, match=r"positive='d' is no value of 'y'"):
        load(path, positive="d")


@pytest.mark.parametrize(
    "name", ["subject#", "PatientID", "patient_id", "subject", "ID", "record_id", "USUBJID", "Participant No."]
)
def test_an_id_that_repeats_is_refused_unless_it_is_the_group(name: str, tmp_path: Path) -> None:
    path = save(tmp_path, rows(40, **{name: [f"P{n // 2:02}" for n in range(40)]}))
    with pytest.raises(ValueError, match=r"looks like a person's id and repeats \(20 values in 40 rows\)") as caught:
        load(path)
    assert repr(name) in str(caught.value)
    assert f"group={name}" in str(caught.value)
    cohort = load(path, group=name)
    assert cohort.person is not None
    assert len(set(cohort.person)) == 20
    assert name not in cohort.features


@pytest.mark.parametrize("name", ["patient_age", "sex", "hospital_id", "diagnosis", "id_of_scanner", "width"])
def test_other_columns_that_repeat_are_features(name: str, tmp_path: Path) -> None:
    cohort = load(save(tmp_path, rows(40, **{name: [n // 2 for n in range(40)]})))
    assert name in cohort.features


def test_an_id_that_does_not_repeat_is_left_out(tmp_path: Path) -> None:
    cohort = load(save(tmp_path, rows(patient_id=[f"P{n:02}" for n in range(20)])))
    assert "patient_id" not in cohort.features
    assert any("'patient_id' was left out" in limit for limit in cohort.limits)


def test_recordings_numbered_after_the_person_are_grouped_by_person(tmp_path: Path) -> None:
    """The voice table of UCI names its rows phon_R01_S01_1 to phon_R01_S01_6."""
    frame = rows(60, name=[f"phon_R01_S{n // 6:02}_{n % 6 + 1}" for n in range(60)])
    path = save(tmp_path, frame)
    with pytest.raises(ValueError, match=r"column 'name' looks like a person's id and repeats \(10 stems"):
        load(path)
    cohort = load(path, group="name")
    assert cohort.person is not None
    assert len(set(cohort.person)) == 10
    assert any("its last number was taken as the recording's" in limit for limit in cohort.limits)


def test_dropping_a_repeated_id_is_allowed_but_called_a_leak_suspect(tmp_path: Path) -> None:
    path = save(tmp_path, rows(40, subject=[n // 2 for n in range(40)]))
    cohort = load(path, drop=["subject"])
    assert any(limit.startswith("LEAK SUSPECT: 'subject' was dropped") for limit in cohort.limits)


def test_equal_rows_are_mentioned(tmp_path: Path) -> None:
    frame = rows()
    frame["x"] = [1.0, 2.0] * 10
    assert any("18 rows repeat another row exactly" in limit for limit in load(save(tmp_path, frame)).limits)
