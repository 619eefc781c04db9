"""What a run makes in the folder of reports before its first job, to be removed if none begins."""

import contextlib
import shutil
from collections.abc import Callable

from pytest_training.atomic import write_atomically
from pytest_training.execution.folder import RunFolder

IGNORED = ".gitignore"


def make_run_folder(folder: RunFolder) -> Callable[[], None]:
    """Make the run folder; return a function that leaves the reports as they were before."""
    above = [path for path in folder.path.parents if not path.exists()]
    if folder.reports in above:
        write_atomically(folder.reports / IGNORED, b"*\n")  # as pytest does for its cache
    folder.path.mkdir(parents=True)

    def remove() -> None:
        shutil.rmtree(folder.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # another run has begun there meanwhile
            for path in above:
                if path == folder.reports and [each.name for each in path.iterdir()] == [IGNORED]:
                    (path / IGNORED).unlink()
                path.rmdir()

    return remove
