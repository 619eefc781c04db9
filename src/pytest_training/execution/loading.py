"""What the job server loads once for all jobs, as it says so in a file of the run folder while it does."""

from pathlib import Path

from pytest_training.execution.job_files import read_json
from pytest_training.jobs.model import Value


class Loading(Value, frozen=True, kw_only=True):
    """The content of loading.json."""

    now: str = ""
    """The package that is being imported; empty once jobs are served."""
    since: float = 0.0
    """When that began, in seconds since 1970."""
    seconds: dict[str, float] = {}
    """How long each package took."""
    problems: tuple[str, ...] = ()
    """Sentences about packages that are left to the jobs."""


def read_loading(file: Path) -> Loading | None:
    """Return what the job server has loaded, or None if there is no such file."""
    return read_json(file, Loading)
