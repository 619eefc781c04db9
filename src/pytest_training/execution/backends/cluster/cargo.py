"""What an attempt needs on a node that does not see the run folder: code, data, checkpoint, needed jobs' files."""

import asyncio
import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.execution.attempt.messages import AttemptRequest
from pytest_training.execution.backends.cluster import node_files
from pytest_training.execution.backends.cluster.moves import Moves
from pytest_training.execution.backends.cluster.node_files import PRIVATE, PROJECT
from pytest_training.execution.backends.cluster.nodes import Node
from pytest_training.execution.backends.cluster.packing import (
    LARGEST_FILE,
    MOST_OF_PROJECT,
    Parcel,
    data_files,
    data_path,
    expect_whole,
    pack,
    project_files,
)
from pytest_training.execution.backends.cluster.pool import Pool
from pytest_training.execution.job_files import Walk, lies_below
from pytest_training.execution.strays import LEFT_OUT
from pytest_training.jobs.source.paths import named_paths

LOOK_S = 0.5  # between two looks whether the node is still there
STOPPING_S = 20.0  # longest wait for an answer once the run is interrupted: nobody watches the nodes then
TRIES = 3  # to lay files out
EARLIER = ("predictions*.csv", "evaluation*.json")  # what a comparison with earlier runs reads


class NodeGone(Exception):  # noqa: N818  (an event)
    """A node did not answer, or the run ends."""


class Shipment:
    """What a run sends to nodes: each parcel is packed once, and sent once to a node."""

    def __init__(self, pool: Pool, *, project: Path, runs: Path) -> None:
        self.pool, self.project, self.runs = pool, project, runs
        self.reports = runs.parent.parent if runs.parent.name == "smoke" else runs.parent
        self.parcels: dict[str, Parcel] = {}  # by what they hold
        self.lock = threading.Lock()
        self.nodes: dict[str, threading.Lock] = {}  # held while shared parcels go to that node

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
                if getattr(error, "errno", None) and not isinstance(error, ConnectionError):  # of its disk
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
        root, bounds = self.project, {"largest": LARGEST_FILE, "most": MOST_OF_PROJECT}
        return self.parcel("", lambda: pack(project_files(root, self.reports), folders=[PROJECT], below=root, **bounds))

    def send(self, node: Node, parcel: Parcel) -> None:
        """Send a parcel in parts."""
        for offset, piece in parcel.pieces():
            if self.pool.stopping:
                raise NodeGone
            part = offset, offset + len(piece) >= parcel.size
            self.ask(node, node_files.take, parcel.digest, part, piece)


class Cargo:
    """The files of one attempt, on this machine and on its node."""

    def __init__(self, shipment: Shipment, node: Node, request: AttemptRequest) -> None:
        self.shipment, self.node, self.request, self.files = shipment, node, request, request.files
        self.key = hashlib.sha256(request.folder.encode()).hexdigest()[:16]
        self.is_whole = not node.facts.shares_files  # else what is private goes this way alone, if anything is
        self.digest = ""  # of the parcel that is its own
        self.pairs: dict[str, str] = {}  # this machine's paths, and the node's
        self.left_out: dict[str, str] = {}  # what did not travel, with the reason

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of `node_files` for this attempt."""
        return self.shipment.ask(self.node, function, self.key, *arguments)

    def name(self, path: str | Path) -> str:
        """Return the place of a path in the attempt's tree."""
        private = Path(self.request.private or "-")
        places = {private: PRIVATE, self.shipment.runs: "runs", self.shipment.project: PROJECT}
        above = next(filter(Path(path).is_relative_to, places), None)
        return f"outside{path}" if above is None else (places[above] / Path(path).relative_to(above)).as_posix()

    def bring(self) -> AttemptRequest:
        """Send what the attempt needs; return its request in the node's paths."""
        shipment, node = self.shipment, self.node
        copied, linked = (
            ([shipment.code()], [self._code(), *self._data(), *self._needed()]) if self.is_whole else ([], [])
        )
        copied.append(own := self._own())
        for parcel in (*copied, *linked):
            self.left_out = {**self.left_out, **parcel.left_out}
            self.left_out = {name: why for name, why in self.left_out.items() if name not in parcel.names}
        self.digest = own.digest
        digests = [each.digest for each in copied], [each.digest for each in linked]
        shipment.send(node, own)
        for _ in range(TRIES):
            if not self.ask(node_files.lay, *digests):
                return self._moved()
            with shipment.nodes.setdefault(node.facts.id, threading.Lock()):
                missing = self.ask(node_files.lay, *digests)  # another attempt may just have sent it
                for parcel in (each for each in (*copied, *linked) if each.digest in missing):
                    shipment.send(node, parcel)
        raise DeclarationError(f"node {node.name} ({node.facts.host}) does not keep the files that are sent to it")

    def _code(self) -> Parcel:
        """Return what the job's code consists of and names that is no part of the project's parcel."""
        job, shipment = self.request.job, self.shipment
        read = [path for each in job.reads for path in Path(job.root).glob(each)]
        files = {self.name(path): path for path in (*map(Path, job.files), *read) if path.is_file()}
        for path in filter(Path.is_dir, read):
            files |= self._below(path)
        sent = shipment.code().names
        folders = {each.as_posix() for name in sent for each in PurePosixPath(name).parents}
        for path in filter(os.path.exists, map(Path, map(os.path.normpath, self._named()))):
            name, is_file = self.name(path), path.is_file()
            if path.is_relative_to(shipment.reports) or name in sent or {*path.parts} & {*LEFT_OUT}:
                continue
            if is_file and name.startswith(f"{PROJECT}/"):
                files[name] = path
            elif is_file:
                self.left_out[str(path)] = "outside the project"
            elif name.startswith(f"{PROJECT}/") and name not in folders and any(path.iterdir()):
                self.left_out[name] = "a folder that Git ignores"
        files = {name: path for name, path in sorted(files.items()) if name not in sent}
        return shipment.parcel(f"code {list(files)}", partial(pack, files))

    def _named(self) -> Iterator[str]:
        """Yield what command line, parameters and code may name, from each folder where a relative path may begin."""
        job, secret = self.request.job, {each.name for each in self.request.job.declared if each.variable}
        words = [each for name, each in job.parameters.items() if isinstance(each, str) and name not in secret]
        yield from (f"{job.workplace / each}" for each in (*job.command[1:], *job.arguments, *words))
        for file in filter(Path.is_file, map(Path, job.files)):
            for folder in (Path(job.root), job.workplace, *file.parents[:2]):
                yield from (f"{folder / each}" for each in named_paths(file.read_bytes()))

    def _data(self) -> Iterator[Parcel]:
        sent = self.shipment.code().names
        for dataset in (each for each in self.request.datasets if each.path):
            files = {name: path for path in data_files(dataset) if (name := self.name(path)) not in sent}
            if files:
                parcel = self.shipment.parcel(f"data {data_path(dataset)}", partial(pack, files))
                yield expect_whole(parcel, f"dataset {dataset.name!r}")

    def _needed(self) -> Iterator[Parcel]:
        for job_id, each in self.request.needed.items():
            parcel = self.shipment.parcel(f"needed {each.path}", partial(pack, self._below(each.folder)))
            yield expect_whole(parcel, f"the folder of {job_id}")

    def _below(self, folder: Path) -> dict[str, Path]:
        """Return the files below a folder, by their place; a link counts as a file if it leads to one in there."""
        paths = (Path(entry.path) for _, entry in Walk(folder, node_files.MOST_FILES) if entry.is_file())
        return {self.name(path): path for path in paths if lies_below(folder, path)}

    def _own(self) -> Parcel:
        """Return what no other attempt gets."""
        private = [PRIVATE] if self.request.private else []
        if not self.is_whole:
            return pack({}, folders=private)
        earlier = [Path(each).glob(name) for each in self.request.earlier.values() for name in EARLIER]
        files = {self.name(path): path for paths in earlier for path in paths if path.is_file()}
        files |= self._below(self.files.path) | self._below(Path(self.request.checkpoint))
        folders = map(self.name, (self.files.path, self.files.artifacts, self.request.job.workplace))
        return pack(files, folders=[*folders, *private])

    def _moved(self) -> AttemptRequest:
        facts, request = self.node.facts, self.request
        data = tuple(replace(each, path=str(data_path(each))) if each.path else each for each in request.datasets)
        above = [request.private] if request.private else []
        if self.is_whole:
            own = (str(self.shipment.project), str(self.shipment.runs), request.job.home, request.job.root)
            above += [*own, *(each.path for each in data if each.path)]
        self.pairs = {path: f"{facts.scratch}/attempts/{self.key}/{self.name(path)}" for path in above}
        programs = {sys.executable: facts.executable}
        programs |= {sys.prefix: facts.prefix} if sys.prefix != sys.base_prefix else {}
        moved = Moves(self.pairs | programs).value(msgspec.to_builtins(replace(request, datasets=data)))
        return msgspec.convert(moved, AttemptRequest)
