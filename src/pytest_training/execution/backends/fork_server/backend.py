"""The job server from outside: its owner starts and ends it, slots ask it for attempts."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pytest_training.errors import TrainingError
from pytest_training.execution.attempt.environment import SEED_LIMIT, WAITING, set_threads, unless_set
from pytest_training.execution.attempt.messages import AttemptRequest, Lost, Reply
from pytest_training.execution.backends.protocol import BackendRun, Launcher, Seat
from pytest_training.execution.backends.subprocess import Subprocess

LONGEST_SOCKET_PATH = 100  # the kernel takes 107 bytes
SERVER_EXIT_S = 5.0
ARROW = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""pyarrow's allocator starts a thread when it is imported, and the server starts afresh for every module that does."""
STOP = b"stop"
"""Line that asks for the gentle end of the connection's attempt."""
STOP_ALL = b"stop all"
"""Line that asks for the gentle end of every attempt: the run is interrupted."""
PAUSE = b"pause"
"""Line that asks for an answer as soon as the run is interrupted, and for none otherwise."""
SERVER_DIED = Reply(
    lost=Lost(cause="server died", reason="the job server died while the job ran; see server.log in the run folder")
)


class ForkServer(Subprocess):
    """Executes attempts in forks of one job server, or in subprocesses if there is no folder for its socket."""

    name = "fork"
    server: ServerHandle | None = None

    def start(self, run: BackendRun) -> str | None:
        """Start the job server; return the address of its socket."""
        super().start(run)
        try:
            self.server = start_server(run.imports, log=run.folder.server_log, seed=run.seed)
        except TrainingError as error:
            run.report_problem(f"each job imports for itself: {error}")
            return None
        return self.server.address

    def launcher(self, connection: str | None, seat: Seat) -> Launcher:
        """Return a launcher that asks the server, if there is one."""
        return super().launcher(connection, seat) if connection is None else ServerLauncher(connection)

    def stop_all(self, grace_s: float) -> float:
        """Ask the server to end every attempt, and wait; without grace end the server with them."""
        if self.server is None:
            return super().stop_all(grace_s)
        if grace_s:
            self.server.stop_all()
        else:
            self.close()
        return 0.0

    def close(self) -> None:
        """End the server and every attempt that still runs."""
        if self.server is not None:
            self.server.close()
            self.server = None


@dataclass
class ServerHandle:
    """The running job server; closing its stdin, the lifeline, ends it and every job."""

    address: str
    process: subprocess.Popen[bytes]
    folder: Path

    def stop_all(self) -> None:
        """Ask every job to end, and wait until the last one has, or has been killed after its grace."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as link:
            link.connect(self.address)
            link.sendall(STOP_ALL + b"\n")
            read_reply(link)

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


@dataclass(frozen=True)
class ServerLauncher:
    """Asks the job server."""

    address: str

    def launch(self, request: AttemptRequest) -> Reply:
        """Send the request and wait; on Ctrl-C ask the server to end the attempt gently."""
        with socket.socket(socket.AF_UNIX) as link:
            try:
                link.connect(self.address)
                link.sendall(msgspec.json.encode(request) + b"\n")
            except OSError:
                return SERVER_DIED
            try:
                return read_reply(link)
            except KeyboardInterrupt:
                with contextlib.suppress(OSError):
                    link.sendall(STOP + b"\n")
                reply = read_reply(link)
                ending = msgspec.structs.replace(reply.ending, ended_by="interrupted")
                return msgspec.structs.replace(reply, ending=ending, lost=None)

    def pause(self, seconds: float) -> bool:
        """Wait that long, or until the server answers that the run is interrupted."""
        give_up = time.monotonic() + seconds
        try:
            while (rest_s := give_up - time.monotonic()) > 0:
                with socket.socket(socket.AF_UNIX) as link:
                    link.settimeout(rest_s)
                    link.connect(self.address)
                    link.sendall(PAUSE + b"\n")
                    if link.recv(1):
                        return False
        except KeyboardInterrupt:
            return False
        except OSError:  # the time is over, or there is no server, as the next attempt will say
            pass
        return True


def read_reply(link: socket.socket) -> Reply:
    """Return the server's answer, or that it died."""
    with contextlib.suppress(OSError), link.makefile("rb") as answer:
        if (line := answer.readline()).endswith(b"\n"):
            return msgspec.json.decode(line, type=Reply)
    return SERVER_DIED


def start_server(imports: Sequence[str], *, log: Path, seed: int, longest_import_s: float = 120.0) -> ServerHandle:
    """Start the job server; it accepts requests at once and serves them when its imports are done."""
    folder = _private_folder()
    address = folder / "server"
    log.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listening, log.open("ab") as output:
        listening.bind(str(address))
        listening.listen(512)
        settings = {"socket": listening.fileno(), "imports": list(imports), "longest_import_s": longest_import_s}
        environment = dict(os.environ) | unless_set(WAITING | ARROW)
        set_threads(environment, 1)  # a library that starts its threads when imported would make fork unsafe
        environment["PYTHONHASHSEED"] = str(seed % SEED_LIMIT)
        process = subprocess.Popen(
            [sys.executable, "-m", __name__.rpartition(".")[0], msgspec.json.encode(settings).decode()],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            pass_fds=[listening.fileno()],
            start_new_session=True,
        )
    return ServerHandle(str(address), process, folder)


def _private_folder() -> Path:
    # mkdtemp makes it readable for its owner alone; a long TMPDIR would not fit into a socket's address.
    for parent in (None, "/tmp", os.environ.get("XDG_RUNTIME_DIR") or "/tmp", "/dev/shm"):  # noqa: S108  (a socket's path must be short)
        with contextlib.suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix="training-", dir=parent))
            if len(os.fsencode(folder)) < LONGEST_SOCKET_PATH:
                return folder
            folder.rmdir()
    tried = os.environ.get("TMPDIR") or "every folder tried"
    raise TrainingError(
        f"no folder for the job server's socket: {tried} cannot be written or is too long "
        f"a path (at most {LONGEST_SOCKET_PATH} bytes); TMPDIR may name another"
    )
