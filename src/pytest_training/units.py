"""Durations, sizes and numbers, as people write them (`1h30m`, `4GB`) and as reports do (`1 h 30 min`)."""

import contextlib
import math
import re
from datetime import datetime, timedelta
from typing import Any

from pytest_training.errors import DeclarationError
from pytest_training.wording import describe

MEBIBYTE = 2**20
SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
BYTES = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PLAIN = re.compile(_NUMBER)
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>{_NUMBER}){unit})?" for unit in SECONDS))
_SIZE = re.compile(rf"({_NUMBER}) ?([kmgt]i?b)", re.IGNORECASE)


def parse_duration(value: Any, where: str) -> float:
    """Return seconds for `90s`, `15m`, `1h30m` or a plain number of seconds."""
    text, seconds = value.strip() if isinstance(value, str) else "", 0.0
    if (isinstance(value, int | float) and not isinstance(value, bool)) or _PLAIN.fullmatch(text):
        with contextlib.suppress(OverflowError):  # a whole number may be larger than any float
            seconds = float(text or value)
    elif match := _DURATION.fullmatch(text):
        seconds = sum(float(count) * SECONDS[unit] for unit, count in match.groupdict().items() if count)
    if not math.isfinite(seconds) or seconds <= 0:
        raise DeclarationError(f"{where}: expected a duration like 90s, 15m or 2h, found {describe(value)}")
    return seconds


def parse_size(value: Any, where: str) -> float:
    """Return MiB for `512MB`, `4GB` (powers of 1000) or `1.5GiB` (powers of 1024)."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    size_mb = float(match[1]) * BYTES[match[2].lower()] / MEBIBYTE if match else 0.0
    if not math.isfinite(size_mb) or size_mb <= 0:
        raise DeclarationError(f"{where}: expected a size like 512MB, 4GB or 1.5GiB, found {describe(value)}")
    return size_mb


def duration(seconds: float) -> str:
    """Write a duration like 0.03 s, 3.2 s, 2 min 05 s or 2 h; `?` for a negative or infinite one."""
    if not math.isfinite(seconds) or seconds < 0:
        return "?"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 0.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest:02d} s" if rest else "")
    hours, rest = divmod(minutes, 60)
    return f"{hours} h" + (f" {rest:02d} min" if rest else "")


def clock(seconds: float) -> str:
    """Write a duration as a clock does: 1:05, 2:00:05; its width does not change every second."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def done_about(ahead_s: float, now: datetime) -> str:
    """Say when something ends that takes so many seconds more: `done about 17:35`, on another day with its name."""
    ends = now + timedelta(seconds=ahead_s)
    return f"done about {ends:%H:%M}" if ends.date() == now.date() else f"done about {ends:%a %H:%M}"


def size(size_mb: float) -> str:
    """Write a size in MiB like 4 GB or 12.3 kB; in units of 1024 if these alone make it round."""
    number_of_bytes = round(size_mb * MEBIBYTE)
    is_binary = number_of_bytes % MEBIBYTE == 0 and number_of_bytes % 10**6 != 0
    base, units = (1024, ("B", "KiB", "MiB", "GiB", "TiB")) if is_binary else (1000, ("B", "kB", "MB", "GB", "TB"))
    power = max(power for power in range(len(units)) if power == 0 or number_of_bytes >= base**power)
    return f"{number_of_bytes / base**power:.4g} {units[power]}"


def number(value: float) -> str:
    """Write a number with the digits that a reader compares: 0.871, 12.3, 1450, 3.2e-05."""
    size = abs(value)
    if not math.isfinite(value) or value == 0 or size >= 1e7 or size < 1e-3:
        return f"{value:.3g}"
    if float(value).is_integer() or size >= 1000:
        return f"{value:.0f}"
    return f"{value:.{3 if size < 10 else 2 if size < 100 else 1}f}"


def distinct(first: float, second: float) -> tuple[str, str]:
    """Write two numbers with enough digits to differ."""
    pairs = ((f"{first:.{digits}g}", f"{second:.{digits}g}") for digits in (4, 6, 9))
    return next((pair for pair in pairs if pair[0] != pair[1]), (repr(first), repr(second)))
