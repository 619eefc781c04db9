"""Table: any table of the user's as a cohort, or one sentence about why it cannot be used."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from arrays import People, Target

from cohorts import Cohort, files
from cohorts.files import refuse
from cohorts.values import read_column
from pytest_training.evaluation.leaks import CODES
from pytest_training.evaluation.same_people import Suspect, suspicious_ids

CLASSES = 10  # a target of whole numbers with more distinct values is a number
FEWEST_OF_CLASS = 5  # people of each: whole numbers of which one is rarer are no classes
TEXT_LEVELS, FEW_TEXTS = 100, 10  # a text column with more distinct values is free text, with fewer never
PERSON = {
    *("subject", "subj", "patient", "pat", "pt", "person", "participant", "proband", "individual", "volunteer"),
    *("subjectid", "patientid", "personid", "participantid", "subjid", "usubjid", "ptid", "rid", "mrn", "pid"),
}
VAGUE = {"id", "name", "record", "case", "study", "client", "member"}
"""Words that may also name something else: with few distinct values they do."""
FEW = 10
NUMBERING = {"id", "ids", "no", "nr", "num", "number", "code", "key", "identifier", "name"}
YES = {"yes", "true", "y", "positive", "case", "present", "sick", "dead", "malignant"}
NO = {"no", "false", "n", "negative", "control", "absent", "healthy", "alive", "benign"}


@dataclass
class Reading:
    """Decisions about the user's columns, in sentences for the reports and the model card."""

    decimal: str
    known: list[str]
    """Columns that the user knows: they are used as they are."""
    notes: list[str] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)

    def values(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """Return the column as numbers or texts, and note how it was read."""
        values, notes = read_column(column, self.decimal)
        self.notes += notes
        return values


@dataclass(frozen=True, kw_only=True)
class OwnTable:
    """The user's table as a cohort, what was decided about it, and what in it looks like a leak."""

    cohort: Cohort
    notes: tuple[str, ...] = ()
    """In sentences; the first says how many columns are used."""
    suspects: tuple[Suspect, ...] = ()
    """Ids among the columns that are left out: the rows of a person leak without theirs too."""


def load(  # noqa: PLR0913  (each is a choice of the user's)
    path: Path, *, target: str, group: str | None, drop: list[str], positive: str | None, known: list[str]
) -> OwnTable:
    """Return the table as a cohort; raise ValueError with one sentence if it cannot be trained on."""
    table, decimal = files.read(path)
    for column in [target, *([group] if group else []), *drop, *(name for name in known if name not in CODES)]:
        require_column(path, table, column)
    reading = Reading(decimal, known)
    truth = table[target]
    table = table.assign(**{target: truth.astype(str) if truth.dtype == bool else reading.values(truth)})
    table = _without_missing(table, [target, *([group] if group else [])], reading)
    person = None if group is None else _people(table[group], reading)
    others = table.drop(columns=[target, *([group] if group else [])])
    offered = others.drop(columns=[name for name in drop if name in others])
    if group is None:
        _refuse_repeated_ids(path, offered.drop(columns=[name for name in known if name in offered]))
    answer, classes = _target(table[target], positive, reading, person)
    columns, left_out = _columns(offered, reading)
    if not columns:
        refuse(f"{path.name}: no column is left to predict {target!r} from ({_joined(left_out)})")
    features = pd.DataFrame(columns, index=offered.index)
    left_out = {**{name: "dropped" for name in drop if name in others}, **left_out}
    if repeated := int(features.duplicated().sum()):
        reading.notes.append(f"{repeated} rows repeat another row exactly; check that they are other people.")
    summary = f"{len(columns)} of {others.shape[1]} columns used" + (
        f"; left out: {_joined(left_out)}" if left_out else ""
    )
    cohort = Cohort(
        features=features,
        target=answer,
        classes=classes,
        person=person,
        who=f"The people of {path.name}, as its owner chose them.",
        limits=(summary, *reading.notes),
        dropped=reading.dropped,
    )
    unused = others.drop(columns=[name for name in others if name in features or name in known])
    suspects = () if group else tuple(_ids_left_out(unused, cohort))
    return OwnTable(cohort=cohort, notes=cohort.limits, suspects=suspects)


def require_column(path: Path, table: pd.DataFrame, column: str) -> None:
    """Refuse a name that the table does not have."""
    if column not in table:
        near = difflib.get_close_matches(column, map(str, table.columns), n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(map(repr, near))}" if near else f"it has {list(table.columns)[:20]}"
        refuse(f"{path.name} has no column {column!r}; {hint}")


def _joined(left_out: dict[str, str], most: int = 8) -> str:
    shown = [f"{name!r} ({why})" for name, why in left_out.items()]
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")


def _without_missing(table: pd.DataFrame, needed: list[str], reading: Reading) -> pd.DataFrame:
    """Leave out rows without a target or without a person, and count them."""
    for column in needed:
        missing = table[column].isna()
        if missing.any():
            reading.dropped[f"no {column}"] = int(missing.sum())
            table = table[~missing]
    return table


def _people(column: pd.Series, reading: Reading) -> People:
    """Return the person of each row; of numbered recordings, the part before the number."""
    if column.is_unique and (stems := _stems(column)) is not None:
        reading.notes.append(
            f"Every {column.name!r} is another, as {column.iloc[0]!r}: its last number was taken as the recording's, "
            f"the rest, {stems.iloc[0]!r}, as the person."
        )
        return stems.to_numpy()
    return column.astype(str).to_numpy()


def _stems(column: pd.Series) -> pd.Series | None:
    """Return ids without a trailing recording number, or None if most of them do not repeat then."""
    parts = column.astype(str).str.extract(r"^(.*\d)[_\-.:/ ]\d{1,3}$")[0]
    people = parts.nunique()
    return parts if parts.notna().all() and 2 <= people <= len(parts) / 2 else None


def looks_like_person(name: str) -> bool:
    """Return True for names of a person's id: `subject#`, `PatientID`, `id`, but not `patient_age`."""
    words = _words(name)
    return not PERSON.union(VAGUE).isdisjoint(words) and PERSON.union(VAGUE, NUMBERING).issuperset(words)


def _words(name: str) -> list[str]:
    """Split a column's name: `PatientID` and `patient_id` are `patient` and `id`."""
    return re.sub(r"[^A-Za-z]+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", name)).lower().split()


def repeated_id(column: pd.Series) -> str | None:
    """Return how an id column repeats, e.g. `42 values in 5,875 rows`, or None if it is no id or does not repeat."""
    if not looks_like_person(str(column.name)) or column.isna().all():
        return None
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 != 0).any():
        return None  # a measurement
    distinct = column.nunique()
    sure = not PERSON.isdisjoint(_words(str(column.name))) or distinct >= FEW
    if sure and 2 < distinct < column.notna().sum():
        return f"{distinct:,} values in {len(column):,} rows"
    stems = _stems(column) if distinct == len(column) else None
    return None if stems is None else f"{stems.nunique():,} stems such as {stems.iloc[0]!r} in {len(column):,} rows"


def _refuse_repeated_ids(path: Path, features: pd.DataFrame) -> None:
    for name, column in features.items():
        if how := repeated_id(column):
            refuse(
                f"{path.name}: column {name!r} looks like a person's id and repeats ({how}); rows of one person on "
                f"both sides of a split would leak, so name it with group={name} (or, if it is none, drop={name})"
            )


def _ids_left_out(columns: pd.DataFrame, cohort: Cohort) -> Iterator[Suspect]:
    """Yield the columns that are a person's id by their data, or by their name if it repeats."""
    by_data = suspicious_ids(columns, cohort.target, cohort.question)
    yield from by_data
    for name in columns.columns.difference([each.columns[0] for each in by_data]):
        if how := repeated_id(columns[name]):
            yield Suspect("id", (name,), f"{name!r} is not used but looks like a person's id that repeats ({how})", 1.0)


def _target(
    column: pd.Series, positive: str | None, reading: Reading, person: People | None
) -> tuple[Target, tuple[str, ...]]:
    """Return the target as numbers, and the names of its classes, if any."""
    numeric = pd.api.types.is_numeric_dtype(column)
    whole = numeric and bool((column % 1 == 0).all())
    distinct = column.nunique()
    if distinct < 2:
        value = (f"{column.iloc[0]:g}" if numeric else column.iloc[0]) if distinct else "none at all"
        refuse(f"target {column.name!r} has one value only, {value}: there is nothing to tell apart")
    if positive is None and numeric and not (whole and distinct <= CLASSES and _are_classes(column, reading, person)):
        return column.to_numpy(float), ()
    labels = column.astype(int).astype(str) if whole else column.astype(str).str.strip()
    names = sorted(labels.unique(), key=lambda name: (not name.lstrip("-").isdigit(), _number(name), name))
    if positive is not None:
        positive = next((name for name in names if name.casefold() == positive.strip().casefold()), positive)
        if positive not in names:
            refuse(f"positive={positive!r} is no value of {column.name!r}; it has {names[:20]}")
        others = " or ".join(name for name in names if name != positive)
        return (labels == positive).astype(int).to_numpy(), (others[:60], positive)
    if len(names) > 2 * CLASSES:
        refuse(f"target {column.name!r} has {len(names)} different texts: neither a number nor a few classes")
    if len(names) == 2:
        names = _positive_last(names, reading)
    return labels.map({name: label for label, name in enumerate(names)}).to_numpy(int), tuple(names)


def _are_classes(column: pd.Series, reading: Reading, person: People | None) -> bool:
    """Return False for three whole numbers or more of which one is too rare for a class, and say so."""
    rows = np.arange(len(column)) if person is None else person
    people = pd.Series(rows, index=column.to_numpy()).groupby(level=0).nunique()
    if len(people) == 2 or people.min() >= FEWEST_OF_CLASS:
        return True
    reading.notes.append(
        f"Target {column.name!r} was taken as a number, for only {people.min()} people have {people.idxmin():g}; "
        "write its values as words to have classes."
    )
    return False


def _number(name: str) -> int:
    return int(name) if name.lstrip("-").isdigit() else 0


def _positive_last(names: list[str], reading: Reading) -> list[str]:
    """Put the positive one of two classes last: by its word, else the later in order, and say so."""
    if names[0].lower() in YES or names[1].lower() in NO:
        names = [names[1], names[0]]
    if names[1].lower() not in YES and names[0].lower() not in NO and names != ["0", "1"]:
        reading.notes.append(f"{names[1]!r} was taken as the positive class; `positive` chooses another.")
    return names


def _columns(features: pd.DataFrame, reading: Reading) -> tuple[dict[str, pd.Series[Any]], dict[str, str]]:
    """Return every useful column as numbers or categories, and why each other one is left out."""
    columns: dict[str, pd.Series[Any]] = {}
    left_out: dict[str, str] = {}
    for name, column in features.items():
        values = reading.values(column)
        if why := _why_useless(values, is_known=str(name) in reading.known):
            left_out[str(name)] = why
        else:
            columns[str(name)] = values if pd.api.types.is_numeric_dtype(values) else values.astype("category")
    return columns, left_out


def _why_useless(values: pd.Series[Any], *, is_known: bool) -> str:
    distinct = values.nunique()
    if distinct == 0 or (distinct == 1 and values.notna().all()):
        return "one value" if distinct else "empty"
    if not is_known and distinct == len(values) and looks_like_person(str(values.name)):
        return "an id, another in every row"
    if not pd.api.types.is_numeric_dtype(values):
        return (
            f"free text, {distinct:,} different values"
            if distinct > min(TEXT_LEVELS, max(len(values) / 2, FEW_TEXTS))
            else ""
        )
    steps = np.diff(values.to_numpy(float))
    is_running = len(steps) and abs(steps[0]) == 1 and values.iloc[0] % 1 == 0 and np.all(steps == steps[0])
    return "a running number of the rows" if is_running and not is_known else ""
