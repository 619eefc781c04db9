"""The outcome of each test that trains, from its reports and its job's files."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from pytest_training.execution.outcome import Cause, Outcome, Status
from pytest_training.execution.slot import REFUSED, new_outcome, read_outcome, save_outcome
from pytest_training.execution.unfinished import ended_with_run, final_outcome, interrupted_outcome, unfinished_outcome
from pytest_training.jobs.model import Job
from pytest_training.records.recorded_run import TrainingRun


class Outcomes:
    """The outcomes of a run so far, by node id; each is on disk too."""

    def __init__(self, run: TrainingRun, jobs: Mapping[str, Job]) -> None:
        self.folder, self.seed, self.problems = run.folder, run.plan.seed, run.problems
        self.jobs, self.by_node = jobs, dict[str, Outcome]()
        self.running: dict[str, set[str]] = {}  # the tests of each job that have not ended
        for node, job in jobs.items():
            self.running.setdefault(job.id, set()).add(node)
        self.again: set[str] = set()  # tests that have failed and begin again
        self.dead: set[str] = set()  # tests that died with their worker: they have no report of a teardown

    def note_report(self, report: pytest.TestReport) -> Outcome | None:
        """Note a report; return the job's outcome if its last test has ended."""
        node = report.nodeid
        if (job := self.jobs.get(node)) is None:
            return None
        if str(report.outcome) == "rerun":  # of pytest-rerunfailures: the test begins again after its teardown
            self.again.add(node)
        if report.when == "call" or report.failed or (report.skipped and node not in self.by_node):
            self.by_node[node] = self._outcome(job, report)
        has_ended = (report.when == "teardown" and node in self.by_node) or node in self.dead  # not with --setup-only
        if has_ended and node in self.again:
            self.again.discard(node)
            return None
        return self._end(node, job) if has_ended else None

    def note_dead_worker(self, report: Any) -> Outcome | None:
        """Write the outcome that a dead worker could not write, and return it."""
        if (job := self.jobs.get(report.nodeid)) is None:
            return None
        self.dead.add(report.nodeid)
        name, cause = report.node.gateway.id, "worker died"
        reason = f"worker died: the pytest process {name} that waited for this job ended without a word (killed?)"
        return self._save(unfinished_outcome(self.folder, job, seed=self.seed, slot=name, cause=cause, reason=reason))

    def complete(self, *, is_signalled: bool = False) -> Iterator[Outcome]:
        """Yield the outcome of each job that has not ended, each once; `is_signalled` if a signal ended the run."""
        for node, job in self.jobs.items():
            if node not in self.by_node:
                reason = "the run ended while this job ran"
                final = final_outcome(self.folder, job.id)
                final = final or interrupted_outcome(self.folder, job, seed=self.seed, reason=reason)
                self.by_node[node] = self._save(ended_with_run(final) if is_signalled else final)
            if (outcome := self._end(node, job)) is not None:
                yield outcome

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
            cause, reason = _failure(report)
            return self._save(msgspec.structs.replace(outcome, status=Status.FAILED, cause=cause, reason=reason))
        if report.skipped and outcome.status == Status.NOT_RUN and not outcome.reason:
            place = report.longrepr
            reason = str(place[2]).removeprefix("Skipped: ") if isinstance(place, tuple) else "skipped"
            return self._save(msgspec.structs.replace(outcome, status=Status.SKIPPED, reason=reason))
        return outcome

    def _save(self, outcome: Outcome) -> Outcome:
        try:
            save_outcome(self.folder, outcome)
        except OSError as error:
            self.problems.append(f"cannot write the outcome of {outcome.job_id}: {error.strerror}")
        return outcome


def _failure(report: pytest.TestReport) -> tuple[Cause, str]:
    """Return cause and reason of a test that failed although its job did not."""
    if refusal := next((line for line in report.longreprtext.splitlines() if line.startswith(REFUSED)), None):
        return "system", refusal  # the slot could not write the outcome with this reason
    crash = getattr(report.longrepr, "reprcrash", None)
    message = (crash.message if crash else report.longreprtext).strip().splitlines()
    phase = f" in {report.when}" if report.when != "call" else ""
    return "error", f"the test failed{phase}: {message[0] if message else 'no message'}"
