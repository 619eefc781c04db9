"""Records a run in the history."""

import pytest

from pytest_training.records.history import History
from pytest_training.records.recorded_run import TrainingRun


class Reporter:
    """Adds the run and its outcomes to history.sqlite."""

    def __init__(self, config: pytest.Config) -> None:
        """Ignore pytest's config."""

    def pytest_training_run_end(self, run: TrainingRun) -> None:
        """Add the run."""
        if run.record is None or run.provenance is None:
            return
        history = History(run.folder.stable.history)
        history.add(run.record, run.outcomes, run.provenance)
        run.problems.extend(history.problems)
