"""Has attempts executed on nodes of the cluster."""

import contextlib
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.execution.attempt.messages import AttemptRequest, Lost, Place, Reply
from pytest_training.execution.backends.cluster import node as on_node
from pytest_training.execution.backends.cluster.cargo import Cargo, NodeGone, Shipment
from pytest_training.execution.backends.cluster.nodes import Lease
from pytest_training.execution.backends.cluster.orders import AttemptOrder
from pytest_training.execution.backends.cluster.pool import CUT_OFF, Pool
from pytest_training.execution.backends.cluster.returning import Returning
from pytest_training.execution.backends.subprocess import INTERRUPTED
from pytest_training.execution.job_files import renew_checkpoint

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
            return self._without_room(request)
        node, threads = lease.node, request.job.cpus or self.pool.threads(lease.node)
        place = Place(node=node.name, host=node.facts.host, threads=threads, cards=lease.cards)
        try:
            reply = self._launch(replace(request, threads=threads, place=place), lease)
        finally:
            self.pool.release(lease)
        return replace(reply, place=place)

    def _without_room(self, request: AttemptRequest) -> Reply:
        if self.pool.stopping:
            return INTERRUPTED
        if self.pool.lost:
            return Reply(lost=Lost(cause="worker died", reason=f"worker died: {self.pool.lost}"))
        return Reply(refused=self.pool.unfit(request.job))

    def _launch(self, request: AttemptRequest, lease: Lease) -> Reply:
        node, begun = lease.node, time.monotonic()
        is_same = node.facts.shares_files and node.facts.prefix == sys.prefix
        cargo = None if is_same and request.private is None else Cargo(self.shipment, node, request)
        try:
            moved = cargo.bring() if cargo else request
        except (DeclarationError, OSError) as problem:
            return Reply(refused=f"node {node.name} ({node.facts.host}): {problem}")
        except NodeGone:
            return INTERRUPTED if self.pool.stopping else self._lost(None, lease, begun)
        returning = Returning(cargo) if cargo else None
        reply = self._execute(moved, lease, returning)
        try:
            reply = returning.fetch(reply) if returning and reply else reply
        except NodeGone:  # what it has left is not here
            reply = reply if reply and (reply.refused or reply.lost) else None
        if node.facts.shares_files and (reply is None or reply.lost):
            renew_checkpoint(Path(request.checkpoint), request.files.below)
        return self._lost(reply, lease, begun) if reply is None or reply.lost else reply

    def _execute(self, request: AttemptRequest, lease: Lease, returning: Returning | None) -> Reply | None:
        """Return what came back, or None if the attempt was lost: the state of one future says nothing of others."""
        order = AttemptOrder(node_id=lease.node.facts.id, server=self.pool.server, request=request)
        key = f"training-{order.server.run_id}-{request.folder}-{next(self.numbers)}"
        future: Any = self.pool.client.submit(
            on_node.execute,
            msgspec.json.encode(order),
            key=key,
            workers=[lease.node.address],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        future.add_done_callback(lambda _: lease.ended.set())
        while not lease.ended.wait(LOOK_S) and future.status == "pending":  # a callback that never comes loses nothing
            if returning:
                returning.follow()
        if (answer := self.pool.answers.take(key)) is not None:
            return msgspec.json.decode(answer, type=Reply)
        if future.status == "error" and type(error := future.exception(timeout=LOOK_S)).__name__ != "KilledWorker":
            return Reply(refused=f"a node cannot execute it: {type(error).__name__}: {error}")
        if future.status == "cancelled":  # not by us
            lease.lost = lease.lost or CUT_OFF
        with contextlib.suppress(Exception):
            future.cancel(force=True)
        return None

    def _lost(self, reply: Reply | None, lease: Lease, begun: float) -> Reply:
        """Say how an attempt was lost; its node gets none for a moment."""
        node, lost, notes = lease.node, reply.lost if reply else None, reply.notes if reply else ()
        where = f"node {node.name} on {node.facts.host}"
        if lost and lost.cause == "server died":
            reason = f"the job server of {where} died while the job ran; see any server.log in the run folder"
            return Reply(lost=Lost(cause=lost.cause, reason=reason), notes=notes)
        self.pool.doubt(node)
        how, after = lost.reason if lost else lease.lost or self.pool.how_it_went(), time.monotonic() - begun
        reason = f"worker died: after {after:.1f} s its {where} {how}"
        return Reply(lost=Lost(cause="worker died", reason=reason), notes=notes)

    def pause(self, seconds: float) -> bool:
        """Wait that long and for the scheduler, unless the run is interrupted; a lost cluster says why itself."""
        pool = self.pool
        with pool.changed:
            pool.changed.wait_for(lambda: pool.stopping or bool(pool.lost), timeout=seconds)
            while pool.client.status != "running" and not (pool.stopping or pool.lost):
                pool.changed.wait(LOOK_S)
        return not pool.stopping
