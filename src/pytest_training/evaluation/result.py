"""The metrics of a record of predictions, as in evaluation.json; without numpy, because reporters read it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from pytest_training.evaluation.drawing import Drawing

Question = Literal["binary", "classes", "number"]
LEVEL = 0.95
SPOKEN = {"<": "under", "≤": "up to", ">": "over", "≥": "from", "+": "plus"}


class Subgroup(msgspec.Struct, frozen=True, kw_only=True):
    """The rows with one value of one column."""

    column: str
    value: str
    rows: int
    people: int
    events: int | None = None  # people of the positive class, for a binary question
    metrics: dict[str, float] = {}


def metrics_of(groups: Sequence[Subgroup]) -> dict[str, float]:
    """Return the subgroups' numbers as a gate names them: `roc_auc_sex_female`, `roc_auc_sex_female_low`."""
    metrics: dict[str, float] = {}
    for end, each in zip(ends((each.column, each.value) for each in groups), groups, strict=True):
        counts = {"people": each.people} | ({} if each.events is None else {"events": each.events})
        for name, value in (counts | each.metrics).items():
            stem, side = re.fullmatch(r"(.+?)(_low|_high|)", name).groups()  # type: ignore[union-attr]  # it matches any
            metrics[stem + end + side] = value
    return metrics


def ends(groups: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield what ends the names of each group's metrics, a number behind those of equal words."""
    taken: Counter[str] = Counter()
    for column, value in groups:
        end = f"_{_word(column)}_{_word(value)}"
        taken[end] += 1
        yield end if taken[end] == 1 else f"{end}_{taken[end]}"


def _word(text: str) -> str:
    spoken = "".join(f" {SPOKEN[sign]} " if sign in SPOKEN else sign for sign in text.lower())
    return re.sub(r"\W+", "_", spoken).strip("_") or "none"


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The content of evaluation.json: what one call of `run.predictions` has shown."""

    question: Question
    name: str = ""  # as the job calls it; metrics begin with it
    classes: tuple[str, ...] = ()  # of two the second is positive
    rows: int
    people: int
    events: int | None = None  # people of the positive class, for a binary question
    repeats: int = 1
    folds: int = 1
    cutoff: float | None = None  # the risk from which a row counts as positive
    method: str = ""  # how the intervals come about, in words
    metrics: dict[str, float] = {}  # as the outcome has them, the headline first
    drawings: tuple[Drawing, ...] = ()
    subgroups: tuple[Subgroup, ...] = ()


def file_name(kind: str, name: str) -> str:
    """Return the name of a record's file: `evaluation.json`, `predictions_external.csv`."""
    suffix = {"evaluation": ".json", "predictions": ".csv"}[kind]
    return f"{kind}_{name}{suffix}" if name else f"{kind}{suffix}"


def read(path: Path) -> Evaluation:
    """Return the evaluation in a file; raise OSError or msgspec.MsgspecError if none is there."""
    return msgspec.json.decode(path.read_bytes(), type=Evaluation)
