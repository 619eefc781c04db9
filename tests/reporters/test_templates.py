"""The page's templates are compiled once, not in each run."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from made_runs import make_run, publish

from pytest_training.reporters.html import environment


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a copy of the templates, which nobody has compiled."""
    folder = tmp_path / "templates"
    shutil.copytree(environment.TEMPLATES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(environment, "TEMPLATES", folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    environment.templates.cache_clear()
    yield folder
    environment.templates.cache_clear()


def written(reports: Path, run_id: str) -> str:
    """Return a page as another process writes it."""
    environment.templates.cache_clear()
    publish(make_run(reports, jobs=2, epochs=1, run_id=run_id))
    return (reports / "index.html").read_text(encoding="utf-8")


def test_a_second_page_is_written_without_compiling(
    tmp_path: Path, templates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "</html>" in written(tmp_path, "20260101-100000-aaaa")
    monkeypatch.delattr(jinja2.Environment, "_generate")
    assert "</html>" in written(tmp_path, "20260102-100000-aaaa")
    (templates / "job.html.j2").write_text("changed", encoding="utf-8")
    with pytest.raises(AttributeError, match="_generate"):
        written(tmp_path, "20260103-100000-aaaa")


def test_nothing_is_kept_where_python_keeps_nothing(
    tmp_path: Path, templates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    written(tmp_path, "20260101-100000-aaaa")
    assert not (templates / "__pycache__").exists()


def test_a_folder_that_cannot_be_written_costs_no_page(
    tmp_path: Path, templates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(templates))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    assert "</html>" in written(tmp_path, "20260101-100000-aaaa")
