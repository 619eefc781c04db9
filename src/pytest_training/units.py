"""Durations and sizes as people write them: `1h30m`, `4GB`."""

from __future__ import annotations

import math
import re
from typing import Any

from pytest_training.errors import DeclarationError
from pytest_training.wording import shown

MEBIBYTE = 2**20
SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
BYTES = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PLAIN = re.compile(_NUMBER)
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>{_NUMBER}){unit})?" for unit in SECONDS))
_SIZE = re.compile(rf"({_NUMBER}) ?([kmgt]i?b)", re.IGNORECASE)


def parse_duration(value: Any, where: str) -> float:
    """Return seconds for `90s`, `15m`, `1h30m` or a plain number of seconds."""
    seconds = _seconds(value)
    if seconds is None or not math.isfinite(seconds) or seconds <= 0:
        raise DeclarationError(f"{where}: expected a duration like 90s, 15m or 2h, found {shown(value)}")
    return seconds


def _seconds(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = value.strip() if isinstance(value, str) else ""
    if _PLAIN.fullmatch(text):
        return float(text)
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        return None
    return sum(float(count) * SECONDS[unit] for unit, count in match.groupdict().items() if count)


def parse_size(value: Any, where: str) -> float:
    """Return MiB for `512MB`, `4GB` (powers of 1000) or `1.5GiB` (powers of 1024)."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    size_mb = float(match[1]) * BYTES[match[2].lower()] / MEBIBYTE if match else 0.0
    if not math.isfinite(size_mb) or size_mb <= 0:
        raise DeclarationError(f"{where}: expected a size like 512MB, 4GB or 1.5GiB, found {shown(value)}")
    return size_mb


def describe_duration(seconds: float) -> str:
    """Return a duration for people: `0.4 s`, `12 s`, `1 min 30 s`, `2 h 5 min`."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole, 60, "min", "s")
    minutes = round(seconds / 60)
    return _two(minutes, 60, "h", "min")


def _two(count: int, base: int, large: str, small: str) -> str:
    most, rest = divmod(count, base)
    return f"{most} {large} {rest} {small}" if rest else f"{most} {large}"


def describe_size(size_mb: float) -> str:
    """Return a size for people, in the units (of 1000 or 1024) that make it the rounder number."""
    size = round(size_mb * MEBIBYTE)
    base, units = (
        (1000, ("B", "kB", "MB", "GB", "TB")) if size % 10**6 == 0 else (1024, ("B", "KiB", "MiB", "GiB", "TiB"))
    )
    power = 0
    while size >= base ** (power + 1) and power < len(units) - 1:
        power += 1
    return f"{size / base**power:.4g} {units[power]}"
