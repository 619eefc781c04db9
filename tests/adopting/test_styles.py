"""Each style of script is found, gets its options, and has its numbers read: what docs/adopting.md says happens."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from .repository import Repository
from .styles import LIBRARIES, STYLES, TINY, Style

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PAGE = Path(__file__).parents[2] / "docs" / "adopting.md"
BEGIN, END = "<!-- written by tests/adopting/write_table.py -->\n", "<!-- end -->\n"
WORKERS, SHOWN = "2", 3


def is_there(style: Style) -> bool:
    """Return True if the library that a style is about is installed."""
    return not style.needs or importlib.util.find_spec(style.needs) is not None


def trained(folder: Path) -> Repository:
    """Return a repository with all styles, trained once in one run."""
    repository = Repository(folder, files={"tiny.py": TINY, "pyproject.toml": ""})
    for name, text in LIBRARIES.items():
        repository.write(f"../libraries/{name}", text)
    for style in filter(is_there, STYLES):
        for name, text in {style.path: style.text, **style.files}.items():
            repository.write(name, text)
    arguments = ("--training-root", str(repository.root), "-n", WORKERS, "--epochs", "2")
    ended = repository.pytest(*arguments, env={"PYTHONPATH": str(folder / "libraries")})
    repository.told = ended.stdout + ended.stderr
    return repository


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return trained(tmp_path_factory.mktemp("styles"))


@pytest.fixture(params=STYLES, ids=lambda style: style.job)
def style(request: pytest.FixtureRequest) -> Style:
    style: Style = request.param
    if not is_there(style):
        pytest.skip(f"{style.needs} is not installed")
    return style


def test_each_style_is_trained_with_its_options(repository: Repository, style: Style) -> None:
    outcome = repository.outcomes().get(style.job)
    assert outcome is not None, repository.told
    assert (outcome["status"], outcome["reason"]) == ("passed", "")


def test_its_numbers_are_read_with_their_source(repository: Repository, style: Style) -> None:
    outcome = repository.outcomes()[style.job]
    read = {name: (value, outcome["sources"].get(name)) for name, value in outcome["metrics"].items()}
    assert read == {name: (pytest.approx(value), source) for name, (value, source) in style.metrics.items()}
    assert ("no metrics found" in outcome["notes"]) == (not style.metrics)


def test_its_page_has_sources_and_curves(repository: Repository) -> None:
    page = Path(repository.user, "reports", "index.html").read_text()
    for style in filter(is_there, STYLES):
        section = page.partition(f'id="job-{style.job}"')[2].partition("</details>")[0]
        for _, source in style.metrics.values():
            assert source in section
        assert ("Learning curves" in section) or not style.curve, style.job


def test_a_job_that_is_skipped_as_unchanged_keeps_the_sources_of_its_metrics(tmp_path: Path) -> None:
    repository = Repository(tmp_path, files={"train_once.py": "print('val_auc: 0.91')\n"})
    for _ in range(2):
        repository.pytest("--training-root", str(repository.root), "--training-skip-unchanged")
    outcome = repository.outcomes()["once"]
    assert (outcome["status"], outcome["sources"]) == ("skipped", {"val_auc": "stdout line 1"})


def rows(outcomes: dict[str, dict[str, Any]], styles: tuple[Style, ...]) -> list[str]:
    """Return the rows of a group of styles from the outcomes of a run."""
    lines = []
    for style in styles:
        outcome = outcomes[style.job]
        read = [f"`{name}` {value:.4g}" for name, value in outcome["metrics"].items()] or ["nothing"]
        read[SHOWN:] = [f"{len(read) - SHOWN} more"] if len(read) > SHOWN else []
        sources = [*dict.fromkeys(outcome["sources"].values())][:SHOWN]
        options = " ".join(f"{name}={value}" for name, value in outcome["parameters"].items())
        lines.append(f"| {style.words} | {options} | {', '.join(read)} | {', '.join(sources)} |".replace("\t", " "))
    return lines


def table(repository: Repository) -> str:
    """Return what docs/adopting.md says of the styles."""
    outcomes = repository.outcomes()
    head = ["| style | parameters | metrics | read from |", "|---|---|---|---|"]
    return "\n".join([*head, *rows(outcomes, STYLES), ""])


def test_the_page_of_the_docs_says_what_was_read(repository: Repository) -> None:
    if not all(map(is_there, STYLES)):
        pytest.skip("not every library is installed")
    assert PAGE.read_text().partition(BEGIN)[2].partition(END)[0] == table(repository)
