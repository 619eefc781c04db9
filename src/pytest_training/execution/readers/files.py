"""Reads the files that foreign programs leave in a job's folder; what reads them is imported for such a job alone."""

from pytest_training.execution.readers.protocol import EndedAttempt, Following, Reader, RunningAttempt


class FilesReader(Reader):
    """Follows result files, logs in tables, TensorBoard's, MLflow's, W&B's and DVCLive's files."""

    name = "files"

    def follow(self, attempt: RunningAttempt) -> Following:
        """Return what follows all of them."""
        from pytest_training.execution.readers.forms import Files  # noqa: PLC0415  (20 ms that no other job pays)

        return Files(attempt.folder.artifacts, attempt.most_bytes, isinstance(attempt, EndedAttempt))
