"""Tests of training/cohorts/table.py: any CSV becomes a cohort, or one sentence says why not."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cohorts import Cohort, table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def write(folder: Path, text: str, name: str = "data.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


def load(path: Path, target: str = "y", **choices: Any) -> Cohort:
    return table.load(
        path, target=target, **{"group": None, "drop": [], "known": [], "positive": None, **choices}
    ).cohort


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
    "empty file": ("", "cannot be read as a CSV: it is empty"),
    "header alone": ("x,y\n", "0 rows"),
    "one column": ("y\n1\n0\n", "1 columns"),
    "ragged": ("x,y\n1,2\n1,2,3,4\n", "cannot be read as a CSV"),
    "more values than names": ("x,y\n" + "61,53,0\n" * 20, r"data.csv .*more values than its header has names"),
    "zero bytes": ("x,y\n1,\0\n", "zero bytes"),
    "one name twice": ("x,y,x\n1,0,2\n2,1,3\n", "two columns named 'x'"),
    "one name twice and a space": ("x,y,x \n1,0,2\n2,1,3\n", "two columns named 'x'"),
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
    assert "During handling" not in "".join(traceback.format_exception(caught.value))


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe" * 50)
    for path, message in (
        (tmp_path / "image.csv", "not a CSV in UTF-8"),
        (tmp_path / "none.csv", "no file"),
        (tmp_path, "is a folder"),
        (write(tmp_path, "x,y\n1,ä\n", "latin.csv", encoding="latin-1"), "not a CSV in UTF-8"),
        (write(tmp_path, "x,y\n1,2\n", "wide.csv", encoding="utf-16"), "not a CSV in UTF-8"),
        (write(tmp_path, "PK\x03\x04", "broken.xlsx"), "Excel file"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            load(path)
        assert "During handling" not in "".join(traceback.format_exception(caught.value))


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
    assert "6 of 8 columns used; left out: 'note' (free text, 20 different values), 'site' (one value)" in notes
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
        ([*[0, 1, 2, 3] * 14, 8, 8, 7, 7], ()),
        ([*[1] * 54, *[2] * 6], ("1", "2")),
        ([*[1] * 57, *[2] * 3], ("1", "2")),
        ([*["a", "b"] * 28, *["c"] * 4], ("a", "b", "c")),
        (list(range(30)), ()),
    ],
)
def test_kind_of_question_and_positive_class(values: list[Any], classes: tuple[str, ...], tmp_path: Path) -> None:
    count = 60
    frame = pd.DataFrame({"x": np.arange(count) * 0.5, "y": (values * count)[:count]})
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
    assert "left out: 'patient_id' (an id, another in every row)" in cohort.limits[0]


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


NUMBERS: dict[str, tuple[str, list[str], list[float], str | None]] = {
    "decimal commas": (";", ["61,53", "7,1", "1.061,5"], [61.53, 7.1, 1061.5], "decimal commas"),
    "decimal commas in quotes": (",", ['"61,53"', '"7,1"', "12"], [61.53, 7.1, 12], "decimal commas"),
    "thousands in a file of points": (";", ["23,456", "1,200", "999"], [23456, 1200, 999], None),
    "thousands twice": (";", ["1,023,456", "23,456", "999"], [1023456, 23456, 999], None),
    "points for thousands": (";", ["1.200", "23.456", "0,5"], [1200, 23456, 0.5], "decimal commas"),
    "spaces and apostrophes": (",", ["23 456", "1'200", "5"], [23456, 1200, 5], None),
    "below a limit": (",", ["<0.3", "0.4", "< 0.3"], [0.15, 0.4, 0.15], r"limits \('<0.3', '< 0.3'; 40 rows\)"),
    "above a limit": (",", [">90", "71", "≥ 90"], [90, 71, 90], "above one as the limit"),
    "percent": (",", ["45 %", "7%", "12"], [45, 7, 12], "without its unit '%'"),
    "unit": (",", ["61 kg", "73.5 kg", "80"], [61, 73.5, 80], "without its unit 'kg'"),
    "words for none": (",", ["61", "?", "unbekannt"], [61, np.nan, np.nan], r"\('\?', 'unbekannt'|read as missing"),
    "-999": (",", ["61", "-999", "80"], [61, np.nan, 80], r"has -999 \(20 rows\), read as unknown"),
    "-99 and -9": (",", ["1", "-99", "-9"], [1, np.nan, np.nan], r"has -99 and -9 \(40 rows\)"),
    "999": (",", ["61", "999", "80"], [61, np.nan, 80], "has 999"),
    "1 2 9": (",", ["1", "9", "2"], [1, np.nan, 2], r"has 9 \(20 rows\), read as unknown"),
    "1 2 8 9": (",", ["1", "9", "8"], [1, 9, 8], None),
    "negative": (",", ["-9", "4", "-3"], [-9, 4, -3], None),
    "9999": (",", ["0.3", "9999", "10"], [0.3, np.nan, 10], r"has 9999 \(20 rows\), read as unknown"),
    "9999 and negative": (",", ["-1.2", "9999", "10"], [-1.2, np.nan, 10], r"has 9999 \(20 rows\)"),
    "-999 and negative": (",", ["-3.5", "-999", "2"], [-3.5, np.nan, 2], r"has -999 \(20 rows\)"),
    "-99 and 99": (",", ["-3.5", "-99", "99"], [-3.5, -99, 99], None),
    "both signs": (",", ["-3", "-99", "99", "4"], [-3, np.nan, np.nan, 4], r"has -99 and 99 \(30 rows\)"),
    "-99 beside -60": (",", ["-60", "-99", "2"], [-60, -99, 2], None),
    "large": (",", ["99", "70", "999"], [99, 70, 999], None),
    "exponent": (",", ["6e-3", "1.5E2", "\u22125"], [0.006, 150, -5], None),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_are_read_as_they_were_meant(case: str, tmp_path: Path) -> None:
    separator, texts, numbers, note = NUMBERS[case]
    other = "0.25" if "points" in case else "n"
    lines = [f"{other}{separator}{texts[row % len(texts)]}{separator}{'ab'[row % 2]}" for row in range(60)]
    cohort = load(write(tmp_path, "\n".join([f"s{separator}x{separator}y", *lines])))
    assert cohort.features["x"].tolist() == pytest.approx((numbers * 20)[:60], nan_ok=True)
    notes = [limit for limit in cohort.limits if "'x'" in limit]
    assert (note is None and notes == []) or re.search(str(note), " ".join(notes))


AMBIGUOUS = {
    "'x' has '1,456': its comma may stand before decimals or thousands": [f"{n},456" for n in range(1, 40)],
    "'x' has numbers and also 'clotted'": [*map(str, range(1, 40)), "clotted"],
    "'x' has numbers and also 'kg', 'lb'": [f"{n} {('kg', 'lb')[n % 2]}" for n in range(40)],
}


@pytest.mark.parametrize("message", AMBIGUOUS)
def test_a_column_that_may_be_read_in_two_ways_is_refused_by_name(message: str, tmp_path: Path) -> None:
    lines = [f"{text};{n % 2}" for n, text in enumerate(AMBIGUOUS[message])]
    with pytest.raises(ValueError, match=message) as caught:
        load(write(tmp_path, "\n".join(["x;y", *lines])))
    assert "drop=x" in str(caught.value)


def test_spellings_that_differ_in_case_and_spaces_are_one_category(tmp_path: Path) -> None:
    frame = rows(
        60, smoker=["YES", "Yes", "yes ", "No", "no", "No"] * 10, y=["Ill", "ill", "ILL", "well", "Well", "well"] * 10
    )
    cohort = load(save(tmp_path, frame), positive="ILL")
    assert set(cohort.features["smoker"]) == {"YES", "No"}
    assert cohort.target.tolist() == [1, 1, 1, 0, 0, 0] * 10
    assert any("'smoker' has several spellings" in limit and "'YES = Yes = yes'" in limit for limit in cohort.limits)


def test_unknown_targets_are_left_out_and_counted(tmp_path: Path) -> None:
    cohort = load(save(tmp_path, rows(60, y=[1, 2, 9] * 20)))
    assert cohort.classes == ("1", "2")
    assert cohort.dropped == {"no y": 20}


@pytest.mark.parametrize("code", [-999, 9999, -99])
def test_a_code_for_unknown_is_no_number_of_a_target(code: int, tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=60).round(3)
    frame = rows(60, y=[code if row % 10 == 0 else number for row, number in enumerate(numbers)])
    cohort = load(save(tmp_path, frame))
    assert cohort.classes == ()
    assert cohort.dropped == {"no y": 6}
    assert max(abs(cohort.target)) < 5
    assert f"Column 'y' has {code} (6 rows), read as unknown." in cohort.limits


def test_a_whole_number_that_few_people_have_makes_the_target_a_number_in_a_sentence(tmp_path: Path) -> None:
    path = save(tmp_path, rows(60, y=[*[0, 1, 2, 3] * 14, 8, 8, 7, 7]))
    assert any("number, for only 2 people have 7; write its values as words" in limit for limit in load(path).limits)
    visits = save(tmp_path, rows(60, y=[*[0] * 40, *[1, 2] * 10], doctor=[f"d{row // 5}" for row in range(60)]))
    assert load(visits).classes == ("0", "1", "2")
    assert load(visits, group="doctor").classes == ()


@pytest.mark.parametrize("count", [3, 5, 12])
def test_a_category_of_few_rows_is_no_free_text(count: int, tmp_path: Path) -> None:
    frame = pd.DataFrame({"sex": (["f", "m"] * count)[:count], "y": ([0, 1] * count)[:count]})
    assert list(load(save(tmp_path, frame)).features) == ["sex"]


def test_a_running_number_is_left_out_unless_it_is_known(tmp_path: Path) -> None:
    path = save(tmp_path, rows(40, nr=[*range(101, 141)]))
    assert "1 of 2 columns used; left out: 'nr' (a running number of the rows)" in load(path).limits
    assert "nr" in load(path, known=["nr"]).features


def test_excel_and_parquet_are_read_or_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = rows()
    for module, name, start, save_as in (
        ("openpyxl", "data.xlsx", b"PK\x03\x04", frame.to_excel),
        ("pyarrow", "data.parquet", b"PAR1", frame.to_parquet),
    ):
        path = tmp_path / name
        if importlib.util.find_spec(module):
            save_as(path, index=False)
            assert list(load(path).features) == ["x"]
        path.write_bytes(start + b"something")
        for broken in (False, True):
            if broken:
                monkeypatch.setitem(sys.modules, module, None)
            with pytest.raises(ValueError, match=rf"{name} .*save it as CSV \(UTF-8\)"):
                load(path)


def test_equal_rows_are_mentioned(tmp_path: Path) -> None:
    frame = rows()
    frame["x"] = [1.0, 2.0] * 10
    assert any("18 rows repeat another row exactly" in limit for limit in load(save(tmp_path, frame)).limits)
