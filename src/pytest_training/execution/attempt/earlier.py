"""Compares a job's predictions with those that it made in earlier runs, in the job's own process: numpy is loaded."""

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_training.evaluation.noise import Difference
from pytest_training.evaluation.result import file_name, read

if TYPE_CHECKING:
    from pytest_training.evaluation.record import Predictions

FILES = "predictions*.csv"


def differences(records: Mapping[str, "Predictions"], earlier: Mapping[str, str]) -> dict[str, dict[str, Difference]]:
    """Return by run and metric how predictions differ from those in folders of earlier runs, of the same people."""
    if not records:
        return {}
    return {run_id: dict(_differences(records, read_all(Path(folder)))) for run_id, folder in earlier.items()}


def read_all(folder: Path) -> dict[str, "Predictions"]:
    """Return the predictions that an attempt has left in its folder, by name; leave out damaged ones."""
    from pytest_training.evaluation import record  # noqa: PLC0415  (numpy, which the job has loaded)

    records = {}
    for path in filter(Path.is_file, folder.glob(FILES)):  # no pipe, which would never end
        name = path.stem.removeprefix("predictions").removeprefix("_")
        with suppress(Exception):  # whatever an earlier run has left must not fail this job
            records[name] = record.read(path, cutoff=read(folder / file_name("evaluation", name)).cutoff or 0.5)
    return records


def _differences(
    records: Mapping[str, "Predictions"], others: Mapping[str, "Predictions"]
) -> Iterator[tuple[str, Difference]]:
    from pytest_training.evaluation import comparison  # noqa: PLC0415  (as above)

    for name in records.keys() & others:
        pair = records[name], others[name]
        with suppress(Exception):  # mostly of other people, else as above
            for metric, each in (comparison.differences(*pair) | comparison.differences_of_subgroups(*pair)).items():
                if all(map(math.isfinite, (each.value, each.low, each.high))):
                    yield f"{name}_{metric}" if name else metric, each
