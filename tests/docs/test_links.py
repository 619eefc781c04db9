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


def test_every_path_that_contributing_names_exists() -> None:
    named = re.findall(
        r"`((?:src|tests|docs|benchmarks|training)/[^`\s]*|[\w.]+\.md)`", (TOP / "CONTRIBUTING.md").read_text()
    )
    assert len(named) > 30
    assert [path for path in named if "NAME" not in path and not (TOP / path).exists()] == []


def test_every_folder_of_the_source_and_of_the_tests_is_in_its_table() -> None:
    table = (TOP / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("| source | tests |")[2]
    for folder in (TOP / "src/pytest_training", TOP / "tests"):
        folders = [path for path in folder.iterdir() if path.is_dir() and any(path.glob("*.py"))]
        names = {path.relative_to(TOP).as_posix() for path in folders}
        assert {name for name in names - {"src/pytest_training/shipped"} if f"`{name}/`" not in table} == set()


def test_the_drawing_of_the_house_has_every_folder() -> None:
    page = (TOP / "docs/architecture.md").read_text(encoding="utf-8")
    drawing = page.partition("```")[2].partition("```")[0]
    folders = {path.parent.name for path in (TOP / "src/pytest_training").glob("*/__init__.py")} - {"shipped"}
    assert {folder for folder in folders if not re.search(rf"\b{folder}\b", drawing[:2000])} == set()


def test_the_index_leads_to_every_page() -> None:
    linked = re.findall(r"\]\(([\w-]+\.md)", (TOP / "docs/index.md").read_text(encoding="utf-8"))
    assert {page.name for page in (TOP / "docs").glob("*.md")} - {"index.md", *linked} == set()


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One title\n[a](page.md#one-title) [b](#one-title) [c](gone.md) [d](#two) [e](https://x.org)\n")
    assert broken(page) == ["gone.md#", "#two"]
