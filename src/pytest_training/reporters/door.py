"""A door to a service, such as MLflow: a reporter in a process beside the run, which can neither harm nor delay it.

There an import may take seconds and a server may never answer. The owner forwards its hooks; `door_process` gets them.
"""

import os
import re
import subprocess
import sys
import threading
import time
from importlib import import_module
from typing import Any

import msgspec
import pytest

from pytest_training.execution.folder import utc_now
from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.model import Job
from pytest_training.options import masked, secret_values, source_of
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.text import one_line

PATIENCE_S = 5.0  # at the run's end, after the last sign of the process
LONGEST_WAIT_S = 60.0  # at the run's end, whatever the process says
POLL_S = 0.02
LONGEST_PROBLEM = 400  # characters; a service's own words may be long


class Door:
    """Forwards the hooks of a run to a reporter in another process; one for each setting that has a value."""

    def __init__(self, config: pytest.Config, setting: str, module: str) -> None:
        self.config, self.setting, self.module = config, setting, module
        where, values = source_of(config, setting), secret_values(config, setting)
        for name in re.findall(r"\$\{?([A-Za-z_]\w*)", " ".join(values)):
            if name not in os.environ:
                raise pytest.UsageError(f"{where}: the environment variable {name} is not set")
        self.values = [os.path.expandvars(value) for value in values]  # of `$TOKEN` its value
        self.words: list[str] = import_module(module).check(config, self.values, where)
        self.process: subprocess.Popen[bytes] | None = None
        self.listener = threading.Thread(target=self._listen, name=f"training-{setting}", daemon=True)
        self.unsent = b""
        self.give_up, self.step = 0.0, "an answer"  # when the process must have given another sign, and what it does

    def pytest_training_run_start(self, run: TrainingRun) -> None:
        """Start the process; no smoke run is worth telling."""
        if run.plan.smoke:
            return
        self.run = run
        words = (sys.executable, "-P", "-m", f"{__package__}.door_process")  # -P: no file of the project's for a module
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        self.process = subprocess.Popen(
            words, bufsize=0, stdin=pipe, stdout=pipe, stderr=nowhere, start_new_session=True
        )
        os.set_blocking(self.process.stdin.fileno(), False)  # type: ignore[union-attr]  # it is a pipe
        self.listener.start()
        # On a command line or in the environment, other users' programs could read the values.
        self.send(self.module, str(run.folder.reports), run.folder.run_id, run.settings, self.words)
        self.send("run_start")

    def pytest_training_job_start(self, job: Job) -> None:
        """Forward it."""
        self.send("job_start", job.id, utc_now())

    def pytest_training_job_end(self, outcome: Outcome) -> None:
        """Forward it."""
        self.send("job_end", outcome.job_id)

    def pytest_training_run_end(self) -> None:
        """Forward it, and wait for the process as long as it is worth waiting."""
        if self.process is None:
            return
        self.send("run_end")
        try:
            ended = time.monotonic()
            last = ended + LONGEST_WAIT_S
            while self.listener.is_alive() and time.monotonic() < min(last, max(ended + PATIENCE_S, self.give_up)):
                self.send()
                self.listener.join(POLL_S)
            if self.listener.is_alive():
                past = time.monotonic() - ended
                problem = (
                    f"training_{self.setting}: not everything was sent: the run waited {past:.0f} s for {self.step}"
                )
                self._report(problem)
        finally:  # after Ctrl-C too
            self.process.kill()
            status = self.process.wait()
        if status > 0 and not self.listener.is_alive():
            self.run.problems.append(f"training_{self.setting}: its process ended with exit status {status}")

    def send(self, *words: Any) -> None:
        """Send an event and its JSON values, without waiting: what the pipe has no room for goes with the next."""
        if self.process is None or self.process.stdin is None:
            return
        self.unsent += msgspec.json.encode(words) + b"\n" if words else b""
        try:
            self.unsent = self.unsent[self.process.stdin.write(self.unsent) or 0 :]
        except OSError:  # the process has ended; `_listen` has its reason
            self.unsent = b""

    def _listen(self) -> None:
        """Read the signs of the process: the seconds that its next step may take, or why it ends."""
        for line in self.process.stdout if self.process and self.process.stdout else ():
            sign = msgspec.json.decode(line)
            if isinstance(sign, str):
                problem = f"training_{self.setting}: not everything was sent: {sign}"
                self._report(problem)
            else:
                self.give_up, self.step = time.monotonic() + float(sign[0]), sign[1]

    def _report(self, problem: str) -> None:
        secret = [part for value in self.values for part in (value, value.partition(":")[2]) if part]
        self.run.problems.append(one_line(masked(problem, secret), LONGEST_PROBLEM))
