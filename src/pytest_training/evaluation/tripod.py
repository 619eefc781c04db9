"""The items of TRIPOD+AI, read from tripod_ai.toml; their keys are what a catalogue may state for a card."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

SOURCE = (
    "Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for reporting clinical prediction "
    "models that use regression or machine learning methods. BMJ 2024;385:e078378"
)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One sub-item of the checklist."""

    number: str
    section: str
    topic: str
    words: str
    keys: tuple[str, ...]  # that a catalogue may state
    facts: tuple[str, ...] = ()  # names of macros that answer from the record
    code: str = ""  # what a job file may state


@cache
def items() -> tuple[Item, ...]:
    """Return the sub-items in order."""
    content = Path(__file__).with_name("tripod_ai.toml").read_bytes()
    return msgspec.toml.decode(content, type=dict[str, tuple[Item, ...]])["items"]


def statement_keys() -> tuple[str, ...]:
    """Return the keys of `card:`, each once."""
    return tuple(dict.fromkeys(key for item in items() for key in item.keys))
