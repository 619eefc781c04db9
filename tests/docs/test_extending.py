"""Each section of these pages works as it stands there: its files make a project, and its commands run in it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from sessions import Project, text

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("extending.md", "predictions.md")
STUDIES = "studies.md"
FILE = re.compile(r"```(?:python|yaml|ini|sh)\n# (\S+)\n(.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def sections() -> dict[str, str]:
    """Return the sections that show a file, by their title."""
    parts = [part for page in PAGES for part in (DOCS / page).read_text(encoding="utf-8").split("\n## ")[1:]]
    return {part.partition("\n")[0]: part for part in parts if FILE.search(part)}


def studies() -> dict[str, str]:
    """Return the sections of the page of studies that show a file; the table is that of the first."""
    first, *others = (DOCS / STUDIES).read_text(encoding="utf-8").split("\n## ")
    by_title = {part.partition("\n")[0]: part for part in others}
    return {"studies": first + by_title.pop("The table")} | {
        title: part for title, part in by_title.items() if FILE.search(part) and CONSOLE.search(part)
    }


@pytest.mark.parametrize(
    "section",
    [*sections().values(), *studies().values()],
    ids=[*sections(), *studies()],
)
def test_the_files_and_commands_of_a_section_work(section: str, tmp_path: Path) -> None:
    """In a console block, the command is run; what stands below it is printed, `…` being anything."""
    project = Project(tmp_path)
    for name, content in FILE.findall(section):
        project.write(name, content)
    if not (tmp_path / "training").is_dir():
        project.jobs("als")
    consoles = CONSOLE.findall(section)
    assert consoles, "a section with files shows the command that uses them"
    for block in consoles:
        command, *printed = block.splitlines()
        program, *arguments = shlex.split(command.removeprefix("$ "))
        assert program in {"pytest", "pytest-training"}
        ended = project.run(*arguments) if program == "pytest" else project.ask(*arguments)
        assert ended.ret == 0, text(ended)
        ended.stdout.fnmatch_lines([line.replace("[", "[[]").replace("…", "*") for line in printed])


def test_the_page_has_a_section_for_each_link() -> None:
    page = (DOCS / PAGES[0]).read_text(encoding="utf-8")
    titles = {title.lower().replace(" ", "-") for title in re.findall(r"^## (.*)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= titles
