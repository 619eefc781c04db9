"""What runs in a Dask worker: it keeps one job server for each run, and executes attempts there.

The worker imports no job and runs no job's code. Its death closes the server's lifeline. An attempt that the scheduler
no longer wants (its session is gone, or gave it up) ends, with its process tree.
"""

import asyncio
import contextlib
import os
import platform
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.execution.backends.cluster import node_files
from pytest_training.execution.backends.cluster.orders import AttemptOrder, NodeFacts, ServerOrder
from pytest_training.execution.backends.fork_server.backend import (
    FRESH,
    SERVER_DIED,
    STARTED,
    STOP,
    ServerHandle,
    ServerLauncher,
    start_server,
)
from pytest_training.execution.backends.protocol import Seat
from pytest_training.execution.backends.subprocess import AT_ONCE, GENTLY, INTERRUPTED
from pytest_training.execution.folder import RunFolder
from pytest_training.limits.protocol import Ending
from pytest_training.machine import gpus_on_host, machine_cores

LOOK_S = 0.25  # how often an attempt asks whether anybody still wants it
IDLE_S = float(os.environ.get("PYTEST_TRAINING_NODE_IDLE_S", "30"))
"""A job server without an attempt for so long ends: its session may be gone."""
SENT_AGAIN = Reply(refused="the scheduler sent an attempt to another process than the one that was to execute it")


class KeptServer(msgspec.Struct, eq=False):
    """A run's job server on this node."""

    handle: ServerHandle
    users: int = 0
    used: float = msgspec.field(default_factory=time.monotonic)
    order: str = ""  # how attempts must end, once the run is interrupted


SERVERS: dict[str, KeptServer] = {}  # by run; a Dask worker calls functions, so the state is the module's
LOCK = threading.Lock()


def describe(order: bytes, packages: list[str], *, dask_worker: Any) -> bytes:
    """Say who this node is, what it has, and whether it sees the run folder."""
    from distributed.system import MEMORY_LIMIT  # noqa: PLC0415  (the extra `cluster`)

    server, versions, shares_files = msgspec.json.decode(order, type=ServerOrder), {}, False
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    with contextlib.suppress(OSError):
        shares_files = Path(server.probe).read_text(encoding="utf-8") == server.run_id
    return msgspec.json.encode(
        NodeFacts(
            id=dask_worker.id,
            host=socket.gethostname(),
            pid=os.getpid(),
            cores=machine_cores(),
            cpus=tuple(sorted(os.sched_getaffinity(0))),
            memory_mb=MEMORY_LIMIT / 2**20,
            cards=gpus_on_host(),
            shares_files=shares_files,
            scratch=str(node_files.scratch(dask_worker, server.run_id)),
            executable=sys.executable,
            prefix=sys.prefix,
            versions={"python": platform.python_version(), **versions},
        )
    )


def execute(payload: bytes) -> bytes:
    """Execute one attempt, in a thread of the Dask worker; return the reply."""
    from distributed import get_worker  # noqa: PLC0415  (the extra `cluster`)

    order, worker = msgspec.json.decode(payload, type=AttemptOrder), get_worker()
    if worker.id != order.node_id:  # retries are not the scheduler's business
        return msgspec.json.encode(SENT_AGAIN)
    key = str(worker.get_current_task())
    server = _server(order.server, worker)
    try:
        launcher = NodeLauncher(server, _seat(order, worker), lambda: _is_wanted(worker, key))
        return msgspec.json.encode(launcher.launch(order.request))
    finally:
        with LOCK:
            server.users -= 1
            server.used = time.monotonic()


class NodeLauncher(ServerLauncher):
    """Asks the node's job server, or starts a fresh interpreter; ends an attempt that nobody wants."""

    def __init__(self, server: KeptServer, seat: Seat, is_wanted: Callable[[], bool]) -> None:
        super().__init__(server.handle.address, seat)
        self.server, self.is_wanted = server, is_wanted

    def _order(self) -> str:
        return self.server.order if self.is_wanted() else AT_ONCE

    def _wait_for_answer(self, link: socket.socket) -> Reply | str | None:
        received, died, is_stopping = b"", None, False
        link.settimeout(LOOK_S)
        while True:
            line, newline, received = received.partition(b"\n")
            if newline and line == STARTED:
                died = SERVER_DIED
            elif newline and line.startswith(FRESH):
                return "trained in an interpreter of its own: variables changed after the job server had read them"
            elif newline:
                return msgspec.json.decode(line, type=Reply)
            else:
                received = line
                try:
                    chunk = link.recv(65536)
                except TimeoutError:
                    order = self._order()
                    if order == AT_ONCE:
                        return Reply(ending=Ending(ended_by="interrupted"))  # closes the link
                    if order == GENTLY and not is_stopping:
                        is_stopping = True
                        link.sendall(STOP + b"\n")
                    continue
                except OSError:
                    chunk = b""
                if not chunk:
                    return died
                received += chunk


def _is_wanted(worker: Any, key: str) -> bool:
    if worker.status.name not in {"running", "paused"}:  # it closes: its scheduler is gone, or it was told to
        return False
    task = worker.state.tasks.get(key)
    return task is not None and task.state == "executing"


def _seat(order: AttemptOrder, worker: Any) -> Seat:
    return Seat(folder=RunFolder(_scratch(worker, order.server.run_id), order.server.run_id))


def _server(order: ServerOrder, worker: Any) -> KeptServer:
    with LOCK:
        kept = SERVERS.get(order.run_id)
        if kept is None or kept.handle.process.poll() is not None:
            log = _scratch(worker, order.run_id) / "server.log"
            kept = SERVERS[order.run_id] = KeptServer(start_server(order.imports, log=log, seed=order.seed))
            threading.Thread(target=_end_when_idle, args=(order.run_id, kept), daemon=True).start()
        kept.users += 1
        return kept


def _end_when_idle(run_id: str, kept: KeptServer) -> None:
    while True:
        time.sleep(min(1.0, IDLE_S))
        with LOCK:
            if kept.handle.process.poll() is not None or (not kept.users and time.monotonic() - kept.used > IDLE_S):
                if SERVERS.get(run_id) is kept:
                    del SERVERS[run_id]
                break
    kept.handle.close()


async def stop_all(run_id: str, how: str) -> None:
    """Ask every attempt of a run on this node to end, gently or at once."""
    if (kept := SERVERS.get(run_id)) is not None:
        kept.order = how


async def forget(run_id: str, *, dask_worker: Any) -> None:
    """End the run's job server and remove what was kept for it: the session has ended."""
    with LOCK:
        kept = SERVERS.pop(run_id, None)
    if kept is not None:
        await asyncio.to_thread(kept.handle.close)
    await asyncio.to_thread(shutil.rmtree, _scratch(dask_worker, run_id), True)
    await asyncio.to_thread(node_files.leave, run_id)


def _scratch(worker: Any, run_id: str) -> Path:
    return Path(worker.local_directory, f"training-{run_id}")


__all__ = ["INTERRUPTED", "AttemptRequest", "describe", "execute", "forget", "stop_all"]
