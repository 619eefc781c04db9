"""What came of each test that trains, as its reports and its job's files say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import pytest

from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Cause, Outcome, Status
from pytest_training.execution.slot import REFUSED, new_outcome, read_outcome, save_outcome
from pytest_training.execution.unfinished import final_outcome, interrupted_outcome, unfinished_outcome
from pytest_training.jobs.model import Job


class Outcomes:
    """The outcomes of a run so far, by node id; each is on disk too."""

    def __init__(self, folder: RunFolder, seed: int, jobs: Mapping[str, Job], problems: list[str]) -> None:
        self.folder = folder
        self.seed = seed
        self.jobs = jobs
        self.problems = problems
        self.by_node: dict[str, Outcome] = {}
        self.running = {job.id: {node for node, other in jobs.items() if other.id == job.id} for job in jobs.values()}
        """The tests of each job that have not ended."""
        self.dead: set[str] = set()
        """Tests that died with their worker: no report of their teardown comes."""

    def note_report(self, report: pytest.TestReport) -> Outcome | None:
        """Note what a report says of a job; return the job's outcome if its last test has ended."""
        node = report.nodeid
        job = self.jobs.get(node)
        if job is None:
            return None
        if report.when == "call" or report.failed or (report.skipped and node not in self.by_node):
            self.by_node[node] = self._outcome(job, report)
        if report.when != "teardown" and node not in self.dead:
            return None
        return self._end(node, job)

    def note_dead_worker(self, report: pytest.TestReport) -> Outcome | None:
        """Write the outcome that a dead worker could not write, and return it."""
        job = self.jobs.get(report.nodeid)
        if job is None:
            return None
        self.dead.add(report.nodeid)
        name = getattr(getattr(getattr(report, "node", None), "gateway", None), "id", "")
        reason = f"worker died: the pytest process {name} that waited for this job ended without a word (killed?)"
        outcome = unfinished_outcome(self.folder, job, seed=self.seed, slot=name, cause="worker died", reason=reason)
        self._save(outcome)
        return outcome

    def complete(self) -> Iterator[Outcome]:
        """Yield the outcome of each job that has not ended, each once."""
        for node, job in self.jobs.items():
            if node not in self.by_node:
                self.by_node[node] = self._outcome_without_report(job)
            if (outcome := self._end(node, job)) is not None:
                yield outcome

    def of_jobs(self, ids: Iterator[str]) -> tuple[Outcome, ...]:
        """Return one outcome for each job, also where two tests train it."""
        by_id = {outcome.job_id: outcome for outcome in self.by_node.values()}
        return tuple(by_id[job_id] for job_id in ids)

    def _end(self, node: str, job: Job) -> Outcome | None:
        nodes = self.running.get(job.id, set())
        nodes.discard(node)
        if nodes or self.running.pop(job.id, None) is None:
            return None
        return self.by_node[node]

    def _outcome(self, job: Job, report: pytest.TestReport) -> Outcome:
        slot = getattr(report, "worker_id", "main") if report.when == "call" else ""  # a job without a slot has no line
        outcome = read_outcome(self.folder, job.id) or new_outcome(job, seed=self.seed, slot=slot)
        if report.failed and outcome.status in {Status.PASSED, Status.NOT_RUN}:
            phase = f" in {report.when}" if report.when != "call" else ""
            reason = f"the test failed{phase}: {_message(report)}"
            cause: Cause = "error"
            lines = report.longreprtext.splitlines()
            if refusal := next((line for line in lines if line.startswith(REFUSED)), None):
                reason, cause = refusal, "system"  # the slot could not write the outcome that says so
            outcome = msgspec.structs.replace(outcome, status=Status.FAILED, cause=cause, reason=reason)
            self._save(outcome)
        if report.skipped and outcome.status == Status.NOT_RUN and not outcome.reason:
            outcome = msgspec.structs.replace(outcome, status=Status.SKIPPED, reason=_skip_reason(report))
            self._save(outcome)
        return outcome

    def _outcome_without_report(self, job: Job) -> Outcome:
        if (outcome := final_outcome(self.folder, job.id)) is None:
            reason = "the run ended while this job ran"
            outcome = interrupted_outcome(self.folder, job, seed=self.seed, reason=reason)
            self._save(outcome)
        return outcome

    def _save(self, outcome: Outcome) -> None:
        try:
            save_outcome(self.folder, outcome)
        except OSError as error:
            self.problems.append(f"cannot write the outcome of {outcome.job_id}: {error.strerror}")


def _message(report: pytest.TestReport) -> str:
    """Return the first line of why a test failed, as pytest's own summary has it."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else report.longreprtext).strip().splitlines()
    return str(lines[0]) if lines else "no message"


def _skip_reason(report: pytest.TestReport) -> str:
    place = report.longrepr
    return str(place[2]).removeprefix("Skipped: ") if isinstance(place, tuple) else "skipped"
