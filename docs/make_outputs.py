"""Writes into README.md and docs/tutorial.md what their commands print: `python docs/make_outputs.py`.

A page may be named. `--check` changes nothing, and fails if a page shows anything else. Both need only the installed
plugin, so that `.ci/wheel` can follow the pages with the wheel alone. Blocks that begin with a path are files. Lines
about the machine are left out. A first or last line … stands for all others.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).parents[1]
PAGES = {"README.md": ("Your own folder", "A job"), "docs/tutorial.md": ()}
"""Each page, and the headings of the parts that a reader follows from an empty folder, () for all."""
BLOCK = re.compile(r"(?<=\n)```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)
FILE = re.compile(r"# (?P<name>\S+\.\w+).*\n")
MACHINE = re.compile(
    r"=+ test session starts|collected \d|platform |rootdir:|configfile:|plugins:|bringing up|created:|started "
    r"|jobs waited |loading |\d+ workers? \[|-+ generated xml file"
)
"""Beginnings of lines that say nothing of the training; a terminal has the live view in the place of `started`."""
VARYING = (
    (r"\d{8}-\d{6}-\d{6}-[0-9a-f]{4}", "RUN"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE"),
    (r"; the longest job alone takes .*", ""),
    (r"(\d+ min )?\b\d+(\.\d+)? ?s\b( \(\d+:\d+:\d+\))?|\b\d+ min\b", "SECONDS"),
    (r"\b\d\d:\d\d\b", "TIME"),
    (r"\[ *\d+/\d+\]", "[N]"),
    (r"(?m)(?<=  )\d+(\.\d+)?$", "SECONDS"),
    (r"([=_-])\1{2,}", r"\1"),
    (r"[ \t]+", " "),
)
"""What differs from run to run, and the word that stands for it when outputs are compared."""
SHOWN_FOLDER = "/home/you/beetles"
REST = ["…"]
OF_OTHERS = ("PYTEST", "COV_", "GITHUB_", "CI", "COLUMNS")
"""Beginnings of environment variables that change what is printed."""


class Step(NamedTuple):
    """A command, and the lines that the page shows below it."""

    command: str
    shown: list[str]


def outline(page: str, *headings: str) -> Iterator[re.Match[str]]:
    """Yield the blocks below some headings of a page, or else of what a reader follows there."""
    text = (TOP / page).read_text(encoding="utf-8")
    wanted = headings or PAGES[page]
    for block in BLOCK.finditer(text):
        heading = text[: block.start()].rpartition("\n## ")[2].partition("\n")[0]
        if heading in wanted or not wanted:
            yield block


def steps(block: str) -> list[Step]:
    """Return the commands of a console block."""
    found: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Step(line.removeprefix("$ "), []))
        else:
            found[-1].shown.append(line)
    return found


def printed(command: str, folder: Path) -> list[str]:
    """Run a command in a folder; return the lines that it prints, without those about the machine."""
    if "pip install" in command:
        return []
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_OTHERS)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=kept | {"PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    text = re.sub(r", waited [\d.]+ s", "", ended.stdout.replace(str(folder.resolve()), SHOWN_FOLDER))
    lines = [line.rstrip() for line in text.splitlines() if not MACHINE.match(line)]
    return re.sub(r"\n{2,}", "\n\n", "\n".join(lines).strip("\n")).splitlines()


def normal(lines: list[str]) -> list[str]:
    """Return the lines in one order, with words for what differs from run to run."""
    text = "\n".join(lines)
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return sorted(line.strip() for line in text.splitlines())


def followed(page: str) -> Iterator[tuple[re.Match[str], str]]:
    """Follow a page in an empty folder; yield each console block, and the block as it should be."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "beetles"
        folder.mkdir()
        for block in outline(page):
            if block["language"] == "console":
                yield block, "".join(_lines(block["text"], folder))
            elif file := FILE.match(block["text"]):
                (folder / file["name"]).parent.mkdir(parents=True, exist_ok=True)
                (folder / file["name"]).write_text(block["text"], encoding="utf-8")


def _lines(block: str, folder: Path) -> Iterator[str]:
    for command, shown in steps(block):
        real = printed(command.partition("  #")[0], folder)
        if shown[:1] == REST:
            real = REST + real[len(real) + 1 - len(shown) :]
        elif shown[-1:] == REST:
            real = real[: len(shown) - 1] + REST
        is_right = normal(shown) == normal(real)
        yield from (f"{line}\n" for line in (f"$ {command}", *(shown if is_right else real)))


def differences(page: str) -> list[str]:
    """Return what a page shows that is not so, as lines of a diff."""
    return [
        line
        for block, right in followed(page)
        for line in difflib.unified_diff(block["text"].splitlines(), right.splitlines(), page, "real", lineterm="")
    ]


def rewrite(page: str) -> None:
    """Put the real outputs into a page."""
    path = TOP / page
    text = path.read_text(encoding="utf-8")
    for block, right in reversed([*followed(page)]):
        text = text[: block.start("text")] + right + text[block.end("text") :]
    path.write_text(text, encoding="utf-8")


def main(words: list[str]) -> int:
    """Rewrite or check the pages; return the exit code."""
    pages = [word for word in words if word != "--check"] or [*PAGES]
    if "--check" in words:
        found = [line for page in pages for line in differences(page)]
        sys.stdout.write("".join(f"{line}\n" for line in found))
        return bool(found)
    for page in pages:
        rewrite(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
