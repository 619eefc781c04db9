"""The pages are plain English: short sentences, and none of the constructions that readers stop at.

markdown-it-py reads the pages; rich needs it anyway. textstat and proselint know no Markdown: they count code and
tables as prose. Vale is a program of its own, and its rules would be this same list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

TOP = Path(__file__).parents[2]
MEAN_WORDS, MOST_WORDS = 16, 40
END = re.compile(r"(?<=[.!?])[\"')]*\s+(?=[\"'(]*[A-Z0-9])")
END_IN_CELL = re.compile(rf";\s|{END.pattern}")
ABBREVIATION = re.compile(r"\b(e\.g|i\.e|vs|et al|etc|cf)\.")
BANNED = {
    "is none|are none|none of ours|no more than what": "Say what it is not: 'has no …'.",
    "of which|whose and whose|that of an?|those of an?|which was not|has nothing that": "Name the thing again.",
    "in place of what|what it is|what has|what is found|what came of|came? about": "Use a noun.",
    "tells? of|tells? (them|it|whether)|hears?|is told|are told|is said|are said": "Programs do not speak: 'shows'.",
    "looked at|looks at|is asked|asks for": "Programs do not look or ask: 'reads', 'needs'.",
    "nobody|no order takes|all the same|the like|and its kin|thereof|whereby": "Say it in today's words.",
    r"what [^,.;]{1,40}\bwhat": "One 'what' a sentence.",
    r"not [^,.;]{1,30}\bwithout\b|never [^,.;]{1,30}\b(without|not)\b|no [^,.;]{1,30}\bnot\b": "No double negative.",
}
"""Constructions, and what to write instead. They are matched as whole words."""
OPENING = re.compile(r"^(Of (?!course)|To what |With what |Than )")
"""The subject comes first."""


class Sentence(NamedTuple):
    """A sentence of a page; of prose if it stands in a paragraph or in a list."""

    text: str
    prose: bool

    @property
    def words(self) -> int:
        return len([word for word in self.text.split() if any(map(str.isalnum, word))])


def pages() -> list[str]:
    paths = [*TOP.glob("*.md")]
    paths += [path for folder in ("docs", "training", "benchmarks") for path in (TOP / folder).glob("*.md")]
    return sorted(path.relative_to(TOP).as_posix() for path in paths)


def sentences(page: str) -> Iterator[Sentence]:
    """Yield the sentences of a Markdown text, without its headings and blocks of code; code in a line is one word."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    for before, token in pairwise(tokens):
        if token.type == "inline" and before.type != "heading_open":
            text = ABBREVIATION.sub(r"\1", " ".join(_text(token).split()))
            is_prose = before.type == "paragraph_open"
            for part in (END if is_prose else END_IN_CELL).split(text):
                if part:
                    yield Sentence(part, is_prose)


def _text(block: Token) -> str:
    """Return the text of a paragraph or cell as a reader would say it."""
    shown = {"code_inline": "Code", "softbreak": " ", "hardbreak": " "}
    return "".join(shown.get(part.type, part.content if part.type == "text" else "") for part in block.children or [])


def problems(text: str) -> list[str]:
    """Return what is hard to read in a page."""
    found = list(sentences(text))
    prose = [sentence.words for sentence in found if sentence.prose]
    mean = sum(prose) / max(len(prose), 1)
    slow = [f"a sentence has {mean:.1f} words on average, at most {MEAN_WORDS} are wanted"] if mean > MEAN_WORDS else []
    return slow + [f"{why} {sentence.text}" for sentence in found for why in _faults(sentence)]


def _faults(sentence: Sentence) -> Iterator[str]:
    if sentence.words > MOST_WORDS:
        yield f"{sentence.words} words, at most {MOST_WORDS}:"
    if OPENING.search(sentence.text):
        yield "The subject comes first:"
    for construction, advice in BANNED.items():
        if found := re.search(rf"\b({construction})\b", sentence.text, re.IGNORECASE):
            yield f"'{found[0]}': {advice}"


@pytest.mark.parametrize("page", pages())
def test_a_page_reads_well(page: str) -> None:
    found = problems((TOP / page).read_text(encoding="utf-8"))
    assert not found, f"{page}:\n" + "\n".join(found)


def test_code_headings_and_tables_are_no_prose() -> None:
    text = "# Of a heading\n\nRun `a b c`. It\nends.\n\n- See [a page](x.md), e.g. `x`\n\n```\nOf which\n```\n\n"
    text += "| a | b |\n|---|---|\n| one. Two | c; d |\n"
    assert list(sentences(text)) == [
        *(Sentence("Run Code.", prose=True), Sentence("It ends.", prose=True)),
        Sentence("See a page, e.g Code", prose=True),
        *(Sentence(cell, prose=False) for cell in ("a", "b", "one.", "Two", "c", "d")),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The longest job alone takes 62 s.", []),
        (
            "No order takes less than 62 s.",
            ["'No order takes': Say it in today's words. No order takes less than 62 s."],
        ),
        ("Of a pattern each group is a metric.", ["The subject comes first: Of a pattern each group is a metric."]),
        ("word " * 17, ["a sentence has 17.0 words on average, at most 16 are wanted"]),
        (f"Short. Short. Short. {'Word ' * 41}", [f"41 words, at most 40: {'Word ' * 40}Word"]),
    ],
)
def test_what_is_hard_to_read_is_named(text: str, found: list[str]) -> None:
    assert problems(text) == found
