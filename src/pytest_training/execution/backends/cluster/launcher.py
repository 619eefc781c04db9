"""Has attempts executed on nodes of the cluster."""

import contextlib
import itertools
import time
from typing import Any

import msgspec
from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.execution.attempt.messages import AttemptRequest, Lost, Place, Reply
from pytest_training.execution.backends.cluster import node as on_node
from pytest_training.execution.backends.cluster.cargo import Cargo
from pytest_training.execution.backends.cluster.orders import AttemptOrder
from pytest_training.execution.backends.cluster.pool import Lease, Pool
from pytest_training.execution.backends.cluster.returning import Returning
from pytest_training.execution.backends.cluster.transfer import NodeGone, Shipment
from pytest_training.execution.backends.subprocess import INTERRUPTED

LOOK_S = 2.0  # between two looks at the files of an attempt whose node shares none


class ClusterLauncher:
    """Executes the attempts of one slot, each on whichever node has room."""

    def __init__(self, pool: Pool, shipment: Shipment, first: Lease | None = None) -> None:
        self.pool, self.shipment = pool, shipment
        self.first = first  # room that was taken before the slot began
        self.numbers = itertools.count(1)

    def launch(self, request: AttemptRequest) -> Reply:
        """Submit the attempt to one node and wait; a node that goes away loses it."""
        if reason := self.pool.exposes(request.job):
            return Reply(refused=reason)
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
        is_shared = node.facts.shares_files and request.private is None
        cargo = None if is_shared else Cargo(self.shipment, node, request)
        try:
            moved = cargo.bring() if cargo else request
        except (DeclarationError, OSError) as problem:
            return Reply(refused=f"node {node.name} ({node.facts.host}): {problem}")
        except NodeGone:
            return INTERRUPTED if self.pool.stopping else self._lost(lease, begun)
        returning = Returning(cargo) if cargo else None
        order = AttemptOrder(node_id=node.facts.id, server=self.pool.server, request=moved)
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
        while not lease.ended.wait(LOOK_S if returning else None):
            if returning:
                returning.follow()
        if future.status == "finished":
            reply = msgspec.json.decode(future.result(timeout=30), type=Reply)
            try:
                return returning.fetch(reply) if returning else reply
            except NodeGone:  # what it has left is not here
                return self._lost(lease, begun)
        if future.status == "error" and type(error := future.exception(timeout=5)).__name__ != "KilledWorker":
            return Reply(refused=f"node {node.name} ({node.facts.host}): {type(error).__name__}: {error}")
        with contextlib.suppress(Exception):
            future.cancel(force=True)
        return self._lost(lease, begun)

    def _lost(self, lease: Lease, begun: float) -> Reply:
        self.pool.doubt(node := lease.node)
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
