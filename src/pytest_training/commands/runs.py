"""Runs side by side, from what is on disk: a list of all, two of them compared, and the best outcome of a job."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pytest_training.commands.answers import check_job, note_problems, remark, say
from pytest_training.errors import TrainingError
from pytest_training.execution.folder import ReportsFolder, RunFolder
from pytest_training.execution.needs import needed_outcome
from pytest_training.execution.outcome import Status
from pytest_training.project import Project
from pytest_training.records.comparison import JobComparison, compare
from pytest_training.records.history import History, Recorded
from pytest_training.records.past import Past, RunLine, run_lines
from pytest_training.records.recorded_run import find_run, read_run
from pytest_training.records.strict_json import encode, plain
from pytest_training.text import one_line, table
from pytest_training.units import number
from pytest_training.wording import listing


def runs(arguments: argparse.Namespace, project: Project) -> None:
    """Print all runs, the oldest first."""
    history = History(ReportsFolder(project.reports).history)
    lines = run_lines(project.reports, history)
    note_problems(history)
    if arguments.json:
        say(encode(lines, indent=2).decode())
        return
    header = ("run", "when", "commit", "selected", "passed", "", "best of")
    for line in table(header, map(_row, lines)) if lines else [f"no run in {project.reports}"]:
        say(line)


def _row(line: RunLine) -> tuple[str, ...]:
    others = [f"{count} {word}" for word, count in line.jobs.items() if word != Status.PASSED]
    states = [*(others if line.state == "finished" else [line.state]), *([] if line.has_folder else ["no folder"])]
    counts = (str(sum(line.jobs.values())), str(line.jobs.get(Status.PASSED, 0)))
    best = listing("", (one_line(job_id, 40) for job_id in line.best), limit=4) if line.best else ""
    when = (line.started or "")[:16].replace("T", " ")
    return (line.run_id, when, (line.commit or "")[:10], *counts, ", ".join(states), best)


class Side(NamedTuple):
    """One of two runs that are compared."""

    run_id: str
    outcomes: dict[str, Recorded]  # by job id
    facts: dict[str, str]  # what decides metrics beside the jobs: commit, seed, versions


def diff(arguments: argparse.Namespace, project: Project) -> None:
    """Print what differs between two runs: statuses, metrics, parameters, and what they were trained with."""
    history = History(ReportsFolder(project.reports).history)
    first, second = (_side(project.reports, history, name) for name in (arguments.first, arguments.second))
    note_problems(history)
    if first.run_id == second.run_id:
        raise TrainingError(f"{arguments.first} and {arguments.second} are the same run, {first.run_id}")
    now = [each.outcome for job_id, each in second.outcomes.items() if job_id in first.outcomes]
    jobs = compare(now, first.outcomes, against=f"run {first.run_id}").jobs
    facts = {name: (first.facts.get(name, each), each) for name, each in second.facts.items()}
    facts = {name: (before, now) for name, (before, now) in facts.items() if before != now}
    alone = {a.run_id: sorted(a.outcomes.keys() - b.outcomes) for a, b in ((first, second), (second, first))}
    if arguments.json:
        answer = {"first": first.run_id, "second": second.run_id, "jobs": jobs, "only_in": alone, "facts": facts}
        say(encode(answer, indent=2).decode())
        return
    differing = [job for job in jobs if job.is_notable or job.parameters]
    rows = [row for job in differing for row in _rows(job, second.outcomes[job.job_id])]
    lines = table(("job", "status", f"{first.run_id} → {second.run_id}"), rows)
    lines.append(f"{len(jobs) - len(differing)} of {len(jobs)} jobs are the same in both runs")
    lines += [f"only in {run_id}: {listing('', ids)}" for run_id, ids in alone.items() if ids]
    for line in [*lines, *(f"{name}: {before} → {now}" for name, (before, now) in facts.items())]:
        say(line)


def _rows(job: JobComparison, now: Recorded) -> Iterator[tuple[str, str, str]]:
    status = " → ".join(job.status) if job.status else now.outcome.status
    old, new = (plain(each.outcome.parameters) for each in (job.earlier, now))
    words = [f"{each.metric} {each.words()}" for each in job.listed]
    words += [f"{job.unlisted} other metrics differ within chance"] if job.unlisted else []
    words += [f"{name}: {old.get(name, '')} → {new.get(name, '')}" for name in job.parameters]
    for index, each in enumerate(words or [""]):
        yield (one_line(job.job_id, 40), status, one_line(each)) if index == 0 else ("", "", one_line(each))


def _side(reports: Path, history: History, name: str) -> Side:
    """Return a run by its name, from its folder, or from the history if that is gone."""
    folder = find_run(reports, name, (origin.run_id for origin in history.origins()))
    recorded, facts = history.fold(list, "run_id", folder.run_id) or [], {}
    if folder.plan.exists():
        run = read_run(folder)
        git = {name: getattr(run.provenance, name, None) for name in ("commit", "branch", "dirty")}
        recorded = [Recorded(run_id=folder.run_id, started="", outcome=each, **git) for each in run.own_outcomes]
        source = run.provenance
        facts = {"python": source.python, "platform": source.platform, **source.packages} if source else {}
        facts = {"seed": str(run.plan.seed), **facts}
    facts |= {"commit": recorded[0].short_commit} if recorded and recorded[0].commit else {}
    return Side(folder.run_id, {each.outcome.job_id: each for each in recorded}, facts)


def best(arguments: argparse.Namespace, project: Project) -> None:
    """Print the folder that the best passed outcome of a job left."""
    history, job_id = History(ReportsFolder(project.reports).history), arguments.job
    check_job(job_id, history.job_ids(), "the history")
    past = history.fold(Past.of, "job_id", job_id) or Past()
    note_problems(history)
    if (best := past.best.get(job_id)) is None:
        raise TrainingError(f"{job_id} has never passed with a metric")
    if best.direction is None:
        raise TrainingError(f"neither a gate nor its name says whether more of {best.metric!r} is better")
    run_id, outcome = best.recorded.run_id, best.recorded.outcome
    words = f"{one_line(best.metric, 60)} {number(best.value)} in run {run_id}"
    if (left := needed_outcome(RunFolder(project.reports, run_id), job_id)) is None:
        raise TrainingError(f"the best of {job_id}, {words}, has no folder any more")
    if arguments.json:
        answer = {"run_id": run_id, "metric": best.metric, "direction": best.direction, "folder": left.path}
        say(encode(answer | {"outcome": outcome}, indent=2).decode())
        return
    remark(f"the best of {len(past.runs)} outcomes of {job_id}: {words}")
    say(left.path)
