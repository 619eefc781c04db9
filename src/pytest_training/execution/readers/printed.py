"""What a program prints: by lines and tables as programs write them, or by a pattern of the catalogue's."""

from collections import deque

from pytest_training.errors import ResultError
from pytest_training.execution.readers.protocol import EndedAttempt, Following, Measured, Reader, RunningAttempt


class PrintedReader(Reader):
    """Reads what a program prints."""

    name = "printed"

    def follow(self, attempt: RunningAttempt) -> Following:
        """Return what follows the log."""
        from pytest_training.execution.readers.printed_log import FollowedLog  # noqa: PLC0415  (only programs need its patterns)

        return FollowedLog(attempt)


class PatternReader(Reader):
    """Reads what a program prints by the pattern that the catalogue states."""

    name = "stdout"
    is_declared = True

    def read(self, attempt: EndedAttempt) -> dict[str, Measured] | None:
        """Return the last number of each group; raise ResultError if no line matches."""
        if not attempt.job.metrics or not attempt.job.metrics.stdout:
            return None
        log = PrintedReader().follow(attempt)
        deque(log.poll(), maxlen=0)
        if metrics := dict(log.metrics()):
            return metrics
        raise ResultError(
            f"printed no line with numbers that matches {attempt.job.metrics.stdout!r}, as `metrics:` says"
        )
