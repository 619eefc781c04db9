"""Has attempts executed on nodes of the cluster."""

import contextlib
import itertools
import time
from typing import Any

import msgspec
from msgspec.structs import replace

from pytest_training.execution.attempt.messages import AttemptRequest, Lost, Place, Reply
from pytest_training.execution.backends.cluster import node as on_node
from pytest_training.execution.backends.cluster.orders import AttemptOrder
from pytest_training.execution.backends.cluster.pool import Lease, Pool
from pytest_training.execution.backends.subprocess import INTERRUPTED

LOOK_S = 2.0  # between two looks at the files of an attempt whose node shares none


class ClusterLauncher:
    """Executes the attempts of one slot, each on whichever node has room."""

    def __init__(self, pool: Pool, first: Lease | None = None) -> None:
        self.pool = pool
        self.first = first  # room that was taken before the slot began
        self.numbers = itertools.count(1)

    def launch(self, request: AttemptRequest) -> Reply:
        """Submit the attempt to one node and wait; a node that goes away loses it."""
        lease, self.first = self.first or self.pool.lease(request.job), None
        if lease is None:
            return Reply(lost=Lost(cause="worker died", reason=self.pool.lost)) if self.pool.lost else INTERRUPTED
        place = Place(
            node=lease.node.name, host=lease.node.facts.host, threads=self._threads(request, lease), cards=lease.cards
        )
        try:
            reply = self._launch(replace(request, threads=place.threads, place=place), lease)
        finally:
            self.pool.release(lease)
        return replace(reply, place=place)

    def _threads(self, request: AttemptRequest, lease: Lease) -> int:
        return request.job.cpus or self.pool.threads(lease.node)

    def _launch(self, request: AttemptRequest, lease: Lease) -> Reply:
        client, node, begun = self.pool.client, lease.node, time.monotonic()
        if not node.facts.shares_files:
            return Reply(refused=f"node {node.name} ({node.facts.host}) does not see the run folder")
        order = AttemptOrder(node_id=node.facts.id, server=self.pool.server, request=request)
        future: Any = client.submit(
            on_node.execute,
            msgspec.json.encode(order),
            key=f"training-{order.server.run_id}-{request.folder}-{next(self.numbers)}",
            workers=[node.address],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        future.add_done_callback(lambda _: lease.ended.set())
        lease.ended.wait()
        if future.status == "finished":
            return msgspec.json.decode(future.result(timeout=30), type=Reply)
        if future.status == "error" and type(error := future.exception(timeout=5)).__name__ != "KilledWorker":
            return Reply(refused=f"node {node.name} ({node.facts.host}): {type(error).__name__}: {error}")
        with contextlib.suppress(Exception):
            future.cancel(force=True)
        self.pool.doubt(node)
        after = f"after {time.monotonic() - begun:.1f} s"
        return Reply(
            lost=Lost(
                cause="worker died",
                reason=f"worker died: its node {node.name} on {node.facts.host} went away {after}",
            )
        )

    def pause(self, seconds: float) -> bool:
        """Wait that long, or until the run is interrupted."""
        pool = self.pool
        with pool.changed:
            pool.changed.wait_for(lambda: pool.stopping or bool(pool.lost), timeout=seconds)
        return not pool.stopping and not pool.lost
