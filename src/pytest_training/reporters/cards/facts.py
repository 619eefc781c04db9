"""Answers to the items of TRIPOD+AI from the record of a job; an empty answer means that nothing is recorded.

Each public function is a fact that tripod_ai.toml names, and returns plain text. None says more than what the record
holds.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_training.jobs.model import Dataset
from pytest_training.records.measures import is_side_number, measures
from pytest_training.reporters.cards.record import JobRecord
from pytest_training.text import one_line
from pytest_training.units import number

MOST_NAMES = 12
MOST_GROUPS = 30


def fact(name: str) -> Callable[[JobRecord], str]:
    """Return the function of that name."""
    function: Callable[[JobRecord], str] = globals()[name]
    return function


def title(record: JobRecord) -> str:
    """Name the question and the kind of study."""
    return f"{record.job.title} {objective(record)}" if record.job.title and objective(record) else ""


def objective(record: JobRecord) -> str:
    """Say whether a model was developed, and how it was validated."""
    if (main := record.main) is None:
        return ""
    how = "validated internally, out of fold" if main.folds > 1 else "evaluated on rows that it was not fitted on"
    others = ", ".join(each.name for each in record.evaluations if each.name)
    return f"A model was developed and {how}." + (f" Further evaluations: {others}." if others else "")


def summary(record: JobRecord) -> str:
    """Summarise people and performance."""
    return f"{flow(record)} {performance(record)}" if flow(record) and record.main else ""


def sources(record: JobRecord) -> str:
    """Describe each dataset."""
    own = (f"{each.name}, named by the user (sha256 {each.sha256})." for each in record.own_data)
    return " ".join([*map(source, record.datasets), *own])


def source(dataset: Dataset) -> str:
    """Return title, origin, citation and digest of a dataset."""
    parts = [
        f"{dataset.title or dataset.name} ({'real' if dataset.real else 'simulated'})",
        dataset.citation,
        f"sha256 {dataset.sha256}" if dataset.sha256 else None,
    ]
    return ". ".join(part.rstrip(".") for part in parts if part) + "."


def who(record: JobRecord) -> str:
    """Say who the people are."""
    return record.description.who


def checked_data(record: JobRecord) -> str:
    """Say which data were checked."""
    checked = [each.name for each in record.datasets if each.sha256]
    return f"The sha256 was checked before training: {', '.join(checked)}." if checked else ""


def outcome(record: JobRecord) -> str:
    """Name the target, its classes, the positive one and its unit."""
    known = record.description
    columns = [f"{each.target} of {each.name}" for each in record.datasets if each.target]
    classes = known.classes or (record.main.classes if record.main else ())
    parts = [", ".join(columns), f"classes {', '.join(classes)}" if classes else ""]
    parts += [f"positive is {classes[1]}"] if len(classes) == 2 else []
    parts += [f"a number in {known.unit}"] if known.unit else []
    return _sentence("; ".join(filter(None, parts)))


def predictors(record: JobRecord) -> str:
    """Count the predictors and name the first."""
    known = record.description.predictors
    if not known:
        return ""
    names = [f"{each.name} ({each.unit})" if each.unit else each.name for each in known[:MOST_NAMES]]
    more = record.description.columns - len(names)
    listed = ", ".join(names) + (f" and {more} more, all in model_card.md" if more else "")
    return f"{record.description.columns} predictors: {listed}."


def sample_size(record: JobRecord) -> str:
    """Compare the number of people with the minimum of Riley et al."""
    if (least := record.minimum) is None:
        return ""
    people, columns = record.description.people or record.description.rows, record.description.columns
    criteria = ", ".join(f"{name} {fewest:,}" for name, fewest in least.criteria.items())
    verdict = "enough" if people >= least.people else "too few"
    return (
        f"{people:,} people for {columns:,} candidate predictors: {verdict} by the criteria of Riley et al. (2019), "
        f"{least.people:,} where R² is {least.explained:.2f} ({criteria}); flexible models need more."
    )


def missing(record: JobRecord) -> str:
    """Count missing values and the rows that were left out."""
    known = record.description
    if not known.predictors:
        return ""
    gaps = [each for each in known.predictors if each.missing]
    worst = max(gaps, key=lambda each: each.missing, default=None)
    values = "No predictor has missing values."
    if worst:
        columns = f"{len(gaps)} predictor{'s have' if len(gaps) > 1 else ' has'} missing values"
        values = f"{columns}, most {worst.name}: {worst.missing:,} of {known.rows:,} rows."
    return f"{values} {left_out(record)}"


def left_out(record: JobRecord) -> str:
    """Count the rows that were left out, by reason."""
    reasons = "; ".join(
        f"{rows:,} row{'s' if rows != 1 else ''}, {reason}" for reason, rows in record.description.left_out.items()
    )
    return f"Left out: {reasons}." if reasons else "No row is recorded as left out."


def division(record: JobRecord) -> str:
    """Describe the folds."""
    if (main := record.main) is None or main.folds < 2:
        return ""
    times = f", {main.repeats} times with other folds" if main.repeats > 1 else ""
    return f"{main.folds} folds{times}: each row is predicted by the model of the fold that held it out."


def transformations(record: JobRecord) -> str:
    """List the steps before the model."""
    return _sentence(", then ".join(record.description.preparation))


def model(record: JobRecord) -> str:
    """Name the model with its settings."""
    return _sentence(record.description.model)


def method(record: JobRecord) -> str:
    """Return the method in the job's own words."""
    return one_line(record.description.method.partition("\n")[2], 2000)


def clusters(record: JobRecord) -> str:
    """Name the groups whose performance was measured."""
    columns = dict.fromkeys(each.column for main in record.evaluations for each in main.subgroups)
    return f"Performance was measured by {', '.join(columns)}." if columns else ""


def measures_of(record: JobRecord) -> str:
    """List measures, pictures, and the method of the intervals."""
    if (main := record.main) is None:
        return ""
    names = ", ".join(name for name in main.metrics if not is_side_number(name))
    return f"{names}." + (f" {main.method}." if main.method else "")


def calculation(record: JobRecord) -> str:
    """Say where the evaluated predictions come from."""
    return "By the fitted models of the folds; each prediction is in predictions.csv of the run." if record.main else ""


def output(record: JobRecord) -> str:
    """Say what the model returns."""
    if (main := record.main) is None:
        return ""
    if main.question == "number":
        return _sentence(f"A number {record.description.unit and f'in {record.description.unit}'}".rstrip())
    if main.question == "classes":
        return f"A risk for each of {', '.join(main.classes)}."
    cutoff = f"; from {main.cutoff:g} on somebody counts as positive" if main.cutoff is not None else ""
    return f"The risk of {main.classes[1]}{cutoff}."


def differences(record: JobRecord) -> str:
    """Compare development and evaluation, where these are folds of one table."""
    is_folded = record.main is not None and record.main.folds > 1
    return "None by design: folds of the same data served development and evaluation in turn." if is_folded else ""


def data_access(record: JobRecord) -> str:
    """Say where the data are and under which licence."""
    places = [(each, each.url or each.package or each.path or each.simulated or "") for each in record.datasets]
    return " ".join(f"{each.name}: {place}, {each.license}." for each, place in places if each.license)


def code(record: JobRecord) -> str:
    """Name the file and the commit."""
    if record.provenance is None or not record.provenance.commit:
        return ""
    changed = ", with changes that are not committed" if record.provenance.dirty else ""
    return f"{record.job.source} at commit {record.provenance.commit}{changed}."


def flow(record: JobRecord) -> str:
    """Count rows, people and classes."""
    known = record.description
    if not known.rows:
        return ""
    shares = zip(known.classes, known.counts, strict=False)
    classes = ", ".join(f"{name} {count} ({count / known.rows:.0%})" for name, count in shares)
    values = f"the outcome is {known.outcome} {known.unit}".rstrip() if known.outcome else ""
    return f"{known.rows:,} rows of {known.people:,} people; {classes or values}. {left_out(record)}"


def characteristics(record: JobRecord) -> str:
    """Point at table 1."""
    known = record.description
    by = " and by class" if known.classes else ""
    return f"Each predictor overall{by}, with missing values: table 1 of model_card.md." if known.predictors else ""


def numbers(record: JobRecord) -> str:
    """Count people and events of each analysis."""
    lines = []
    for each in record.evaluations:
        events = f", {each.events:,} with the event" if each.events is not None else ""
        fitted = (
            f"; each fit on about {each.people * (each.folds - 1) / each.folds:,.0f} people" if each.folds > 1 else ""
        )
        lines.append(f"{each.name or 'Evaluation'}: {each.rows:,} rows of {each.people:,} people{events}{fitted}.")
    return " ".join(lines)


def model_files(record: JobRecord) -> str:
    """Name the files that hold the model, with their digests."""
    return " ".join(f"{name} (sha256 {digest})." for name, digest in record.models())


def performance(record: JobRecord) -> str:
    """Return the headline metrics with intervals and the dummy's."""
    shown = measures(record.outcome)[:MOST_NAMES] if record.main else []
    words = (
        f"{each.name} {number(each.value)}"
        + (f" ({each.interval})" if each.interval else "")
        + (f", dummy {number(each.baseline)}" if each.baseline is not None else "")
        for each in shown
    )
    return _sentence("; ".join(words))


def subgroup_performance(record: JobRecord) -> str:
    """Return the first metric of each group."""
    groups = [group for main in record.evaluations for group in main.subgroups if group.metrics][:MOST_GROUPS]
    heads = [(group, next(iter(group.metrics.items()))) for group in groups]
    return _sentence("; ".join(f"{each.column} {each.value}: {name} {number(value)}" for each, (name, value) in heads))


def limits(record: JobRecord) -> str:
    """Return the limits that the job states."""
    return " ".join(record.description.limits)


def _sentence(text: str) -> str:
    return f"{text}." if text else ""
