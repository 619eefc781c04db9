"""An outcome's metrics, each with its interval and its baseline, the one that stands for the job first."""

from collections.abc import Mapping

from msgspec import Struct

from pytest_training.execution.outcome import Outcome
from pytest_training.jobs.directions import BASELINE, ENDS
from pytest_training.units import number


class Measure(Struct, frozen=True):
    """One metric of an outcome with what belongs to it."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    baseline: float | None = None

    @property
    def interval(self) -> str:
        """Its interval in words, or an empty text if it has none."""
        return "" if self.low is None or self.high is None else f"{number(self.low)} to {number(self.high)}"


def measures(outcome: Outcome) -> list[Measure]:
    """Return an outcome's metrics, a study's own and gated ones first, each with its interval and its baseline.

    A gate on the end of an interval, or on a baseline, stands for the metric that these belong to.
    """
    metrics = outcome.metrics
    baselines = {BASELINE.sub("", name, count=1): name for name in reversed(metrics) if BASELINE.search(name)}
    stated = [outcome.study.metric] if outcome.study and outcome.study.metric in metrics else []
    gated = [whole(result.gate.metric, metrics) for result in outcome.gates if result.gate.metric in metrics]
    others = [name for name in metrics if whole(name, metrics) == name]
    return [
        Measure(
            name=name,
            value=metrics[name],
            low=metrics.get(f"{name}_low"),
            high=metrics.get(f"{name}_high"),
            baseline=metrics.get(baselines.get(name, "")),
        )
        for name in dict.fromkeys([*stated, *gated, *others])
    ]


def headline(outcome: Outcome) -> Measure | None:
    """Return the metric that stands for the job: the first gated one, else the first."""
    return next(iter(measures(outcome)), None)


def whole(name: str, metrics: Mapping[str, float]) -> str:
    """Return the metric that an interval's end or a baseline belongs to, if there is one; else the name itself."""
    names = [*map(name.removesuffix, ENDS), BASELINE.sub("", name, count=1)]
    return next((each for each in names if each != name and each in metrics), name)
