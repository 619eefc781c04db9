"""Limits of attempts, one file each, listed here once."""

from collections.abc import Mapping

from pytest_training.accidents import ACCIDENTS
from pytest_training.limits import memory, protocol, time

Limits = Mapping[str, protocol.Limit]  # by key, in the order in which they are checked and listed
LIMITS: Limits = {limit.key: limit for limit in (time.Time(), memory.Memory())}


def retry_reasons(limits: Limits) -> tuple[str, ...]:
    """Return what `retry_on` may list: `error` is an exception or an exit without a result, `crash` any other death."""
    return tuple(dict.fromkeys(("crash", *limits, "error", *(accident.cause for accident in ACCIDENTS))))
