"""What the nodes have, and what of it is in use. Nodes on one host share its memory, cards and cores."""

import math
import operator
import threading
import time
from collections.abc import Collection, Iterable, Mapping

import msgspec

from pytest_training.execution.backends.cluster.orders import NodeFacts
from pytest_training.jobs.model import Job
from pytest_training.wording import counted

LONGEST_LOOK_S = 5.0  # between two looks; what is longer is a pause of this process
Size = tuple[int, int, float]  # cores, GPUs, MiB


class Host(msgspec.Struct, eq=False):
    """A machine with one node or several."""

    memory_mb: float = math.inf
    leases: set["Lease"] = msgspec.field(default_factory=set)


class Node(msgspec.Struct, eq=False):
    """One Dask worker."""

    address: str
    name: str
    cores: int  # of the worker, as the scheduler counts them
    memory_mb: float
    facts: NodeFacts
    host: Host = msgspec.field(default_factory=Host)
    is_gone: bool = False
    is_open: bool = True  # False while it takes no attempt: it closes, or has no memory left
    not_before: float = 0.0
    queue: int = 0  # attempts there, those of other sessions too, as its last word says

    @property
    def size(self) -> Size:
        """What it has."""
        return self.cores, self.facts.gpus, self.memory_mb

    @property
    def jobs(self) -> list[Job]:
        """The jobs that run there."""
        return [lease.job for lease in self.host.leases if lease.node is self]

    @property
    def free_cards(self) -> dict[str, str]:
        """The cards that no job on the host has: what each is there, by its id."""
        used = {own for lease in self.host.leases for own in lease.cards.values()}
        return {card: own for card, own in self.facts.cards.items() if own not in used}

    def offers(self, job: Job) -> bool:
        """Return True if the job fits on the node when nothing else runs there."""
        return too_large(job, [self.size]) is None

    def has_room(self, job: Job) -> bool:
        """Return True if the job fits now."""
        if not self.is_open or self.is_gone or self.not_before >= time.monotonic():
            return False
        jobs, beside = self.jobs, [lease.job for lease in self.host.leases]
        return (
            cores_of(job) <= self.cores - sum(map(cores_of, jobs))
            and job.gpus <= len(self.free_cards)
            and memory_of(job) <= self.memory_mb - sum(map(memory_of, jobs))
            and memory_of(job) <= self.host.memory_mb - sum(map(memory_of, beside))
        )

    def rank(self, job: Job) -> tuple[bool, int, int]:
        """Return the least value for the best node: jobs spread, nodes full of others last, GPUs for who needs them."""
        is_full = self.queue > len(self.jobs) and self.queue >= self.cores
        return is_full, 0 if job.gpus else len(self.free_cards), sum(map(cores_of, self.jobs))

    def take(self, job: Job) -> "Lease":
        """Take room for a job."""
        lease = Lease(self, job, cards=dict([*self.free_cards.items()][: job.gpus]))
        self.host.leases.add(lease)
        return lease


class Lease(msgspec.Struct, eq=False):
    """A part of a node, taken for one attempt."""

    node: Node
    job: Job
    ended: threading.Event = msgspec.field(default_factory=threading.Event)  # the attempt is done, or its node gone
    cards: dict[str, str] = {}  # what each is on the host, by its id
    lost: str = ""  # how its node was lost, if this process has lost it

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.name


class Silences:
    """How long nothing was heard of each node, by this process's clock alone: those of other machines may be wrong."""

    def __init__(self, longest_s: float) -> None:
        self.longest_s = longest_s
        self.heard: dict[str, tuple[float, float]] = {}  # by address: the scheduler's time of it, and ours
        self.looked: float | None = None

    def too_long(self, seen: Mapping[str, float], now: float) -> set[str]:
        """Return the nodes that are silent for too long; `seen` has the time of each node's last message."""
        asleep_s = 0.0 if self.looked is None else max(now - self.looked - LONGEST_LOOK_S, 0.0)
        self.looked = now  # a process that was stopped for an hour, with its scheduler, has missed an hour
        before = {address: (at, ours + asleep_s) for address, (at, ours) in self.heard.items()}
        same = {address for address, at in seen.items() if address in before and before[address][0] == at}
        self.heard = {address: before[address] if address in same else (at, now) for address, at in seen.items()}
        return {address for address in same if now - before[address][1] > self.longest_s}


def threads(node: Node, nodes: Iterable[Node]) -> int:
    """Return the cores for each slot of a node: each core is shared by all slots on the host that may use it."""
    beside = {each.facts.id: each for each in (node, *nodes) if each.facts.host == node.facts.host}.values()
    shares = [1 / sum(each.cores for each in beside if core in each.facts.cpus) for core in node.facts.cpus]
    quota = node.facts.cores / max(len(node.facts.cpus), 1)  # a container may use less than it sees
    return max(1, int(sum(shares) * quota + 1e-6))


def too_large(job: Job, sizes: Collection[Size]) -> str | None:
    """Return what a job needs that no node has, or None."""
    needed = cores_of(job), job.gpus, memory_of(job)
    if any(all(map(operator.le, needed, size)) for size in sizes):
        return None
    cores, gpus, memory_mb = map(max, zip(*sizes, strict=True))
    wanted = [counted(cores_of(job), "core"), *([counted(job.gpus, "GPU")] if job.gpus else ())]
    wanted += [f"{memory_of(job):,.0f} MiB"] if memory_of(job) else ()
    has = f"{counted(cores, 'core')}, {counted(gpus, 'GPU')}, {memory_mb:,.0f} MiB"
    return f"needs {', '.join(wanted)} at once; no node is that large: the most are {has}"


def cores_of(job: Job) -> int:
    """Return the cores of a node that a job takes."""
    return job.cpus or 1


def memory_of(job: Job) -> float:
    """Return the memory that a job may use, 0 if it states none."""
    return float(job.limits.get("memory", 0))
