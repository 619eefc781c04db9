"""Writes index.html: one file that needs no network. The templates draw a run from its outcomes, within bounds."""

import base64
import hashlib
import secrets
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from pytest_training.atomic import write_atomically
from pytest_training.execution import job_files
from pytest_training.execution.outcome import Status
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.run_record import timing
from pytest_training.reporters.html import environment
from pytest_training.reporters.html.forest import forest
from pytest_training.reporters.html.job_view import MOST_ROWS, job_views
from pytest_training.reporters.html.overview import overview
from pytest_training.reporters.html.pictures import PictureBook, artifacts
from pytest_training.reporters.html.results import results
from pytest_training.reporters.html.timeline import timeline
from pytest_training.text import home_pattern, without_home

if TYPE_CHECKING:
    from pytest_training.reporters.html.running import Progress

BASE = f"base-{secrets.token_hex(12)}/"  # stands for the way from the page to the run's folder; no job can know it
STYLES = ("style.css", "drawings.css", "sections.css", "forest.css")
SCRIPTS = ("live.js", "script.js", "times.js")


def write_page(run: TrainingRun, *, is_latest: bool, progress: "Progress | None" = None) -> None:
    """Write the page into the run's folder and, for the latest run, to its stable name; `progress` while it goes on."""
    rendered = without_home(_render(run, progress), home_pattern())
    ways = {run.folder.page: "", run.folder.stable.copy_of(run.folder.page): f"runs/{quote(run.folder.run_id)}/"}
    for path, way in list(ways.items())[: 2 if is_latest else 1]:
        write_atomically(path, rendered.replace(BASE, way).encode("utf-8", "replace"))


def _render(run: TrainingRun, progress: "Progress | None") -> str:
    """Return the page; `BASE` in links is replaced by `write_page`."""
    book = PictureBook(run.folder.path)
    jobs = sorted(job_views(run, book), key=lambda job: job.outcome.shown.rank)
    ids = {job.outcome.job_id for job in jobs}
    runs, end = run.folder.stable.runs, "index.html"
    page_of = cache(lambda name: f"{BASE}../{quote(name)}/{end}" if (runs / name / end).is_file() else "")
    listed = results(run, jobs, page_of)
    counts = Counter(outcome.shown for outcome in run.outcomes)
    style, script = (_content(names) for names in (STYLES, SCRIPTS))
    render = environment.templates().get_template("page.html.j2").render
    return render(
        run=run,
        jobs=jobs,
        project=Path(run.settings.project).resolve().name,
        results=listed,
        forest=forest(listed),
        overview=overview(run, listed),
        compared=[each for each in run.comparison.jobs if each.job_id in ids],
        counts=counts,
        job_counts=Counter(job.outcome.shown for job in jobs),
        verdict="running" if progress else _verdict(run, counts),
        progress=progress,
        timing=timing(run.outcomes, run.workers),
        timeline=timeline(run.outcomes),
        pictures_left_out=book.left_out,
        most_rows=MOST_ROWS,
        artifacts=artifacts,
        page_of=page_of,
        log_end=job_files.log_end,
        style=Markup(style),  # noqa: S704  (ours, and hashed below)
        script=Markup(script),  # noqa: S704  (our own file)
        style_hash=_hash(style),
        script_hash=_hash(script),
        base=BASE,
    )


def _verdict(run: TrainingRun, counts: Counter[Any]) -> str:
    """Return the page's first word on the run."""
    if not run.is_finished:
        return "unfinished"
    if counts[Status.FAILED]:
        return "failed"
    if counts[Status.INTERRUPTED] or (counts[Status.NOT_RUN] and not counts[Status.PASSED]):
        return "interrupted"
    return "passed"


def _content(names: tuple[str, ...]) -> str:
    return "".join((environment.TEMPLATES / name).read_text(encoding="utf-8") for name in names)


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
