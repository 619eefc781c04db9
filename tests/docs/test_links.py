"""Every relative link of every page leads to a file, and, behind #, to a heading of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]*))?\)")
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


def pages() -> list[str]:
    folders = (TOP, TOP / "docs", TOP / "training", TOP / "benchmarks")
    return sorted(page.relative_to(TOP).as_posix() for folder in folders for page in folder.glob("*.md"))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    links = LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))
    targets = [(page.parent / file if file else page, file, anchor) for file, anchor in links]
    return [
        f"{file}#{anchor}"
        for target, file, anchor in targets
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]


@pytest.mark.parametrize("page", pages())
def test_every_relative_link_of_a_page_leads_somewhere(page: str) -> None:
    assert broken(TOP / page) == []


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One title\n[a](page.md#one-title) [b](#one-title) [c](gone.md) [d](#two) [e](https://x.org)\n")
    assert broken(page) == ["gone.md#", "#two"]
