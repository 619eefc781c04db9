"""The guide for programs: docs/programs.md shows it as it is printed, and its commands run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from run_all.miniature import Miniature

from pytest_training.commands.answers import GUIDE
from pytest_training.commands.main import main

from .test_commands import failures

TOP = Path(__file__).parents[2]
COMMAND = re.compile(r"^  (pytest(?:-training)? .*?)  ", re.MULTILINE)
FOREST = 'def train(run, *, trees=1):\n    return {"auc": trees / 10}\n'


def test_the_page_shows_the_guide(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guide"]) == 0
    printed = capsys.readouterr().out
    assert f"```console\n$ pytest-training guide\n{printed}```\n" in (TOP / "docs/programs.md").read_text(
        encoding="utf-8"
    )
    assert max(map(len, printed.splitlines())) < 110


def test_the_guide_names_files_that_a_run_leaves_and_schemas_that_exist() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert (TOP / "docs/schemas/status.json").exists()
    assert "docs/schemas/" in text
    assert set(COMMAND.findall(text)) >= {"pytest -n 4", "pytest-training status --json"}


@pytest.mark.slow
def test_every_command_of_the_guide_runs(tmp_path: Path) -> None:
    project = Miniature(tmp_path / "project")
    project.write("training/train_forest.py", FOREST)
    project.write("training/jobs.yaml", "jobs: {forest: {matrix: {trees: [1, 2]}}}\n")
    text = GUIDE.read_text(encoding="utf-8")
    # Questions come after the runs that they are about.
    commands = sorted(COMMAND.findall(text), key=lambda command: command.startswith("pytest-training"))
    assert failures(commands, project.root) == []
    left = {path.relative_to(project.root / "reports").as_posix() for path in (project.root / "reports").rglob("*")}
    named = re.findall(
        r"^  ((?:runs/RUN/)?[\w./]+(?:, [\w./]+)*)  ", text.partition("FILES")[2].partition("\nA JOB")[0], re.MULTILINE
    )
    for name in (each for line in named for each in line.split(", ")):
        pattern = re.escape(name).replace("RUN", "[^/]+").replace("JOB", "als").rstrip("/")
        assert any(re.fullmatch(pattern, path) for path in left), name
