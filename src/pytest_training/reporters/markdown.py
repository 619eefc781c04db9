"""summary.md: what a reviewer reads in a pull request. Nothing that a job named acts as Markdown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_training.atomic import write_atomically
from pytest_training.execution.outcome import Outcome, Status, Tolerated
from pytest_training.records.comparison import Comparison
from pytest_training.records.measures import headline
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.run_record import timing
from pytest_training.reporters.console import sentence
from pytest_training.text import clean_lines, one_line
from pytest_training.units import duration, number

if TYPE_CHECKING:
    import pytest

SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@$-])")
MOST_JOBS = 200  # rows of the table; GitHub takes 1 MiB in all
MOST_FAILURES = 20
MOST_CHANGES = 40
MOST_NAMED = 12  # jobs behind one reason


class Reporter:
    """Writes the summary of a run, and that of the latest run under its stable name."""

    def __init__(self, config: pytest.Config) -> None:
        """Need nothing of pytest."""

    def pytest_training_run_end(self, run: TrainingRun) -> None:
        """Write the summary."""
        with run.noting_failure(f"summary.md in {run.folder.path}"):
            write_summary(run, is_latest=True)


def write_summary(run: TrainingRun, *, is_latest: bool) -> None:
    """Write the summary into the run's folder and, for the latest run, to its stable name."""
    text = summary(run, run.comparison).encode("utf-8", "replace")
    write_atomically(run.folder.summary, text)
    if is_latest:
        write_atomically(run.folder.stable.copy_of(run.folder.summary), text)


def summary(run: TrainingRun, comparison: Comparison | None) -> str:
    """Return the summary of a run."""
    blocks = [
        _head(run),
        *_table(run.outcomes, comparison),
        *_changes(comparison),
        *_failures(run.outcomes),
        *_untrained(run.outcomes),
        *(f"> ⚠️ {plain(problem)}" for problem in run.problems),
    ]
    return "\n\n".join(blocks) + "\n"


def plain(text: str, limit: int = 300) -> str:
    """Return a text as Markdown that shows it and does nothing else: no link, no mention, no tag."""
    return SPECIAL.sub(r"\\\1", one_line(text, limit)).replace("\\@", "@\u2060").replace("://", ":\u2060//")


def _head(run: TrainingRun) -> str:
    counts = Counter(outcome.shown.word for outcome in run.outcomes)
    totals = ", ".join(f"{count} {word}" for word, count in counts.items())
    measured = timing(run.outcomes, run.plan.workers)
    lines = [f"## Training: {totals or 'no jobs'}"]
    if not run.is_finished:
        lines += ["", "**This run did not finish.**"]
    facts = []
    if measured.makespan_s:
        facts.append(f"{duration(measured.work_s)} of training in {duration(measured.makespan_s)}")
        facts.append(f"{run.plan.workers} slot{'s' if run.plan.workers != 1 else ''}")
    if run.provenance and run.provenance.commit:
        facts.append(f"commit `{run.provenance.commit[:10]}`{' with changes' if run.provenance.dirty else ''}")
    facts.append(f"run `{run.folder.run_id}`")
    return "\n".join([*lines, "", " · ".join(facts)])


def _table(outcomes: Sequence[Outcome], comparison: Comparison | None) -> Iterator[str]:
    if not outcomes:
        return
    ordered = sorted(outcomes, key=lambda outcome: outcome.status == Status.PASSED)
    lines = ["| | Job | Metric | Before → now | Gates | Duration |", "|---|---|---|---|---|--:|"]
    for outcome in ordered[:MOST_JOBS]:
        compared = comparison.of(outcome.job_id) if comparison else None
        change = plain(compared.changes[0].words()) if compared and compared.changes else ""
        held = sum(result.passed for result in outcome.gates)
        cells = (
            outcome.shown.emoji,
            _job(outcome),
            _metric(outcome),
            change,
            f"{held} of {len(outcome.gates)}" if outcome.gates else "",
            duration(outcome.wall_s) if outcome.attempts else "",
        )
        lines.append("| " + " | ".join(cells) + " |")
    if len(ordered) > MOST_JOBS:
        lines.append(f"\nand {len(ordered) - MOST_JOBS} more, in index.html")
    yield "\n".join(lines)


def _job(outcome: Outcome) -> str:
    remarks = [*(["simulated data"] if outcome.is_simulated else []), *outcome.notes[:2]]
    return plain(outcome.job_id, 80) + (f" {plain('(' + '; '.join(remarks) + ')')}" if remarks else "")


def _metric(outcome: Outcome) -> str:
    main = headline(outcome)
    if main is None:
        return ""
    between = f" ({main.interval})" if main.interval else ""
    return plain(f"{main.name} {number(main.value)}{between}", 120)


def _changes(comparison: Comparison | None) -> Iterator[str]:
    if comparison is None:
        return
    notable = [job for job in comparison.jobs if job.is_loud]
    quiet = sum(job.is_notable for job in comparison.jobs) - len(notable)
    if not comparison.jobs:
        yield f"Nothing to compare with: no earlier outcome from {plain(comparison.against)}."
        return
    if not notable:
        what = f"{quiet} jobs differ, within chance" if quiet else "no metric changed"
        yield f"Against {plain(comparison.against)}: {what}."
        return
    lines = [f"### Against {plain(comparison.against)}", ""]
    for job in notable[:MOST_CHANGES]:
        changes = [f"{plain(each.metric, 60)} {plain(each.words())}" for each in job.listed]
        status = [f"{job.status[0]} → **{job.status[1]}**"] if job.status else []
        if job.unlisted:
            changes.append(f"{job.unlisted} other metrics differ within chance")
        others = [f"with other parameters: {plain(', '.join(job.parameters))}"] if job.parameters else []
        lines.append(f"- **{plain(job.job_id, 80)}**: " + "; ".join([*status, *changes, *others]))
    if len(notable) > MOST_CHANGES:
        lines.append(f"- and {len(notable) - MOST_CHANGES} more")
    if quiet:
        lines.append(f"- {quiet} other jobs differ within chance: the earlier value lies in the present interval")
    yield "\n".join(lines)


def _failures(outcomes: Sequence[Outcome]) -> Iterator[str]:
    failed = [outcome for outcome in outcomes if outcome.status in {Status.FAILED, Status.INTERRUPTED}]
    if not failed:
        return
    yield "### What went wrong"
    for outcome in failed[:MOST_FAILURES]:
        optional = " (optional)" if outcome.shown is Tolerated.FAILED else ""
        block = f"**{plain(outcome.job_id, 80)}**{optional}: {plain(sentence(outcome), 500)}"
        shown = outcome.traceback or "\n".join(outcome.log_tail if outcome.cause != "gate" else ())
        if shown.strip():
            fence = "`" * (3 + max((len(run) for run in re.findall(r"`+", shown)), default=0))
            lines = clean_lines(shown.rstrip("\n"), first=8, last=16)
            block += "\n\n<details><summary>what it printed</summary>\n\n" + "\n".join([f"{fence}text", *lines, fence])
            block += "\n\n</details>"
        yield block
    if len(failed) > MOST_FAILURES:
        yield f"and {len(failed) - MOST_FAILURES} more, in index.html"


def _untrained(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield why jobs were not trained, each reason once: of many jobs it is often the same."""
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.status in {Status.NOT_RUN, Status.SKIPPED}:
            reasons.setdefault(sentence(outcome), []).append(outcome.job_id)
    if not reasons:
        return
    lines = ["### Not trained", ""]
    for reason, ids in list(reasons.items())[:MOST_FAILURES]:
        more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
        lines.append(f"- {', '.join(plain(job_id, 80) for job_id in ids[:MOST_NAMED])}{more}: {plain(reason, 500)}")
    if len(reasons) > MOST_FAILURES:
        lines.append("- and more, in index.html")
    yield "\n".join(lines)
