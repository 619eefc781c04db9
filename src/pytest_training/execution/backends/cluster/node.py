"""What runs in a Dask worker: it keeps one job server for each run, and executes attempts there.

The worker imports no job and runs no job's code. Its death closes the server's lifeline. An attempt that the scheduler
no longer wants (its session is gone, or gave it up) ends, with its process tree.
"""

import contextlib
import io
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from pytest_training.errors import DeclarationError, TrainingError
from pytest_training.execution.attempt.environment import SIZE
from pytest_training.execution.attempt.messages import AttemptRequest, Loading, Lost, Reply, Result
from pytest_training.execution.backends.cluster import node_files
from pytest_training.execution.backends.cluster.answers import topic
from pytest_training.execution.backends.cluster.orders import AttemptOrder, NodeFacts, ServerOrder
from pytest_training.execution.backends.fork_server.backend import (
    STARTED,
    STOP,
    ServerHandle,
    ServerLauncher,
    read_reply,
    start_server,
)
from pytest_training.execution.backends.protocol import Seat
from pytest_training.execution.backends.subprocess import AT_ONCE, GENTLY
from pytest_training.execution.equipment import equipment
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.job_files import read_json
from pytest_training.jobs.plan_file import read_plan
from pytest_training.limits.protocol import Ending
from pytest_training.machine import gpus_on_host, machine_cores

LOOK_S = 0.25  # how often an attempt asks whether anybody still wants it
TOLD_S = 1.0
SERVER_LOG, LONGEST_LOG = "server.log", 2**16
TRIM = "MALLOC_TRIM_THRESHOLD_"  # slows a job that allocates much
IDLE_S = float(os.environ.get("TRAINING_NODE_IDLE_S", "30"))
"""A job server without an attempt for so long ends: its session may be gone."""
STARTED_AGAIN = Reply(lost=Lost(cause="worker died", reason="was started again"))
TOLD_TO_CLOSE = Reply(lost=Lost(cause="worker died", reason="was told to close"))


class KeptRun(msgspec.Struct, eq=False):
    """What this node keeps for a run: at most one job server, and how attempts must end once it is interrupted."""

    server: ServerHandle | None = None
    problem: str = ""  # why there is no server
    users: int = 0
    used: float = msgspec.field(default_factory=time.monotonic)
    order: str = ""

    def serve(self, order: ServerOrder, log: Path) -> str:
        """Return the address of the job server, which is started if none is there; nothing if there is to be none."""
        if not order.forks:
            return ""
        try:
            if self.server is None or self.server.process.poll() is not None:
                self.server = start_server(order.imports, log=log, seed=order.seed)
        except TrainingError as error:
            self.problem = f"each job imports for itself: {error}"
            return ""
        return self.server.address

    def problems(self) -> tuple[str, ...]:
        """Return sentences about what its jobs import for themselves."""
        loading = read_json(self.server.loading, Loading) if self.server else None
        return loading.problems if loading else (self.problem,) if self.problem else ()

    def close(self) -> None:
        """End the job server with all that it runs."""
        self.order = AT_ONCE
        if self.server is not None:
            self.server.close()


RUNS: dict[str, KeptRun] = {}  # a Dask worker calls functions, so the state is the module's
LOCK = threading.Lock()


@node_files.in_thread
def describe(order: bytes, worker: Any) -> bytes:
    """Return who this node is, what it has, and whether it sees the run folder."""
    from distributed.system import MEMORY_LIMIT  # noqa: PLC0415  (the extra `cluster`)

    server = msgspec.json.decode(order, type=ServerOrder)
    return msgspec.json.encode(
        NodeFacts(
            id=worker.id,
            host=socket.gethostname(),
            cores=machine_cores(),
            cpus=tuple(sorted(os.sched_getaffinity(0))),
            memory_mb=MEMORY_LIMIT / 2**20,
            cards=gpus_on_host(),
            shares_files=_shares_files(Path(server.probe), server.run_id),
            scratch=str(node_files.scratch(worker, server.run_id)),
            executable=sys.executable,
            prefix=sys.prefix,
            equipment=equipment(server.imports),
        )
    )


def _shares_files(probe: Path, run_id: str) -> bool:
    """Return True if this node sees the run folder and, by the plan that is in there, a job's file."""
    with contextlib.suppress(OSError, DeclarationError):
        if probe.read_text(encoding="utf-8") == run_id:
            jobs = read_plan(RunFolder(probe.parents[2], run_id).plan).jobs
            return any(each.job.path is None or Path(each.job.path).is_file() for each in jobs)
    return False


def execute(payload: bytes) -> None:
    """Execute one attempt, in a thread of the Dask worker; the scheduler passes the reply on before this ends."""
    from distributed import get_worker  # noqa: PLC0415  (the extra `cluster`)

    order, worker = msgspec.json.decode(payload, type=AttemptOrder), get_worker()
    key, run_id = str(worker.get_current_task()), order.server.run_id
    # Retries are not the scheduler's business: another process at the same address executes nothing.
    reply, problems = _executed(order, worker, key) if worker.id == order.node_id else (STARTED_AGAIN, ())
    worker.log_event(topic(run_id), (key, msgspec.json.encode(reply), problems))


def _executed(order: AttemptOrder, worker: Any, key: str) -> tuple[Reply, tuple[str, ...]]:
    scratch = _scratch(worker, order.server.run_id)
    with LOCK:
        run = _run(order.server.run_id)
        address = run.serve(order.server, scratch / SERVER_LOG)
        run.users += 1
    try:
        seat = Seat(folder=RunFolder(scratch, order.server.run_id))
        launcher = NodeLauncher(address, seat, run, lambda: _is_wanted(worker, key))
        reply = launcher.launch(order.request)
        is_lost = not run.order and _was_ended(reply, order.request, launcher.is_wanted)
        return TOLD_TO_CLOSE if is_lost else reply, run.problems()
    finally:
        with LOCK:
            run.users -= 1
            run.used = time.monotonic()


def _was_ended(reply: Reply, request: AttemptRequest, is_wanted: Callable[[], bool]) -> bool:
    """Return True if an attempt ended because its node does."""
    if reply.ending.ended_by == "interrupted":
        return True
    if reply.ending.ended_by or not (reply.ending.signal == "SIGTERM" or _was_asked_to_end(reply, request)):
        return False
    give_up = time.monotonic() + TOLD_S  # who ends a node may ask all its processes at once, those of jobs first
    while is_wanted() and time.monotonic() < give_up:
        time.sleep(LOOK_S / 5)
    return not is_wanted()


def _was_asked_to_end(reply: Reply, request: AttemptRequest) -> bool:
    result = read_json(request.files.result, Result) if reply.ending.exit_status else None
    return bool(result and result.failure and result.failure.cause == "stopped")


class NodeLauncher(ServerLauncher):
    """Asks the node's job server, or starts a fresh interpreter; ends an attempt that the scheduler has dropped."""

    def __init__(self, address: str, seat: Seat, run: KeptRun, is_wanted: Callable[[], bool]) -> None:
        super().__init__(address, seat)
        self.run, self.is_wanted = run, is_wanted

    def _execute(self, request: AttemptRequest) -> Reply:
        return super()._execute(request) if self.address else super(ServerLauncher, self)._execute(request)

    def _order(self) -> str:
        return self.run.order or ("" if self.is_wanted() else AT_ONCE)

    def _wait_for_answer(self, link: socket.socket) -> Reply | str | None:
        received, is_stopping, begun = b"", False, 0.0
        link.settimeout(LOOK_S)
        while not received.endswith(b"\n") or received == STARTED + b"\n":
            try:
                chunk = link.recv(65536)
            except TimeoutError:
                order = self._order()
                if order == AT_ONCE:
                    wall_s = time.monotonic() - begun if received else 0.0
                    return Reply(ending=Ending(ended_by="interrupted", wall_s=wall_s))  # closes the link
                if order == GENTLY and not is_stopping:
                    is_stopping = True
                    link.sendall(STOP + b"\n")
                continue
            except OSError:
                chunk = b""
            if not chunk:
                break
            received, begun = received + chunk, begun or time.monotonic()
        return read_reply(io.BytesIO(received))


def _is_wanted(worker: Any, key: str) -> bool:
    if worker.status.name not in {"running", "paused"}:  # it closes: its scheduler is gone, or it was told to
        return False
    task = worker.state.tasks.get(key)
    return task is not None and task.state == "executing"


def _run(run_id: str) -> KeptRun:
    """Return what is kept for a run; the lock must be held."""
    if (run := RUNS.get(run_id)) is None:
        _leave_out_of_jobs()
        run = RUNS[run_id] = KeptRun()
        threading.Thread(target=_end_when_idle, args=(run_id, run), daemon=True).start()
    return run


def _leave_out_of_jobs() -> None:
    """Remove what Dask's nanny and readline have added to the environment: a job elsewhere has none of it."""
    from dask import config  # noqa: PLC0415  (the extra `cluster`)

    added = dict.fromkeys(("__DASK_PARENT_PID", *SIZE)) | {
        TRIM: config.get(f"distributed.nanny.pre-spawn-environ.{TRIM}", 0)
    }
    for name, value in added.items():
        if value is None or os.environ.get(name) == str(value):
            os.environ.pop(name, None)


def _end_when_idle(run_id: str, run: KeptRun) -> None:
    while RUNS.get(run_id) is run:
        time.sleep(min(1.0, IDLE_S))
        with LOCK:
            if not run.users and time.monotonic() - run.used > IDLE_S and RUNS.get(run_id) is run:
                del RUNS[run_id]
    run.close()


async def stop_all(run_id: str, how: str) -> None:
    """Ask every attempt of a run on this node to end, gently or at once; also one that is under way to it."""
    with LOCK:
        _run(run_id).order = how


@node_files.in_thread
def forget(run_id: str, worker: Any) -> bytes:
    """End the run's job server and remove what was kept for it; return the end of what the server has said."""
    with LOCK:
        run = RUNS.pop(run_id, None)
    if run is not None:
        run.close()
    said, scratch = b"", _scratch(worker, run_id)
    with contextlib.suppress(OSError):
        said = (scratch / SERVER_LOG).read_bytes()[-LONGEST_LOG:]
    shutil.rmtree(scratch, ignore_errors=True)
    return said


def _scratch(worker: Any, run_id: str) -> Path:
    return Path(worker.local_directory, f"training-{run_id}")
