"""Brings an attempt's files to a node that does not see the run folder, and what it leaves back, while it trains too.

Nothing that comes back is written outside the attempt's own folder and its checkpoint, and all of it is bounded.
"""

import asyncio
import contextlib
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

from pytest_training import atomic
from pytest_training.errors import DeclarationError
from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.execution.backends.cluster import node_files
from pytest_training.execution.backends.cluster.moves import Moves
from pytest_training.execution.backends.cluster.node_files import PRIVATE, PROJECT, Listed
from pytest_training.execution.backends.cluster.packing import (
    CHUNK,
    LARGEST_FILE,
    MIB,
    MOST_OF_PROJECT,
    Parcel,
    data_files,
    data_path,
    expect_whole,
    pack,
    project_files,
)
from pytest_training.execution.backends.cluster.pool import Node, Pool
from pytest_training.execution.job_files import Walk, lies_below
from pytest_training.places import appending
from pytest_training.wording import listing

ASK_S, LOOK_S = 60.0, 0.5  # longest wait for an answer; between two looks whether the node is still there
PIECE = 2**20  # of log and events, at each look
MOST_BACK, MOST_LOG, LOG_END = 2**31, 2**28, 2**25  # bytes of an attempt's files; of its log, and of the log's end
CHECKPOINT_SHARE = 10  # a checkpoint that took 1 s to bring is brought again after 10 s
CURRENT = "/state.zip"  # the newest checkpoint; the one before it has come already
TRIES, MOST_NAMES = 3, 5  # to lay files out; in a note
EARLIER = ("predictions*.csv", "evaluation*.json")  # what a comparison with earlier runs reads


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
        client, run_id, give_up = self.pool.client, self.pool.server.run_id, time.monotonic() + ASK_S
        run = client.run(function, run_id, *arguments, workers=[node.address], asynchronous=True)
        future = asyncio.run_coroutine_threadsafe(run, client.loop.asyncio_loop)
        while not node.is_gone and time.monotonic() < give_up:
            try:
                return future.result(timeout=LOOK_S)[node.address]
            except TimeoutError:
                if future.done():
                    break
            except Exception as error:
                if isinstance(error, OSError) and error.errno is not None:  # a lost connection has no number
                    raise
                raise NodeGone from error
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
            files = {f"{PROJECT}/{name}": path for name, path in project_files(self.project, reports=reports).items()}
            return pack(files, folders=[PROJECT], largest=LARGEST_FILE, most=MOST_OF_PROJECT)

        return self.parcel("", make)

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
        self.is_whole = not node.facts.shares_files  # else what is private goes this way alone
        self.own: Parcel | None = None
        self.pairs: dict[str, str] = {}  # this machine's paths, and the node's
        self.at: dict[Path, int] = {}  # bytes of log and events that have come
        self.stamps: dict[str, str] = {}  # of the files that have come
        self.next_checkpoint = 0.0
        self.left_out: list[str] = []

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.shipment.ask(self.node, function, self.key, *arguments)

    def _name(self, path: str | Path) -> str:
        """Return the place of a path in the attempt's tree."""
        path, private = Path(path), [self.request.private] if self.request.private else []
        places = {
            **dict.fromkeys(map(Path, private), PRIVATE),
            self.shipment.runs: "runs",
            self.shipment.project: PROJECT,
        }
        above = next(filter(path.is_relative_to, places), None)
        return f"outside{path}" if above is None else (places[above] / path.relative_to(above)).as_posix()

    def bring(self) -> AttemptRequest:
        """Send what the attempt needs; return its request in the node's paths."""
        shipment, node = self.shipment, self.node
        copied, linked = ([shipment.code()], [*self._data(), *self._needed()]) if self.is_whole else ([], [])
        self.own = pack(self._own_files(), folders=self._own_folders())
        self.left_out += [each for parcel in (*copied, self.own) for each in parcel.left_out]
        digests = [each.digest for each in (*copied, self.own)], [each.digest for each in linked]
        shipment.send(node, self.own)
        for _ in range(TRIES):
            if not self._ask(node_files.lay, *digests):
                return self._moved()
            with shipment.hosts.setdefault(node.facts.host, threading.Lock()):
                missing = self._ask(node_files.lay, *digests)  # another attempt may just have sent it
                for parcel in (each for each in (*copied, self.own, *linked) if each.digest in missing):
                    shipment.send(node, parcel)
        raise DeclarationError(f"node {node.name} ({node.facts.host}) does not keep the files that are sent to it")

    def _data(self) -> Iterator[Parcel]:
        sent = self.shipment.code().names
        for dataset in (each for each in self.request.datasets if each.path):
            files = {name: path for path in data_files(dataset) if (name := self._name(path)) not in sent}
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
        return {self._name(path): path for path in paths if lies_below(folder, path)}

    def _own_files(self) -> dict[str, Path]:
        if not self.is_whole:
            return {}
        request, job, sent = self.request, self.request.job, self.shipment.code().names
        code = [*map(Path, job.files), *(path for each in job.reads for path in Path(job.root).glob(each))]
        earlier = [path for each in request.earlier.values() for name in EARLIER for path in Path(each).glob(name)]
        paths = {self._name(path): path for path in (*code, *earlier) if path.is_file()}
        paths |= self._below(self.files.path) | self._below(Path(request.checkpoint))
        return {name: path for name, path in paths.items() if name not in sent}

    def _own_folders(self) -> list[str]:
        own = [self._name(self.files.path), self._name(self.files.artifacts)] if self.is_whole else []
        return own + ([PRIVATE] if self.request.private else [])

    def _moved(self) -> AttemptRequest:
        facts, request = self.node.facts, self.request
        data = tuple(replace(each, path=str(data_path(each))) if each.path else each for each in request.datasets)
        above = [request.private] if request.private else []
        if self.is_whole:
            above += [str(self.shipment.project), str(self.shipment.runs), request.job.home, request.job.root]
            above += [each.path for each in data if each.path]
        self.pairs = {path: f"{facts.scratch}/attempts/{self.key}/{self._name(path)}" for path in above}
        programs = {sys.executable: facts.executable}
        programs |= {sys.prefix: facts.prefix} if sys.prefix != sys.base_prefix else {}
        moved = Moves(self.pairs | programs).value(msgspec.to_builtins(replace(request, datasets=data)))
        return msgspec.convert(moved, AttemptRequest)

    def follow(self) -> None:
        """Bring what is new: log, events, what the node says of the attempt, its checkpoint; ignore a silent node."""
        with contextlib.suppress(NodeGone, OSError):
            if not self.is_whole or self.request.private:  # what is private is masked at the end
                return
            self._append(PIECE)
            [usage] = self._ask(node_files.read, [(self._name(self.files.usage), 0, PIECE, "")])
            if usage:
                atomic.write_atomically(self.files.usage, usage, below=self.files.below)
            if (sign := self.request.sign) and sign.exists():
                self._ask(node_files.write, self._name(sign), sign.read_bytes())
            if (begun := time.monotonic()) >= self.next_checkpoint:
                files, _ = self._listed([self._name(self.request.checkpoint)])
                self._bring([each for each in files if each[0].endswith(CURRENT)])
                self.next_checkpoint = time.monotonic() + CHECKPOINT_SHARE * (time.monotonic() - begun)

    def fetch(self, reply: Reply) -> Reply:
        """Bring the rest, and remove it there; the reply names what was left out."""
        places = [PRIVATE] if self.request.private else []
        if self.is_whole:
            places += [self._name(self.files.path), self._name(self.request.checkpoint), PROJECT]
        files, others = self._listed(places)
        self._skip_log({name: size for name, size, _ in files})
        while self._append(CHUNK, is_last=True):
            pass
        beside = self._bring(files)
        with contextlib.suppress(NodeGone, OSError):
            self._ask(node_files.drop, self.own.digest if self.own else "")
        node, notes = f"node {self.node.name} ({self.node.facts.host})", reply.notes
        if beside:
            names = listing("", beside, limit=MOST_NAMES)
            notes += (f"files that it wrote into the project on {node} are in its folder: {names}",)
        if left_out := [*self.left_out, *others]:
            notes += (f"did not travel to {node} or back: {listing('', left_out, limit=MOST_NAMES)}",)
        moved = Moves({theirs: ours for ours, theirs in self.pairs.items()}).value(msgspec.to_builtins(reply))
        return replace(msgspec.convert(moved, Reply), notes=notes)

    def _skip_log(self, sizes: dict[str, int]) -> None:
        """Leave out the middle of a very long log."""
        log = self.files.log
        missing = sizes.get(self._name(log), 0) - self.at.get(log, 0) - LOG_END
        if missing > MOST_LOG:
            self._add(log, f"\n… {missing / MIB:,.0f} MiB of the log were left out …\n".encode())
            self.at[log] = self.at.get(log, 0) + missing
            self.left_out.append(f"{missing / MIB:,.0f} MiB in the middle of its log")

    def _append(self, most: int, *, is_last: bool = False) -> bool:
        """Add what is new to log and events; return True if there may be more."""
        back, paths = self._back(), (self.files.log, self.files.events)
        parts = self._ask(node_files.read, [(self._name(path), self.at.get(path, 0), most, "") for path in paths])
        for path, part in zip(paths, msgspec.convert(parts, list[bytes]), strict=True):
            end = len(part) if is_last and len(part) < most else back.whole(part)
            if end:
                self._add(path, back(part[:end]))
                self.at[path] = self.at.get(path, 0) + end
        return any(len(part) >= most for part in parts)

    def _add(self, path: Path, content: bytes) -> None:
        with appending(path) as file:
            file.write(content)

    def _back(self) -> Moves:
        return Moves({theirs: ours for ours, theirs in self.pairs.items()}, is_json=True)

    def _listed(self, places: list[str]) -> Listed:
        """Return the files that the attempt has left, the smallest first, its result last."""
        files, others = msgspec.convert(self._ask(node_files.left, places), Listed)
        return sorted(files, key=lambda each: (each[0] == self._name(self.files.result), each[1], each[0])), others

    def _bring(self, files: list[tuple[str, int, str]]) -> list[str]:
        """Bring files that are new; return the names of those from the project."""
        beside, total = [], 0
        for name, size, stamp in files:
            target, is_result = self._target(name), name == self._name(self.files.result)
            if target is None or self.stamps.get(name) == stamp:
                continue
            total += size
            if total > MOST_BACK and not is_result:
                self.left_out.append(f"{PurePosixPath(name).name} ({size / MIB:,.0f} MiB)")
                continue
            try:
                self._write(target, self._pieces(name, size, stamp), is_result=is_result)
            except (OSError, ValueError) as error:
                if is_result:
                    raise
                self.left_out.append(f"{PurePosixPath(name).name} ({getattr(error, 'strerror', None) or error})")
                continue
            self.stamps[name] = stamp
            beside += [name.removeprefix(f"{PROJECT}/")] if name.startswith(f"{PROJECT}/") else []
        return beside

    def _write(self, target: Path, pieces: Iterator[bytes], *, is_result: bool) -> None:
        below = (
            self.files.own_below if self.request.private and target.is_relative_to(self.files.own) else self.files.below
        )
        atomic.write_pieces(target, iter([self._back()(b"".join(pieces))]) if is_result else pieces, below=below)

    def _pieces(self, name: str, size: int, stamp: str) -> Iterator[bytes]:
        offset = 0
        while offset < size:
            [piece] = msgspec.convert(self._ask(node_files.read, [(name, offset, CHUNK, stamp)]), list[bytes])
            if not 0 < len(piece) <= CHUNK:
                raise ValueError("changed while it was read")
            offset += len(piece)
            yield piece

    def _target(self, name: str) -> Path | None:
        """Return where a file of the node goes, or None if it has no place here: a node may send any name."""
        files, (top, _, rest) = self.files, name.partition("/")
        if os.path.normpath(name) != name or name.startswith(("/", "..")) or "\0" in name:
            self.left_out.append(f"{name!r} (expected a path in its own folder)")
            return None
        if top == PROJECT:
            cwd = self.request.job.cwd
            return files.artifacts / rest.removeprefix(f"{cwd}/" if cwd else "")
        path = Path(self.request.private or "", rest) if top == PRIVATE else self.shipment.runs / rest
        taken = {files.log, files.events, files.usage, files.started, files.pruned, files.needed}
        above = (files.own, files.path, Path(self.request.checkpoint))
        return path if path not in taken and any(map(path.is_relative_to, above)) else None
