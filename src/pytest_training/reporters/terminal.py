"""What the terminal shows of a run: progress while it goes on, a line per job, the summary at its end."""

import contextlib
import shlex

import msgspec
import pytest

from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.model import Job
from pytest_training.options import shown_path
from pytest_training.pytest_adapter import TerminalFile, end_line, terminal_of
from pytest_training.records.comparison import Comparison
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.reporters.console import Line, finished_line, summary_lines
from pytest_training.reporters.live import Screen
from pytest_training.reporters.progress import Progress, requested_mode
from pytest_training.text import one_line
from pytest_training.units import duration
from pytest_training.wording import listing

MOST_CHANGES = 20  # lines of the comparison
MOST_STOPPED = 6  # names of jobs that are being stopped
MINUTE_S = 60


class Reporter:
    """Shows a run on the terminal."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.mode = requested_mode(config)
        self.terminal = terminal_of(config)
        self.outcomes: dict[str, Outcome] = {}
        self.running: dict[str, None] = {}
        self.total = self.id_width = 0
        self.progress: Progress | None = None

    def pytest_training_run_start(self, run: TrainingRun) -> None:
        """Prepare to show the run; the display begins with the first job."""
        self.total = len(run.plan.jobs)
        self.id_width = max(len(planned.job.id) for planned in run.plan.jobs)
        self.progress = Progress.begin(self.config, run, self.outcomes, self.mode)

    def pytest_training_job_start(self, job: Job) -> None:
        """Show that the job started."""
        self.running[job.id] = None
        if self.progress is not None:
            self.progress.start_job(job)

    def pytest_training_job_end(self, outcome: Outcome) -> None:
        """Print the job's line, unless -v or -q is in use."""
        self.outcomes[outcome.job_id] = outcome
        self.running.pop(outcome.job_id, None)
        is_default = self.config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) == 0
        if self.terminal is None or not is_default or not outcome.slot:
            return
        width = self.config.get_terminal_writer().fullwidth
        done = len(self.outcomes)
        text, markup = finished_line(outcome, width=width, done=done, total=self.total, id_width=self.id_width)
        end_line(self.terminal)
        self.terminal.write_line(text, **markup)

    def say_stopping(self, grace_s: float) -> None:
        """Say at once, in a signal's handler, what becomes of the running jobs."""
        if not self.running or self.terminal is None:
            return
        names = one_line(listing("", sorted(self.running), limit=MOST_STOPPED))
        room = f"{grace_s:g} s" if grace_s < MINUTE_S else duration(grace_s)
        what = f"stopping {names}: up to {room} to save; Ctrl-C again kills them" if grace_s else f"killing {names}"
        with contextlib.suppress(Exception):  # the signal may have interrupted the terminal's own writing
            screen = self.progress.screen if self.progress else Screen(TerminalFile(self.terminal))
            screen.say(what)
            if self.progress is None:
                screen.close()

    def pytest_training_run_end(self, run: TrainingRun) -> None:
        """Stop showing; leave the summary for the end of the session's output."""
        if self.progress is not None:
            self.progress.end()
        if run.record is None:
            run.closing.append(("no job began: the reports are as they were", {"yellow": True}))
        if run.record is None or self.config.option.verbose < 0:
            return
        reports = shown_path(run.folder.reports, self.config)
        record = msgspec.structs.replace(run.record, problems=tuple(run.problems))
        if run.settings.compare is not None:
            run.closing.extend(comparison_lines(run.comparison))
        run.closing.extend(summary_lines(record, run.outcomes, reports=reports))
        is_left = any(not outcome.status.is_good for outcome in run.outcomes)
        if run.record.exit_code == pytest.ExitCode.INTERRUPTED and is_left:
            run.closing.append((f"go on: pytest --training-resume{self._places()}", {"bold": True}))

    def _places(self) -> str:
        """Return the options with which the run is found again."""
        option = self.config.option
        values = {"root": [option.training_root], "reports": [option.training_reports]}
        several = [*values.items(), ("catalogue", option.training_catalogue or ())]
        return "".join(f" --training-{name}={shlex.quote(each)}" for name, paths in several for each in paths if each)


def comparison_lines(comparison: Comparison) -> list[Line]:
    """Return lines about what got better or worse, with their colours."""
    lines: list[Line] = [(f"against {one_line(comparison.against)}:", {"bold": True})]
    notable = [job for job in comparison.jobs if job.is_notable]
    for job in notable[:MOST_CHANGES]:
        name = one_line(job.job_id, 40)
        other = f"  (other parameters: {one_line(', '.join(job.parameters), 60)})" if job.parameters else ""
        if job.status:
            lines.append((f"  {name}: {job.status[0]}, now {job.status[1]}{other}", {"yellow": True}))
        for change in job.listed:
            colour = {"better": {"green": True}, "worse": {"red": True}}.get(change.tone, {})
            lines.append((f"  {name}: {one_line(change.metric, 40)} {change.words()}{other}", colour))
    if len(notable) > MOST_CHANGES:
        lines.append((f"  and {len(notable) - MOST_CHANGES} more jobs: see summary.md", {}))
    if not notable and comparison.jobs:
        lines.append(("  no metric changed", {}))
    if comparison.missing:
        lines.append((f"  without an earlier outcome: {one_line(', '.join(comparison.missing), 200)}", {}))
    lines += [(f"  {one_line(problem)}", {"yellow": True}) for problem in comparison.problems]
    return lines
