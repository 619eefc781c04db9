"""What the session and a node tell each other, as JSON."""

from pytest_training.execution.attempt.messages import AttemptRequest
from pytest_training.execution.equipment import Equipment
from pytest_training.jobs.model import Value


class ServerOrder(Value, frozen=True, kw_only=True):
    """The job server that a node is to keep for a run."""

    run_id: str
    imports: tuple[str, ...]
    seed: int
    forks: bool = True  # False if each attempt is to have a fresh interpreter, without a server
    probe: str = ""  # absolute path of a file of the run folder with the run's id: who reads that shares the folder


class NodeFacts(Value, frozen=True, kw_only=True):
    """What a node says of itself before it gets an attempt."""

    id: str  # the Dask worker's own: one that was started again at the same address has another
    host: str
    cores: int  # that it may use: a container's quota counts
    cpus: tuple[int, ...]  # the cores that it sees
    memory_mb: float  # of the host, or of the container
    cards: dict[str, str]  # its GPUs: what each is on the host, by the id that its jobs use
    shares_files: bool  # True if it sees the run folder
    scratch: str  # absolute path of the folder for files of this run, on its host
    executable: str  # of Python
    prefix: str  # of its environment
    equipment: Equipment

    @property
    def gpus(self) -> int:
        """How many GPUs it has."""
        return len(self.cards)


class AttemptOrder(Value, frozen=True, kw_only=True):
    """One attempt for one node."""

    node_id: str
    server: ServerOrder
    request: AttemptRequest  # in the node's own paths
