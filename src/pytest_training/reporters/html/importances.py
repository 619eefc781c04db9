"""Computes how much parameters matter, by Optuna and in a process of its own: it loads numpy and scikit-learn."""

import contextlib
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

import msgspec

from pytest_training.reporters.html.axes import Axis

FEWEST, PATIENCE_S = 10, 60  # whole trainings; seconds
MISSING = "Importances of the parameters need Optuna: pip install 'pytest-training[search]'"


def importances(axes: Sequence[Axis], direction: str) -> tuple[dict[str, float], str]:
    """Return the share of each parameter, largest first, or none and a sentence why; the last axis is the metric's."""
    varied = [axis for axis in axes[:-1] if axis.high > axis.low]
    if len(varied) < 2 or not direction:
        return {}, ""
    if (number := len(axes[-1].places)) < FEWEST:
        return {}, f"Importances of the parameters need {FEWEST} whole trainings, here are {number}."
    if find_spec("optuna") is None:
        return {}, MISSING
    command, question = [sys.executable, "-P", "-m", __name__], msgspec.json.encode((varied, axes[-1], direction))
    with contextlib.suppress(OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        answer = subprocess.run(command, input=question, capture_output=True, check=True, timeout=PATIENCE_S)
        return msgspec.json.decode(answer.stdout, type=dict[str, float]), ""
    return {}, "Optuna has no importances of these trials."


if __name__ == "__main__":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    axes, metric, better = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[list[Axis], Axis, str])
    study = optuna.create_study(direction="maximize" if better == "higher" else "minimize")
    linear, named = optuna.distributions.FloatDistribution, optuna.distributions.CategoricalDistribution
    ends = [(each.name, each.low, each.high, each.is_ordered) for each in axes]
    ranges = {name: linear(low, high) if ordered else named(range(int(high) + 1)) for name, low, high, ordered in ends}
    for number, *places in zip(metric.places, *(each.places for each in axes), strict=True):
        if None not in places:
            drawn = dict(zip(ranges, places, strict=True))
            study.add_trial(optuna.create_trial(params=drawn, distributions=ranges, value=number))
    sys.stdout.buffer.write(msgspec.json.encode(optuna.importance.get_param_importances(study)))
