"""Has attempts executed on nodes of the cluster."""

import contextlib
import itertools
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from pytest_training.execution.attempt.messages import AttemptRequest, Lost, Place, Reply
from pytest_training.execution.backends.cluster import node as on_node
from pytest_training.execution.backends.cluster.orders import AttemptOrder
from pytest_training.execution.backends.cluster.pool import Lease, Pool
from pytest_training.execution.backends.subprocess import INTERRUPTED
from pytest_training.execution.job_files import renew_checkpoint

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
            return self._without_room(request)
        place = Place(node=lease.node.name, host=lease.node.facts.host, threads=self._threads(request, lease))
        try:
            reply = self._launch(replace(request, threads=place.threads, place=place), lease)
        finally:
            self.pool.release(lease)
        return replace(reply, place=place)

    def _without_room(self, request: AttemptRequest) -> Reply:
        if self.pool.stopping:
            return INTERRUPTED
        if self.pool.lost:
            return Reply(lost=Lost(cause="worker died", reason=f"worker died: {self.pool.lost}"))
        return Reply(refused=self.pool.unfit(request.job))

    def _threads(self, request: AttemptRequest, lease: Lease) -> int:
        return request.job.cpus or self.pool.threads(lease.node)

    def _launch(self, request: AttemptRequest, lease: Lease) -> Reply:
        client, node, begun = self.pool.client, lease.node, time.monotonic()
        if not node.facts.shares_files:
            return Reply(refused=f"node {node.name} ({node.facts.host}) does not see the run folder")
        order = AttemptOrder(node_id=node.facts.id, server=self.pool.server, request=request)
        key = f"training-{order.server.run_id}-{request.folder}-{next(self.numbers)}"
        future: Any = client.submit(
            on_node.execute,
            msgspec.json.encode(order),
            key=key,
            workers=[node.address],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        future.add_done_callback(lambda _: lease.ended.set())
        while not lease.ended.wait(LOOK_S) and future.status == "pending":
            pass  # a callback that never comes loses nothing
        reply = self._reply(future, key)
        if reply is None or reply.lost:
            with contextlib.suppress(Exception):
                future.cancel(force=True)
            reply = self._lost(reply, lease, time.monotonic() - begun)
            renew_checkpoint(Path(request.checkpoint), request.files.below)
        return reply

    def _reply(self, future: Any, key: str) -> Reply | None:
        """Return what came back, or None if the attempt was lost: the state of one future says nothing of others."""
        if (answer := self.pool.answers.take(key)) is not None:
            return msgspec.json.decode(answer, type=Reply)
        if future.status == "error" and type(error := future.exception(timeout=LOOK_S)).__name__ != "KilledWorker":
            return Reply(refused=f"a node cannot execute it: {type(error).__name__}: {error}")
        return None

    def _lost(self, reply: Reply | None, lease: Lease, after_s: float) -> Reply:
        """Say how an attempt was lost; its node gets none for a moment."""
        node, lost = lease.node, reply.lost if reply else None
        where = f"node {node.name} on {node.facts.host}"
        if lost and lost.cause == "server died":
            return Reply(lost=Lost(cause=lost.cause, reason=f"the job server of {where} died while the job ran"))
        self.pool.doubt(node)
        how = lost.reason if lost else lease.lost or self.pool.how_it_went()
        return Reply(lost=Lost(cause="worker died", reason=f"worker died: after {after_s:.1f} s its {where} {how}"))

    def pause(self, seconds: float) -> bool:
        """Wait that long, or until the run is interrupted."""
        pool = self.pool
        with pool.changed:
            pool.changed.wait_for(lambda: pool.stopping or bool(pool.lost), timeout=seconds)
        return not pool.stopping and not pool.lost
