"""What an attempt needs on a node that does not see the run folder: code, data, checkpoint, needed jobs' files."""

import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.execution.attempt.messages import AttemptRequest
from pytest_training.execution.backends.cluster import node_files
from pytest_training.execution.backends.cluster.moves import Moves
from pytest_training.execution.backends.cluster.node_files import PRIVATE, PROJECT
from pytest_training.execution.backends.cluster.nodes import Node
from pytest_training.execution.backends.cluster.packing import Parcel, data_files, data_path, expect_whole, pack
from pytest_training.execution.backends.cluster.transfer import Shipment
from pytest_training.execution.job_files import Walk, lies_below

TRIES = 3  # to lay files out
EARLIER = ("predictions*.csv", "evaluation*.json")  # what a comparison with earlier runs reads


class Cargo:
    """The files of one attempt, on this machine and on its node."""

    def __init__(self, shipment: Shipment, node: Node, request: AttemptRequest) -> None:
        self.shipment, self.node, self.request, self.files = shipment, node, request, request.files
        self.key = hashlib.sha256(request.folder.encode()).hexdigest()[:16]
        self.is_whole = not node.facts.shares_files  # else what is private goes this way alone
        self.digest = ""  # of the parcel that is its own
        self.pairs: dict[str, str] = {}  # this machine's paths, and the node's
        self.left_out: dict[str, str] = {}  # what did not travel, with the reason

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of `node_files` for this attempt."""
        return self.shipment.ask(self.node, function, self.key, *arguments)

    def name(self, path: str | Path) -> str:
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
        copied.append(own := pack(self._own_files(), folders=self._own_folders()))
        for parcel in (*copied, *linked):
            self.left_out = {**self.left_out, **parcel.left_out}
            self.left_out = {name: why for name, why in self.left_out.items() if name not in parcel.names}
        self.digest = own.digest
        digests = [each.digest for each in copied], [each.digest for each in linked]
        shipment.send(node, own)
        for _ in range(TRIES):
            if not self.ask(node_files.lay, *digests):
                return self._moved()
            with shipment.hosts.setdefault(node.facts.host, threading.Lock()):
                missing = self.ask(node_files.lay, *digests)  # another attempt may just have sent it
                for parcel in (each for each in (*copied, *linked) if each.digest in missing):
                    shipment.send(node, parcel)
        raise DeclarationError(f"node {node.name} ({node.facts.host}) does not keep the files that are sent to it")

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

    def _own_files(self) -> dict[str, Path]:
        if not self.is_whole:
            return {}
        request, job, sent = self.request, self.request.job, self.shipment.code().names
        code = [*map(Path, job.files), *(path for each in job.reads for path in Path(job.root).glob(each))]
        earlier = [path for each in request.earlier.values() for name in EARLIER for path in Path(each).glob(name)]
        paths = {self.name(path): path for path in (*code, *earlier) if path.is_file()}
        paths |= self._below(self.files.path) | self._below(Path(request.checkpoint))
        return {name: path for name, path in paths.items() if name not in sent}

    def _own_folders(self) -> list[str]:
        folders = (self.files.path, self.files.artifacts, self.request.job.workplace)
        own = list(map(self.name, folders)) if self.is_whole else []
        return own + ([PRIVATE] if self.request.private else [])

    def _moved(self) -> AttemptRequest:
        facts, request = self.node.facts, self.request
        data = tuple(replace(each, path=str(data_path(each))) if each.path else each for each in request.datasets)
        above = [request.private] if request.private else []
        if self.is_whole:
            above += [str(self.shipment.project), str(self.shipment.runs), request.job.home, request.job.root]
            above += [each.path for each in data if each.path]
        self.pairs = {path: f"{facts.scratch}/attempts/{self.key}/{self.name(path)}" for path in above}
        programs = {sys.executable: facts.executable}
        programs |= {sys.prefix: facts.prefix} if sys.prefix != sys.base_prefix else {}
        moved = Moves(self.pairs | programs).value(msgspec.to_builtins(replace(request, datasets=data)))
        return msgspec.convert(moved, AttemptRequest)
