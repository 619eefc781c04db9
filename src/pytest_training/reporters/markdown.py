"""summary.md: what a reviewer reads in a pull request. Nothing that a job named acts as Markdown."""

import re
from collections.abc import Iterator, Sequence

from pytest_training.atomic import write_atomically
from pytest_training.execution.outcome import Outcome, Status, Tolerated
from pytest_training.records.comparison import Comparison, JobComparison
from pytest_training.records.recorded_run import TrainingRun, folded
from pytest_training.records.run_record import timing
from pytest_training.records.studies import studies
from pytest_training.reporters.console import (
    counts,
    held_gates,
    interval_lines,
    main_metric,
    sentence,
    time_line,
    waiting_line,
)
from pytest_training.reporters.studies import columns, trial_counts, verdict
from pytest_training.text import clean_lines, home_pattern, one_line, without_home
from pytest_training.units import duration
from pytest_training.wording import listing

SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@$-])")
MOST_JOBS = 200  # rows of the table; GitHub takes 1 MiB in all
MOST_FAILURES, MOST_CHANGES, MOST_REMARKS = 20, 40, 60
MOST_STUDIES, MOST_ROWS, WIDTH = 20, 20, 120  # of a study the best rows; letters of a row


def pytest_training_run_end(run: TrainingRun) -> None:
    """Write the summary of a run."""
    if run.record is not None:
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
    changes = _changes(comparison) if comparison and not run.plan.smoke else ()
    blocks = [
        *_head(run),
        *_table(folded(run.outcomes), comparison),
        *_studies(run),
        *changes,
        *_failures(run.outcomes),
        *_remarks(run.outcomes),
    ]
    blocks += [*_untrained(run.outcomes), *(f"> ⚠️ {plain(problem)}" for problem in run.problems)]
    return without_home("\n\n".join(blocks) + "\n", home_pattern())


def plain(text: str, limit: int = 300) -> str:
    """Return a text as Markdown that shows it and does nothing else: no link, no mention, no tag."""
    return SPECIAL.sub(r"\\\1", one_line(text, limit)).replace("\\@", "@\u2060").replace("://", ":\u2060//")


def _head(run: TrainingRun) -> Iterator[str]:
    yield f"## {'Smoke run' if run.plan.smoke else 'Training'}: {counts(run.outcomes) or 'no jobs'}"
    if not run.is_finished:
        yield "**This run did not finish.**"
    measured = timing(run.outcomes, run.workers)
    place = run.record.place if run.record else ""
    facts = [time_line(measured, run.workers), waiting_line(measured, place), plain(place)]
    if run.provenance and run.provenance.commit:
        facts.append(f"commit `{run.provenance.commit[:10]}`{' with changes' if run.provenance.dirty else ''}")
    yield " · ".join(filter(None, [*facts, f"run `{run.folder.run_id}`"]))


def _table(outcomes: Sequence[Outcome], comparison: Comparison | None) -> Iterator[str]:
    if not outcomes:
        return
    ordered = sorted(outcomes, key=lambda outcome: outcome.status == Status.PASSED)
    rows = [_row(outcome, comparison.of(outcome.job_id) if comparison else None) for outcome in ordered[:MOST_JOBS]]
    yield "\n".join(["| | Job | Metric | Before → now | Gates | Duration |", "|---|---|---|---|---|--:|", *rows])
    if len(ordered) > MOST_JOBS:
        yield f"and {len(ordered) - MOST_JOBS} more, in index.html"
    if lines := interval_lines(ordered[:MOST_JOBS]):
        yield "\n".join(f"- {plain(line[0].upper() + line[1:], 500)}" for line in lines)


def _row(outcome: Outcome, compared: JobComparison | None) -> str:
    remarks = [*(["simulated data"] if outcome.is_simulated else []), *outcome.notes[:2]]
    cells = (
        outcome.shown.emoji,
        plain(outcome.job_id, 80) + (f" {plain('(' + '; '.join(remarks) + ')')}" if remarks else ""),
        plain(main_metric(outcome), 120),
        plain(compared.changes[0].words()) if compared and compared.changes else "",
        held_gates(outcome.gates),
        duration(outcome.took_s) if outcome.took_s else "",
    )
    return "| " + " | ".join(cells) + " |"


def _studies(run: TrainingRun) -> Iterator[str]:
    """Yield what each study came to, with its best trials."""
    for study in studies(run)[:MOST_STUDIES]:
        yield f"### {plain(study.id, 80)}: {trial_counts(study)}\n\n{plain(verdict(study), 500)}"
        lines = [*zip(*columns(study, study.rows[:MOST_ROWS], WIDTH)[0], strict=True)]
        lines[1:1] = [("---",) * len(lines[0])] if lines else []
        yield "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
        if (left := len(study.rows) - MOST_ROWS) > 0:
            yield f"and {left} more: `pytest-training table {plain(study.id, 80)}`"


def _cell(text: str) -> str:
    """Return a cell of a study's table, that of the best in bold."""
    return f"**{plain(text[2:])}**" if text.startswith("* ") else text if text == "---" else plain(text)


def _changes(comparison: Comparison) -> Iterator[str]:
    against = plain(comparison.against)
    loud = [job for job in comparison.jobs if job.is_loud]
    quiet = sum(job.is_notable for job in comparison.jobs) - len(loud)
    differ = "job differs" if quiet == 1 else "jobs differ"
    if not comparison.jobs:
        yield f"Nothing to compare with: no earlier outcome from {against}."
    elif not loud:
        what = f"{quiet} {differ}, none for better or worse" if quiet else "no metric changed"
        yield f"Against {against}: {what}."
    else:
        lines = [f"- **{plain(job.job_id, 80)}**: " + "; ".join(_words(job)) for job in loud[:MOST_CHANGES]]
        lines += [f"- and {len(loud) - MOST_CHANGES} more"] if len(loud) > MOST_CHANGES else []
        if quiet:
            lines.append(f"- {quiet} other {differ}, none for better or worse")
        lines += [f"- {plain(line[0].upper() + line[1:])}" for line in comparison.noise_lines]
        yield "\n".join([f"### Against {against}", "", *lines])


def _words(job: JobComparison) -> Iterator[str]:
    if job.status:
        yield f"{job.status[0]} → **{job.status[1]}**"
    yield from map(plain, job.remarks)
    for change in job.listed:
        yield f"{plain(change.metric, 60)} {plain(change.words())}"
    if job.unlisted:
        yield job.unlisted
    if job.parameters:
        yield f"with other parameters: {plain(', '.join(job.parameters))}"


def _failures(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield what failed; trials of a study that failed for the same reason count as one."""
    failed: dict[tuple[str, str], list[Outcome]] = {}
    for each in outcomes:
        if each.status in {Status.FAILED, Status.INTERRUPTED}:
            failed.setdefault((each.trial_of or each.job_id, each.reason), []).append(each)
    if failed:
        yield "### What went wrong"
    for outcome, *others in [*failed.values()][:MOST_FAILURES]:
        optional = " (optional)" if outcome.shown is Tolerated.FAILED else ""
        more = f" and {len(others)} more of {plain(outcome.trial_of or '', 80)}" if others else ""
        where = f" ({plain(outcome.place)})" if outcome.host else ""
        yield f"**{plain(outcome.job_id, 80)}**{more}{optional}: {plain(sentence(outcome), 500)}{where}"
        printed = outcome.traceback or "\n".join(outcome.log_tail if outcome.cause != "gate" else ())
        if printed.strip():
            fence = "`" * (3 + max(map(len, re.findall(r"`+", printed)), default=0))
            lines = clean_lines(printed.rstrip("\n"), first=8, last=16)
            printed = "\n".join([f"{fence}text", *lines, fence])
            yield from ("<details><summary>what it printed</summary>", printed, "</details>")
    if len(failed) > MOST_FAILURES:
        yield f"and {len(failed) - MOST_FAILURES} more, in index.html"


def _remarks(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield what jobs said of their results."""
    unique = dict.fromkeys((each.trial_of or each.job_id, remark) for each in outcomes for remark in each.remarks)
    if said := [f"- **{plain(job_id, 80)}**: {plain(remark, 500)}" for job_id, remark in unique]:
        more = [f"- and {len(said) - MOST_REMARKS} more, in index.html"] if len(said) > MOST_REMARKS else []
        yield "\n".join(["### What jobs say of their results", "", *said[:MOST_REMARKS], *more])


def _untrained(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield why jobs were not trained, each reason once: of many jobs it is often the same."""
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.status in {Status.NOT_RUN, Status.SKIPPED} and outcome.cause != "pruned":
            reasons.setdefault(sentence(outcome), []).append(plain(outcome.job_id, 80))
    lines = [f"- {listing('', ids)}: {plain(reason, 500)}" for reason, ids in list(reasons.items())[:MOST_FAILURES]]
    if len(reasons) > MOST_FAILURES:
        lines.append("- and more, in index.html")
    if reasons:
        yield "\n".join(["### Not trained", "", *lines])
