"""Whoever follows README.md or the tutorial from an empty folder sees what these pages show."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
import make_outputs  # noqa: E402  (after its folder is on the path)

MOST_COMMANDS, MOST_LINES, MOST_ROWS = 10, 150, 15


@pytest.mark.slow
@pytest.mark.parametrize("page", make_outputs.PAGES)
def test_each_output_of_a_page_is_a_real_one(page: str) -> None:
    assert not (found := make_outputs.differences(page)), "run: python docs/make_outputs.py\n" + "\n".join(found)


def test_readme_alone_leads_to_a_gate_that_fails_and_is_mended() -> None:
    blocks = make_outputs.outline("README.md", "Your own folder")
    found = [step for block in blocks for step in make_outputs.steps(block["text"])]
    assert len(found) <= MOST_COMMANDS
    assert [step.command for step in found[:3]] == [
        "pip install pytest-training",
        "pytest-training init",
        "pytest -n 4",
    ]
    endings = [step.shown[-1] for step in found if step.command.startswith("pytest ") or step.command == "pytest"]
    assert [" failed" in ending for ending in endings] == [False, True, False]


def test_readme_is_short() -> None:
    text = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    table = text.partition("| you want | you type |\n")[2].partition("\n\n")[0]
    assert len(table.splitlines()) - 1 <= MOST_ROWS


def test_the_commands_of_the_workflow_are_those_that_the_reader_has_typed() -> None:
    *_, block = (block["text"] for block in make_outputs.outline("docs/tutorial.md") if block["language"] == "yaml")
    commands = [step["run"] for step in yaml.safe_load(block)["jobs"]["train"]["steps"] if "run" in step]
    assert commands == ["pip install pytest-training", "pytest -n 4 --training-compare last"]


def test_what_differs_from_run_to_run_is_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def normal(line: str) -> list[str]:
        return make_outputs.normal([line])

    assert normal("PASSED  a  error 0.059    0.08 s  [1/7]") == normal("PASSED  a  error 0.059  1 min 2 s  [ 2/7]")
    assert normal("=== 1 passed in 1.95s ===") == normal("==== 1 passed in 61.5s (0:01:01) ====")
    assert normal("PASSED  a  error 0.059  0.08 s") != normal("PASSED  a  error 0.058  0.08 s")
    monkeypatch.setenv("COLUMNS", "80")
    assert make_outputs.printed("echo $COLUMNS", tmp_path) == []
    assert make_outputs.printed("echo a; echo; echo; echo 'plugins: b'; pwd >&2; exit 1", tmp_path) == [
        "a",
        "",
        make_outputs.SHOWN_FOLDER,
    ]
