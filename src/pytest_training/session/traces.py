"""What a run makes in the folder of reports before its first job, to be removed if none begins."""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from pytest_training.atomic import write_atomically
from pytest_training.execution.folder import RunFolder

IGNORED = ".gitignore"


@dataclass(frozen=True)
class Traces:
    """The run folder, and the folders above it that it needed."""

    folder: RunFolder
    made: tuple[Path, ...]
    """Those that did not exist, the innermost first."""

    @classmethod
    def make(cls, folder: RunFolder) -> "Traces":
        """Make the run folder."""
        made = tuple(path for path in (folder.path, *folder.path.parents) if not path.exists())
        if folder.reports in made:
            write_atomically(folder.reports / IGNORED, b"*\n")  # as pytest does for its cache
        folder.path.mkdir(parents=True)
        return cls(folder, made)

    def remove(self) -> None:
        """Leave the reports as they were before the run."""
        shutil.rmtree(self.folder.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # another run has begun there meanwhile
            for path in self.made[1:]:
                if path == self.folder.reports and [each.name for each in path.iterdir()] == [IGNORED]:
                    (path / IGNORED).unlink()
                path.rmdir()
