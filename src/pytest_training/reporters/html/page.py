"""Writes index.html: one file that needs no network. The templates draw a run from its outcomes, within bounds."""

import base64
import contextlib
import functools
import hashlib
import re
import secrets
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import jinja2
from jinja2.bccache import Bucket
from markupsafe import Markup
from msgspec import Struct

from pytest_training.atomic import write_atomically
from pytest_training.execution import folder, job_files
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.jobs.model import Dataset, PlannedJob
from pytest_training.records.comparison import Change, JobComparison
from pytest_training.records.events import read_events
from pytest_training.records.history import History, Recorded
from pytest_training.records.measures import Measure, measures
from pytest_training.records.recorded_run import TrainingRun, folded
from pytest_training.records.run_record import moment, timing
from pytest_training.records.strict_json import encode
from pytest_training.records.studies import studies
from pytest_training.reporters.console import gate_row, held_gates, sentence
from pytest_training.reporters.html.charts import Curve, curves, sparkline, timeline
from pytest_training.reporters.html.importances import importances
from pytest_training.reporters.html.pictures import Picture, PictureBook, artifacts
from pytest_training.reporters.html.predictions import Judged, judged
from pytest_training.reporters.html.studies import StudyView
from pytest_training.reporters.studies import shown, trial_counts, verdict
from pytest_training.text import clean_lines, home_pattern, one_line, without_home
from pytest_training.units import duration, number

TEMPLATES = Path(__file__).parent / "templates"
BASE = f"base-{secrets.token_hex(12)}/"  # stands for the way from the page to the run's folder; no job can know it
MOST_TRIALS = 5000  # rows of all studies together
MOST_ROWS = 60  # parameters, gates or datasets of one job
FEWEST_FOR_A_LINE = 3  # values of a metric over the last runs
EVENT_BYTES = 64_000_000  # of all jobs together: what reading them may cost
LARGEST_EVENTS = 9_000_000  # bytes of one job
STUDY_OPTIONS = ("--training-seeds", "--training-matrix")
ANCHOR = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class Scale(NamedTuple):
    """How much of each job the page of up to `jobs` jobs shows."""

    jobs: float
    log_lines: int
    points: int
    history: int
    metrics: int
    largest_events: int = LARGEST_EVENTS  # bytes


SCALES = (Scale(50, 60, 400, 12, 60), Scale(250, 30, 150, 5, 30), Scale(float("inf"), 10, 60, 5, 12))
"""They keep the page of 12 jobs under 2 MB, and of 1,000 under 15 MB."""


def pytest_training_run_end(run: TrainingRun) -> None:
    """Write the page of a run."""
    if run.record is not None:
        with run.noting_failure(f"index.html in {run.folder.path}"):
            write_page(run, is_latest=True)


class MetricRow(NamedTuple):
    """A metric with what became of it."""

    measure: Measure
    change: Change | None
    spark: tuple[str, float, float] | None  # its values in the last runs as a small line, if there are enough


class JobView(Struct, frozen=True, dict=True):
    """What a job's row and section show beyond its outcome."""

    run: TrainingRun
    scale: Scale
    outcome: Outcome
    planned: PlannedJob
    past: Sequence[Recorded]  # the newest outcomes, this one first
    pictures: Sequence[Picture]
    study: StudyView | None = None  # of a study's own job
    trials: Sequence["JobView"] = ()  # those of the study that have a section of their own

    @functools.cached_property
    def measures(self) -> list[Measure]:
        """All metrics that no other table shows, the headline first."""
        listed = frozenset[str]().union(*(each.listed for each in self.judged))
        listed -= {result.gate.metric for result in self.outcome.gates}
        return [each for each in measures(self.outcome) if each.name not in listed]

    @functools.cached_property
    def comparison(self) -> JobComparison | None:
        """What changed against the earlier outcome."""
        return self.run.comparison.of(self.outcome.job_id)

    @functools.cached_property
    def metrics(self) -> list[MetricRow]:
        """The first metrics."""
        changes = {each.metric: each for each in self.comparison.changes} if self.comparison else {}
        shown = self.measures[: self.scale.metrics]
        return [MetricRow(measure, changes.get(measure.name), self._spark(measure.name)) for measure in shown]

    def _spark(self, metric: str) -> tuple[str, float, float] | None:
        values = [value for each in reversed(self.past) if (value := each.outcome.metrics.get(metric)) is not None]
        return sparkline(values) if len(values) >= FEWEST_FOR_A_LINE else None

    @property
    def datasets(self) -> list[Dataset]:
        """The datasets that the job opened, then those that were only declared for it."""
        declared = {dataset.name: dataset for dataset in self.run.plan.datasets}
        names = dict.fromkeys([*(used.name for used in self.outcome.data), *self.planned.job.data])
        return [declared[name] for name in names if name in declared][:MOST_ROWS]

    @property
    def curves(self) -> list[Curve]:
        """The learning curves of the last attempt."""
        if not self.outcome.attempts:
            return []
        events = self.run.folder.path / self.outcome.attempts[-1].folder / "events.jsonl"
        return curves(read_events(events, largest=self.scale.largest_events), most_points=self.scale.points)

    @functools.cached_property
    def judged(self) -> list[Judged]:
        """The evaluations of the last attempt's predictions, with their pictures."""
        return judged(self.run.folder.path, self.outcome, most_points=self.scale.points)

    @property
    def command(self) -> str:
        """The command that trains the job once more with the same parameters and seed; empty if a search drew them."""
        job, job_id, parameters = self.planned.job, self.outcome.job_id, self.outcome.parameters
        if job.trial_of and any(parameters.get(name) != job.parameters.get(name) for name in self.outcome.varied):
            return ""
        node = next((node for node, each in self.run.nodes.items() if each == job_id and not job.study), None)
        seed = self.outcome.seed if job.seed is None else self.run.plan.seed
        words = ["pytest", *([node] if node else ["-k", job_id]), "--training-seed", str(seed)]
        asked = self.run.begun.arguments if self.run.begun and (job.study or job.trial_of) else ()
        for option, value in pairwise([*asked, ""]):
            words += [option, value][: 1 + ("=" not in option)] if option.startswith(STUDY_OPTIONS) else []
        fixed = {each.name for each in job.declared if each.variable} | {*self.outcome.varied}
        fixed |= {*self.study.table.parameters} if self.study else set()
        for name in job.given:
            if name in parameters and name not in fixed:
                words += ["--set", f"{job_id}.{name}={_setting(parameters[name])}"]
        return one_line(shlex.join(words), 2000)


def write_page(run: TrainingRun, *, is_latest: bool) -> None:
    """Write the page into the run's folder and, for the latest run, to its stable name."""
    rendered = without_home(_render(run), home_pattern())
    ways = {run.folder.page: "", run.folder.stable.copy_of(run.folder.page): f"runs/{quote(run.folder.run_id)}/"}
    for path, way in list(ways.items())[: 2 if is_latest else 1]:
        write_atomically(path, rendered.replace(BASE, way).encode("utf-8", "replace"))


def _render(run: TrainingRun) -> str:
    """Return the page; `BASE` in links is replaced by `write_page`."""
    book = PictureBook(run.folder.path)
    jobs = sorted(_jobs(run, book), key=lambda job: job.outcome.shown.rank)
    counts = Counter(outcome.shown for outcome in run.outcomes)
    names = ("style.css", "drawings.css", "script.js")
    style, drawings, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in names)
    style += drawings
    page = _templates().get_template("page.html.j2")
    return page.render(
        run=run,
        jobs=jobs,
        counts=counts,
        job_counts=Counter(job.outcome.shown for job in jobs),
        verdict=_verdict(run, counts),
        timing=timing(run.outcomes, run.workers),
        timeline=timeline(run.outcomes),
        pictures_left_out=book.left_out,
        most_rows=MOST_ROWS,
        artifacts=artifacts,
        has_page=functools.cache(lambda run_id: folder.RunFolder(run.folder.reports, run_id).page.is_file()),
        log_end=job_files.log_end,
        style=Markup(style),  # noqa: S704  (ours, and hashed below)
        script=Markup(script),  # noqa: S704  (our own file)
        style_hash=_hash(style),
        script_hash=_hash(script),
        base=BASE,
    )


def _jobs(run: TrainingRun, book: PictureBook) -> list[JobView]:
    """Return the jobs of the list; a study has the sections of its trials."""
    outcomes = {outcome.job_id: outcome for outcome in run.outcomes}
    tables = [each for each in studies(run) if each.id in outcomes]
    of_study = {each.id: StudyView(each, run.folder.path, outcomes, MOST_TRIALS // len(tables)) for each in tables}
    listed = folded(run.outcomes)
    ids = [outcome.job_id for outcome in listed] + [name for each in of_study.values() for name in each.sections]
    scale = next(each for each in SCALES if len(ids) <= each.jobs)
    scale = scale._replace(largest_events=min(LARGEST_EVENTS, EVENT_BYTES // max(len(ids), 1)))
    past = History(run.folder.stable.history).recent(ids, scale.history, through=run.folder.run_id)
    planned = {each.job.id: each for each in run.plan.jobs}

    def view(outcome: Outcome) -> JobView:
        name, study = outcome.job_id, of_study.get(outcome.job_id)
        trials = [view(outcomes[each]) for each in study.sections] if study else []
        return JobView(run, scale, outcome, planned[name], past.get(name, []), book.of(outcome), study, trials)

    return [view(outcome) for outcome in listed]


def _verdict(run: TrainingRun, counts: Counter[Any]) -> str:
    """Return the page's first word on the run."""
    if not run.is_finished:
        return "unfinished"
    if counts[Status.FAILED]:
        return "failed"
    if counts[Status.INTERRUPTED] or (counts[Status.NOT_RUN] and not counts[Status.PASSED]):
        return "interrupted"
    return "passed"


class _CompiledTemplates(jinja2.FileSystemBytecodeCache):
    """A cache of compiled templates in a __pycache__: to compile takes longer than to write a page."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):  # somebody else's folder, or a full disk: compiled anew each time
            Path(self.directory).mkdir(exist_ok=True)
            super().dump_bytecode(bucket)


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        bytecode_cache=None if sys.dont_write_bytecode else _CompiledTemplates(str(TEMPLATES / "__pycache__")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "line": one_line,
        "lines": clean_lines,
        "duration": duration,
        "number": number,
        "when": lambda written: f"{time:%Y-%m-%d %H:%M} UTC" if (time := moment(written)) else "",
        "anchor": _anchor,
        "gate_row": gate_row,
        "gates": held_gates,
        "sentence": sentence,
        "setting": _setting,
        "shown": shown,
        "trial_counts": trial_counts,
        "study_verdict": verdict,
        "importances": importances,
    }
    return environment


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _setting(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def _anchor(job_id: str) -> str:
    digest = hashlib.sha256(job_id.encode("utf-8", "replace")).hexdigest()[:12]
    return f"job-{job_id if ANCHOR.fullmatch(job_id) else digest}"
