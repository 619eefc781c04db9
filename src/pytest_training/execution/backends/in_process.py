"""The pytest process itself executes functions: for debugging, with nothing isolated."""

import os
import time
from typing import Any

from pytest_training.atomic import write_atomically
from pytest_training.execution.attempt.environment import WAITING, change_environment, own_frames, unless_set
from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.execution.backends.protocol import Backend, Launcher, Seat
from pytest_training.execution.backends.subprocess import SubprocessLauncher
from pytest_training.jobs.kinds.protocol import Command
from pytest_training.limits.protocol import Ending


class InProcess(Backend):
    """What `--training-in-process` and `--pdb` choose."""

    name = "in-process"

    def launcher(self, connection: Any, seat: Seat) -> Launcher:  # noqa: ARG002  (there is nothing to connect to)
        """Return a launcher that calls functions here."""
        return InProcessLauncher(seat)


class InProcessLauncher(SubprocessLauncher):
    """Calls functions in the pytest process: breakpoints work, nothing is isolated."""

    raised: BaseException | None = None  # what the last job raised, for pytest's own traceback and debugger

    def _execute(self, request: AttemptRequest) -> Reply:
        """Call the job's function here; a program, or a job with private files, still gets its subprocess."""
        from pytest_training.execution.attempt.child import execute  # noqa: PLC0415  (a worker never needs it)

        self.raised = None
        if isinstance(request.start, Command) or request.private:
            return super()._execute(request)
        started, cpu = time.monotonic(), time.process_time()
        added = unless_set(WAITING) | request.environment
        before = {name: os.environ.get(name) for name in added}
        change_environment(added)
        try:
            result = execute(request, request.start, raised=self._keep)
        finally:
            change_environment(before)
        if not os.path.lexists(request.files.log):
            write_atomically(request.files.log, b"", below=request.files.below)
        return Reply(
            ending=Ending(
                exit_status=0 if result.failure is None else 1,
                wall_s=round(time.monotonic() - started, 4),
                cpu_s=round(time.process_time() - cpu, 4),
            )
        )

    def _keep(self, error: BaseException) -> None:
        self.raised = error.with_traceback(own_frames(error.__traceback__))
        if isinstance(error, KeyboardInterrupt):
            raise error
