"""The job server from outside: its owner starts and ends it, slots ask it for attempts."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from pytest_training import atomic, errors
from pytest_training.execution.attempt.environment import (
    SHOWING,
    inherited_environment,
    numeric_environment,
    unless_set,
)
from pytest_training.execution.attempt.messages import AttemptRequest, Loading, Lost, Reply
from pytest_training.execution.backends.protocol import BackendRun, Launcher, Seat
from pytest_training.execution.backends.subprocess import INTERRUPTED, Subprocess, SubprocessLauncher
from pytest_training.execution.job_files import read_json

SOCKET, CONNECT = socket.socket, socket.socket.connect  # Python's own: pytest-socket replaces them during a test
LONGEST_SOCKET_PATH = 100  # the kernel takes 107 bytes
SERVER_EXIT_S = 5.0
NO_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false", "ORT_DISABLE_TELEMETRY": "1"}
"""Settings of libraries that else start a thread when they are imported: pyarrow, which pandas imports; onnxruntime."""
STOP = b"stop"  # line that asks for the gentle end of the connection's attempt
STOP_ALL = b"stop all"  # line that asks for the gentle end of every attempt: the run is interrupted
STARTED = b"started"  # line: the attempt has a process, so from now on a server that dies has lost it
FRESH = b"fresh"  # beginning of a line: the attempt needs an interpreter of its own, for the variables that follow
TRIES = 3  # servers that are asked for one attempt: one that dies before it starts the attempt loses nothing
SERVER_DIED = Reply(
    lost=Lost(cause="server died", reason="the job server died while the job ran; see any server.log in the run folder")
)
ALONE = "trained in an interpreter of its own: the job server is gone; see any server.log in the run folder"


class ServerHandle(msgspec.Struct):
    """The running job server; closing its stdin, the lifeline, ends it and every job."""

    address: str
    process: subprocess.Popen[bytes]
    folder: Path
    loading: Path  # see `RunFolder.loading`

    def stop_all(self) -> None:
        """Ask every job to end, and wait until the last one has, or has been killed after its grace."""
        with contextlib.suppress(OSError), SOCKET(socket.AF_UNIX) as link:
            CONNECT(link, self.address)
            link.sendall(STOP_ALL + b"\n")
            read_reply(link.makefile("rb"))

    def close(self) -> None:
        """End the server and every job that still runs."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(SERVER_EXIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class ForkServer(Subprocess):
    """Executes attempts in forks of one job server, or in subprocesses if there is no folder for its socket."""

    name = "fork"
    server: ServerHandle | None = None

    def start(self, run: BackendRun) -> str | None:
        """Start the job server; return the address of its socket."""
        super().start(run)
        try:
            memory = run.folder.stable.threads
            self.server = start_server(run.imports, log=run.folder.server_log, seed=run.seed, memory=memory)
        except errors.TrainingError as error:
            run.report_problem(f"each job imports for itself: {error}")
            return None
        return self.server.address

    def launcher(self, connection: str | None, seat: Seat) -> Launcher:
        """Return a launcher that asks the server, if there is one."""
        return super().launcher(connection, seat) if connection is None else ServerLauncher(connection, seat)

    def stop_all(self, grace_s: float) -> float:
        """Ask the server to end every attempt, and wait; without grace, or while it imports, end it with them."""
        give_up = time.monotonic() + super().stop_all(grace_s)  # for attempts without the server, or never begun
        if self.server is not None and grace_s and is_serving(self.server.loading):
            self.server.stop_all()
        else:
            self.close()
        return max(give_up - time.monotonic(), 0.0)

    def close(self) -> None:
        """End the server and every attempt that still runs."""
        if self.server is not None:
            self.server.close()
            self.server = None


class ServerLauncher(SubprocessLauncher):
    """Asks the job server, or starts a fresh interpreter if the server has ended."""

    def __init__(self, address: str, seat: Seat | None = None) -> None:
        super().__init__(seat)
        self.address = address

    def _execute(self, request: AttemptRequest) -> Reply:
        """Send the request and wait; on Ctrl-C ask the server to end the attempt gently."""
        answer: Reply | str | None = None
        for _ in range(TRIES):
            with contextlib.suppress(OSError), SOCKET(socket.AF_UNIX) as link:
                CONNECT(link, self.address)
                link.sendall(msgspec.json.encode(request) + b"\n")
                if answer := self._wait_for_answer(link):
                    break
        if isinstance(answer, Reply):
            return answer
        reply = super()._execute(request)
        return reply if reply is INTERRUPTED else msgspec.structs.replace(reply, notes=(*reply.notes, answer or ALONE))

    def _wait_for_answer(self, link: socket.socket) -> Reply | str | None:
        with link.makefile("rb") as answer:
            try:
                return read_reply(answer)
            except KeyboardInterrupt:
                if self.seat is not None and not is_serving(self.seat.folder.loading):
                    return INTERRUPTED
                with contextlib.suppress(OSError):
                    link.sendall(STOP + b"\n")
                reply = read_reply(answer)
                reply = reply if isinstance(reply, Reply) else INTERRUPTED
                ending = msgspec.structs.replace(reply.ending, ended_by="interrupted")
                return msgspec.structs.replace(reply, ending=ending, lost=None)


def read_reply(answer: BinaryIO) -> Reply | str | None:
    """Return the server's reply, or why to do without it; if it died: that, or None before the attempt began."""
    died = None
    with contextlib.suppress(OSError):
        line = answer.readline()
        if line.rstrip() == STARTED:
            line, died = answer.readline(), SERVER_DIED
        if line.startswith(FRESH):
            names = ", ".join(line.decode().split()[1:])
            return (
                f"trained in an interpreter of its own: {names} changed after the job server had loaded what reads it"
            )
        if line.endswith(b"\n"):
            return msgspec.json.decode(line, type=Reply)
    return died


def is_serving(loading: Path) -> bool:
    """Return True unless the server imports: meanwhile it does not answer."""
    state = read_json(loading, Loading)
    return state is None or not state.now  # the reports folder may be gone


def start_server(
    imports: Sequence[str], *, log: Path, seed: int, memory: Path | None = None, longest_import_s: float = 120.0
) -> ServerHandle:
    """Start the job server; it accepts requests at once and serves them when its imports are done."""
    folder = _private_folder()
    address = folder / "server"
    log.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listening, log.open("ab") as output:
        listening.bind(str(address))
        listening.listen(512)
        loading = log.with_name("loading.json")
        atomic.write_atomically(loading, msgspec.json.encode(Loading(now="Python", since=time.time())))
        memory = memory or log.with_name("threads.json")
        told = {"names": imports, "longest_s": longest_import_s, "loading": str(loading), "memory": str(memory)}
        settings = (listening.fileno(), told, None)
        process = subprocess.Popen(
            [sys.executable, "-m", __name__.rpartition(".")[0], msgspec.json.encode(settings).decode()],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            # One thread: a library that starts its threads when imported would make fork unsafe.
            env=inherited_environment() | unless_set(NO_THREADS | SHOWING) | numeric_environment(seed=seed, threads=1),
            pass_fds=[listening.fileno()],
            start_new_session=True,
        )
    return ServerHandle(str(address), process, folder, loading)


def _private_folder() -> Path:
    # mkdtemp makes it readable for its owner alone; a long TMPDIR would not fit into a socket's address.
    for parent in (None, "/tmp", os.environ.get("XDG_RUNTIME_DIR") or "/tmp", "/dev/shm"):  # noqa: S108  (a socket's path must be short)
        with contextlib.suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix="training-", dir=parent))
            if len(os.fsencode(folder)) < LONGEST_SOCKET_PATH:
                return folder
            folder.rmdir()
    tried = os.environ.get("TMPDIR") or "every folder tried"
    raise errors.TrainingError(
        f"no folder for the job server's socket: {tried} cannot be written or is too long "
        f"a path (at most {LONGEST_SOCKET_PATH} bytes); TMPDIR may name another"
    )
