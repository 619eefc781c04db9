"""Records a run in the history."""

from pytest_training.records.history import History
from pytest_training.records.recorded_run import TrainingRun


def pytest_training_run_end(run: TrainingRun) -> None:
    """Add the run and its outcomes to history.sqlite, without the further trainings of an audit; no smoke run."""
    if run.record and run.provenance and not run.plan.smoke:
        history = History(run.folder.stable.history)
        history.add(run.record, run.own_outcomes, run.provenance)
        run.problems.extend(history.problems)
