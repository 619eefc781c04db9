"""The backend in the owner's process."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_training.errors import DeclarationError
from pytest_training.execution.backends.cluster.nodes import memory_of, too_large
from pytest_training.execution.backends.cluster.orders import ServerOrder
from pytest_training.execution.backends.cluster.where import Where, parse_where
from pytest_training.execution.backends.protocol import Backend, BackendRun, Launcher, Opening, Seat
from pytest_training.execution.backends.subprocess import AT_ONCE, GENTLY, SubprocessLauncher
from pytest_training.execution.equipment import NodeRecord
from pytest_training.jobs.model import Job
from pytest_training.machine import machine_cores, visible_gpus
from pytest_training.places import appending
from pytest_training.units import duration
from pytest_training.wording import counted

if TYPE_CHECKING:
    from pytest_training.execution.backends.cluster.cargo import Shipment
    from pytest_training.execution.backends.cluster.connect import Connection
    from pytest_training.execution.backends.cluster.pool import Pool


SILENT_S = 5.0  # of waiting for the first node
PATIENCE_S = 3.0  # of waiting for the nodes' answers
MOST_EACH = 4  # jobs at once for each core of this machine: more are taken for a mistake
OPEN = (
    "the Dask cluster at {address} is not encrypted: who reaches it can run any program in your name, and who listens "
    "reads your data; a cluster at tls:// is not open (docs/SECURITY.md)"
)


class Cluster(Backend):
    """Executes attempts on the nodes of a Dask cluster, many at once for one process."""

    name = "cluster"
    has_rooms = is_elsewhere = True
    connection: "Connection | None" = None
    pool: "Pool | None" = None
    shipment: "Shipment | None" = None
    opening: Opening
    where: Where

    def open(self, opening: Opening) -> int | None:
        """Connect to the cluster or start it; return how many one-core attempts it takes at once."""
        if not opening.where:
            raise DeclarationError("training_start = cluster: expected --training-cluster WHERE, found none")
        from pytest_training.execution.backends.cluster.connect import check, connect  # noqa: PLC0415  (few runs do)

        self.opening = opening
        self.where = parse_where(opening.where, opening.source, (Path.cwd(), Path(opening.project)))
        check(self.where)
        if opening.is_dry:
            slots = (self.where.nodes or 0) * self.where.cores
            return min((each for each in (slots, opening.most) if each), default=None)
        self.connection = connect(self.where, opening)
        return self.connection.slots(opening.most)

    def remarks(self, jobs: Sequence[Job]) -> Iterator[str]:
        """Yield what is wrong with nodes on this machine, and in a dry run which jobs none of them could hold."""
        where, here = self.where, machine_cores()
        if (cores := (where.nodes or 0) * where.cores) > MOST_EACH * here:
            yield (
                f"{self.opening.source}: {where.typed} means {counted(cores, 'core')}, but this machine has {here}: "
                f"expected at most {MOST_EACH * here}, for jobs share them; local alone takes {here}"
            )
        if where.nodes and self.opening.is_dry and any(job.cpus or job.gpus or memory_of(job) for job in jobs):
            from distributed.system import MEMORY_LIMIT  # noqa: PLC0415  (the extra `cluster`; takes a second)

            node = where.cores, len(visible_gpus()), MEMORY_LIMIT / 2**20
            for job in jobs:
                if reason := too_large(job, [node]):
                    yield f"{job.id} would fail: {reason}"

    def place(self) -> str:
        """Return what a dry run would start or use; after the start, how many nodes the run has had."""
        if self.pool is None:
            return f"would {self.where.does}" if self.opening.is_dry else ""
        return f"{self.where.label}: {counted(sum(not each.refused for each in self.nodes()), 'node')}"

    def nodes(self) -> tuple[NodeRecord, ...]:
        """Describe every node that the run has had."""
        return tuple(self.pool.records.values()) if self.pool else ()

    def slots(self) -> int | None:
        """Return the most one-core attempts that the nodes took at once, whenever they came."""
        return self.pool.slots if self.pool else None

    def start(self, run: BackendRun) -> Any:
        """Wait for the first node, if any job is to be trained."""
        from pytest_training.execution.backends.cluster.cargo import Shipment  # noqa: PLC0415  (as above)
        from pytest_training.execution.backends.cluster.pool import Pool  # noqa: PLC0415  (imports Dask)

        if self.connection is None:
            raise DeclarationError("the cluster was not opened")
        if not run.has_work:
            return
        probe = run.folder.path / "shared.txt"
        probe.write_text(run.folder.run_id, encoding="utf-8")
        order = ServerOrder(
            run_id=run.folder.run_id, imports=run.imports, seed=run.seed, probe=str(probe), forks=self.opening.forks
        )
        patience = {"silence_s": self.opening.silence_s, "wait_s": self.opening.wait_s}
        self.pool = Pool(self.connection.client, order, most=self.opening.most, **patience)
        self.connection.attend(self.pool, run.report_problem)
        self.shipment = Shipment(self.pool, project=Path(self.opening.project), runs=run.folder.stable.runs)
        if not self._has_node(self.pool, run):
            why = self.pool.lost or self.pool.refusals() or self.connection.last_words() or "none has come"
            within = "" if self.pool.lost else f" within {self.opening.wait_s:g} s"
            self.close()
            raise DeclarationError(f"--training-cluster {self.opening.where}: no node to train on{within}: {why}")
        if self.pool.open_address:
            run.report_problem(OPEN.format(address=self.pool.open_address))
        self.pool.watch()
        self.rooms = self.pool

    def _has_node(self, pool: "Pool", run: BackendRun) -> bool:
        """Wait for a node, and say so if that takes long; return False if none came."""
        wait_s = self.opening.wait_s
        if pool.wait_for_node(min(SILENT_S, wait_s)) or pool.lost or wait_s <= SILENT_S:
            return bool(pool.nodes)
        refused = f"; none of these: {pool.refusals()}" if pool.refused else ""
        run.say(f"waiting up to {duration(wait_s)} for the first node of {self.where.label}{refused}")
        return pool.wait_for_node(wait_s - SILENT_S)

    def launcher(self, connection: Any, seat: Seat) -> Launcher:  # noqa: ARG002  (it has the pool)
        """Return a launcher that takes the first room for each attempt."""
        return self.launcher_at(None) if self.pool else SubprocessLauncher(seat)  # that will launch nothing

    def launcher_at(self, lease: Any) -> Launcher:
        """Return a launcher whose first attempt has that room."""
        from pytest_training.execution.backends.cluster.launcher import ClusterLauncher  # noqa: PLC0415  (as above)

        if self.pool is None or self.shipment is None:
            raise DeclarationError("the cluster was not started")
        return ClusterLauncher(self.pool, self.shipment, lease)

    def stop_all(self, grace_s: float) -> float:
        """Ask every attempt on every node to end."""
        from pytest_training.execution.backends.cluster import node  # noqa: PLC0415  (as above)

        self._everywhere(node.stop_all, GENTLY if grace_s else AT_ONCE)
        return grace_s

    def close(self) -> None:
        """End the job servers on the nodes, then what the session has started."""
        from pytest_training.execution.backends.cluster import node  # noqa: PLC0415  (as above)

        self._save_logs(self._everywhere(node.forget))
        if self.pool is not None:
            self.pool.closed.set()
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _save_logs(self, logs: dict[str, bytes]) -> None:
        """Add the logs of the nodes' job servers, normally empty, to the run's server.log."""
        for address, text in logs.items():
            if text and self.pool is not None:
                log = Path(self.pool.server.probe).with_name("server.log")
                with contextlib.suppress(OSError), appending(log) as file:
                    file.write(f"node at {address}:\n".encode() + text)

    def _everywhere(self, function: Any, *arguments: Any) -> dict[str, Any]:
        """Call a function on every node; wait only a moment for the answers, as a frozen node has none."""
        if self.pool is None or self.connection is None:
            return {}
        self.pool.stop()
        if (addresses := list(self.pool.nodes)) and not self.pool.lost:
            with contextlib.suppress(Exception):
                run, order = self.connection.client.run, (function, self.pool.server.run_id, *arguments)
                return dict(run(*order, workers=addresses, on_error="ignore", callback_timeout=PATIENCE_S))
        return {}
