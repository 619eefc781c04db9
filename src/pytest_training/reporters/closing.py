"""The last lines of a run: facts, then what passed, what failed and why, what changed, what to type next, the page."""

import shlex
from collections.abc import Iterator, Sequence

import pytest

from pytest_training.execution.outcome import Outcome, Shown, Status, Tolerated
from pytest_training.records.comparison import Comparison, JobComparison
from pytest_training.records.recorded_run import TrainingRun, folded
from pytest_training.records.run_record import timing
from pytest_training.records.studies import studies
from pytest_training.reporters.console import Line, counts, sentence, time_line, waiting_line
from pytest_training.reporters.studies import closing_lines
from pytest_training.text import fit, one_line
from pytest_training.wording import counted, listing

MOST_REMARKS = 12
MOST_FAILED = 5  # reasons
MOST_CHANGES, MOST_LOUD = 20, 5  # jobs of a comparison that was asked for, and of one that was not
LONGEST_REASON = 160  # terminal columns: two rows
KEPT = ("--set", "--epochs", "--folds", "--training-seed", "--training-ma", "--training-compare")  # of what failed
SAID = {Status.FAILED: {"red": True}, Tolerated.FAILED: {"yellow": True}}


def fact_lines(run: TrainingRun, place: str = "") -> list[Line]:
    """Return what is worth knowing of a run besides its results; `place` is the option that finds its reports."""
    outcomes, lines = run.outcomes, list[Line]()
    if run.settings.compare is not None:
        lines += comparison_lines(run.comparison)
    lines += [(line, {}) for line in closing_lines(studies(run), place)]
    lines += remark_lines(outcomes)
    if run.plan.smoke:
        count = sum(each.passed is None for outcome in outcomes for each in outcome.gates)
        gates = f"{counted(count, 'gate')} not judged; " if count else ""
        lines.append((f"smoke run: {gates}in no history, and the reports of the last whole run stay", {}))
    if simulated := dict.fromkeys(one_line(each.trial_of or each.job_id) for each in outcomes if each.is_simulated):
        lines.append((f"simulated data: {fit(', '.join(simulated), 200)}", {}))
    trained_on = run.record.place if run.record else ""
    measured = timing(outcomes, run.workers)
    facts = [time_line(measured, run.workers), waiting_line(measured, trained_on)]
    if trained_on:
        facts.append(f"trained on {one_line(trained_on)}")
    return lines + [(fact, {}) for fact in facts if fact]


def remark_lines(outcomes: Sequence[Outcome]) -> list[Line]:
    """Return what jobs said of their results; of one that failed, it stands with its failure."""
    passed = [each for each in outcomes if each.status != Status.FAILED]
    said = [*dict.fromkeys((each.trial_of or each.job_id, remark) for each in passed for remark in each.remarks)]
    lines: list[Line] = [(f"{one_line(job_id, 40)}: {one_line(remark)}", {}) for job_id, remark in said[:MOST_REMARKS]]
    more = len(said) - MOST_REMARKS
    return [*lines, *([(f"and {more} more remarks of jobs: see summary.md", {})] if more > 0 else [])]


def result_lines(run: TrainingRun, *, reports: str = "", table: str = "", places: str = "") -> Iterator[Line]:
    """Yield what passed, what failed and why, what got better or worse, what to type next, and the page.

    `reports` is the reports folder, if the run's own is to be named; `table` and `places` are options that find them.
    """
    is_clean = all(outcome.status.is_good or outcome.optional for outcome in run.outcomes)
    jobs = counted(len(folded(run.outcomes)), "job")
    yield ": ".join(filter(None, [jobs, counts(run.outcomes)])), {"green" if is_clean else "red": True}
    yield from failed_lines(run.outcomes)
    if run.settings.compare is None and not run.plan.smoke:
        yield from comparison_lines(run.comparison, is_asked=False)
    yield from ((f"warning: {one_line(problem)}", {"yellow": True}) for problem in run.problems)
    yield from _next_lines(run, table, places)
    if reports:
        yield f"reports: {one_line(reports)}/runs/{run.folder.run_id}", {}
    yield from ((f"page: {page.absolute().as_uri()}", {"bold": True}) for page in run.pages)


def failed_lines(outcomes: Sequence[Outcome]) -> Iterator[Line]:
    """Yield each reason once with the jobs that failed so: jobs, then trials, then what is optional."""
    reasons: dict[tuple[bool, bool, str], list[str]] = {}
    for each in outcomes:
        if each.status == Status.FAILED:
            kind = each.shown is Tolerated.FAILED, each.trial_of is not None
            reasons.setdefault((*kind, sentence(each)), []).append(one_line(each.job_id, 40))
    for (is_optional, _, reason), ids in sorted(reasons.items(), key=lambda item: item[0][:2])[:MOST_FAILED]:
        shown: Shown = Tolerated.FAILED if is_optional else Status.FAILED
        yield fit(f"{shown.word}: {listing('', ids, limit=3)}: {reason}", LONGEST_REASON), SAID[shown]
    if (more := len(reasons) - MOST_FAILED) > 0:
        yield f"and {counted(more, 'more reason', 'more reasons')}: see the page", {}


def comparison_lines(comparison: Comparison, *, is_asked: bool = True) -> Iterator[Line]:
    """Yield what got better or worse, with colours; unless it was asked for, only what chance does not explain."""
    notable = [job for job in comparison.jobs if (job.is_notable if is_asked else _is_news(job))]
    most = MOST_CHANGES if is_asked else MOST_LOUD
    if is_asked or notable:
        yield f"against {one_line(comparison.against)}:", {"bold": True}
    for job in notable[:most]:
        yield from _changes(job, most=None if is_asked else 1 + bool(job.status or job.remarks))
    if len(notable) > most:
        yield f"  and {len(notable) - most} more jobs: see summary.md", {}
    if not is_asked:
        return
    if not notable and comparison.jobs:
        yield "  no metric changed", {}
    yield from ((f"  {one_line(line, 200)}", {}) for line in comparison.noise_lines)
    if comparison.missing:
        yield f"  without an earlier outcome: {one_line(', '.join(comparison.missing), 200)}", {}
    yield from ((f"  {one_line(problem)}", {"yellow": True}) for problem in comparison.problems)


def _is_news(job: JobComparison) -> bool:
    """Return True if a job passes again, fails for the first time, has other parameters, or is better or worse."""
    is_judged = job.status is not None and {*job.status} == {Status.PASSED, Status.FAILED}
    return is_judged or bool(job.parameters) or any(change.tone != "chance" for change in job.changes)


def _changes(job: JobComparison, most: int | None) -> Iterator[Line]:
    first = "; ".join([*([", now ".join(job.status)] if job.status else []), *map(one_line, job.remarks)])
    lines: list[Line] = [(first, {"yellow": True})] if first else []
    for change in job.listed:
        colour = {"better": {"green": True}, "worse": {"red": True}}.get(change.tone, {})
        lines.append((f"{one_line(change.metric, 40)} {change.words()}", colour))
    other = f"  (other parameters: {one_line(', '.join(job.parameters), 60)})" if job.parameters else ""
    lines = lines or [(job.unlisted, {})]
    for left, (line, colour) in zip(reversed(range(len(lines[:most]))), lines, strict=False):
        yield f"  {one_line(job.job_id, 40)}: {line}{'' if left else other}", colour


def _next_lines(run: TrainingRun, table: str, places: str) -> Iterator[Line]:
    """Yield the commands that a reader of the results may want next."""
    failed = [each for each in run.outcomes if each.shown is Status.FAILED]
    is_left = any(not outcome.status.is_good for outcome in run.outcomes)
    was_interrupted = run.record is not None and run.record.exit_code == pytest.ExitCode.INTERRUPTED
    if printed := next((each for each in failed if each.log), None):
        yield f"what it printed: pytest-training logs {shlex.quote(printed.job_id)}{table}", {}
    if run.settings.audit:
        return
    if was_interrupted and is_left and not run.plan.smoke:
        yield f"go on: pytest --training-resume{places}", {"bold": True}
    elif any(each.trial_of is None for each in failed):
        own = "".join(f" {shlex.quote(word)}" for word in (run.begun.typed(KEPT) if run.begun else ()))
        yield f"train what failed again: pytest --lf{own}{' --training-smoke' * run.plan.smoke}{places}", {"bold": True}
