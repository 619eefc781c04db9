"""Limits of attempts: time and memory, which every project has, and where all of them are listed."""

from collections.abc import Mapping

from pytest_training.accidents import ACCIDENTS
from pytest_training.limits import protocol
from pytest_training.limits.tree import Tree
from pytest_training.units import duration, parse_duration, parse_size, size


class Time(protocol.Limit):
    """How long an attempt may run: seconds since its start."""

    key = "timeout"
    metavar = "TIME"
    help = "time limit of jobs that state none, e.g. 90s, 15m, 2h"
    parse = staticmethod(parse_duration)
    describe = staticmethod(duration)

    def measure(self, tree: Tree) -> float:
        """Return the seconds since the attempt's start."""
        return tree.age_s

    def sentence(self, ended: protocol.Ending, limit: float) -> str:
        """Say how long it ran."""
        return f"ended after {ended.wall_s:.1f} s: its time limit is {limit:g} s"


class Memory(protocol.Limit):
    """How much memory all processes of an attempt may hold."""

    key = "memory"
    metavar = "SIZE"
    help = "memory limit of jobs that state none, e.g. 4GB"
    parse = staticmethod(parse_size)
    describe = staticmethod(size)

    def measure(self, tree: Tree) -> float:
        """Return the MiB that its processes hold now."""
        return tree.memory_mb

    def sentence(self, ended: protocol.Ending, limit: float) -> str:
        """Say how much it held."""
        peak = "unknown" if ended.peak_memory_mb is None else f"{ended.peak_memory_mb:,.0f} MiB"
        return f"ended after {ended.wall_s:.1f} s: it used {peak} of memory, its limit is {limit:,.0f} MiB"


Limits = Mapping[str, protocol.Limit]  # by key, in the order in which they are checked and listed
LIMITS: Limits = {limit.key: limit for limit in (Time(), Memory())}


def retry_reasons(limits: Limits) -> tuple[str, ...]:
    """Return what `retry_on` may list: `error` is an exception or an exit without a result, `crash` any other death."""
    return tuple(dict.fromkeys(("crash", *limits, "error", *(accident.cause for accident in ACCIDENTS))))
