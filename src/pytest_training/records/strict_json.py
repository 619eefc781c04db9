"""JSON that every reader accepts: no NaN, no lone surrogates. What JSON cannot say becomes null."""

import json
import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

LARGEST_INTEGER_BITS = 1023  # above it a reader that uses doubles sees infinity, and Python refuses to print it
DEEPEST = 100  # json and most readers recurse


def plain(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911  (one for each kind of value)
    """Return the value as dicts, lists, strings, finite numbers, booleans and None, of JSON's own types alone."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(str.__str__(value))  # a subclass, such as numpy's, may print itself
    if isinstance(value, int):
        return int(value) if value.bit_length() <= LARGEST_INTEGER_BITS else None
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth >= DEEPEST:
        return None
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, Mapping):
        return {text(str(key)): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (Sequence, AbstractSet)) and not isinstance(value, (bytes, bytearray)):
        return [plain(item, depth + 1) for item in value]
    return text(str(value))


def text(value: str) -> str:
    """Return the string with `?` for each lone surrogate: what UTF-8 cannot hold."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def encode(value: Any, *, indent: int | None = None) -> bytes:
    """Return the value as strict JSON in UTF-8."""
    return encode_plain(plain(value), indent=indent)


def encode_plain(value: Any, *, indent: int | None = None) -> bytes:
    """Return what `plain` returned as strict JSON in UTF-8."""
    written = json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")
    # json's own indent would take its encoder in Python, ten times slower: it matters in a report of 5,000 jobs.
    return written if indent is None else msgspec.json.format(written, indent=indent)
