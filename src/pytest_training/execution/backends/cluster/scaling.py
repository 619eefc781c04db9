"""How many nodes the cluster has that a session has started: as many as there is work for."""

import contextlib
import math
import time
from typing import Any

from pytest_training.execution.backends.cluster.pool import Pool

EVERY_S = 2.0  # between two looks
NAMES = ("nthreads", "ncores", "threads", "cores")  # of an option that says how many cores a Dask worker has


class Scaling:
    """Asks a Dask `SpecCluster` for nodes while jobs wait, replaces lost ones, and gives idle ones back.

    Dask's own adaptive scaling sees only what was submitted to it, and that is never more than there is room for.
    """

    def __init__(self, cluster: Any, pool: Pool, most_nodes: int | None) -> None:
        self.cluster, self.pool, self.most_nodes, self.next_look = cluster, pool, most_nodes, 0.0

    def begin(self) -> None:
        """Ask for what the whole run may use."""
        if not self.cluster.worker_spec:
            self._ask(self.pool.most or 1)

    def look(self) -> None:
        """Have as many nodes as the jobs that wait and run need; to be called again and again."""
        if self.pool.stopping or self.pool.lost or time.monotonic() < self.next_look:
            return
        self.next_look = time.monotonic() + EVERY_S
        with contextlib.suppress(Exception):  # whatever the engine raises: the next look may succeed
            if wanted := self.pool.wanted_cores():
                self._ask(wanted)
            elif not self.pool.waiting:
                self._give_back()

    def _ask(self, cores: int) -> None:
        """Ask for nodes with so many cores, never for fewer than there are: those that are lost start again."""
        job = getattr(self.cluster, "_dummy_job", None)  # of dask-jobqueue, whose settings may stand in a file
        options = (self.cluster.new_spec or {}).get("options", {})
        per_node = getattr(job, "worker_cores", 0) or next((options[name] for name in NAMES if name in options), 0)
        per_node = per_node or max((each.cores for each in self.pool.nodes.values()), default=cores)
        nodes = min(math.ceil(cores / per_node), self.most_nodes or cores)
        nodes = max(nodes, len(self.cluster.worker_spec))
        self.cluster.scale(**({"jobs": nodes} if job else {"n": nodes}))

    def _give_back(self) -> None:
        """End the nodes that no job uses, but for the cores that running jobs may need again for another attempt."""
        entries = {
            name: {f"{name}{suffix}" for suffix in spec.get("group", [""])}
            for name, spec in self.cluster.worker_spec.items()
        }
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
                    for each in own:
                        self.pool.give_back(each)
        if idle:
            self.cluster.loop.add_callback(_end, self.cluster, idle)


async def _end(cluster: Any, names: list[Any]) -> None:
    with contextlib.suppress(Exception):  # the cluster ends, and they with it
        await cluster.scale_down(names)
