"""Paths of this machine as paths of a node, and back."""

import os
import re
from collections.abc import Mapping
from typing import Any

import msgspec

IN_NAMES = rb"\w\x80-\xff-"  # bytes of names, in a set of a pattern


class Moves:
    """Replaces the beginnings of paths, the longest first, wherever they stand in a text."""

    def __init__(self, pairs: Mapping[str, str], *, is_json: bool = False) -> None:
        spell = (lambda path: msgspec.json.encode(path)[1:-1]) if is_json else os.fsencode
        self.targets = {spell(source): spell(target) for source, target in pairs.items()}
        paths = b"|".join(map(re.escape, sorted(self.targets, key=len, reverse=True)))
        self.pattern = re.compile(rb"(?<![.%b])(?:%b)(?![%b]|\.\w)" % (IN_NAMES, paths or b"(?!)", IN_NAMES))

    def __call__(self, content: bytes, *, before: bytes = b"") -> bytes:
        """Return the bytes with the other paths; `before` is the byte before them."""
        return self.pattern.sub(lambda match: self.targets[match[0]], before + content)[len(before) :]

    def value(self, value: Any) -> Any:
        """Return a JSON value with the other paths in its texts."""
        if isinstance(value, str):
            return os.fsdecode(self(value.encode("utf-8", "surrogateescape")))
        if isinstance(value, dict):
            return {name: self.value(each) for name, each in value.items()}
        return [self.value(each) for each in value] if isinstance(value, list | tuple) else value

    def whole(self, part: bytes) -> int:
        """Return how many bytes of a growing file are sure to end within no path that is replaced."""
        ends = (length for path in self.targets for length in range(len(path) + 1) if part.endswith(path[:length]))
        return len(part) - max(ends, default=0)
