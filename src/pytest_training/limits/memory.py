"""The memory limit: resident memory of all processes of the attempt."""

from pytest_training.limits.protocol import Ending, Limit
from pytest_training.limits.tree import Tree
from pytest_training.units import parse_size, size


class Memory(Limit):
    """How much memory an attempt may hold."""

    key = "memory"
    metavar = "SIZE"
    help = "memory limit of jobs that state none, e.g. 4GB"
    parse = staticmethod(parse_size)
    describe = staticmethod(size)

    def measure(self, tree: Tree) -> float:
        """Return the MiB that its processes hold now."""
        return tree.memory_mb

    def sentence(self, ended: Ending, limit: float) -> str:
        """Say how much it held."""
        peak = "unknown" if ended.peak_memory_mb is None else f"{ended.peak_memory_mb:,.0f} MiB"
        return f"ended after {ended.wall_s:.1f} s: it used {peak} of memory, its limit is {limit:,.0f} MiB"
