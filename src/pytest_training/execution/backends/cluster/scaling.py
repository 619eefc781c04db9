"""How many nodes the cluster has that a session has started: as many as there is work for."""

import contextlib
import math
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from pytest_training.execution.backends.cluster.pool import Pool
from pytest_training.text import one_line

EVERY_S = 2.0  # between two looks
AGAIN_S = 30.0  # between two attempts to start nodes that were refused
NAMES = ("nthreads", "ncores", "threads", "cores")  # of an option that says how many cores a Dask worker has


class Scaling:
    """Asks a Dask `SpecCluster` for nodes while jobs wait, replaces lost ones, and gives idle ones back.

    Dask's own adaptive scaling sees only what was submitted to it, and that is never more than there is room for.
    """

    def __init__(
        self, cluster: Any, pool: Pool, most_nodes: int | None, report: Callable[[str], None] = lambda _: None
    ) -> None:
        self.cluster, self.pool, self.most_nodes, self.report_problem = cluster, pool, most_nodes, report
        self.next_look = self.next_start = 0.0
        self.refusals: set[str] = set()

    def begin(self) -> None:
        """Request as many nodes as the whole run may use."""
        if not self.cluster.worker_spec:
            self._ask([1] * (self.pool.most or 1))

    def look(self) -> None:
        """Have as many nodes as the jobs that wait and run need; to be called again and again."""
        if self.pool.stopping or self.pool.lost or time.monotonic() < self.next_look:
            return
        self.next_look = time.monotonic() + EVERY_S
        with contextlib.suppress(Exception):  # whatever the engine raises: the next look may succeed
            self._start_refused()
            if wanted := self.pool.wanted():
                self._ask(wanted)
            elif not self.pool.waiting:
                self._give_back()

    def _ask(self, cores: list[int]) -> None:
        """Request room for jobs of so many cores, at least the present number of nodes: lost ones start again."""
        job = getattr(self.cluster, "_dummy_job", None)  # of dask-jobqueue, whose settings may stand in a file
        options = (self.cluster.new_spec or {}).get("options", {})
        per_node = getattr(job, "worker_cores", 0) or next((options[name] for name in NAMES if name in options), 0)
        per_node = per_node or max((each.cores for each in self.pool.nodes.values()), default=sum(cores))
        nodes = math.ceil(sum(Fraction(1, max(per_node // each, 1)) for each in cores))
        nodes = max(min(nodes, self.most_nodes or nodes), len(self.cluster.worker_spec))
        for name, worker in list(self.cluster.workers.items()):
            if (process := getattr(worker, "proc", None)) is not None and process.is_closing():
                del self.cluster.workers[name]  # over SSH, whose nodes have other names: Dask would not miss it
        before = self._names()
        self.cluster.scale(**({"jobs": nodes} if job else {"n": nodes}))
        new = [names for entry, names in self._names().items() if entry not in before]
        self.pool.ended.difference_update(*new)  # Dask takes a name again

    def _names(self) -> dict[Any, set[str]]:
        """Return the names of the nodes of each entry."""
        return {
            name: {f"{name}{suffix}" for suffix in spec.get("group", [""])}
            for name, spec in self.cluster.worker_spec.items()
        }

    def _start_refused(self) -> None:
        """Start once more what the queueing system has refused: Dask would not, and says nothing."""
        refused = [each for each in self.cluster.workers.values() if _is_refused(each)]
        if refused and time.monotonic() > self.next_start:
            self.next_start = time.monotonic() + AGAIN_S
            self.cluster.loop.add_callback(_start, refused, self._note_refusal)

    def _note_refusal(self, error: Exception, refused: int) -> None:
        """Report a refusal, once; if no node has ever come, and none will, the cluster is lost."""
        said = str(error)  # dask-jobqueue says last what the command has printed
        why = one_line(said.rpartition("stderr:\n")[2]) or one_line(said)
        if refused == len(self.cluster.workers) and not self.pool.records:
            self.pool.lose(why)
        elif why not in self.refusals:
            self.refusals.add(why)
            self.report_problem(f"the cluster has fewer nodes than the jobs could use: {why}")

    def _give_back(self) -> None:
        """End the nodes that no job uses, but for the cores that running jobs may need again for another attempt."""
        entries = self._names()
        with self.pool.changed:
            nodes, used = list(self.pool.nodes.values()), {lease.node.name for lease in self.pool.leases}
            if not {each.name for each in nodes}.issubset(set().union(*entries.values())):
                return  # workers of other names, as over SSH: nobody knows which entry to end
            spare = sum(each.cores for each in nodes) - max(self.pool.running, 1)
            idle = []
            for name, names in entries.items():
                own = [each for each in nodes if each.name in names]
                cores = sum(each.cores for each in own)
                if used.isdisjoint(names) and cores <= spare:
                    spare -= cores
                    idle.append(name)
                    self.pool.ended |= names
                    for each in own:
                        self.pool.drop(each, "was given back")
        if idle:
            self.cluster.loop.add_callback(_end, self.cluster, idle)


def _is_refused(worker: Any) -> bool:
    return getattr(getattr(worker, "status", None), "name", "") == "created"  # Dask has tried to start it


async def _start(workers: list[Any], note: Callable[[Exception, int], None]) -> None:
    try:
        for each in workers:
            await each
    except Exception as error:  # noqa: BLE001  (of the queueing system's command, whatever it says)
        note(error, sum(_is_refused(each) for each in workers))


async def _end(cluster: Any, names: list[Any]) -> None:
    with contextlib.suppress(Exception):  # the cluster ends, and they with it
        await cluster.scale_down(names)
