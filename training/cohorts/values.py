"""Values: a column of a user's table as numbers, days or categories; what was decided about it, in sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cohorts.files import refuse

SPACES, MINUS = " '\u00a0\u202f", "\u2212"
DIGITS = rf"(?:\d{{1,3}}(?:[.,{SPACES}]\d{{3}})+|\d+)?(?:[.,]\d*)?(?:(?<=\d)[eE][-+]?\d+)?"
NUMBER = re.compile(rf"^([<>≤≥]=?)?\s*([-+{MINUS}]?{DIGITS})\s*([A-Za-zµμ°%/]\S*)?$")
NO_VALUE = {
    *("", "?", "??", ".", "-", "--", "na", "n/a", "#n/a", "n.a.", "nd", "n.d.", "none", "null", "nan", "missing"),
    *("unknown", "unk", "not done", "not known", "k.a.", "k. a.", "keine angabe", "unbekannt", "fehlt", "inconnu"),
    "desconocido",
}
CODES = (99999.0, 9999.0, 999.9, 999.0, 99.9, 99.0, 9.0, 8888.0, 888.0, 88.0, 8.0, 7777.0, 777.0, 77.0, 7.0)
"""Numbers that often stand for unknown, with either sign."""
MOST_CODED = 5  # values of a coded answer beside 9 for unknown
FEW_LEVELS = 12  # of a category whose names may also be numbers
DATE_FORMATS = ("ISO8601", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%y", "%d-%m-%Y")
DATE = re.compile(r"^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}\b")


class Reading(NamedTuple):
    """A column as it is used, and sentences about how it was read."""

    values: pd.Series[Any]
    notes: list[str]


class Written(NamedTuple):
    """A number as somebody wrote it."""

    limit: str
    digits: str
    unit: str


def read_column(column: pd.Series[Any], decimal: str = "") -> Reading:
    """Return numbers, days since 2000, or texts with one spelling each; refuse a column that is neither for sure."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return _without_codes(column.astype(float))
    if pd.api.types.is_datetime64_any_dtype(column):
        return Reading(_days_of(column), [f"Column {column.name!r} was read as dates, in days since 2000."])
    texts = column.astype(str).str.strip().where(column.notna())
    texts = texts.where(texts != "")
    if (days := _days(texts)) is not None:
        return days
    distinct = Counter(texts.dropna().tolist())
    written = {text: parsed for text in distinct if (parsed := _written(text))}
    others = [text for text in distinct if text not in written and text.lower() not in NO_VALUE]
    numeric = sum(distinct[text] for text in written)
    if written and not others and len({each.unit for each in written.values()} - {""}) <= 1:
        return _numbers(texts, distinct, written, decimal)
    if len(distinct) > FEW_LEVELS and numeric >= sum(distinct.values()) / 2:
        strange = others or sorted({each.unit for each in written.values()})
        refuse(
            f"column {column.name!r} has numbers and also {_listed(strange)}: write numbers alone and leave the others "
            f"empty, or leave the column out with drop={column.name}"
        )
    return _one_spelling(texts)


def _listed(texts: Iterable[str], most: int = 3) -> str:
    names = [repr(text) for text in texts]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _written(text: str) -> Written | None:
    match = NUMBER.match(text)
    if match is None or not re.search(r"\d", match[2]):
        return None
    return Written(match[1] or "", re.sub(f"[{SPACES}]", "", match[2]).replace(MINUS, "-"), match[3] or "")


def _numbers(texts: pd.Series[Any], distinct: Counter[str], written: dict[str, Written], decimal: str) -> Reading:
    """Return the numbers; `<0.3` is half of its limit, `>90` its limit."""
    mark = _mark(texts.name, [each.digits for each in written.values()], decimal)
    grouping = "." if mark == "," else ","
    values: dict[str, float] = {}
    for text, (limit, digits, _) in written.items():
        try:
            number = float(digits.replace(grouping, "").replace(mark, "."))
        except ValueError:
            refuse(f"column {texts.name!r} has {text!r}: write numbers with one decimal sign, or drop={texts.name}")
        values[text] = number / 2 if limit.startswith(("<", "≤")) else number
    reading = _without_codes(texts.map(values).astype(float))
    return Reading(reading.values, [*_remarks(texts.name, distinct, written, mark), *reading.notes])


def _remarks(name: Any, distinct: Counter[str], written: dict[str, Written], mark: str) -> Iterator[str]:
    if mark == ",":
        yield f"Column {name!r} was read with decimal commas."
    limits = [text for text, each in written.items() if each.limit]
    if limits:
        rows = sum(distinct[text] for text in limits)
        how = "below one was read as half of it, above one as the limit"
        yield f"Column {name!r} has limits ({_listed(limits)}; {rows} rows): {how}."
    if gone := [text for text in distinct if text not in written and text]:
        yield f"Column {name!r} has {_listed(gone)} ({sum(distinct[text] for text in gone)} rows), read as missing."
    if units := {each.unit for each in written.values()} - {""}:
        yield f"Column {name!r} was read without its unit {_listed(units)}."


def _mark(name: Any, digits: list[str], decimal: str) -> str:
    """Return the column's decimal sign; refuse a column that could be read with either."""
    with_comma = [each for each in digits if "," in each]
    if not with_comma:
        is_grouped = decimal == "," and all(
            re.fullmatch(r"[-+]?\d{1,3}(\.\d{3})+", each) for each in digits if "." in each
        )
        return "," if is_grouped else "."
    both = [each for each in with_comma if "." in each]
    if both:
        return "," if all(each.rfind(",") > each.rfind(".") for each in both) else "."
    if any(not re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+", each) for each in with_comma):
        return ","
    if any(each.count(",") > 1 for each in with_comma):
        return "."
    if not decimal:
        refuse(
            f"column {name!r} has {with_comma[0]!r}: its comma may stand before decimals or thousands; write it with a "
            f"point or without the comma, or leave the column out with drop={name}"
        )
    return decimal


def _without_codes(values: pd.Series[Any]) -> Reading:
    """Return the column with codes for unknown, such as -999 or the 9 of 1/2/9, as missing values."""
    codes = _codes(values)
    if not codes:
        return Reading(values, [])
    rows = int(values.isin(codes).sum())
    names = " and ".join(f"{code:g}" for code in sorted(codes))
    return Reading(
        values.mask(values.isin(codes)), [f"Column {values.name!r} has {names} ({rows} rows), read as unknown."]
    )


def _codes(values: pd.Series[Any]) -> list[float]:
    """Return the values that no measurement of this column can be: of a usual form, and far from all others."""
    distinct, counts = np.unique(values.dropna(), return_counts=True)
    below = distinct[distinct < 0]
    codes = below.tolist() if len(below) < len(distinct) and np.isin(-below, CODES).all() else []
    rest, rows = distinct[len(codes) :], counts[len(codes) :]
    others = rest[~np.isin(np.abs(rest), CODES)]
    if len(others) < 2:
        return codes
    farthest = float(np.abs(others).max())
    is_coded = len(others) <= MOST_CODED and bool(np.all(others % 1 == 0)) and rest[0] >= 0 and rest[-1] == 9
    for place in np.argsort(-np.abs(rest), kind="stable"):
        size = abs(float(rest[place]))
        is_sure = is_coded if size <= 9 else rows[place] > 1 or size >= 5 * farthest
        if size not in CODES or farthest > size / 2 or not is_sure:
            break
        codes.append(float(rest[place]))
    return codes


def _one_spelling(texts: pd.Series[Any]) -> Reading:
    """Return texts with one spelling for those that differ in case and spaces alone, the most frequent."""
    counts = Counter(texts.dropna().tolist())
    spellings: dict[str, list[str]] = {}
    for text, _ in counts.most_common():
        spellings.setdefault(" ".join(text.casefold().split()), []).append(text)
    several = [each for each in spellings.values() if len(each) > 1]
    if not several:
        return Reading(texts, [])
    names = {text: each[0] for each in several for text in each[1:]}
    note = (
        f"Column {texts.name!r} has several spellings, read as one: {_listed([' = '.join(each) for each in several])}."
    )
    return Reading(texts.replace(names), [note])


def _days(texts: pd.Series[Any]) -> Reading | None:
    """Return days since 2000 if every value is a date in one format, else None."""
    dated = texts.dropna()
    if dated.empty or not dated.str.match(DATE).all():
        return None
    for form in DATE_FORMATS:
        dates = pd.to_datetime(dated, format=form, errors="coerce", utc=True)
        if dates.notna().all():
            shown = "" if form == "ISO8601" else f" ({form})"
            return Reading(
                _days_of(dates).reindex(texts.index),
                [f"Column {texts.name!r} was read as dates{shown}, in days since 2000."],
            )
    return None


def _days_of(dates: pd.Series[Any]) -> pd.Series[Any]:
    days: pd.Series[Any] = (pd.to_datetime(dates, utc=True) - pd.Timestamp("2000-01-01", tz="UTC")) / pd.Timedelta(
        days=1
    )
    return days.astype(float)
