"""The nodes of a cluster as a session sees them: what each has, what is in use, which are gone."""

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import asdict

from pytest_training.execution.backends.cluster import node as on_node
from pytest_training.execution.backends.cluster.answers import Answers, scheduler_of
from pytest_training.execution.backends.cluster.nodes import Host, Lease, Node, Silences, cores_of, threads, too_large
from pytest_training.execution.backends.cluster.orders import NodeFacts, ServerOrder
from pytest_training.execution.backends.cluster.refusals import read_facts
from pytest_training.execution.backends.cluster.where import is_open
from pytest_training.execution.equipment import NodeRecord
from pytest_training.jobs.model import Job
from pytest_training.machine import other_host

LOOK_S = 0.5
ANSWER_S = 5.0  # longest wait for the answers of further nodes
CUT_OFF = "was cut off: the connection to the scheduler broke"
AGAIN_S = 3.0  # a node that has lost an attempt gets none for so long: else a dying node uses up every retry


class Pool:
    """Hands out the nodes' cores, memory and GPUs; watches the nodes."""

    def __init__(
        self, client: Any, server: ServerOrder, *, most: int | None, silence_s: float, wait_s: float = 600.0
    ) -> None:
        self.client, self.server, self.most, self.silence_s, self.wait_s = client, server, most, silence_s, wait_s
        self.nodes: dict[str, Node] = {}  # by address
        self.hosts: dict[str, Host] = {}
        self.records: dict[str, NodeRecord] = {}  # of all nodes that ever came
        self.refused: dict[str, str] = {}  # why a node is not used, by address
        self.slots = 0  # the most one-core attempts that all nodes have had room for at once
        self.again: list[Job] = []  # jobs that wait for room for another attempt
        self.answers = Answers(client, server.run_id)
        self.changed = threading.Condition()
        self.lost = ""  # why the whole cluster is gone
        self.stopping = False
        self.closed = threading.Event()
        self.tell: Callable[[], None] = lambda: None  # called, in any thread, when something has changed
        self.waiting, self.running = 1, 0  # jobs; until somebody has counted them, one waits
        self.ended = set[str]()  # names of nodes that were given back: they end, also those that have not come
        self.open_address = ""  # an address to which the cluster sends unencrypted what leaves this machine
        self.each_look: Callable[[], None] = lambda: None
        self._unmet: dict[str, int] = {}  # cores of the jobs for which there was no room, by id
        self._silences = Silences(silence_s)
        self._asked: set[str] = set()
        self._not_before: dict[str, float] = {}  # when a node at that address may be used
        self._had_nodes = time.monotonic()  # when any was there, or none was needed

    @property
    def leases(self) -> list[Lease]:
        """All room that is taken, on nodes that are gone too."""
        return [lease for host in self.hosts.values() for lease in host.leases]

    def stop(self) -> None:
        """Begin no attempt any more."""
        with self.changed:
            self.stopping = True
            self.changed.notify_all()

    def watch(self) -> None:
        """Look at the cluster again and again, in a thread of its own."""
        threading.Thread(target=self._watch, name="training-cluster", daemon=True).start()

    def _watch(self) -> None:
        while not self.closed.wait(LOOK_S):
            try:
                self.refresh()
                self.each_look()
            except Exception as error:  # noqa: BLE001  (whatever the engine raises: without a watch nothing would end)
                self.lose(f"the cluster cannot be watched: {type(error).__name__}: {error}")

    def refresh(self) -> None:
        """Take note of nodes that came or went."""
        self.answers.subscribe()
        if self.client.status in {"closed", "closing"}:
            self.lose("the cluster's scheduler is gone")
        elif self.client.status != "running":  # it connects again: what ran has been cancelled
            for each in list(self.nodes.values()):
                self.drop(each, self.how_it_went())
        else:
            try:
                self._compare(scheduler_of(self.client, self.silence_s)["workers"])
            except TimeoutError:
                self.lose(f"the cluster's scheduler has not answered for {self.silence_s:g} s")
            except OSError:
                pass  # the connection breaks: its status says so
        if self.nodes or not self._unmet:
            self._had_nodes = time.monotonic()
        elif time.monotonic() - self._had_nodes > self.wait_s:
            self.lose(f"no node is left, and none has come for {self.wait_s:g} s (training_cluster_wait)")

    def _compare(self, workers: dict[str, Any]) -> None:
        """Compare the nodes with the scheduler's workers."""
        now = time.monotonic()
        silent = self._silences.too_long({address: info["last_seen"] for address, info in workers.items()}, now)
        for address, info in workers.items():
            if (node := self.nodes.get(address)) is not None:
                node.is_open = info["status"] == "running"
                counts = info.get("metrics", {}).get("task_counts", {})  # of all sessions, some moments ago
                node.queue = counts.get("executing", 0) + counts.get("ready", 0)
            known = any(address in each for each in (self.nodes, self.refused, self._asked, silent))
            is_barred = _name(address, info) in self.ended or self._not_before.get(address, 0) >= now
            if info["status"] == "running" and not (known or is_barred):
                self._asked.add(address)  # in a thread: a node that is not there any more does not answer
                threading.Thread(target=self._add, args=(address, info), daemon=True).start()
        for each in list(self.nodes.values()):
            if each.address in silent:
                self.drop(each, f"was not heard of for {self.silence_s:g} s and given up")
            elif each.address not in workers:
                self.drop(each, self.how_it_went())

    def how_it_went(self) -> str:
        """Say what became of a node that is not there any more."""
        return CUT_OFF if self.client.status != "running" else "went away"

    def doubt(self, node: Node) -> None:
        """Give a node no attempt for a moment: it has just lost one."""
        with self.changed:
            node.not_before = time.monotonic() + AGAIN_S

    def drop(self, node: Node, how: str) -> None:
        """Give a node up, with all that runs there, and say how it was lost; the scheduler may go on naming it."""
        with self.changed:
            if self.nodes.pop(node.address, None) is None:
                return
            node.is_gone = True
            self._not_before[node.address] = time.monotonic() + AGAIN_S
            for lease in node.host.leases:
                if lease.node is node:
                    lease.lost = how
                    lease.ended.set()
            self.changed.notify_all()
        self.tell()

    def _add(self, address: str, info: dict[str, Any]) -> None:
        try:
            order = msgspec.json.encode(self.server)
            answers = self.client.run(on_node.describe, order, workers=[address], on_error="return")
            self._take(address, info, read_facts(self.client, address, answers.get(address)))
        except Exception:  # noqa: BLE001  (a node that goes while it is asked)
            self._not_before[address] = time.monotonic() + AGAIN_S
        finally:
            self._asked.discard(address)
        self.tell()

    def _take(self, address: str, info: dict[str, Any], facts: NodeFacts | str) -> None:
        """Use a node whose facts are known."""
        name = _name(address, info)
        if isinstance(facts, str):
            self.refused[address] = facts
            self.records[address] = NodeRecord(name=name, host=other_host(str(info.get("host", ""))), refused=facts)
            return
        self.records[facts.id] = NodeRecord(name=name, host=other_host(facts.host), **asdict(facts.equipment))
        limit_mb = min((info.get("memory_limit") or math.inf) / 2**20, facts.memory_mb)
        with self.changed:
            if name in self.ended:
                return
            self.open_address = self.open_address or (address if is_open(address) else "")
            host = self.hosts.setdefault(facts.host, Host(facts.memory_mb))
            self.nodes[address] = Node(address, name, info["nthreads"], limit_mb, facts, host)
            cores = sum(each.cores for each in self.nodes.values())
            self.slots = max(self.slots, min(cores, self.most or cores))
            self.changed.notify_all()

    def refusals(self) -> str:
        """Say why nodes that came are not used."""
        return "; ".join(f"{address}: {why}" for address, why in self.refused.items())

    def lose(self, why: str) -> None:
        """Give the whole cluster up."""
        with self.changed:
            self.lost = self.lost or why
            for each in list(self.nodes.values()):
                self.drop(each, f"was cut off: {self.lost}")
            self.changed.notify_all()
        self.tell()

    def try_lease(self, job: Job) -> Lease | None:
        """Take room for a job on the node that needs it least; return None if no node has room."""
        with self.changed:
            if any(node.offers(each) for each in self.again for node in self.nodes.values()):
                return None  # another attempt comes before another job
            return self._lease(job)

    def lease(self, job: Job) -> Lease | None:
        """Wait for room for another attempt; return None if the run or the cluster ends, or no node could have it."""
        give_up = time.monotonic() + self.wait_s
        with self.changed:
            self.again.append(job)
            try:
                while not (self.stopping or self.lost) and time.monotonic() < give_up:
                    if (lease := self._lease(job)) is not None:
                        return lease
                    self.changed.wait(1.0)
                    if any(node.offers(job) for node in self.nodes.values()):
                        give_up = time.monotonic() + self.wait_s
            finally:
                self.again.remove(job)
                self._unmet.pop(job.id, None)
        return None

    def _lease(self, job: Job) -> Lease | None:
        self._unmet[job.id] = cores_of(job)
        if self.client.status != "running" or (self.most is not None and len(self.leases) >= self.most):
            return None
        if not (free := [each for each in self.nodes.values() if each.has_room(job)]):
            return None
        best = min(free, key=lambda each: each.rank(job))
        del self._unmet[job.id]
        return best.take(job)

    def release(self, lease: Lease) -> None:
        """Give the room back."""
        with self.changed:
            lease.node.host.leases.discard(lease)
            self.changed.notify_all()
        self.tell()

    def unfit(self, job: Job) -> str | None:
        """Return why no node that is there could ever run the job, or None."""
        if reason := self.exposes(job):
            return reason
        with self.changed:
            if reason := too_large(job, [each.size for each in self.nodes.values()]) if self.nodes else None:
                self._unmet.pop(job.id, None)
            return reason

    def exposes(self, job: Job) -> str | None:
        """Return why a job's secret parameters must not cross to the nodes, or None."""
        names = [each.name for each in job.declared if each.variable]
        if not names or not self.open_address:
            return None
        return (
            f"its secret parameter {names[0]} would cross the network in clear: {self.open_address} is not encrypted; "
            "expected a cluster at tls://"
        )

    def wanted(self) -> list[int]:
        """Return the cores of each job that trains or could at once, or nothing if none waits for a node."""
        with self.changed:
            cores = [cores_of(lease.job) for lease in self.leases]
            free = None if self.most is None else max(self.most - len(cores), 0)
            cores += sorted(self._unmet.values(), reverse=True)[:free]
            return cores if self._unmet else []

    def threads(self, node: Node) -> int:
        """Return the cores for each slot of a node's machine, which may have several nodes."""
        with self.changed:
            return threads(node, self.nodes.values())

    def note_work(self, *, waiting: int, running: int) -> None:
        """Note how many jobs have not started and how many run: a cluster of ours grows and shrinks with them."""
        self.waiting, self.running = waiting, running

    def wait_for_node(self, seconds: float) -> bool:
        """Wait until a node can be used and those beside it have answered; return False if none came."""
        give_up, most = time.monotonic() + seconds, time.monotonic() + ANSWER_S
        while not self.lost and time.monotonic() < (most if self.nodes and self._asked else give_up):
            if self.nodes and not self._asked:  # all that share a host are counted before its cores are shared out
                break
            self.refresh()
            self.each_look()
            with self.changed:
                self.changed.wait(0.05)
        return bool(self.nodes)


def _name(address: str, info: dict[str, Any]) -> str:
    """Return a node's name, else its port: its host is shown beside it."""
    return str(info["name"]) if info["name"] != address else address.rpartition(":")[2]
