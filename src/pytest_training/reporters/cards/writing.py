"""Writes model_card.md and tripod_ai.md beside a job's model, and lists them among its artifacts."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jinja2
import msgspec

from pytest_training.atomic import write_atomically
from pytest_training.evaluation.tripod import SOURCE, Item, items
from pytest_training.execution.outcome import Outcome
from pytest_training.execution.slot import save_outcome
from pytest_training.records.measures import measures
from pytest_training.reporters.cards import facts
from pytest_training.reporters.cards.record import JobRecord
from pytest_training.text import one_line

CARD, CHECKLIST = "model_card.md", "tripod_ai.md"
SPECIAL = re.compile(r"([\\`*_\[\]<>|])")
LONGEST = 4000  # characters of a text in a card
NOT_JUDGED = "The metrics are as the job returned them; intervals, where there are any, are its own."


class Answer(NamedTuple):
    """What the record and the catalogue say to a sub-item; no words if nothing."""

    item: Item
    words: str
    origin: str
    remedy: str


def with_cards(record: JobRecord) -> Outcome:
    """Write the cards of a trained job; return the outcome that lists them."""
    run, outcome = record.run, record.outcome
    try:
        texts = {CARD: model_card(record), CHECKLIST: checklist(record)}
        folder = f"{outcome.attempts[-1].folder}/artifacts"
        new = {path: text for name, text in texts.items() if (path := f"{folder}/{name}") not in outcome.artifacts}
        for path, text in new.items():  # a file of the job's own stays
            write_atomically(run.path / path, text.encode("utf-8", "replace"), below=run.stable.runs)
        changed = {"artifacts": tuple(sorted((*outcome.artifacts, *new)))}
    except Exception as error:  # noqa: BLE001  (a card that fails must not take the job's outcome with it)
        note = f"its model card could not be written: {type(error).__name__}: {one_line(str(error))}"
        changed = {"notes": (*outcome.notes, note)}
    with_changes = msgspec.structs.replace(outcome, **changed)
    with contextlib.suppress(OSError):  # the outcome without its cards is there
        save_outcome(run, with_changes)
    return with_changes


def model_card(record: JobRecord) -> str:
    """Return the model card in Markdown."""
    main = record.main
    return _render(
        CARD,
        record,
        known=record.description,
        metrics=measures(record.outcome),
        method_of_intervals=f"Intervals: {record.outcome.interval_method}." if main else NOT_JUDGED,
        groups=[group for each in record.evaluations for group in each.subgroups][: facts.MOST_GROUPS],
        statements=list(_statements(record)),
        pictures=[],
    )


def _statements(record: JobRecord) -> Iterator[tuple[str, str]]:
    """Yield the statements that have no section of their own."""
    keys = dict.fromkeys(key for item in items() for key in item.keys)
    for key in (key for key in keys if key not in {"intended_use", "limitations"}):
        yield from ((key.replace("_", " "), words) for words in _stated(record, key))


def _stated(record: JobRecord, key: str) -> list[str]:
    stated = record.stated(key)
    return [one_line(words if len(stated) == 1 else f"{about}: {words}", LONGEST) for about, words in stated]


def checklist(record: JobRecord) -> str:
    """Return the answers to TRIPOD+AI in Markdown."""
    answers = [answer(record, item) for item in items()]
    return _render(CHECKLIST, record, answers=answers, filled=sum(bool(each.words) for each in answers), source=SOURCE)


def answer(record: JobRecord, item: Item) -> Answer:
    """Return what is recorded and what is stated to a sub-item; if neither, where it can be stated."""
    recorded = [_text(words) for name in item.facts if (words := facts.fact(name)(record).strip())]
    stated = [words.replace("|", "\\|") for key in item.keys for words in _stated(record, key)]
    stated += [f"{key}: not stated." for key in item.keys[1:] if (recorded or stated) and not record.stated(key)]
    keys = " or ".join(f"`card: {{{key}: …}}`" for key in item.keys)
    remedy = f"{keys} of jobs.{record.job.id} in the catalogue" + (f", or `{item.code}`" if item.code else "")
    origins = {"record": recorded, "stated": any(map(record.stated, item.keys))}
    origin = " and ".join(name for name, has_words in origins.items() if has_words)
    return Answer(item, " ".join([*recorded, *stated]), origin, remedy)


def _text(value: object) -> str:
    """Return a text in one line of Markdown that shows it and does nothing else."""
    return SPECIAL.sub(r"\\\1", one_line(str(value), LONGEST))


def _fenced(text: str) -> str:
    fence = "`" * (3 + max(map(len, re.findall(r"`+", text)), default=0))
    return f"{fence}text\n{inspect.cleandoc(text)}\n{fence}"


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    plain = jinja2.Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)  # noqa: S701  (Markdown: `text` escapes)
    plain.filters |= {"text": _text, "fenced": _fenced}
    return plain


def _render(name: str, record: JobRecord, **values: object) -> str:
    template = _environment().get_template(f"{name}.j2")
    title = record.job.title or record.job.id
    page = template.render(record=record, job=record.job, outcome=record.outcome, title=title, facts=facts, **values)
    return re.sub(r"\n{3,}", "\n\n", page)
