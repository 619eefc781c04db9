"""How a slot has an attempt executed: by the job server, by a plain subprocess, or in its own process.

All three take the same request and give the same reply; only the job server shares the imports.
"""

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
from typing import Protocol

import msgspec

from pytest_training.errors import TrainingError
from pytest_training.execution.attempt.environment import SEED_LIMIT, WAITING, set_threads, unless_set
from pytest_training.execution.attempt.frames import own_frames
from pytest_training.execution.attempt.messages import PAUSE, STOP, STOP_ALL, AttemptRequest, Reply, StartMethod
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.outcome import Ending
from pytest_training.jobs.kinds.protocol import Command

LONGEST_SOCKET_PATH = 100  # the kernel takes 107 bytes
SERVER_EXIT_S = 5.0
ARROW = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""pyarrow's allocator starts a thread when it is imported, and the server starts afresh for every module that does."""


def default_start_method() -> StartMethod:
    """Return `fork` where it is safe: Linux. macOS libraries break after a fork, Windows has none."""
    return "fork" if sys.platform == "linux" else "subprocess"


class Launcher(Protocol):
    """Executes one attempt and tells how its process ended."""

    def launch(self, request: AttemptRequest) -> Reply:
        """Block until the attempt has ended."""
        ...

    def pause(self, seconds: float) -> bool:
        """Wait before another attempt; return whether the run still goes on."""
        ...


@dataclass
class ServerHandle:
    """The running job server, as its owner holds it: closing the lifeline ends it and every job."""

    address: str
    process: subprocess.Popen[bytes]
    folder: Path

    def stop_all(self) -> None:
        """Ask every job to end, and wait until the last one has, or has been killed after its grace."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as link:
            link.connect(self.address)
            link.sendall(STOP_ALL + b"\n")
            _read_reply(link)

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
            [
                sys.executable,
                "-m",
                "pytest_training.execution.backends.fork_server.server",
                msgspec.json.encode(settings).decode(),
            ],
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
    for parent in (None, "/tmp", os.environ.get("XDG_RUNTIME_DIR") or "/tmp", "/dev/shm"):  # noqa: S108
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


@dataclass(frozen=True)
class ServerLauncher:
    """Asks the job server."""

    address: str

    def launch(self, request: AttemptRequest) -> Reply:
        """Send the request and wait; Ctrl-C here asks the server to end the attempt gently."""
        with socket.socket(socket.AF_UNIX) as link:
            try:
                link.connect(self.address)
                link.sendall(msgspec.json.encode(request) + b"\n")
            except OSError:
                return Reply(ending=Ending(ended_by="server died"))
            try:
                return _read_reply(link)
            except KeyboardInterrupt:
                with contextlib.suppress(OSError):
                    link.sendall(STOP + b"\n")
                reply = _read_reply(link)
                ending = msgspec.structs.replace(reply.ending, ended_by="interrupted")
                return msgspec.structs.replace(reply, ending=ending)

    def pause(self, seconds: float) -> bool:
        """Wait, and listen to the server meanwhile: it hears when the run is interrupted."""
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


def _read_reply(link: socket.socket) -> Reply:
    received = b""
    with contextlib.suppress(OSError):
        while not received.endswith(b"\n"):
            chunk = link.recv(65536)
            if not chunk:
                break
            received += chunk
    if not received.endswith(b"\n"):
        return Reply(ending=Ending(ended_by="server died"))
    return msgspec.json.decode(received, type=Reply)


@dataclass
class InProcessLauncher:
    """Calls functions in the pytest process: breakpoints work, nothing is isolated."""

    raised: BaseException | None = None
    """What the last job raised, for pytest's own traceback and debugger."""

    def launch(self, request: AttemptRequest) -> Reply:
        """Call the job's function here; a program, or a job with private files, still gets its subprocess."""
        from pytest_training.execution.attempt.child import execute  # noqa: PLC0415  (a worker never needs it)

        self.raised = None
        if isinstance(request.start, Command) or request.private:
            from pytest_training.execution.backends.plain_process import SubprocessLauncher  # noqa: PLC0415

            return SubprocessLauncher().launch(request)
        started, cpu = time.monotonic(), time.process_time()
        os.environ.update(added := unless_set(WAITING))
        try:
            result = execute(request, raised=self._keep)
        finally:
            for name in added:
                os.environ.pop(name, None)
        AttemptFolder(Path(request.folder)).log.touch()
        return Reply(
            ending=Ending(
                exit_status=0 if result.failure is None else 1,
                wall_s=round(time.monotonic() - started, 4),
                cpu_s=round(time.process_time() - cpu, 4),
            )
        )

    def pause(self, seconds: float) -> bool:
        """Wait; Ctrl-C ends it."""
        try:
            time.sleep(seconds)
        except KeyboardInterrupt:
            return False
        return True

    def _keep(self, error: BaseException) -> None:
        self.raised = error.with_traceback(own_frames(error.__traceback__))
        if isinstance(error, KeyboardInterrupt):
            raise error
