"""Writes model_card.md and tripod_ai.md beside a job's model, and lists them among its artifacts."""

from __future__ import annotations

import base64
import contextlib
import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import msgspec

from pytest_training.atomic import write_atomically
from pytest_training.evaluation.tripod import SOURCE, Item, items, statement_keys
from pytest_training.execution.outcome import Outcome
from pytest_training.execution.slot import save_outcome
from pytest_training.jobs.directions import is_side_number
from pytest_training.reporters import html
from pytest_training.reporters.cards.record import JobRecord
from pytest_training.reporters.html.predictions import Chart, view
from pytest_training.text import one_line
from pytest_training.units import number
from pytest_training.wording import counted

CARD, CHECKLIST = "model_card.md", "tripod_ai.md"
SPECIAL = re.compile(r"([\\`*_\[\]<>|])")
LONGEST = 4000  # characters of a text in a card
MOST_POINTS = 300  # of a picture
HTML = Path(html.__file__).parent / "templates"


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
    others = (key for key in statement_keys() if key not in {"intended_use", "limitations"})
    statements = [(key.replace("_", " "), words) for key in others for words in _stated(record, key)]
    views = [view(each, MOST_POINTS) for each in record.evaluations]
    listed = frozenset[str]().union(*(each.listed for each in views))
    shown = {
        "measures": [each for each in record.measures if each.name not in listed],
        "views": [(each, [(chart.caption, _picture(chart)) for chart in each.charts]) for each in views],
    }
    return _render(CARD, record, known=record.description, statements=statements, **shown)


def _picture(chart: Chart) -> str:
    """Return a picture as a data: URI, so that it is inside the card."""
    style = (HTML / "drawings.css").read_text(encoding="utf-8")
    svg = _environment().get_template("picture.svg.j2").render(chart=chart, style=style)
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def checklist(record: JobRecord) -> str:
    """Return the answers to TRIPOD+AI in Markdown."""
    answers = [answer(record, item) for item in items()]
    return _render(CHECKLIST, record, answers=answers, filled=sum(bool(each.words) for each in answers), source=SOURCE)


def answer(record: JobRecord, item: Item) -> Answer:
    """Return the recorded and stated answers to a sub-item, else the place where one can be stated."""
    macros: Any = _environment().get_template("facts.j2").module
    recorded = [words for name in item.facts if (words := _text(getattr(macros, name)(record)))]
    stated = [words.replace("|", "\\|") for key in item.keys for words in _stated(record, key)]
    stated += [f"{key}: not stated." for key in item.keys[1:] if (recorded or stated) and not record.stated(key)]
    keys = " or ".join(f"`card: {{{key}: …}}`" for key in item.keys)
    remedy = f"{keys} of jobs.{record.job.id} in jobs.yaml" + (f", or `{item.code}`" if item.code else "")
    origins = {"record": recorded, "stated": any(map(record.stated, item.keys))}
    origin = " and ".join(name for name, has_words in origins.items() if has_words)
    return Answer(item, " ".join([*recorded, *stated]), origin, remedy)


def _stated(record: JobRecord, key: str) -> list[str]:
    stated = record.stated(key)
    return [one_line(words if len(stated) == 1 else f"{about}: {words}", LONGEST) for about, words in stated]


def _text(value: object) -> str:
    """Return a text in one line of Markdown that shows it and does nothing else."""
    return SPECIAL.sub(r"\\\1", one_line(" ".join(str(value).split()), LONGEST))


def _fenced(text: str) -> str:
    fence = "`" * (3 + max(map(len, re.findall(r"`+", text)), default=0))
    return f"{fence}text\n{inspect.cleandoc(text)}\n{fence}"


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader([Path(__file__).parent / "templates", HTML])
    made = jinja2.Environment(
        loader=loader,
        autoescape=jinja2.select_autoescape(("svg.j2",)),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"text": _text, "fenced": _fenced, "number": number, "counted": counted}
    made.tests |= {"side_number": is_side_number}
    return made


def _render(name: str, record: JobRecord, **values: object) -> str:
    template = _environment().get_template(f"{name}.j2")
    title = record.job.title or record.job.id
    page = template.render(record=record, job=record.job, outcome=record.outcome, title=title, **values)
    return re.sub(r"\n{3,}", "\n\n", page)
