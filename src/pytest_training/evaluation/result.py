"""What came of judging a record of predictions, as evaluation.json has it; no numpy here: reporters read it."""

from pathlib import Path
from typing import Any, Literal

import msgspec

Question = Literal["binary", "classes", "number"]
LEVEL = 0.95


class Subgroup(msgspec.Struct, frozen=True, kw_only=True):
    """The rows with one value of one column."""

    column: str
    value: str
    rows: int
    people: int
    events: int | None = None  # of the positive class, for a binary question
    metrics: dict[str, float] = {}


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The content of evaluation.json: what one call of `run.predictions` has shown."""

    question: Question
    name: str = ""  # as the job calls it; metrics begin with it
    classes: tuple[str, ...] = ()  # of two the second is positive
    rows: int
    people: int
    events: int | None = None  # rows of the positive class, for a binary question
    repeats: int = 1
    folds: int = 1
    cutoff: float | None = None  # the risk from which a row counts as positive
    method: str = ""  # how the intervals come about, in words
    metrics: dict[str, float] = {}  # as the outcome has them, the headline first
    curves: dict[str, Any] = {}
    subgroups: tuple[Subgroup, ...] = ()


def file_name(kind: str, name: str) -> str:
    """Return the name of a record's file: `evaluation.json`, `predictions_external.csv`."""
    suffix = {"evaluation": ".json", "predictions": ".csv"}[kind]
    return f"{kind}_{name}{suffix}" if name else f"{kind}{suffix}"


def read(path: Path) -> Evaluation:
    """Return the evaluation in a file; raise OSError or msgspec.MsgspecError if none is there."""
    return msgspec.json.decode(path.read_bytes(), type=Evaluation)
