"""Sends files to nodes that do not see the run folder."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_training.errors import DeclarationError
from pytest_training.execution.backends.cluster import node_files
from pytest_training.execution.backends.cluster.node_files import PROJECT
from pytest_training.execution.backends.cluster.nodes import Node
from pytest_training.execution.backends.cluster.packing import (
    LARGEST_FILE,
    MOST_OF_PROJECT,
    Parcel,
    pack,
    project_files,
)
from pytest_training.execution.backends.cluster.pool import Pool

LOOK_S = 0.5  # between two looks whether the node is still there
STOPPING_S = 20.0  # longest wait for an answer once the run is interrupted: nobody watches the nodes then


class NodeGone(Exception):  # noqa: N818  (an event)
    """A node did not answer, or the run ends."""


class Shipment:
    """What a run sends to nodes: each parcel is packed once, and sent once to a host."""

    def __init__(self, pool: Pool, *, project: Path, runs: Path) -> None:
        self.pool, self.project, self.runs = pool, project, runs
        self.parcels: dict[str, Parcel] = {}  # by what they hold
        self.lock = threading.Lock()
        self.hosts: dict[str, threading.Lock] = {}  # held while shared parcels go to that host

    def ask(self, node: Node, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of `node_files` on a node; raise NodeGone, or the OSError of its disk."""
        client, run_id, begun = self.pool.client, self.pool.server.run_id, time.monotonic()
        run = client.run(function, run_id, *arguments, workers=[node.address], asynchronous=True)
        future = asyncio.run_coroutine_threadsafe(run, client.loop.asyncio_loop)
        while not node.is_gone and not (self.pool.stopping and time.monotonic() - begun > STOPPING_S):
            try:
                return future.result(timeout=LOOK_S)[node.address]
            except TimeoutError:
                if future.done():
                    break
            except (OSError, KeyError) as error:
                if isinstance(error, OSError) and error.errno is not None:  # a lost connection has no number
                    raise
                raise NodeGone from error
            except Exception as error:  # whatever the node raises
                raise DeclarationError(f"it cannot take files: {type(error).__name__}: {error}") from error
        future.cancel()
        raise NodeGone

    def parcel(self, what: str, make: Callable[[], Parcel]) -> Parcel:
        """Return the parcel of that, packed at the first call."""
        with self.lock:
            if what not in self.parcels:
                self.parcels[what] = make()
            return self.parcels[what]

    def code(self) -> Parcel:
        """Return the project, as it is when the run first sends it."""
        reports = self.runs.parent.parent if self.runs.parent.name == "smoke" else self.runs.parent

        def make() -> Parcel:
            files = project_files(self.project, reports=reports)
            return pack(files, folders=[PROJECT], below=self.project, largest=LARGEST_FILE, most=MOST_OF_PROJECT)

        return self.parcel("", make)

    def send(self, node: Node, parcel: Parcel) -> None:
        """Send a parcel in parts."""
        for offset, piece in parcel.pieces():
            if self.pool.stopping:
                raise NodeGone
            part = offset, offset + len(piece) >= parcel.size
            self.ask(node, node_files.take, parcel.digest, part, piece)
