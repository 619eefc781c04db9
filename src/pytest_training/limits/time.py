"""The time limit: seconds since the attempt's start."""

from pytest_training.limits.protocol import Ending, Limit
from pytest_training.limits.tree import Tree
from pytest_training.units import duration, parse_duration


class Time(Limit):
    """How long an attempt may run."""

    key = "timeout"
    metavar = "TIME"
    help = "time limit of jobs that state none, e.g. 90s, 15m, 2h"
    parse = staticmethod(parse_duration)
    describe = staticmethod(duration)

    def measure(self, tree: Tree) -> float:
        """Return the seconds since the attempt's start."""
        return tree.age_s

    def sentence(self, ended: Ending, limit: float) -> str:
        """Say how long it ran."""
        return f"ended after {ended.wall_s:.1f} s: its time limit is {limit:g} s"
