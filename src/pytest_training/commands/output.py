"""Where a command prints: its answer to stdout, everything else to stderr."""

from __future__ import annotations

import sys
from collections.abc import Collection

from pytest_training.errors import TrainingError
from pytest_training.records.strict_json import encode
from pytest_training.text import one_line
from pytest_training.wording import did_you_mean, listing


def say(line: str) -> None:
    """Print a line of the answer at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def say_json(value: object) -> None:
    """Print the answer as strict JSON."""
    say(encode(value, indent=2).decode())


def remark(line: str) -> None:
    """Print a line that is no part of the answer."""
    sys.stderr.write(f"{one_line(line)}\n")


def check_job(job_id: str, job_ids: Collection[str], place: str) -> None:
    """Raise TrainingError if the job is not one of those in this place."""
    if job_id not in job_ids:
        suggestion = did_you_mean(job_id, job_ids)
        raise TrainingError(f"{place} has no job {job_id!r}: expected one of {listing(job_id, job_ids)}{suggestion}")
