"""Compares a job's predictions with those that it made in earlier runs, in the job's own process: numpy is loaded."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_training.evaluation.noise import Difference
from pytest_training.evaluation.result import file_name, read

if TYPE_CHECKING:
    from pytest_training.evaluation.record import Predictions

FILES = "predictions*.csv"


def differences(records: Mapping[str, "Predictions"], earlier: Mapping[str, str]) -> dict[str, dict[str, Difference]]:
    """Return by run and metric how predictions differ from those in folders of earlier runs, of the same people."""
    if not records:
        return {}
    return {run_id: dict(_differences(records, Path(folder))) for run_id, folder in earlier.items()}


def _differences(records: Mapping[str, "Predictions"], folder: Path) -> Iterator[tuple[str, Difference]]:
    from pytest_training.evaluation import comparison, record  # noqa: PLC0415  (numpy, which the job has loaded)

    for name, own in records.items():
        path = folder / file_name("predictions", name)
        if not path.is_file():
            continue
        try:
            cutoff = read(folder / file_name("evaluation", name)).cutoff
            over = record.read(path, cutoff=cutoff or own.cutoff)
            tested = comparison.differences(own, over) | comparison.differences_of_subgroups(own, over)
        except (OSError, ValueError, LookupError, TypeError, ArithmeticError, msgspec.MsgspecError):
            continue  # damaged, or of other people: nothing to pair
        for metric, each in tested.items():
            if all(map(math.isfinite, (each.value, each.low, each.high))):
                yield f"{name}_{metric}" if name else metric, each
