"""Brings back what an attempt leaves on a node that does not see the run folder, while it trains and at its end.

Nothing is written outside the attempt's own folder and its checkpoint, and all of it is bounded.
"""

import contextlib
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from pytest_training import atomic
from pytest_training.execution.attempt.messages import Reply
from pytest_training.execution.backends.cluster import node_files
from pytest_training.execution.backends.cluster.cargo import Cargo, NodeGone
from pytest_training.execution.backends.cluster.moves import Moves
from pytest_training.execution.backends.cluster.node_files import PRIVATE, PROJECT, Listed
from pytest_training.execution.backends.cluster.packing import CHUNK, MIB, in_project
from pytest_training.execution.pins import LOCK_NAME, take_pins
from pytest_training.places import appending
from pytest_training.wording import listing

PIECE = 2**20  # of log and events, at each look
MOST_BACK, MOST_LOG, LOG_END = 2**31, 2**28, 2**25  # bytes of all files; of what is new in a log, else of its end
CHECKPOINT_S, CHECKPOINT_SHARE = 10.0, 10  # a checkpoint that took 2 s to bring is brought again after 20 s
CURRENT = "/state.zip"  # the newest checkpoint; the one before it has come already
MOST_NAMES = 5  # in a note


class Returning:
    """The way back of an attempt's files."""

    def __init__(self, cargo: Cargo) -> None:
        self.cargo, self.request, self.files = cargo, cargo.request, cargo.files
        self.at = Counter[Path]()  # bytes of log and events that have come
        self.ends = defaultdict[Path, bytes](bytes)  # their last byte
        self.stamps: dict[str, str] = {}  # of the files that have come
        self.next_checkpoint = 0.0
        self.left_out: dict[str, str] = {}  # what did not come, with the reason

    def follow(self) -> None:
        """Bring what is new: log, events, what the node says of the attempt, its checkpoint; ignore a silent node."""
        with contextlib.suppress(NodeGone, OSError):
            self._append(PIECE)
            if (sign := self.request.sign) and sign.exists():
                self.cargo.ask(node_files.write, self.cargo.name(sign), sign.read_bytes())
            if (begun := time.monotonic()) >= self.next_checkpoint:
                files, _ = self._listed([self.cargo.name(self.request.checkpoint)])
                self._bring([each for each in files if each[0].endswith(CURRENT)])
                took_s = time.monotonic() - begun
                self.next_checkpoint = time.monotonic() + max(CHECKPOINT_S, CHECKPOINT_SHARE * took_s)

    def fetch(self, reply: Reply) -> Reply:
        """Bring the rest, and remove it there; the reply names what was left out."""
        places = [PRIVATE] if self.request.private else []
        if self.cargo.is_whole:
            places += [self.cargo.name(self.files.path), self.cargo.name(self.request.checkpoint), PROJECT]
        files, others = self._listed(places)
        self.left_out = {**self.cargo.left_out, **dict.fromkeys(others, "a link, a pipe or beyond the bound")}
        sizes = {name: size for name, size, _ in files}
        for path in (self.files.log, self.files.events):
            self._skip(path, sizes.get(self.cargo.name(path)))
        for _ in range(MOST_LOG // CHUNK):
            if not self._append(CHUNK, is_last=True):
                break
        beside = self._bring(files)
        with contextlib.suppress(NodeGone, OSError):
            self.cargo.ask(node_files.drop, self.cargo.digest)
        node, notes = f"node {self.cargo.node.name} ({self.cargo.node.facts.host})", reply.notes
        if beside:
            names = listing("", beside, limit=MOST_NAMES)
            notes += (f"files that it wrote into the project on {node} are in its folder: {names}",)
        own = self.cargo.name(self.files.path)
        if left_out := [f"{in_project(name.removeprefix(f'{own}/'))} ({why})" for name, why in self.left_out.items()]:
            notes += (f"did not travel to {node} or back: {listing('', left_out, limit=MOST_NAMES)}",)
        moved = msgspec.convert(self._back().value(msgspec.to_builtins(reply)), Reply)
        return replace(moved, notes=notes)

    def _skip(self, path: Path, size: int | None) -> None:
        """Leave out the middle of a log that is very long; one without a word is a file too."""
        rest = (size or 0) - self.at[path]
        if size == 0:
            self._add(path, b"")
        if rest > MOST_LOG:
            self._add(path, f"\n… {(rest - LOG_END) / MIB:,.0f} MiB were left out …\n".encode())
            self.at[path] += rest - LOG_END
            self.left_out[path.name] = f"{(rest - LOG_END) / MIB:,.0f} MiB in its middle"

    def _append(self, most: int, *, is_last: bool = False) -> bool:
        """Add what is new to log and events, and replace usage.json; return True if there may be more."""
        backs, paths = (self._back(), self._back(is_json=True)), (self.files.log, self.files.events)
        wanted = [(self.cargo.name(path), self.at[path], most, "") for path in paths]
        answer = self.cargo.ask(node_files.read, [*wanted, (self.cargo.name(self.files.usage), 0, PIECE, "")])
        *parts, usage = msgspec.convert(answer, list[bytes])
        if usage:
            atomic.write_atomically(self.files.usage, usage, below=self.files.below)
        for path, part, back in zip(paths, parts, backs, strict=True):
            end = len(part) if is_last and len(part) < most else back.whole(part)
            if end:
                self._add(path, back(part[:end], before=self.ends[path]))
                self.ends[path] = part[end - 1 : end]
                self.at[path] += end
        return any(len(part) >= most for part in parts)

    def _add(self, path: Path, content: bytes) -> None:
        with appending(path) as file:
            file.write(content)

    def _back(self, *, is_json: bool = False) -> Moves:
        return Moves({theirs: ours for ours, theirs in self.cargo.pairs.items()}, is_json=is_json)

    def _listed(self, places: list[str]) -> Listed:
        """Return the files that the attempt has left, the smallest first, its result last."""
        files, others = msgspec.convert(self.cargo.ask(node_files.left, places), Listed)
        return sorted(files, key=lambda each: (each[0] == self.cargo.name(self.files.result), each[1], each[0])), others

    def _bring(self, files: list[tuple[str, int, str]]) -> list[str]:
        """Bring files that are new; return the names of those from the project."""
        beside, total = [], 0
        for name, size, stamp in files:
            target, is_result = self._target(name), name == self.cargo.name(self.files.result)
            if target is None or self.stamps.get(name) == stamp:
                continue
            total += size
            if total > MOST_BACK and not is_result:
                self.left_out[name] = f"{size / MIB:,.0f} MiB"
                continue
            try:
                self._write(target, self._pieces(name, size, stamp), is_result=is_result)
            except (OSError, ValueError) as error:
                if is_result:
                    raise
                self.left_out[name] = str(getattr(error, "strerror", None) or error)
                continue
            if target.name == LOCK_NAME:
                take_pins(self.request.datasets, target)
            self.stamps[name] = stamp
            beside += [in_project(name)] if name.startswith(f"{PROJECT}/") else []
        return beside

    def _write(self, target: Path, pieces: Iterator[bytes], *, is_result: bool) -> None:
        is_private = self.request.private is not None and target.is_relative_to(self.files.own)
        below = self.files.own_below if is_private else self.files.below
        atomic.write_pieces(
            target, iter([self._back(is_json=True)(b"".join(pieces))]) if is_result else pieces, below=below
        )

    def _pieces(self, name: str, size: int, stamp: str) -> Iterator[bytes]:
        offset = 0
        while offset < size:
            [piece] = msgspec.convert(self.cargo.ask(node_files.read, [(name, offset, CHUNK, stamp)]), list[bytes])
            if not 0 < len(piece) <= CHUNK:
                raise ValueError("changed while it was read")
            offset += len(piece)
            yield piece

    def _target(self, name: str) -> Path | None:
        """Return where a file of the node goes, or None if it has no place here: a node may send any name."""
        files, (top, _, rest) = self.files, name.partition("/")
        if os.path.normpath(name) != name or name.startswith(("/", "..")) or "\0" in name:
            self.left_out[repr(name)] = "expected a path in its own folder"
            return None
        if top == PROJECT:
            cwd = self.request.job.cwd
            return files.artifacts / rest.removeprefix(f"{cwd}/" if cwd else "")
        path = Path(self.request.private or "", rest) if top == PRIVATE else self.cargo.shipment.runs / rest
        taken = {files.log, files.events, files.usage, files.started, files.pruned, files.needed}
        above = (files.own, files.path, Path(self.request.checkpoint))
        return path if path not in taken and any(map(path.is_relative_to, above)) else None
