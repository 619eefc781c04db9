"""The checks of an audit on a job's data: its table, its splits, its choices. Each returns a sentence or None."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import f_oneway, spearmanr

from pytest_training.evaluation.examination import Examination
from pytest_training.evaluation.finding import Examined, LackingError, make_checks
from pytest_training.evaluation.leaks import CODES, Suspect, same_people, suspects
from pytest_training.evaluation.same_people import equal_rows
from pytest_training.evaluation.sample_size import minimum_people
from pytest_training.evaluation.stated import order_mistake
from pytest_training.wording import counted, listing

FEWEST, FEWEST_OF_CLASS = 40, 20  # people, of the rarest class: with fewer no interval is narrow enough to judge
SURELY, SHARE = 0.001, 0.1  # folds differ: p of the analysis of variance, and the least share of it (eta²)
EQUAL = 0.005  # of the rows: as many may by chance have an equal one on the other side
MOSTLY = 0.5  # of the folds in which a choice is at an edge
ORDERED = 0.999  # correlation of a column with the places of its rows: a running number
SHOWN = 4


class Data:
    """What a job has stated, brought to rows; what is missing raises LackingError with the call that states it."""

    def __init__(self, examination: Examination) -> None:
        self.stated = examination
        self.held_out = [each for each in examination.records if each.name != "train"]

    @cached_property
    def record(self) -> Any:
        """The job's predictions of people who were held out, in several folds."""
        if not self.held_out:
            raise LackingError("train calls no run.predictions")
        if (record := next((each for each in self.held_out if len(np.unique(each.fold)) > 1), None)) is None:
            raise LackingError("the predictions are of one fold; run.predictions(…, fold=…) says which model made each")
        return record

    @cached_property
    def table(self) -> pd.DataFrame:
        """The features."""
        if self.stated.features is None:
            raise LackingError("train states no table: run.describe(features, target)")
        return pd.DataFrame(self.stated.features).rename(columns=str).reset_index(drop=True)

    @cached_property
    def target(self) -> pd.Series[Any]:
        """The target of each row."""
        stated = self.stated.declared if self.stated.target is None else self.stated.target
        if stated is None:
            raise LackingError("train states no target: run.target(y) or run.describe(features, y)")
        values = np.asarray(stated)
        if values.ndim != 1 and values.size != len(values):
            raise LackingError(f"the target has {values[0].size} columns; the checks are of one")
        return pd.Series(values.ravel())

    @cached_property
    def question(self) -> Any:
        """`binary`, `classes` or `number`."""
        for record in self.stated.records[:1]:
            if not record.classes or self.target.nunique() <= len(record.classes):
                return record.question
        is_number = pd.api.types.is_numeric_dtype(self.target) and not pd.api.types.is_bool_dtype(self.target)
        return "binary" if self.target.nunique() == 2 else "number" if is_number else "classes"

    @cached_property
    def person(self) -> NDArray[Any]:
        """The person of each row, from the predictions if no other call states it; else each row is one."""
        if self.stated.person is not None:
            return pd.factorize(np.asarray(self.stated.person))[0]
        person = np.arange(len(self.target))
        whole = (each for each in self.held_out if np.array_equal(np.unique(each.row), person))
        if (record := next(whole, None)) is not None:
            person[record.row] = record.people[0]
        return person

    @cached_property
    def suspects(self) -> list[Suspect]:
        """What gives the target away."""
        stated = self.stated.declared if self.stated.target is None else self.stated.target
        if mistake := order_mistake(features=self.stated.features, target=stated, person=self.stated.person):
            raise LackingError(mistake)
        if len(self.table) != len(self.target):
            raise LackingError(f"the table has {len(self.table)} rows and the target {len(self.target)}")
        codes = self.target if self.question == "number" else pd.factorize(self.target, sort=True)[0]
        person = None if self.stated.person is None else self.person
        columns = {*self.stated.known} - {*CODES}  # a column may have the name of a code
        truth = np.asarray(codes, dtype=float)
        suspected = suspects(self.table, truth, question=self.question, person=person, known=columns)
        return [each for each in suspected if not {*each.columns} & {*self.stated.known}]

    def apart(self, lines: Any) -> tuple[int, int]:
        """Return how many groups of the record's lines are in several folds of one repeat, and how many there are."""
        record = self.record
        table = pd.DataFrame({"group": np.asarray(lines), "repeat": record.repeat, "fold": record.fold})
        folds = table.groupby(["group", "repeat"])["fold"].nunique().groupby("group").max()
        return int((folds > 1).sum()), len(folds)

    def of_lines(self, rows: Any) -> NDArray[Any]:
        """Return what is stated of rows for each line of the record."""
        if len(rows) <= int(self.record.row.max()):
            raise LackingError("the predictions have other rows than the table: run.predictions(…, row=…) says which")
        return np.asarray(np.asarray(rows)[self.record.row])


def examine(examination: Examination) -> Examined:
    """Make the checks."""
    data, known = Data(examination), tuple(dict.fromkeys(examination.known))
    made = make_checks(CHECKS_OF_DATA, data)
    return Examined(findings=made.findings, unchecked=made.unchecked, facts=tuple(_facts(data)), known=known)


def persons_apart(data: Data) -> str | None:
    """Find people, as the job states them, in several folds."""
    stated = data.stated.person
    apart, people = data.apart(data.record.person if stated is None else data.of_lines(data.person))
    said = f"{apart} of {people} people are held out in several folds: models have seen their other rows"
    return said if apart else None


def people_by_data_apart(data: Data) -> str | None:
    """Find rows of one person by the data in several folds: near rows, and rows of one id."""
    found = {}
    if (codes := same_people(data.table)) is not None:
        found["rows that are one person's by their values"] = codes
    for suspect in (each for each in data.suspects if each.code == "id"):
        found[f"rows with the same {suspect.columns[0]!r}"] = pd.factorize(data.table[suspect.columns[0]])[0]
    for what, rows in found.items():
        apart, groups = data.apart(data.of_lines(rows))
        if apart > EQUAL * groups:
            return f"{what} are held out in several folds, in {apart} of {groups} cases: split by person"
    alike = (each.sentence for each in data.suspects if each.code == "same-rows" and data.stated.person is None)
    return next(alike, None)


def equal_rows_apart(data: Data) -> str | None:
    """Find rows with the same values in all columns in several folds, more than chance makes of so few values."""
    equal = equal_rows(data.table)
    apart, groups = data.apart(data.of_lines(equal))
    shares = [(column.value_counts(normalize=True, dropna=False) ** 2).sum() for _, column in data.table.items()]
    by_chance = float(np.sqrt(np.prod(shares))) * len(equal) ** 2 / 2  # half of the columns may depend on the others
    is_more = apart > max(EQUAL * len(equal), 3 * by_chance)
    return f"{apart} rows of {groups} different ones are there again in another fold" if is_more else None


def suspicious(data: Data, code: str, *, ordered: bool = False) -> str | None:
    """Return what leaks.py says of this code, of running numbers or of other columns."""
    chosen = [each for each in data.suspects if each.code == code and _is_ordered(data, each) == ordered]
    more = f" and {len(chosen) - SHOWN} more" if len(chosen) > SHOWN else ""
    return "; ".join(each.sentence for each in chosen[:SHOWN]) + more if chosen else None


def _is_ordered(data: Data, suspect: Suspect) -> bool:
    """Return True for a column that counts the rows."""
    column = data.table[suspect.columns[0]] if len(suspect.columns) == 1 else None
    if column is None or not pd.api.types.is_numeric_dtype(column) or column.nunique() < len(column) / 2:
        return False
    return bool(abs(spearmanr(column, np.arange(len(column)), nan_policy="omit").statistic) > ORDERED)


def folds_differ(data: Data) -> str | None:
    """Compare the losses of held-out people between the folds of the first repeat."""
    record = data.record
    first = record.repeat == record.repeat.min()
    losses = pd.DataFrame({"fold": record.fold[first], "person": record.person[first], "loss": _loss(record)[first]})
    folds = [fold.groupby("person")["loss"].mean() for _, fold in losses.groupby("fold")]
    between = sum(len(fold) * (fold.mean() - losses["loss"].mean()) ** 2 for fold in folds)
    p = float(f_oneway(*folds).pvalue)
    if not p < SURELY or between < SHARE * sum(((fold - losses["loss"].mean()) ** 2).sum() for fold in folds):
        return None
    means = ", ".join(f"{fold.mean():.3g}" for fold in folds[:8])
    return f"the folds' mean losses are {means}: more apart than chance lets them (p {p:.1g})"


def _loss(record: Any) -> NDArray[np.float64]:
    """Return the Brier score of each line, or the squared error."""
    happened = np.eye(len(record.classes))[record.truth] if record.question == "classes" else record.truth
    error: NDArray[np.float64] = (record.score - happened) ** 2
    return error.sum(axis=1) if error.ndim == 2 else error


def choices_at_edges(data: Data) -> str | None:
    """Find settings that are the first or last of their grid in most folds."""
    choices = data.stated.choices or dict(_choices_of(data.stated.model))
    if not choices:
        raise LackingError("train states no choice: run.choice(name, chosen, among=grid)")
    return "; ".join(filter(None, (_at_edge(name, made) for name, made in choices.items()))) or None


def _choices_of(model: Any) -> Iterator[tuple[str, list[tuple[Any, list[Any]]]]]:
    """Yield what scikit-learn's searches and cross-validated linear models have chosen, in any step of a pipeline."""
    for step in [step for _, step in getattr(model, "steps", ())] or [model]:
        for name, chosen in getattr(step, "best_params_", {}).items():
            grid = getattr(step, "param_grid", {})
            grids = [grid] if isinstance(grid, dict) else grid
            yield name, [(chosen, [each for one in grids for each in one.get(name, ())])]
        for name, chosen, grid in (("C", "C_", "Cs_"), ("alpha", "alpha_", "alphas"), ("alpha", "alpha_", "alphas_")):
            if hasattr(step, chosen) and np.ndim(getattr(step, grid, 0)) == 1:
                values = np.ravel(getattr(step, grid)).tolist()
                yield name, [(each, values) for each in np.ravel(getattr(step, chosen)).tolist()]


def _at_edge(name: str, made: list[tuple[Any, list[Any]]]) -> str | None:
    for edge, word in ((0, "smallest"), (-1, "largest")):
        at_edge = [chosen for chosen, grid in made if len(grid) > 2 and chosen == _ordered(grid)[edge]]
        if len(at_edge) > MOSTLY * len(made):
            return f"{name} is {at_edge[0]!r}, the {word} of its grid, in {len(at_edge)} of {len(made)} choices"
    return None


def _ordered(grid: list[Any]) -> list[Any]:
    try:
        return sorted(grid)
    except TypeError:  # texts beside numbers: as the job has them
        return grid


def too_few(data: Data) -> str | None:
    """Count the people of the rarest class, or all."""
    people, is_number = pd.DataFrame({"person": data.person, "target": data.target}), data.question == "number"
    each = people if is_number else people.groupby("target")
    count = int(np.min(each["person"].nunique()))
    fewest, what = (FEWEST, "") if is_number else (FEWEST_OF_CLASS, " of the rarest class")
    said = f"{counted(count, 'person', 'people')}{what}, expected {fewest} at least"
    return "; ".join([said, *_need(data)]) if count < fewest else None


def without_prediction(data: Data) -> str | None:
    """Count the rows of the target that no fold has held out."""
    rows = len(data.target if data.stated.declared is None else data.stated.declared)
    missing = rows - max(len(np.unique(each.row)) for each in [data.record, *data.held_out])
    return f"{missing} of {rows} rows have no prediction" if missing > 0 else None


def _facts(data: Data) -> Iterator[str]:
    """Yield which columns are no suspects, as the job states, and the least number of people for so many predictors."""
    if names := data.stated.known:
        listed = listing("", map(repr, names), limit=SHOWN)
        yield f"known before the outcome, as train states, so neither A02 nor A04 to A07 suspects them: {listed}"
    yield from _need(data)


def _need(data: Data) -> Iterator[str]:
    """Yield the least number of people for so many predictors."""
    try:
        columns, people = data.table.shape[1], len(np.unique(data.person))
        codes = pd.Series(pd.factorize(data.target, sort=True)[0]).replace(-1, np.nan)
        counted = codes.groupby(data.person).max() if data.question == "binary" else codes  # people with the event
        shares = [] if data.question == "number" else counted.value_counts(normalize=True).tolist()
        least = minimum_people(columns, shares).people
    except Exception:  # noqa: BLE001  (a table of any kind; the findings are worth more than a fact beside them)
        return
    need = f"needs {least:,} people at least (Riley et al. 2019); here are {people:,}"
    yield f"a regression with {columns:,} predictors {need}"


CHECKS_OF_DATA: dict[str, Callable[[Data], str | None]] = {
    "A01": persons_apart,
    "A02": people_by_data_apart,
    "A03": equal_rows_apart,
    "A04": partial(suspicious, code="column"),
    "A05": partial(suspicious, code="pair"),
    "A06": partial(suspicious, code="gaps"),
    "A07": partial(suspicious, code="column", ordered=True),
    "A12": folds_differ,
    "A13": choices_at_edges,
    "A14": too_few,
    "A16": without_prediction,
}
