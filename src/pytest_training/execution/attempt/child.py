"""The work of a job's own process: load the file, call `train`, write result.json.

`execute` runs in a child that the job server forked, in a plain subprocess (`python -m …child`), or, for
debugging, in the pytest process. A program is started by `exec`, so that the process is its alone.
"""

import contextlib
import faulthandler
import importlib.util
import linecache
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from pytest_training import atomic, machine, places, processes, signals, wording
from pytest_training.errors import DataError, ResultError
from pytest_training.evaluation.examination import Examination
from pytest_training.execution.attempt import environment
from pytest_training.execution.attempt.finish import Beginning, end_interpreter
from pytest_training.execution.attempt.messages import NO_RESULT, AttemptRequest, Failure, Result
from pytest_training.execution.attempt.run import Run
from pytest_training.execution.attempt.startup.sitecustomize import Printed
from pytest_training.execution.attempt.warm import run_script, shadowed
from pytest_training.execution.outcome import UnfitMetricError, with_predicted
from pytest_training.jobs.kinds.protocol import Call, Command
from pytest_training.jobs.model import Job
from pytest_training.limits.tree import available_mb
from pytest_training.text import bounded

if TYPE_CHECKING:
    from pytest_training.execution.attempt.neutral import Neutral


class Stopped(BaseException):
    """SIGTERM, raised in the job's main thread so that its `finally` blocks run."""


def run_attempt(request: AttemptRequest, *, warm: "Neutral | None" = None) -> NoReturn:
    """Execute a request in this process, its own, and end it; `warm` has what imports changed in the job server."""
    folder, job = request.files, request.job
    redirect_output(folder.log)
    if warm is not None:
        warm.restore(job.imports)
    faulthandler.enable(all_threads=False)
    signals.as_in_a_new_process()
    signal.signal(signal.SIGTERM, _raise_stopped)
    for number in signals.SCHEDULERS:
        signal.signal(number, lambda *_: None)  # a scheduler may send it to all; the owner ends the job
    os.chdir(job.workplace)
    environment.change_environment(request.environment)
    own = environment.job_environment(job, str(folder.artifacts), seed=request.seed, threads=request.threads)
    os.environ.update(own | environment.needed_variables(request.needed, folder.needed))
    with places.appending(folder.events) as events:  # for the live view
        events.write(msgspec.json.encode({"t": 0.0, "pid": os.getpid()}) + b"\n")
    processes.reset_own_peak_memory()
    processes.die_before_others()
    beginning = Beginning()
    if isinstance(request.start, Command):
        _become_program(request, request.start, beginning if warm else None)
    result = Result()
    try:
        result = execute(request, request.start)
        status = 0 if result.failure is None else 1
    except OSError as error:  # ours: what the job raised is in the result
        with contextlib.suppress(Exception):
            sys.stderr.write(f"cannot write result.json: {error.strerror}\n")
        status = NO_RESULT

    def note(sentence: str) -> None:
        if result != Result():  # else it could not be written
            _leave(msgspec.structs.replace(result, notes=(*result.notes, sentence)), request)

    end_interpreter(beginning, status, limit_s=request.settings.grace_s, note=note)


def execute(request: AttemptRequest, start: Call, *, raised: Callable[[BaseException], None] | None = None) -> Result:
    """Call the job's function and leave its result; call `raised` with what it raised (for the debugger)."""
    process, umask = os.getpid(), os.umask(0)
    os.umask(umask)
    run = _make_run(request)
    metrics: dict[str, float] = {}
    failure, begun, loading_s = None, time.monotonic(), 0.0
    try:
        with environment.seed_generators(request.job, request.seed) as seeder:
            function = _load_function(request, start)
            loading_s = time.monotonic() - begun
            seeder.seed_loaded()  # the file may have drawn numbers while it was loaded
            metrics = with_predicted(function(run, **request.job.parameters), run.predicted)
    except BaseException as error:  # noqa: BLE001  (whatever a job raises is its failure, not ours)
        failure = _explain(error, request.job)
        metrics = error.metrics if isinstance(error, UnfitMetricError) else {}
        if raised is not None:
            raised(error)
        elif failure.traceback:
            with contextlib.suppress(Exception):  # the job may have closed its stderr
                sys.stderr.write(failure.traceback)
    if os.getpid() != process:  # a copy that the job has forked and let return is not the job
        os._exit(0)
    os.umask(umask)
    with contextlib.suppress(Exception):
        run.close()
    loading_s = round(loading_s or time.monotonic() - begun, 4)  # it may have failed there
    methods = dict.fromkeys(each.method for each in run.evaluations.values())
    result = Result(
        metrics=metrics,
        interval_method="; ".join(methods),
        failure=failure,
        data=run.used,
        loading_s=loading_s,
        remarks=run.notes,
        notes=run.remarks,
        differences=run.differences(request.earlier) if not failure else {},
        examined=run.examine() if not failure else None,
    )
    return _leave(result, request)


def _make_run(request: AttemptRequest) -> Run:
    return Run(
        folder=request.files.artifacts,
        seed=request.seed,
        threads=request.threads,
        device="cuda" if machine.visible_gpus() else "cpu",
        datasets={dataset.name: dataset for dataset in request.datasets},
        needed=request.needed,
        events=request.files.events,
        checkpoint=Path(request.checkpoint),
        below=request.files.below,
        beside=(request.files.own, request.files.own_below),
        real_data_only=request.settings.real_data_only,
        shuffle=request.job.shuffle,
        examination=Examination() if request.is_examined else None,
    )


def _leave(result: Result, request: AttemptRequest) -> Result:
    atomic.write_atomically(request.files.result, msgspec.json.encode(result), below=request.files.own_below)
    return result


def _load_function(request: AttemptRequest, start: Call) -> Callable[..., Any]:
    """Import the job's file under its own name: workers of its own find its functions by that name."""
    environment.extend_import_path(request.job)
    path = Path(start.path)
    if (spec := importlib.util.spec_from_file_location(path.stem, path)) is None or spec.loader is None:
        raise ImportError(f"{path}: Python knows no way to load it")
    sys.modules[path.stem] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    environment.set_loaded_threads(request.threads)
    function: Callable[..., Any] = getattr(module, start.function)
    return function


def _explain(error: BaseException, job: Job) -> Failure:
    if isinstance(error, Stopped):
        return Failure(cause="stopped", message="was asked to end")
    if isinstance(error, SystemExit):
        code = "" if error.code is None else wording.safe_repr(error.code)
        return Failure(cause="exit", message=f"called sys.exit({code}) before train returned")
    if isinstance(error, ResultError | DataError):
        return Failure(cause="data" if isinstance(error, DataError) else "result", message=str(error))
    message, frames = (bounded(wording.in_utf8(text)) for text in (_one_line(error), own_traceback(error, job)))
    return Failure(cause="error", message=message, traceback=frames, free_mb=available_mb())


def _one_line(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception_only(error)).strip()
    except Exception:  # noqa: BLE001  (a job's own exception may not be printable)
        return type(error).__name__


def own_traceback(error: BaseException, job: Job) -> str:
    """Return the traceback without the plugin's frames, and without the import machinery's above the job's own."""
    with contextlib.suppress(Exception):
        linecache.checkcache(job.path)
    try:
        lines = traceback.format_exception(type(error), error, environment.own_frames(error.__traceback__))
        return "".join(line for line in lines if not line.startswith(f'  File "{environment.PACKAGE}'))
    except Exception:  # noqa: BLE001  (see _one_line)
        return _one_line(error) + "\n"


def _raise_stopped(_signal: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second SIGTERM ends the job at once
    raise Stopped


def redirect_output(log: Path) -> None:
    """Send stdout and stderr to the log and read stdin from nowhere, for this process and what it starts."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | places.NO_FOLLOW, 0o644)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nowhere, 0), (descriptor, 1), (descriptor, 2)):
        os.dup2(source, target, inheritable=True)
    for opened in {nowhere, descriptor} - {0, 1, 2}:
        os.close(opened)
    # These live as long as the process. Line buffered: what a job printed before a crash is in its log.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  (see above)
    sys.stdout, sys.stderr = (
        open(target, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115  (see above)
        for target in (1, 2)
    )


def _become_program(request: AttemptRequest, program: Command, warm: Beginning | None) -> NoReturn:
    """Replace this process by the job's program; a Python file may run in a warm process."""
    run = _make_run(request)
    os.environ.update(program.environment)
    signals.as_in_a_new_process()
    try:
        for dataset in request.datasets:  # a program cannot ask for them one by one
            run.data(dataset.name)
        _leave(Result(data=run.used), request)
        if warm and program.is_warm and not shadowed(program):
            environment.seed_generators(request.job, request.seed).__enter__()
            Printed(str(request.files.printed)).begin()
            end_interpreter(warm, run_script(program, threads=request.threads))
        environment.prepare_program(request.job, request.seed, program, request.files.printed)
        os.execvp(program.argv[0], program.words)
    except DataError as error:
        failure = Failure(cause="data", message=str(error))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        failure = Failure(cause="error", message=f"cannot start {program.argv[0]!r}: {reason}")
    _leave(Result(failure=failure), request)
    os._exit(127)


def _end_with(lifeline: int) -> None:
    """End this process and its session when the process that started it is gone (the pipe closes)."""
    while os.read(lifeline, 1):
        pass
    os.killpg(0, signal.SIGKILL) if hasattr(os, "killpg") else os._exit(1)


def main() -> NoReturn:
    """Execute the request that comes on standard input, where there is no job server."""
    lifeline = os.dup(0)
    with open(lifeline, "rb", closefd=False) as pipe:
        line = pipe.readline()
    if not line.endswith(b"\n"):
        os._exit(1)  # the process that started it is gone
    request = msgspec.json.decode(line, type=AttemptRequest)
    if sys.platform == "linux":
        from pytest_training.execution import keeper  # noqa: PLC0415  (uses what Linux alone has)

        keeper.become_job(lifeline)
        os.close(lifeline)
    else:
        threading.Thread(target=_end_with, args=[lifeline], daemon=True).start()
    run_attempt(request)


if __name__ == "__main__":
    # The functions must be those of the importable module: a job's own workers import it by that name.
    from pytest_training.execution.attempt import child  # noqa: PLW0406  (the module as the child imports it)

    child.main()
