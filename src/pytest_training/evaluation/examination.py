"""What a job states in a training that an audit examines, and the examination; checks.py is imported only then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from pytest_training.evaluation.finding import CHECKS, Examined


class Examination(msgspec.Struct):
    """The data of a job, as far as it states them: in its own process alone."""

    features: Any = None
    target: Any = None  # of the rows of `features`, as is `person`
    person: Any = None
    declared: Any = None  # the whole target, as `run.target` got it; `person` is of its rows if there are no features
    model: Any = None
    records: list[Any] = []  # of `run.predictions`
    known: list[str] = []  # columns that are no suspects, as the job states
    choices: dict[str, list[tuple[Any, list[Any]]]] = {}
    """By the setting's name, of each fold what was chosen and from what."""

    def declare(self, target: Any, person: Any) -> None:
        """Take a target with the people of its rows; of several the first counts, which is mostly that of all rows."""
        if self.declared is None:
            self.declared, self.person = target, person

    def describe(self, features: Any, target: Any, person: Any, model: Any) -> None:
        """Take a table with the target and the people of its rows, and a model; of several the first counts."""
        if features is not None and self.features is None:
            self.features, self.target = features, self.declared if target is None else target
            is_whole = self.declared is not None and len(features) == len(self.declared)
            self.person = self.person if person is None and is_whole else person
        self.model = model if self.model is None else self.model

    def examine(self, records: Iterable[Any] = ()) -> Examined:
        """Make the checks of data, with these records of predictions; never raise."""
        self.records += records
        if self.features is None and self.declared is None and not (self.records or self.choices):
            return unexamined("train states nothing: no run.target, run.predictions, run.describe or run.choice")
        try:
            from pytest_training.evaluation.checks import examine  # noqa: PLC0415  (only an audit needs pandas)

            return examine(self)
        except Exception as error:  # noqa: BLE001  (the training is over, and its metrics count)
            return unexamined(f"the examination failed: {type(error).__name__}: {error}")


def unexamined(why: str) -> Examined:
    """Return that no check of data could be made."""
    return Examined(unchecked={code: why for code in CHECKS if code not in OF_METRICS})


OF_METRICS = ("A08", "A09", "A10", "A11", "A15")  # checks that compare trainings
