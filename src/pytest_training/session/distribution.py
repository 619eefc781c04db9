"""How many xdist workers a run gets, and who schedules them.

xdist starts its workers before anybody has collected, so it cannot know that one job was selected. Here it is held back
until the owner has collected; then it is started with no more workers than there are items, or not at all.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_training.fixture import FIXTURE, SHIPPED_TEST
from pytest_training.options import is_asked_for
from pytest_training.pytest_adapter import set_options, start_xdist


class Distribution:
    """xdist in this session: asked for or not, settled after collection."""

    def __init__(self, config: pytest.Config, dist: str) -> None:
        self.config = config
        self.dist = dist
        self.asked_for = dist != "no"
        self.is_off = False
        """True if no worker is needed."""
        self.is_on = False
        """True once workers are starting."""
        self.is_ours = False
        """True when the plugin's own scheduler is in use."""

    @classmethod
    def hold_back(cls, config: pytest.Config) -> Distribution:
        """Keep xdist from starting; to be called before xdist configures itself."""
        dist = getattr(config.option, "dist", "no")
        if dist == "no" or not getattr(config.option, "tx", None):
            return cls(config, "no")
        if config.option.collectonly:  # nothing will start; the plan asks how many there would be
            return cls(config, "no")
        set_options(config, dist="no")
        return cls(config, dist)

    def settle(self, *, items: int, pure: bool) -> int:
        """Decide on workers for that many items, `pure` when all are jobs; return how many slots there are."""
        specs: list[str] = getattr(self.config.option, "tx", None) or []
        local = self.dist != "each" and all(spec == "popen" for spec in specs)
        if not specs or (pure and local and items == 1):
            self.is_off = True
            return 1
        if pure and local and not self.config.option.collectonly:
            set_options(self.config, tx=specs[:items])
        self.is_ours = pure and self.dist == "load"
        return min(len(specs), items) if local and pure else len(specs)

    def start(self, session: pytest.Session) -> None:
        """Let xdist start its workers now, as it would have done by itself."""
        set_options(self.config, dist=self.dist)
        self.is_on = True
        try:
            start_xdist(self.config, session)
        except OSError as error:
            workers = len(self.config.option.tx)
            raise pytest.UsageError(
                f"cannot start {workers} workers: {error.strerror}; a smaller number after -n needs less"
            ) from None


def use_shipped_test(config: pytest.Config) -> None:
    """Where the command line names jobs, and no test for them, take the plugin's own test."""
    asked_for = is_asked_for(config) or config.known_args_namespace.training_root
    if asked_for and config.args_source != pytest.Config.ArgsSource.ARGS and not mentions(config, FIXTURE):
        config.args[:] = [str(SHIPPED_TEST.parent)]


def mentions(config: pytest.Config, word: str) -> bool:
    """Return True if a test file or conftest.py of this session contains the word: cheaper than to collect."""
    return any(word.encode() in path.read_bytes() for path in _test_files(config) if path.is_file())


def _test_files(config: pytest.Config) -> Iterator[Path]:
    patterns = [*map(_anywhere, config.getini("python_files")), "conftest.py"]
    left_out = [*map(_anywhere, config.getini("norecursedirs")), "__pycache__"]
    for argument in config.args:
        path = config.invocation_params.dir / argument.partition("::")[0]
        yield from (folder / "conftest.py" for folder in path.parents)
        if not path.is_dir():
            yield path
        for folder, folders, names in os.walk(path):
            folders[:] = [name for name in folders if not _matches(Path(folder, name), left_out)]
            yield from (file for name in names if _matches(file := Path(folder, name), patterns))


def _matches(path: Path, patterns: list[str]) -> bool:
    """Return True if pytest takes a pattern for the path: by its name, or as a whole if it holds a slash."""
    return any(fnmatch.fnmatch(str(path) if os.sep in pattern else path.name, pattern) for pattern in patterns)


def _anywhere(pattern: str) -> str:
    return f"*{os.sep}{pattern}" if os.sep in pattern and not Path(pattern).is_absolute() else pattern
