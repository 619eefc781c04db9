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
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec

from pytest_training import processes
from pytest_training.errors import DeclarationError
from pytest_training.execution.attempt.child import run_attempt
from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.execution.attempt.neutral import Neutral
from pytest_training.execution.backends.fork_server.backend import FRESH, STARTED, STOP, STOP_ALL
from pytest_training.execution.backends.fork_server.connection import Connection, variables_too_late
from pytest_training.execution.gpus import Cards, Hand
from pytest_training.jobs.kinds.protocol import Command
from pytest_training.jobs.model import UNDECODABLE
from pytest_training.limits import LIMITS
from pytest_training.limits.ladder import Ladder
from pytest_training.limits.own_memory import OwnMemory
from pytest_training.limits.protocol import Ending, LimitReference, Tree, load_limit

SAMPLE_S = 0.2  # between two measurements of memory and time
LONGEST_REQUEST = 64 * 2**20


@dataclass
class Child:
    """A running attempt."""

    connection: Connection
    ladder: Ladder
    held: Hand
    due: float = 0.0
    """Time of the next measurement."""


class JobServer:
    """The loop: accept, fork, watch, reap, answer."""

    def __init__(
        self, listening: socket.socket, lifeline: int, gpus: Path, neutral: Neutral, read: Collection[str]
    ) -> None:
        self.listening, self.neutral = listening, neutral
        self.lifeline = lifeline
        self.selector = selectors.DefaultSelector()
        self.connections: list[Connection] = []
        self.children: dict[int, Child] = {}
        self.cards = Cards(gpus)
        self.read = read
        """Variables that loaded libraries have read."""
        self.limits = dict(LIMITS)
        self.watched = 0.0
        self.is_queueing = False
        """True if an attempt waits for GPUs."""
        self.stopping: Connection | None = None
        """The connection that asked for the end of all attempts."""
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
        while True:
            for key, _ in self.selector.select(SAMPLE_S if self.children or self.is_queueing else None):
                if isinstance(key.data, Connection):
                    self._read(key.data)
                else:
                    key.data()
            if time.monotonic() - self.watched >= SAMPLE_S:
                self._watch()
                if self.is_queueing:  # for cards that an attempt without this server may hold
                    self._start_waiting()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            link, _ = self.listening.accept()
            link.setblocking(False)
            connection = Connection(link)
            self.connections.append(connection)
            self.selector.register(link, selectors.EVENT_READ, connection)

    def _read(self, connection: Connection) -> None:
        try:
            chunk = connection.link.recv(2**20)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        connection.received += chunk
        if not chunk or len(connection.received) > LONGEST_REQUEST:
            self._hang_up(connection)
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
            connection.request = self._decode(line)
        except DeclarationError as error:
            self._answer(connection, Reply(refused=f"{error}"))
        else:
            if self.stopping is not None:
                self._stop(connection)
            elif too_late := variables_too_late(connection.request, self.read):
                connection.send(b" ".join([FRESH, *map(str.encode, too_late)]))
                self._forget(connection)
            self._start_waiting()

    def _decode(self, line: bytes) -> AttemptRequest:
        """Return a request whose limits are loaded; raise DeclarationError if it cannot be met."""
        try:
            request = msgspec.json.decode(line, type=AttemptRequest)
        except UNDECODABLE as error:
            raise DeclarationError(f"the job server cannot read the request: {error}") from None
        for reference in request.limits:
            self._add_limit(reference)
        self.cards.check(request.job.gpus)
        return request

    def _add_limit(self, reference: LimitReference) -> None:
        if reference.key not in self.limits:
            self.limits[reference.key] = load_limit(reference)
            if processes.thread_count() > 1:
                raise DeclarationError(
                    f"{reference.file} starts a thread when it is loaded for limit {reference.key!r}, "
                    "and the job server may have none"
                )

    def _answer(self, connection: Connection, reply: Reply) -> None:
        connection.send(msgspec.json.encode(reply))
        self._forget(connection)

    def _start_waiting(self) -> None:
        """Start, in order of arrival, every attempt whose GPUs are free; the others wait."""
        self.is_queueing = False
        for connection in list(self.connections):
            request = connection.request if connection.pid is None else None
            if request is not None:
                # Those that come later do not overtake one that waits for cards, or it might wait for ever.
                held = None if self.is_queueing and request.job.gpus else self.cards.take(request.job.gpus)
                if held is None:
                    self.is_queueing = True
                else:
                    self._start(connection, request, held)

    def _start(self, connection: Connection, request: AttemptRequest, held: Hand) -> None:
        parent, started = os.getpid(), time.monotonic()
        try:
            pid = os.fork()
        except OSError as error:
            held.close()
            self._answer(connection, Reply(refused=f"cannot start a process: {error.strerror}"))
            return
        if pid == 0:
            self._become_child(request, held, parent)
        connection.pid = pid
        memory = OwnMemory.of_fork(is_program=isinstance(request.start, Command) and not request.start.is_warm)
        tree, grace_s = Tree(pid, started, memory=memory, stillness=request.stillness), request.settings.grace_s
        ladder = Ladder(tree=tree, limits=self.limits, most=request.job.limits, grace_s=grace_s)
        self.children[pid] = Child(connection, ladder, held)
        connection.send(STARTED)

    def _become_child(self, request: AttemptRequest, held: Hand, parent: int) -> NoReturn:
        status = 70  # what the shell calls an internal software error
        try:
            processes.die_with_parent(parent)
            processes.adopt_orphans()
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._close_all()
            if held.cards:
                request = msgspec.structs.replace(request, environment=request.environment | held.environment)
            gc.enable()
            run_attempt(request, warm=self.neutral)
        except BaseException:  # noqa: BLE001  (a child must never return into the server's loop)
            traceback.print_exc()
        finally:
            os._exit(status)

    def _close_all(self) -> None:
        # A connection that a child also holds would not close when the server dies.
        self.selector.close()
        self.listening.close()
        for connection in self.connections:
            connection.link.close()
        for child in self.children.values():
            child.held.forget()
        os.close(self.wakeup)
        os.close(self.bell)
        os.close(self.lifeline)

    def _hang_up(self, connection: Connection) -> None:
        """End the attempt of a slot that is gone."""
        if connection.pid in self.children:
            processes.signal_tree(connection.pid, signal.SIGKILL)
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
            self.selector.unregister(connection.link)
            connection.link.close()

    def _stop(self, connection: Connection) -> None:
        if connection.pid in self.children:
            self.children[connection.pid].ladder.end("interrupted")
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

    def _watch(self) -> None:
        """Measure every running attempt, and end what exceeds a limit or its grace."""
        self.watched = begun = time.monotonic()
        for child in self.children.values():
            if begun >= child.due:
                child.ladder.watch()
                ended = time.monotonic()
                child.due, begun = ended + processes.rest_s(ended - begun) - SAMPLE_S, ended

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.wakeup, 4096)
        ended = [pid for pid in self.children if processes.has_ended(pid)]
        for pid in ended:
            processes.kill_orphans(self.children)  # what the job left behind is now ours, and ends before the answer
            self._end_child(self.children.pop(pid))
        if not ended and not self.children:
            processes.kill_orphans(())
        self._start_waiting()
        self._answer_stopped()

    def _end_child(self, child: Child) -> None:
        ladder, tree = child.ladder, child.ladder.tree
        exit_code, usage = processes.wait_for_end(tree.pid)
        child.held.close()
        tree.memory.end(usage.ru_maxrss / 1024)
        ending = ladder.ending(exit_code, cpu_s=usage.ru_utime + usage.ru_stime)
        self._answer(child.connection, Reply(ending=ending, refused=ladder.problem))

    def _end(self) -> NoReturn:
        """End every tree, then this process: the owner is gone or done."""
        for pid in self.children:
            processes.signal_tree(pid, signal.SIGKILL)
        processes.kill_orphans(())
        os._exit(0)
