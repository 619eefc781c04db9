"""Computes how much each parameter of a study matters: Optuna's importances, in a process of their own.

They need numpy and scikit-learn, which a session that trains does not load.
"""

import contextlib
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Literal

import msgspec

from pytest_training.reporters.html.axes import Axis

FEWEST = 10  # whole trainings
PATIENCE_S = 60
MISSING = "Importances of the parameters need Optuna: pip install 'pytest-training[search]'"


class Question(msgspec.Struct, frozen=True):
    """Trials as places on axes, with the values of their metric."""

    parameters: list[Axis]
    values: list[float]
    direction: Literal["maximize", "minimize"]


def importances(parameters: Sequence[Axis], values: Sequence[float], direction: str) -> tuple[dict[str, float], str]:
    """Return the share of each parameter, largest first, or none and a sentence why."""
    varied = [axis for axis in parameters if axis.high > axis.low]
    if len(varied) < 2 or not direction:
        return {}, ""
    if len(values) < FEWEST:
        return {}, f"Importances of the parameters need {FEWEST} whole trainings, here are {len(values)}."
    if find_spec("optuna") is None:
        return {}, MISSING
    question = msgspec.json.encode(Question(varied, [*values], "maximize" if direction == "higher" else "minimize"))
    command = [sys.executable, "-P", "-m", __name__]
    with contextlib.suppress(OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        answer = subprocess.run(command, input=question, capture_output=True, check=True, timeout=PATIENCE_S)
        return msgspec.json.decode(answer.stdout, type=dict[str, float]), ""
    return {}, "Optuna has no importances of these trials."


def answer(question: Question) -> dict[str, float]:
    """Return the importances of a question, largest first."""
    import optuna  # noqa: PLC0415  (only in the process of its own)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction=question.direction)
    for index, value in enumerate(question.values):
        places = {axis.name: (axis, axis.places[index]) for axis in question.parameters}
        present = {name: (axis, place) for name, (axis, place) in places.items() if place is not None}
        study.add_trial(
            optuna.create_trial(
                params={name: place for name, (_, place) in present.items()},
                distributions={name: _distribution(axis) for name, (axis, _) in present.items()},
                value=value,
            )
        )
    return optuna.importance.get_param_importances(study)


def _distribution(axis: Axis) -> Any:
    import optuna  # noqa: PLC0415  (only in the process of its own)

    if axis.is_ordered:
        return optuna.distributions.FloatDistribution(axis.low, axis.high)
    return optuna.distributions.CategoricalDistribution(sorted({each for each in axis.places if each is not None}))


if __name__ == "__main__":
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))
