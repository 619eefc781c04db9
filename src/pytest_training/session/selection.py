"""What a selection names that does not exist: a sentence for each such name, with what exists, nearest first."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import pytest

from pytest_training.jobs.model import Job
from pytest_training.session.items import job_of
from pytest_training.wording import listing, one_of, printable

TERM = re.compile(r"(?P<negated>\bnot\s+)?(?P<name>[\w:+\-.\[\]\\/]+)")
"""A name in an expression of `-k` or `-m`, as pytest reads it."""
ARGUMENTS = re.compile(r"\([^()]*=[^()]*\)")  # those of a mark: `-m "device(kind='gpu')"`
OPERATORS = {"and", "or", "not"}


def unknown_names(config: pytest.Config, items: Sequence[pytest.Item], jobs: Sequence[Job]) -> Iterator[str]:
    """Yield a sentence for each name in `-k`, `-m` and `--deselect` that stands for none of the collected tests."""
    if config.option.keyword:
        ids = [job.id for job in jobs]
        words = {word.lower() for item in items for word in chain(item.keywords, item.extra_keyword_matches)}
        for term, _ in _terms(config.option.keyword):
            if not any(term.lower() in word for word in words):
                yield f"-k: no job or test is called {term!r}: {one_of(term, ids)}"
    if config.option.markexpr:
        marks = {mark.name for item in items for mark in item.iter_markers()}
        marks.update(re.split(r"[:(]", line)[0].strip() for line in config.getini("markers"))
        for term, negated in _terms(ARGUMENTS.sub("", config.option.markexpr)):
            if term not in marks and not negated:
                yield f"-m: no job has the tag {term!r}: {one_of(term, _tags(jobs))}"
    nodes = [item.nodeid for item in items if job_of(item) is not None] if config.option.deselect else []
    tests = {node.partition("[")[0] for node in nodes}
    for prefix in config.option.deselect or ():
        if prefix.partition("[")[0] in tests and not any(node.startswith(prefix) for node in nodes):
            yield f"--deselect: no test is called {printable(prefix, 200)!r}: {one_of(prefix, nodes, limit=3)}"


def unknown_arguments(config: pytest.Config, jobs: Sequence[Job]) -> Iterator[str]:
    """Yield a sentence for each argument that names a test of no job, or no file but nearly a job."""
    ids = [job.id for job in jobs]
    escaped = [job_id.encode("unicode_escape").decode() for job_id in ids]  # as pytest writes them in node ids
    for argument in config.args:
        path, is_test, test = argument.partition("::")
        name = test.removesuffix("]").rpartition("[")[2] if is_test else path
        is_known, nearest = is_test and name in {*ids, *escaped}, one_of(name, ids)
        is_nearly_job = nearest.startswith("did") and not (config.invocation_params.dir / path).exists()
        if name and not is_known and (test.endswith("]") or is_nearly_job):
            yield f"{printable(argument, 200)}: no test trains a job {name!r}: {nearest}"


def nothing_selected(jobs: Sequence[Job]) -> str:
    """Return what there was to select."""
    named = f"; tags: {listing('', tags)}" if (tags := _tags(jobs)) else ""
    return f"no job is selected; jobs: {listing('', [job.id for job in jobs])}{named}"


def _terms(expression: str) -> Iterator[tuple[str, bool]]:
    """Yield each name of an expression, and whether `not` stands before it."""
    for match in TERM.finditer(expression):
        if match["name"] not in OPERATORS:
            yield match["name"], match["negated"] is not None


def _tags(jobs: Iterable[Job]) -> list[str]:
    return sorted({tag for job in jobs for tag in job.tags})
