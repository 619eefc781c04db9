"""A run that is going on, as its owner holds it: it begins, is interrupted, ends, and is closed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from pytest_training.atomic import write_atomically
from pytest_training.execution.backends.protocol import Backend, BackendRun
from pytest_training.execution.folder import RunFolder, utc_now
from pytest_training.jobs.model import Job, Plan, save_plan
from pytest_training.option_values import Options
from pytest_training.options import REGISTRY
from pytest_training.pytest_adapter import show_lines_instead_of_dots
from pytest_training.records.provenance import provenance
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.run_record import BegunRun, RunRecord
from pytest_training.records.strict_json import encode
from pytest_training.reporters import load_reporters
from pytest_training.reporters.console import Line
from pytest_training.session.context import SLOT, SlotContext
from pytest_training.session.hooks import call_each
from pytest_training.session.outcomes import Outcomes
from pytest_training.session.translation import Translation
from pytest_training.signals import EndingSignals
from pytest_training.text import one_line

OUTCOME_PATIENCE_S = 2.0


class RunningRun:
    """The life of one run."""

    def __init__(
        self,
        config: pytest.Config,
        run: TrainingRun,
        jobs: Mapping[str, Job],
        context: SlotContext,
        backend: Backend,
    ) -> None:
        self.config = config
        self.run = run
        """What reporters get."""
        self.jobs = jobs
        """The selected jobs by node id."""
        self.context = context
        self.backend = backend
        self.outcomes = Outcomes(run.folder, run.plan.seed, jobs, run.problems)
        self.signals = EndingSignals()

    @classmethod
    def begin(  # noqa: PLR0913  (made in one place, owner.py)
        cls,
        config: pytest.Config,
        options: Options,
        plan: Plan,
        jobs: Mapping[str, Job],
        *,
        idle: bool,
        resumed: str | None,
    ) -> RunningRun:
        """Make the run folder, start the job server, and register the reporters."""
        folder = RunFolder(options.reports, plan.run_id)
        reporters = list(load_reporters(config))
        run = TrainingRun(folder, plan, begun=_begun(config, plan, jobs))
        with _writing_to(options.reports):
            _make_reports_folder(options.reports, folder)
            save_plan(plan, folder.plan)
            run = replace(run, provenance=provenance(options.project, _imports(plan)))
            write_atomically(folder.provenance, encode(run.provenance, indent=1))
            write_atomically(folder.begun, encode(run.begun, indent=1))
        registry = config.stash[REGISTRY]
        backend = registry.backends[options.run_settings.backend]()
        with _writing_to(options.reports):
            connection = backend.start(
                BackendRun(folder=folder, imports=_imports(plan), seed=plan.seed, report_problem=run.problems.append)
            )
        settings = msgspec.structs.replace(options.run_settings, resumed=resumed)
        context = SlotContext(
            reports=str(options.reports), run_id=plan.run_id, settings=settings, connection=connection, idle=idle
        )
        config.stash[SLOT] = context.slot("main", plan, registry)
        running = cls(config, replace(run, settings=settings), jobs, context, backend)
        for name, reporter in reversed(reporters):  # pluggy calls the last that was registered first
            config.pluginmanager.register(reporter, name)
        config.pluginmanager.register(Translation(config, running), "training-translation")
        show_lines_instead_of_dots(config)
        running.signals.take()
        return running

    def start(self) -> None:
        """Call the hook for a run that starts."""
        self.call("pytest_training_run_start", run=self.run)

    @property
    def plan(self) -> Plan:
        """The run's plan."""
        return self.run.plan

    def call(self, hook: str, **arguments: Any) -> None:
        """Call one of the plugin's own hooks; what raises becomes a problem of the run."""
        for failure in call_each(self.config, hook, config=self.config, **arguments):
            if failure not in self.run.problems:
                self.run.problems.append(failure)

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        return self.run.folder

    def order(self) -> tuple[list[str], dict[str, list[str]]]:
        """Return the node ids in planned order, and for each those that must have ended before it."""
        nodes: dict[str, list[str]] = {}
        for nodeid, job in self.jobs.items():
            nodes.setdefault(job.id, []).append(nodeid)
        order = [nodeid for planned in self.plan.jobs for nodeid in nodes[planned.job.id]]
        needs = {
            nodeid: [needed for job_id in job.needs for needed in nodes.get(job_id, ())]
            for nodeid, job in self.jobs.items()
            if job.needs
        }
        return order, needs

    def note_uncollected(self, reports: Sequence[pytest.CollectReport]) -> None:
        """Note what could not be collected before the run began."""
        for report in reports:
            self.run.problems.append(f"{report.nodeid} could not be collected: its tests and jobs are not in this run")

    def interrupt(self, *, has_workers: bool) -> None:
        """Ask every running job to end and wait for that; a second Ctrl-C ends them at once."""
        try:
            self._stop_all(self.run.settings.grace_s, has_workers=has_workers)
        except KeyboardInterrupt:
            self.signals.hold()
            self._stop_all(0.0, has_workers=has_workers)
        self.signals.hold()

    def _stop_all(self, grace_s: float, *, has_workers: bool) -> None:
        with self.run.noting_failure("that the run is interrupted"):
            grace_s = self.backend.stop_all(grace_s)
        if has_workers:  # else the only slot is this process, and has written what it knows
            self._await_outcomes(grace_s)

    def _await_outcomes(self, grace_s: float) -> None:
        """Wait until the slots have written what became of their jobs: they need a moment."""
        give_up = time.monotonic() + grace_s + OUTCOME_PATIENCE_S
        running = [job.id for node, job in self.jobs.items() if node not in self.outcomes.by_node]
        while time.monotonic() < give_up and any(
            files.attempt(1).path.exists() and not files.outcome.exists() for files in map(self.folder.job, running)
        ):
            time.sleep(0.02)

    def end(self, exit_status: int) -> None:
        """Complete the outcomes: those of jobs that were interrupted, or never begun."""
        for outcome in self.outcomes.complete():
            self.call("pytest_training_job_end", outcome=outcome)
        record = RunRecord(
            run_id=self.plan.run_id,
            started=self.run.started,
            ended=utc_now(),
            seed=self.plan.seed,
            workers=self.plan.workers,
            exit_code=int(exit_status),
            arguments=tuple(map(str, self.config.invocation_params.args)),
            folder=self.folder.path.relative_to(self.folder.reports).as_posix(),
        )
        outcomes = self.outcomes.of_jobs(planned.job.id for planned in self.plan.jobs)
        self.run = replace(self.run, outcomes=outcomes, record=record)

    def report(self) -> None:
        """Have reporters write their reports; what goes wrong there is in run.json, and on the terminal."""
        self._save_record()
        noted = len(self.run.problems)
        self.call("pytest_training_run_end", run=self.run)
        if len(self.run.problems) > noted:
            self._save_record()

    def _save_record(self) -> None:
        if self.run.record is not None:
            record = msgspec.structs.replace(self.run.record, problems=tuple(self.run.problems))
            self.run = replace(self.run, record=record)
            with self.run.noting_failure(f"{self.folder.record}"):
                write_atomically(self.folder.record, encode(record, indent=1))

    def closing_lines(self) -> list[Line]:
        """Return what reporters have left for the end of the session's output, and the problems that came later."""
        texts = {text for text, _ in self.run.closing}
        warnings = [f"warning: {one_line(problem)}" for problem in self.run.problems]
        return [*self.run.closing, *((text, {"yellow": True}) for text in warnings if text not in texts)]

    def close(self) -> None:
        """End the backend and whatever still runs."""
        self.signals.give_back()
        self.backend.close()
        if self.folder.server_log.exists() and not self.folder.server_log.stat().st_size:
            self.folder.server_log.unlink()


def _imports(plan: Plan) -> tuple[str, ...]:
    """Return what the planned jobs import, each once; what needs an interpreter of its own imports for itself."""
    return tuple(dict.fromkeys(name for planned in plan.jobs if not planned.job.fresh for name in planned.job.imports))


def _begun(config: pytest.Config, plan: Plan, jobs: Mapping[str, Job]) -> BegunRun:
    process = psutil.Process()
    return BegunRun(
        run_id=plan.run_id,
        started=utc_now(),
        pid=process.pid,
        pid_started=process.create_time(),
        arguments=tuple(map(str, config.invocation_params.args)),
        nodes={nodeid: job.id for nodeid, job in jobs.items()},
    )


def _make_reports_folder(reports: Path, folder: RunFolder) -> None:
    if not reports.exists():
        reports.mkdir(parents=True)
        write_atomically(reports / ".gitignore", b"*\n")  # as pytest does for its cache
    folder.path.mkdir(parents=True)


@contextlib.contextmanager
def _writing_to(reports: Path) -> Iterator[None]:
    """Make a usage error of what cannot be written before anything has been trained."""
    try:
        yield
    except OSError as error:
        raise pytest.UsageError(
            f"cannot write reports to {reports}: {error.strerror}; --training-reports DIR takes another folder"
        ) from None
