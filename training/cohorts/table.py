"""Table: any CSV of the user's as a cohort, or one sentence about why it cannot be used."""

from __future__ import annotations

import csv
import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import pandas as pd

from cohorts import Cohort

if TYPE_CHECKING:
    from pathlib import Path

    from arrays import People, Target

DATE_FORMATS = ("ISO8601", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d")
CLASSES = 10  # a target of whole numbers with more distinct values is a number
TEXT_LEVELS = 100  # a text column with more distinct values is free text, not a category
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
    """Decisions about the user's columns, in sentences for the model card."""

    notes: list[str] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)


def load(path: Path, *, target: str, group: str | None, drop: list[str], positive: str | None) -> Cohort:
    """Read the file; raise ValueError with one sentence if it cannot be trained on."""
    table = read(path)
    for column in [target, *([group] if group else []), *drop]:
        if column not in table:
            near = difflib.get_close_matches(column, map(str, table.columns), n=3, cutoff=0.4)
            hint = f"did you mean {' or '.join(map(repr, near))}" if near else f"it has {list(table.columns)[:20]}"
            _refuse(f"{path.name} has no column {column!r}; {hint}")
    reading = Reading()
    table = _without_missing(table, [target, *([group] if group else [])], reading)
    person = None if group is None else _people(table[group], reading)
    features = table.drop(columns=list({target, *drop} | ({group} if group else set())))
    if group is None:
        _refuse_repeated_ids(path, features)
        _warn_of_dropped_ids(table[drop], reading)
    answer, classes = _target(table[target], positive, reading)
    features = pd.DataFrame(_columns(features, reading), index=features.index)
    if features.empty:
        _refuse(f"{path.name}: no column is left to predict {target!r} from")
    if repeated := int(features.duplicated().sum()):
        reading.notes.append(f"{repeated} rows repeat another row exactly; check that they are other people.")
    return Cohort(
        features=features,
        target=answer,
        classes=classes,
        person=person,
        who=f"The people of {path.name}, as its owner chose them.",
        limits=tuple(reading.notes),
        dropped=reading.dropped,
    )


def _refuse(sentence: str) -> NoReturn:
    raise ValueError(sentence)


def read(path: Path) -> pd.DataFrame:
    """Read a CSV with commas, semicolons, tabs or bars between its columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            start = file.read(20_000)
        table = pd.read_csv(path, sep=_separator(start), encoding="utf-8-sig", skipinitialspace=True)
    except FileNotFoundError:
        _refuse(f"there is no file {str(path)!r} (looked at {path.absolute()})")
    except IsADirectoryError:
        _refuse(f"{str(path)!r} is a folder; a CSV file is needed")
    except UnicodeDecodeError:
        _refuse(f"{path.name} is not a CSV in UTF-8: it has bytes that are no text")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        _refuse(f"{path.name} cannot be read as a CSV: {str(error).strip() or 'it is empty'}")
    if "\0" in start:
        _refuse(f"{path.name} is not a CSV: it has zero bytes")
    if table.shape[1] == 1 or table.empty:
        _refuse(f"{path.name} has {len(table)} rows and {table.shape[1]} columns; a table with a header is needed")
    table.columns = [str(column).strip() for column in table.columns]
    return table


def _separator(start: str) -> str:
    """Return the separator of the header line."""
    header = start.lstrip().partition("\n")[0]
    return max(",;\t|", key=header.count)


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
            _refuse(
                f"{path.name}: column {name!r} looks like a person's id and repeats ({how}); rows of one person on "
                f"both sides of a split would leak, so name it with group={name} (or, if it is none, drop={name})"
            )


def _warn_of_dropped_ids(dropped: pd.DataFrame, reading: Reading) -> None:
    for name, column in dropped.items():
        if how := repeated_id(column):
            reading.notes.append(
                f"LEAK SUSPECT: {name!r} was dropped but looks like a person's id that repeats ({how}): without "
                f"group={name} rows of one person are on both sides of a split."
            )


def _target(column: pd.Series, positive: str | None, reading: Reading) -> tuple[Target, tuple[str, ...]]:
    """Return the target as numbers, and the names of its classes, if any."""
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    whole = numeric and bool((column % 1 == 0).all())
    distinct = column.nunique()
    if distinct < 2:
        value = column.iloc[0] if distinct else "none at all"
        _refuse(f"target {column.name!r} has one value only, {value}: there is nothing to tell apart")
    if positive is None and numeric and not (whole and distinct <= CLASSES):
        return column.to_numpy(float), ()
    labels = column.astype(int).astype(str) if whole else column.astype(str).str.strip()
    names = sorted(labels.unique(), key=lambda name: (not name.lstrip("-").isdigit(), _number(name), name))
    if positive is not None:
        if positive not in names:
            _refuse(f"positive={positive!r} is no value of {column.name!r}; it has {names[:20]}")
        others = " or ".join(name for name in names if name != positive)
        return (labels == positive).astype(int).to_numpy(), (others[:60], positive)
    if len(names) > 2 * CLASSES:
        _refuse(f"target {column.name!r} has {len(names)} different texts: neither a number nor a few classes")
    if len(names) == 2:
        names = _positive_last(names, reading)
    return labels.map({name: label for label, name in enumerate(names)}).to_numpy(int), tuple(names)


def _number(name: str) -> int:
    return int(name) if name.lstrip("-").isdigit() else 0


def _positive_last(names: list[str], reading: Reading) -> list[str]:
    """Put the positive one of two classes last: by its word, else the later in order, and say so."""
    if names[0].lower() in YES or names[1].lower() in NO:
        names = [names[1], names[0]]
    if names[1].lower() not in YES and names[0].lower() not in NO and names != ["0", "1"]:
        reading.notes.append(f"{names[1]!r} was taken as the positive class; `positive` chooses another.")
    return names


def _columns(features: pd.DataFrame, reading: Reading) -> dict[str, pd.Series]:
    """Return every useful column as numbers or categories; note the others."""
    columns: dict[str, pd.Series] = {}
    for name, column in features.items():
        if column.nunique(dropna=False) < 2:
            reading.notes.append(f"Column {name!r} was left out: it has one value only.")
        elif looks_like_person(str(name)) and column.nunique() == len(column):
            reading.notes.append(f"Column {name!r} was left out: it is another in every row, an id.")
        elif pd.api.types.is_numeric_dtype(column):
            columns[str(name)] = column.astype(float)
        elif (days := _days(column)) is not None:
            reading.notes.append(f"Column {name!r} was read as dates, in days since 2000.")
            columns[str(name)] = days
        elif column.nunique() <= min(TEXT_LEVELS, len(column) / 2):
            columns[str(name)] = column.astype(str).where(column.notna()).astype("category")
        else:
            reading.notes.append(f"Column {name!r} was left out: free text, {column.nunique()} different values.")
    return columns


def _days(column: pd.Series) -> pd.Series | None:
    """Return days since 2000 if every value is a date in one format, else None."""
    text = column.dropna().astype(str)
    if not text.str.match(r"^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}").all():
        return None
    for form in DATE_FORMATS:
        dates = pd.to_datetime(text, format=form, errors="coerce", utc=True)
        if dates.notna().all():
            days = (dates - pd.Timestamp("2000-01-01", tz="UTC")) / pd.Timedelta(days=1)
            return days.reindex(column.index).astype(float)
    return None
