"""The job server: one process for the whole run that has the heavy imports loaded and forks one child per attempt.

It serves a listening Unix socket that it inherits. A connection is one attempt: its request is a line of JSON, and so
is the reply after its process has ended. A slot that closes its connection ends its attempt. When the owner is gone,
the lifeline closes, and the server ends every job and itself.

It never starts a thread and never runs a job's code: single-threaded, it may fork at any moment.
"""

import contextlib
import gc
import os
import selectors
import signal
import socket
import time
import traceback
from collections.abc import Collection
from functools import partial
from typing import NoReturn

import msgspec

from pytest_training import processes
from pytest_training.errors import DeclarationError
from pytest_training.execution.attempt.child import run_attempt
from pytest_training.execution.attempt.environment import THREAD_VARIABLES
from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.execution.attempt.neutral import Neutral
from pytest_training.execution.attempt.usage import usage_writer
from pytest_training.execution.backends.fork_server.backend import FRESH, STARTED, STOP, STOP_ALL
from pytest_training.execution.gpus import VISIBLE
from pytest_training.jobs.kinds.protocol import Command
from pytest_training.jobs.model import UNDECODABLE
from pytest_training.limits import LIMITS
from pytest_training.limits.ladder import Ladder
from pytest_training.limits.own_memory import OwnMemory
from pytest_training.limits.protocol import Ending, load_limit
from pytest_training.limits.tree import Tree

SAMPLE_S = 0.2  # between two measurements of memory and time
LONGEST_REQUEST = 64 * 2**20
READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_")
"""Beginnings of variables that the interpreter and C libraries read once."""


class Connection(msgspec.Struct, eq=False):
    """One slot's connection: at most one attempt."""

    link: socket.socket
    received: bytearray = msgspec.field(default_factory=bytearray)
    request: AttemptRequest | None = None
    pid: int | None = None

    def send(self, line: bytes) -> None:
        """Send a line; ignore a slot that is gone."""
        with contextlib.suppress(OSError):
            self.link.setblocking(True)
            self.link.sendall(line + b"\n")
            self.link.setblocking(False)


class JobServer:
    """The loop: accept, fork, watch, reap, answer."""

    def __init__(self, listening: socket.socket, lifeline: int, neutral: Neutral, read: Collection[str]) -> None:
        self.listening, self.lifeline, self.neutral = listening, lifeline, neutral
        self.read = read  # variables that loaded libraries have read
        self.selector = selectors.DefaultSelector()
        self.connections: list[Connection] = []
        self.children: dict[int, tuple[Connection, Ladder]] = {}  # the running attempts
        self.limits = dict(LIMITS)
        self.stopping: Connection | None = None  # the connection that asked for the end of all attempts
        self.wakeup, self.bell = os.pipe()
        for descriptor in (self.wakeup, self.bell):
            os.set_blocking(descriptor, False)

    def serve(self) -> NoReturn:
        """Serve until the lifeline closes."""
        signal.set_wakeup_fd(self.bell, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # the wake-up descriptor wakes the loop
        self.listening.setblocking(False)
        self.selector.register(self.listening, selectors.EVENT_READ, self._accept)
        self.selector.register(self.lifeline, selectors.EVENT_READ, self._end)
        self.selector.register(self.wakeup, selectors.EVENT_READ, self._reap)
        watched = 0.0
        while True:
            for key, _ in self.selector.select(SAMPLE_S if self.children else None):
                key.data()
            if time.monotonic() - watched >= SAMPLE_S:
                watched = time.monotonic()
                for _, ladder in self.children.values():
                    ladder.watch()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            link, _ = self.listening.accept()
            link.setblocking(False)
            connection = Connection(link)
            self.connections.append(connection)
            self.selector.register(link, selectors.EVENT_READ, partial(self._read, connection))

    def _read(self, connection: Connection) -> None:
        try:
            chunk = connection.link.recv(2**20)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        connection.received += chunk
        if not chunk or len(connection.received) > LONGEST_REQUEST:
            if connection.pid in self.children:  # the slot is gone
                processes.signal_tree(connection.pid, signal.SIGKILL)
            self._forget(connection)
        while connection in self.connections and b"\n" in connection.received:
            line, _, rest = connection.received.partition(b"\n")
            connection.received = bytearray(rest)
            self._obey(connection, bytes(line))

    def _obey(self, connection: Connection, line: bytes) -> None:
        orders = {STOP: self._stop, STOP_ALL: self._stop_all}
        if line in orders:
            orders[line](connection)
            return
        if connection.request is not None:
            return
        try:
            connection.request = request = self._decode(line)
        except DeclarationError as error:
            self._answer(connection, Reply(refused=f"{error}"))
            return
        if self.stopping is not None:
            self._stop(connection)
        elif too_late := self._variables_too_late(request):
            connection.send(b" ".join([FRESH, *map(str.encode, too_late)]))
            self._forget(connection)
        else:
            self._start(connection, request)

    def _decode(self, line: bytes) -> AttemptRequest:
        """Return a request whose limits are loaded; raise DeclarationError if it cannot be met."""
        try:
            request = msgspec.json.decode(line, type=AttemptRequest)
        except UNDECODABLE as error:
            raise DeclarationError(f"the job server cannot read the request: {error}") from None
        for reference in request.limits:
            if reference.key not in self.limits:
                self.limits[reference.key] = load_limit(reference)
                if processes.thread_count() > 1:
                    raise DeclarationError(
                        f"{reference.file} starts a thread when it is loaded for limit {reference.key!r}, "
                        "and the job server may have none"
                    )
        return request

    def _variables_too_late(self, request: AttemptRequest) -> list[str]:
        """Return the changed variables that this process, or a library in it, has read already as they were."""
        if isinstance(request.start, Command) and not request.start.is_warm:
            return []
        names = request.environment.keys() - {
            *THREAD_VARIABLES,
            "PYTHONHASHSEED",
            VISIBLE if request.job.gpus or request.place else "",
        }
        return sorted(name for name in names if name in self.read or name.startswith(READ_AT_START))

    def _answer(self, connection: Connection, reply: Reply) -> None:
        connection.send(msgspec.json.encode(reply))
        self._forget(connection)

    def _start(self, connection: Connection, request: AttemptRequest) -> None:
        parent, started = os.getpid(), time.monotonic()
        try:
            pid = os.fork()
        except OSError as error:
            self._answer(connection, Reply(refused=f"cannot start a process: {error.strerror}"))
            return
        if pid == 0:
            self._become_child(request, parent)
        connection.pid = pid
        memory = OwnMemory.of_fork(is_program=isinstance(request.start, Command) and not request.start.is_warm)
        tree, grace_s = Tree(pid, started, memory=memory, stillness=request.stillness), request.settings.grace_s
        most, sign = request.job.limits, request.sign
        note = usage_writer(request)
        ladder = Ladder(tree=tree, limits=self.limits, most=most, grace_s=grace_s, note=note, sign=sign)
        self.children[pid] = connection, ladder
        connection.send(STARTED)

    def _become_child(self, request: AttemptRequest, parent: int) -> NoReturn:
        try:
            processes.die_with_parent(parent)
            processes.adopt_orphans()
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.selector.close()
            for link in (self.listening, *(each.link for each in self.connections)):
                link.close()  # else it would not close when the server dies
            for descriptor in (self.wakeup, self.bell, self.lifeline):
                os.close(descriptor)
            gc.enable()
            run_attempt(request, warm=self.neutral)
        except BaseException:  # noqa: BLE001  (a child must never return into the server's loop)
            traceback.print_exc()
        finally:
            os._exit(70)  # what the shell calls an internal software error

    def _forget(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
            self.selector.unregister(connection.link)
            connection.link.close()

    def _stop(self, connection: Connection) -> None:
        if connection.pid in self.children:
            self.children[connection.pid][1].end("interrupted")
        else:
            self._answer(connection, Reply(ending=Ending(ended_by="interrupted")))

    def _stop_all(self, connection: Connection) -> None:
        """End every attempt gently and start none any more; answer when the last has ended."""
        self.stopping = connection
        for each in list(self.connections):
            if each.request is not None:
                self._stop(each)
        self._answer_stopped()

    def _answer_stopped(self) -> None:
        if self.stopping is not None and not self.children:
            self._answer(self.stopping, Reply())

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.wakeup, 4096)
        ended = [pid for pid in self.children if processes.has_ended(pid)]
        for pid in ended:
            processes.kill_orphans(self.children)  # what the job left behind is now ours, and ends before the answer
            connection, ladder = self.children.pop(pid)
            exit_code, usage = processes.wait_for_end(pid)
            if usage.ru_maxrss / 1024 > ladder.tree.memory.server_mb:  # a program had at first what the server had
                ladder.tree.memory.spike(usage.ru_maxrss / 1024)
            ending = ladder.ending(exit_code, cpu_s=usage.ru_utime + usage.ru_stime)
            self._answer(connection, Reply(ending=ending, refused=ladder.problem))
        if not ended and not self.children:
            processes.kill_orphans(())
        self._answer_stopped()

    def _end(self) -> NoReturn:
        """End every tree, then this process: the owner is gone or done."""
        for pid in self.children:
            processes.signal_tree(pid, signal.SIGKILL)
        processes.kill_orphans(())
        os._exit(0)
