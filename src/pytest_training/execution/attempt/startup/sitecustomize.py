"""Seeds the global generators of a job's process, also those of libraries imported later, and notes what it prints.

Python imports it by this name when a script's own interpreter starts; then it needs nothing but the standard library.
"""

from __future__ import annotations

import atexit
import builtins
import importlib.machinery
import os
import sys

TYPE_CHECKING = False  # typing, contextlib and pathlib take 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType
    from typing import Any, Self

VARIABLE = "TRAINING_GENERATORS"  # environment variable with the seed for a script's own interpreter
PRINTED = "TRAINING_PRINTED"  # environment variable with the file for what a script's own interpreter prints
MOST_CALLS, MOST_TIMES, MOST_VALUES, LONGEST = 200, 30, 10, 400  # what is noted of calls of `print`, and of a text
CALL, ROW, VALUE = "\x1e", "\x1d", "\x1f"  # what stands between them in the file
_NO_SEPARATORS = dict.fromkeys(map(ord, CALL + ROW + VALUE), " ")
INSTALLED = tuple(f"{os.sep}{folder}{os.sep}" for folder in ("site-packages", "dist-packages"))
STANDARD = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120  (see TYPE_CHECKING)


def _log_below(module: Any, _seed: int | None) -> None:
    """Have TensorBoard's writers that get no folder write below the job's, not to `runs/` in the working directory."""
    begin, folder = module.SummaryWriter.__init__, os.environ.get("TRAINING_FOLDER")

    def begin_below(self: Any, place: str | None = None, comment: str = "", *values: Any, **named: Any) -> None:
        place = place or named.pop("log_dir", None) or named.pop("logdir", None) or f"{folder}/runs{comment}"
        begin(self, place, comment, *values, **named)

    if folder:
        module.SummaryWriter.__init__ = begin_below


GENERATORS: Mapping[str, Callable[[Any, int | None], object]] = {
    "random": lambda module, seed: module.seed(seed),
    "numpy.random": lambda module, seed: module.seed(None if seed is None else seed % 2**32),
    "torch": lambda module, seed: None if seed is None else module.manual_seed(seed),
    **dict.fromkeys(("torch.utils.tensorboard.writer", "tensorboardX.writer"), _log_below),
}  # by module; without a seed random and numpy draw new numbers, and torch those of its own


class Seeder:
    """Seeds the generators that are loaded, and each later one when its import ends."""

    def __init__(self, seed: int | None) -> None:
        self.seed = seed

    def __enter__(self) -> Self:
        """Seed what is loaded, and watch imports."""
        self.seed_loaded()
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave imports alone."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def seed_loaded(self) -> None:
        """Seed the generators that are loaded."""
        for name in GENERATORS:
            if module := sys.modules.get(name):
                GENERATORS[name](module, self.seed)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a generator, which will be seeded when it has been loaded; None for any other module."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name in GENERATORS else None
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            load = spec.loader.exec_module

            def load_seeded(module: ModuleType) -> None:
                load(module)
                GENERATORS[name](module, self.seed)

            spec.loader.exec_module = load_seeded  # type: ignore[method-assign]  # of this loader alone
        return spec


class PrintCall:
    """What one call of `print` in a file has printed."""

    def __init__(self) -> None:
        self.times = self.at = 0  # how often, and as which one of all
        self.texts: list[list[str]] = []  # of its values, the first times
        self.last: list[str] = []


class Printed:
    """Notes what each call of `print` in the user's own files prints: a number alone has the name of its call."""

    def __init__(self, file: str) -> None:
        self.file, self.process, self.count = file, os.getpid(), 0
        self.calls: dict[tuple[str, int], PrintCall | None] = {}

    def begin(self) -> None:
        """Note it from now on, and leave it in the file when the interpreter ends."""
        original = builtins.print

        def print(*values: Any, sep: Any = None, end: Any = None, file: Any = None, flush: Any = False) -> None:  # noqa: A001  (it is to be taken for Python's own)
            if file is None or file is sys.stdout:
                values = tuple(value if type(value) is str else str(value) for value in values)
                try:
                    frame = sys._getframe(1)  # noqa: SLF001  (no public name)
                    self.note(frame.f_code.co_filename, frame.f_lineno, values)
                except ValueError:
                    pass  # no code calls it: a function at exit, a thread
            original(*values, sep=sep, end=end, file=file, flush=flush)

        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(print, name, getattr(original, name))
        builtins.print = print
        atexit.register(self.leave)

    def note(self, path: str, line: int, values: Sequence[str]) -> None:
        """Note what the call in a line of a file prints now."""
        if (key := (path, line)) not in self.calls:
            is_installed = path.startswith((STANDARD, "<")) or any(part in path for part in INSTALLED)
            self.calls[key] = None if is_installed or len(self.calls) >= MOST_CALLS else PrintCall()
        if call := self.calls[key]:
            self.count += 1
            call.times, call.at, call.last = (
                call.times + 1,
                self.count,
                [text[-LONGEST:] for text in values[:MOST_VALUES]],
            )
            if call.times <= MOST_TIMES:
                call.texts.append(call.last)

    def leave(self) -> None:
        """Write it, unless this is a process that the script has forked."""
        calls = {key: call for key, call in self.calls.items() if call}
        records = (
            (VALUE.join(map(str, (*key, call.times, call.at))), *map(VALUE.join, call.texts), VALUE.join(call.last))
            for key, call in calls.items()
        )
        if calls and os.getpid() == self.process:
            try:
                with open(self.file, "x", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123  (see TYPE_CHECKING)
                    file.write(CALL.join(map(ROW.join, records)))
            except OSError:
                pass  # the disk is full: numbers alone have no names


def _start() -> None:
    """Seed and note, remove every trace, and do what the user's own sitecustomize does."""
    if seed := os.environ.pop(VARIABLE, ""):
        Seeder(int(seed)).__enter__()
    if file := os.environ.pop(PRINTED, ""):
        Printed(file).begin()
    sys.path.remove(os.path.dirname(__file__))  # noqa: PTH120  (see TYPE_CHECKING)
    os.environ["PYTHONPATH"] = os.environ["PYTHONPATH"].partition(os.pathsep)[2]
    ours = sys.modules.pop(__name__)
    try:
        importlib.import_module(__name__)
    except ModuleNotFoundError as error:
        if error.name != __name__:
            raise
    finally:
        sys.modules.setdefault(__name__, ours)


if __name__ == "sitecustomize" and {VARIABLE, PRINTED} & os.environ.keys():
    _start()
