"""A node as the session sees it, and the parts of it that attempts hold."""

import threading
import time

import msgspec

from pytest_training.execution.backends.cluster.orders import NodeFacts
from pytest_training.jobs.model import Job


class Node(msgspec.Struct, eq=False):
    """One Dask worker."""

    address: str
    name: str
    cores: int  # of the worker, as the scheduler counts them
    memory_mb: float
    facts: NodeFacts
    used_cores: int = 0
    used_memory_mb: float = 0.0
    used_gpus: int = 0
    is_gone: bool = False
    is_open: bool = True  # False while it takes no attempt: it closes, or has no memory left
    not_before: float = 0.0

    def offers(self, job: Job) -> bool:
        """Return True if the job fits on the node when nothing else runs there."""
        return cores_of(job) <= self.cores and job.gpus <= self.facts.gpus and memory_of(job) <= self.memory_mb

    def has_room(self, job: Job) -> bool:
        """Return True if the job fits now."""
        return (
            self.is_open
            and not self.is_gone
            and self.not_before < time.monotonic()
            and cores_of(job) <= self.cores - self.used_cores
            and job.gpus <= self.facts.gpus - self.used_gpus
            and memory_of(job) <= self.memory_mb - self.used_memory_mb
        )


class Lease(msgspec.Struct, eq=False):
    """A part of a node, taken for one attempt."""

    node: Node
    job: Job
    ended: threading.Event = msgspec.field(default_factory=threading.Event)  # the attempt is done, or its node gone
    lost: str = ""  # how its node was lost, if this process has lost it

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.name


def cores_of(job: Job) -> int:
    """Return the cores that a job needs."""
    return job.cpus or 1


def memory_of(job: Job) -> float:
    """Return the memory that a job needs, in MiB: its limit."""
    return float(job.limits.get("memory", 0))
