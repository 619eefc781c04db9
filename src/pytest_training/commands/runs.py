"""Runs side by side, from what is on disk: a list, two of them compared, the best of a job, and old ones removed."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pytest_training.commands.answers import answer, check_job, note_problems, remark, say
from pytest_training.errors import DeclarationError, TrainingError
from pytest_training.execution.folder import ReportsFolder, RunFolder
from pytest_training.execution.job_files import Walk
from pytest_training.execution.needs import needed_outcome
from pytest_training.project import Project
from pytest_training.records.comparison import JobComparison, compare, paired
from pytest_training.records.history import History, Recorded
from pytest_training.records.past import Past, RunLine, run_lines
from pytest_training.records.pruning import reasons_to_stay, remove_rests, remove_run
from pytest_training.records.recorded_run import find_run, read_run
from pytest_training.records.strict_json import plain
from pytest_training.text import one_line, table
from pytest_training.units import MEBIBYTE, number, size
from pytest_training.wording import listing

MOST_FILES = 10**7  # of a run, whose sizes are added up


def runs(arguments: argparse.Namespace, project: Project) -> None:
    """Print all runs, the oldest first."""
    history = History(ReportsFolder(project.reports).history)
    lines = run_lines(project.reports, history)
    note_problems(history)
    rows = table(("run", "when", "commit", "selected", "passed", "notes", "best of"), map(_row, lines))
    answer(arguments, lines, rows if lines else [f"no run in {project.reports}"])


def _row(line: RunLine) -> tuple[str, ...]:
    best = listing("", (one_line(job_id, 40) for job_id in line.best), limit=4) if line.best else ""
    when, commit = (line.started or "")[:16].replace("T", " "), (line.commit or "")[:10]
    return (line.run_id, when, commit, str(line.selected), str(line.passed), ", ".join(line.notes), best)


class Side(NamedTuple):
    """One of two runs that are compared."""

    run_id: str
    outcomes: dict[str, Recorded]  # by job id; of a study with its trials the study's alone
    facts: dict[str, str]  # what decides metrics beside the jobs: commit, seed, versions


def diff(arguments: argparse.Namespace, project: Project) -> None:
    """Print what differs between two runs: statuses, metrics, parameters, and what they were trained with."""
    history = History(ReportsFolder(project.reports).history)
    first, second = (_side(project.reports, history, name) for name in (arguments.first, arguments.second))
    note_problems(history)
    if first.run_id == second.run_id:
        raise TrainingError(f"{arguments.first} and {arguments.second} are the same run, {first.run_id}")
    both, folders = second.outcomes.keys() & first.outcomes, ReportsFolder(project.reports).runs
    now = [paired(each, first.outcomes[job_id], folders) for job_id, each in second.outcomes.items() if job_id in both]
    jobs = compare(now, first.outcomes, against=f"run {first.run_id}").jobs
    pairs = {name: (first.facts.get(name, fact), fact) for name, fact in second.facts.items()}
    facts = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    alone = {a.run_id: sorted(a.outcomes.keys() - b.outcomes) for a, b in ((first, second), (second, first))}
    differing = [job for job in jobs if job.is_notable or job.remarks]
    rows = [row for job in differing for row in _rows(job, second.outcomes[job.job_id])]
    lines = table(("job", "status", f"{first.run_id} → {second.run_id}"), rows) if rows else []
    if jobs:
        lines.append(f"{len(jobs) - len(differing)} of {len(jobs)} jobs are the same in both runs")
    else:
        lines.append(f"no job is in both {first.run_id} and {second.run_id}")
    lines += [f"only in {run_id}: {listing('', ids)}" for run_id, ids in alone.items() if ids]
    lines += [f"{name}: {before} → {after}" for name, (before, after) in facts.items()]
    whole = {"first": first.run_id, "second": second.run_id, "jobs": jobs, "only_in": alone, "facts": facts}
    answer(arguments, whole, lines)


def _rows(job: JobComparison, now: Recorded) -> Iterator[tuple[str, str, str]]:
    status = " → ".join(job.status) if job.status else now.outcome.status
    old, new = (plain(each.outcome.parameters) for each in (job.earlier, now))
    words = [*job.remarks, *(f"{each.metric} {each.words()}" for each in job.listed)]
    words += filter(None, [job.unlisted])
    words += [f"{name}: {old.get(name, 'nothing')} → {new.get(name, 'nothing')}" for name in job.parameters]
    for index, each in enumerate(words or [""]):
        yield (one_line(job.job_id, 40), status, one_line(each)) if index == 0 else ("", "", one_line(each))


def _side(reports: Path, history: History, name: str) -> Side:
    """Return a run by its name, from its folder, or from the history if that is gone."""
    folder = find_run(reports, name, (origin.run_id for origin in history.origins()))
    recorded, facts, run = list[Recorded](), dict[str, str](), None
    history.each(recorded.append, "run_id", folder.run_id)
    try:
        run = read_run(folder) if folder.plan.exists() else None
    except DeclarationError as error:
        if not recorded:
            raise
        remark(f"warning: {error}")
    if run:
        source = run.provenance
        git = {name: getattr(source, name, None) for name in ("commit", "dirty")}
        recorded = [Recorded(run_id=folder.run_id, started="", outcome=each, **git) for each in run.own_outcomes]
        facts = {"python": source.python, "platform": source.platform, **source.packages} if source else {}
        facts["seed"] = str(run.plan.seed)
    facts |= {"commit": recorded[0].short_commit} if recorded and recorded[0].commit else {}
    ids = {each.outcome.job_id for each in recorded}
    kept = (each for each in recorded if each.outcome.trial_of not in ids)
    return Side(folder.run_id, {each.outcome.job_id: each for each in kept}, facts)


def best(arguments: argparse.Namespace, project: Project) -> None:
    """Print the folder that the best passed outcome of a job left."""
    history, job_id, past = History(ReportsFolder(project.reports).history), arguments.job, Past()
    history.each(past.add, "job_id", job_id)
    note_problems(history)
    check_job(job_id, history.job_ids(), "the history")
    if (best := past.best.get(job_id)) is None:
        raise TrainingError(f"{job_id} has never passed with a metric")
    if best.direction is None:
        raise TrainingError(f"neither a gate nor its name says whether more of {best.metric!r} is better")
    run_id = best.recorded.run_id
    words = f"{one_line(best.metric, 60)} {number(best.value)} in run {run_id}"
    if (left := needed_outcome(RunFolder(project.reports, run_id), job_id)) is None:
        raise TrainingError(f"the best of {job_id}, {words}, has no folder any more")
    if (study := best.recorded.outcome.study) and study.seeds > 1:
        words += f"; a mean over {study.seeds} seeds has no best trial: the folder is that of its first"
    remark(f"the best that passed of {len(past.runs)} outcomes of {job_id}: {words}")
    facts = {"run_id": run_id, "metric": best.metric, "direction": best.direction, "folder": left.path}
    answer(arguments, facts | {"outcome": best.recorded.outcome}, [left.path])


def prune(arguments: argparse.Namespace, project: Project) -> None:
    """Remove the run folders that nothing keeps, the newest first: newer ones may refer to older ones."""
    if arguments.keep < 1:
        raise TrainingError(f"--keep: expected a number of runs, at least 1, found {arguments.keep}")
    reasons, removed = reasons_to_stay(project, arguments.keep), dict[str, float]()
    verb = "would remove" if arguments.dry_run else "removed"
    for run_id in sorted((each for each in reasons if not reasons[each]), reverse=True):
        folder = RunFolder(project.reports, run_id)
        size_mb = _size_mb(folder)
        if arguments.dry_run or remove_run(folder):
            removed[run_id] = size_mb
            (remark if arguments.json else say)(f"{verb} {run_id}, {size(size_mb)}")
    if not arguments.dry_run:
        remove_rests(ReportsFolder(project.reports))
    kept = {run_id: reason for run_id, reason in reasons.items() if reason}
    lines = [f"kept {run_id}: {why}" for run_id, why in kept.items() if not why.startswith("one of the newest")]
    lines.append(f"{verb} {len(removed)} of {len(reasons)} runs, {size(sum(removed.values()))}")
    answer(arguments, {"dry_run": arguments.dry_run, "removed_mb": removed, "kept": kept}, lines)


def _size_mb(folder: RunFolder) -> float:
    with contextlib.suppress(OSError):  # another process removes it
        files = (entry for _, entry in Walk(folder.path, MOST_FILES))
        return sum(entry.stat(follow_symlinks=False).st_size for entry in files) / MEBIBYTE
    return 0.0
