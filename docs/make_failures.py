"""Writes the tables of docs/failures.md from the messages.toml beside the code: `python docs/make_failures.py`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parent / "failures.md"
SOURCE = Path(__file__).parents[1] / "src" / "pytest_training"
MARK = "<!-- Everything below is written by docs/make_failures.py from src/pytest_training/**/messages.toml. -->\n"
GROUPS = {
    "installing": ("Installing", ""),
    "writing": (
        "Writing a job",
        "A file with one of these is still a job. It fails with the message, and the others run.",
    ),
    "run": ("Using `run` in a job", ""),
    "catalogue": ("Writing jobs.yaml", ""),
    "data": ("Declaring data", "Each begins with the dataset and its place: `dataset 'name' (training/jobs.yaml:41)`."),
    "options": ("Setting options and parameters", ""),
    "selecting": ("Selecting jobs", ""),
    "running": (
        "Running jobs",
        "A note does not fail the job. A cause is a word that `retry_on:` of [jobs.yaml](jobs-yaml.md) may list.",
    ),
    "gates": ("Judging metrics by gates", ""),
    "studies": ("Running studies and searches", ""),
    "cluster": ("Running on a cluster", ""),
    "reports": ("Keeping reports and history", "These are warnings. The jobs go on."),
    "earlier": (
        "Resuming, comparing and reading runs",
        "The command prints its own behind `pytest-training VERB: error:` on stderr. Its exit code is then 2.",
    ),
    "logs": ("Reading logs", ""),
    "run_all": (
        "Using run_all_training.py",
        "These stand behind `run_all_training.py: error:` on stderr. The exit code is 2 unless a row says otherwise.",
    ),
    "defect": ("Defects of the plugin", "Please report one of these if you see it."),
}
"""What a person does, in the order of the page: heading and first sentence."""


def entries(file: Path) -> Iterator[tuple[str, str, str]]:
    """Yield a file's groups and messages, each message with its row of the page."""
    for group, messages in tomllib.loads(file.read_text(encoding="utf-8")).items():
        for message, row in messages.items():
            yield group, message, f"| {_code(message)} | {row.get('means', '')} | {row.get('do', '')} |"


def page(text: str) -> str:
    """Return the page with new tables below its mark."""
    rows: dict[str, list[str]] = {group: [] for group in GROUPS}
    for file in sorted(SOURCE.rglob("messages.toml")):
        for group, _, row in entries(file):
            rows[group].append(row)
    sections = "".join(_section(*GROUPS[group], rows[group]) for group in GROUPS)
    return text.partition(MARK)[0] + MARK + _contents() + sections


def _contents() -> str:
    headings = [heading for heading, _ in GROUPS.values()]
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    links = (f"- [{heading}](#{anchor})" for heading, anchor in zip(headings, anchors, strict=True))
    return "\n".join(["", "## Messages by what you do", "", *links, ""])


def _section(heading: str, first: str, rows: list[str]) -> str:
    head = ["", f"## {heading}", "", *([first, ""] if first else [])]
    return "\n".join([*head, "| message | what it means | what to do |", "|---|---|---|", *rows, ""])


def _code(message: str) -> str:
    return f"`` {message} ``" if "`" in message else f"`{message}`"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
