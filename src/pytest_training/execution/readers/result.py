"""result.json, in which an attempt's own process leaves the metrics that the job's function returned."""

import os
from pathlib import Path

import msgspec

from pytest_training.errors import ResultError
from pytest_training.execution.attempt.messages import Result
from pytest_training.execution.job_files import read_small
from pytest_training.execution.readers.protocol import EndedAttempt, Reader
from pytest_training.jobs.kinds.protocol import Call
from pytest_training.jobs.model import UNDECODABLE


class ResultReader(Reader):
    """Reads the metrics that a function returned; a program's result.json holds its data alone."""

    name = "result"
    is_declared = True

    def read(self, attempt: EndedAttempt) -> dict[str, float] | None:
        """Return the function's metrics."""
        return attempt.result.metrics if attempt.result and isinstance(attempt.start, Call) else None


def read_result(path: Path) -> Result | None:
    """Return what a job's process wrote, or None if the file is missing; raise ResultError if it is no valid result."""
    if (content := read_small(path)) is None:
        if os.path.lexists(path):
            raise ResultError("result.json was replaced by the job: expected a plain file, no link, pipe or folder")
        return None
    try:
        return msgspec.json.decode(content, type=Result)
    except UNDECODABLE as error:
        raise ResultError(f"result.json was changed by the job and is no result any more: {error}") from None
