"""Places in which an attempt may leave its metrics. What reads foreign ones is imported for a program alone."""

from functools import partial

from pytest_training.execution.readers.declared import MetricsFileReader, ResultReader
from pytest_training.execution.readers.protocol import EndedAttempt, Following, Reader, RunningAttempt


class PrintedReader(Reader):
    """Reads what a program prints."""

    name = "printed"

    def follow(self, attempt: RunningAttempt) -> Following:
        """Return what follows the log."""
        from pytest_training.execution.readers.printed import FollowedLog  # noqa: PLC0415  (programs alone need it)

        return FollowedLog(attempt)


class FilesReader(Reader):
    """Follows result files, logs in tables, TensorBoard's, MLflow's, W&B's and DVCLive's files."""

    name = "files"

    def follow(self, attempt: RunningAttempt) -> Following:
        """Return what follows them; at the end also those in the working directory, if the job's folder has none."""
        from pytest_training.execution.readers.forms import Files  # noqa: PLC0415  (20 ms that no other job pays)
        from pytest_training.execution.strays import written_beside  # noqa: PLC0415  (it imports what readers are)

        beside = partial(written_beside, attempt) if isinstance(attempt, EndedAttempt) else None
        return Files(attempt.folder.artifacts, attempt.most_bytes, beside)


READERS: tuple[Reader, ...] = (ResultReader(), MetricsFileReader(), PrintedReader(), FilesReader())
"""Declared ones in the order of trying, then foreign ones, which import in `follow` what only programs need."""
