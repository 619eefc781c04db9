"""Writes index.html: has the templates draw what view.py has gathered."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import jinja2
from jinja2.bccache import Bucket
from markupsafe import Markup

from pytest_training.atomic import write_atomically
from pytest_training.records.comparison import MARKS
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.reporters.html.page_model import PageView
from pytest_training.reporters.html.view import view_page
from pytest_training.text import one_line
from pytest_training.units import duration, number

if TYPE_CHECKING:
    import pytest

TEMPLATES = Path(__file__).parent / "templates"


class Reporter:
    """Writes the page of a run, and that of the latest run under its stable name."""

    def __init__(self, config: pytest.Config) -> None:
        """Need nothing of pytest."""

    def pytest_training_run_end(self, run: TrainingRun) -> None:
        """Write the page."""
        with run.noting_failure(f"index.html in {run.folder.path}"):
            write_page(run, is_latest=True)


class _KeptBeside(jinja2.FileSystemBytecodeCache):
    """Compiled templates, kept as Python keeps compiled modules: to compile takes longer than to write a page."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):  # somebody else's folder, or a full disk: compiled anew each time
            Path(self.directory).mkdir(exist_ok=True)
            super().dump_bytecode(bucket)


def render_page(view: PageView) -> str:
    """Write the page; `{base}` in links is replaced by `write_page`."""
    style, script = _asset("style.css"), _asset("script.js")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        bytecode_cache=None if sys.dont_write_bytecode else _KeptBeside(str(TEMPLATES / "__pycache__")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(line=one_line, duration=duration, number=number)
    environment.globals.update(marks=MARKS)
    return environment.get_template("page.html.j2").render(
        page=view,
        style=Markup(style),  # noqa: S704  (ours, and hashed below)
        script=Markup(script),  # noqa: S704  (our own file)
        style_hash=_hash(style),
        script_hash=_hash(script),
        base=BASE,
    )


BASE = f"base-{secrets.token_hex(12)}/"
"""Stands for the way from the page to the run's folder; no job can know it."""


def write_page(run: TrainingRun, *, is_latest: bool) -> None:
    """Write the page into the run's folder and, for the latest run, to its stable name."""
    rendered = render_page(view_page(run))
    write_atomically(run.folder.page, _based(rendered, ""))
    if is_latest:
        write_atomically(
            run.folder.stable.copy_of(run.folder.page), _based(rendered, f"runs/{quote(run.folder.run_id)}/")
        )


def _based(rendered: str, way: str) -> bytes:
    return rendered.replace(BASE, way).encode("utf-8", "replace")


def _asset(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
