"""Computes how much each parameter of a study matters: Optuna's importances, in a process of their own.

They load numpy and scikit-learn, which a session that trains does not.
"""

import contextlib
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

import msgspec

from pytest_training.reporters.html.axes import Axis

FEWEST = 10  # whole trainings
PATIENCE_S = 60
MISSING = "Importances of the parameters need Optuna: pip install 'pytest-training[search]'"
Question = tuple[list[Axis], list[float], str]  # parameters, the metric of each trial, which of it is better


def importances(parameters: Sequence[Axis], values: Sequence[float], direction: str) -> tuple[dict[str, float], str]:
    """Return the share of each parameter, largest first, or none and a sentence why."""
    varied = [axis for axis in parameters if axis.high > axis.low]
    if len(varied) < 2 or not direction:
        return {}, ""
    if len(values) < FEWEST:
        return {}, f"Importances of the parameters need {FEWEST} whole trainings, here are {len(values)}."
    if find_spec("optuna") is None:
        return {}, MISSING
    command, question = [sys.executable, "-P", "-m", __name__], msgspec.json.encode((varied, values, direction))
    with contextlib.suppress(OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        answer = subprocess.run(command, input=question, capture_output=True, check=True, timeout=PATIENCE_S)
        return msgspec.json.decode(answer.stdout, type=dict[str, float]), ""
    return {}, "Optuna has no importances of these trials."


def main() -> None:
    """Answer the question on stdin."""
    import optuna  # noqa: PLC0415  (only in a process of its own)

    parameters, values, direction = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    number, category = optuna.distributions.FloatDistribution, optuna.distributions.CategoricalDistribution
    ranges = {
        axis.name: number(axis.low, axis.high)
        if axis.is_ordered
        else category([*map(float, range(int(axis.high) + 1))])
        for axis in parameters
    }
    study = optuna.create_study(direction="maximize" if direction == "higher" else "minimize")
    for value, *places in zip(values, *(axis.places for axis in parameters), strict=True):
        if None not in places:
            drawn = dict(zip(ranges, places, strict=True))
            study.add_trial(optuna.create_trial(params=drawn, distributions=ranges, value=value))
    sys.stdout.buffer.write(msgspec.json.encode(optuna.importance.get_param_importances(study)))


if __name__ == "__main__":
    main()
