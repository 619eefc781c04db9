"""What a metric's name means: more is better or worse; it is the end of an interval or a baseline."""

import re
from collections.abc import Iterable

from pytest_training.evaluation.ranges import Direction, meaning
from pytest_training.jobs.model import Gate

BASELINES = ("baseline_", "dummy_")
BASELINE = re.compile(rf"(?:^|(?<=_))(?:{'|'.join(BASELINES)})")  # also in `external_baseline_auc`, of `external_auc`
ENDS = ("_low", "_high")


def direction(metric: str, gates: Iterable[Gate] = ()) -> Direction | None:
    """Return whether more or less of a metric is better, by its gates, else by its name, or None if neither decides."""
    signs = {gate.operator[0] for gate in gates if gate.metric == metric and gate.operator != "=="}
    if len(signs) == 1:
        return "higher" if signs == {">"} else "lower"
    if signs or is_side_number(metric):
        return None
    return meaning(metric)[0]


def is_side_number(metric: str) -> bool:
    """Return True if the number belongs to another metric: an interval's end or a baseline."""
    return metric.endswith(ENDS) or BASELINE.search(metric) is not None
