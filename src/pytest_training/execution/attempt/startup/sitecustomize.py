"""Seeds the global generators of a job's process, also those of libraries imported later, and notes what it prints.

Python imports it by this name when a script's own interpreter starts; then it needs nothing but the standard library.
"""

from __future__ import annotations

import atexit
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
MOST_LINES, MOST_FIRST, MOST_LAST, LONGEST = 200, 20_000, 20, 400
"""What is noted: lines of files, characters of their first texts, last texts, and characters of a text."""
RECORD, LINE, PART = "\x1e", "\x1d", "\x1f"  # what stands between them in the file
_NO_SEPARATORS = dict.fromkeys(map(ord, RECORD + LINE + PART), " ")
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


class Writes:
    """What a line of a file has written."""

    def __init__(self) -> None:
        self.count = self.at = self.size = 0  # how often, as which one of all, and the characters of the first
        self.first: list[str] = []
        self.last: list[str] = []

    def add(self, text: str, at: int) -> None:
        """Keep a text, if it is one of the first or the last."""
        self.count += 1
        self.at = at
        if len(text) > LONGEST:
            text = text[-LONGEST:]
        if self.size < MOST_FIRST:
            self.first.append(text)
            self.size += 1 + len(text)
        self.last.append(text)
        if len(self.last) > 4 * MOST_LAST:  # seldom: it is called for each value that is printed
            del self.last[:-MOST_LAST]


class Printed:
    """Notes what each `print` in the user's own files writes: a number alone has the name of its call.

    `print` stays Python's own. It writes each value and what follows it by a call of the stream's `write`.
    """

    def __init__(self, file: str) -> None:
        self.file, self.process, self.count = file, os.getpid(), 0
        self.lines: dict[tuple[str, int], Writes | None] = {}

    def begin(self) -> None:
        """Note it from now on, and leave it in the file when the interpreter ends."""
        stream, original = sys.stdout, getattr(sys.stdout, "write", None)

        def write(text: str) -> int:
            try:
                frame = sys._getframe(1)  # noqa: SLF001  (no public name)
                while frame.f_code.co_name == "write" and frame.f_back:  # of a stream that writes to two others
                    frame = frame.f_back
                self.note(frame.f_code.co_filename, frame.f_lineno, text)
            except (ValueError, TypeError, AttributeError):
                pass  # no code writes it, as in a function at exit, or it is no text
            return original(text)  # type: ignore[misc, no-any-return]  # there is a stream

        try:
            stream.write = write  # type: ignore[method-assign]  # of this stream alone
        except AttributeError:
            return  # there is no stream, or a special one
        atexit.register(self.leave)

    def note(self, path: str, line: int, text: str) -> None:
        """Note what a line of a file writes now."""
        key = path, line
        try:
            writes = self.lines[key]
        except KeyError:
            is_installed = path.startswith((STANDARD, "<")) or any(part in path for part in INSTALLED)
            writes = self.lines[key] = None if is_installed or len(self.lines) >= MOST_LINES else Writes()
        if writes is not None:
            self.count += 1
            writes.add(text, self.count)

    def leave(self) -> None:
        """Write it to the file, unless this is a process that the script has forked."""
        lines: list[str] = []
        for key, each in self.lines.items():
            if each is not None:
                head = PART.join(map(str, (*key, each.count, each.at)))
                lines.append(LINE.join((head, _joined(each.first), _joined(each.last[-MOST_LAST:]))))
        if lines and os.getpid() == self.process:
            try:
                with open(self.file, "x", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123  (see TYPE_CHECKING)
                    file.write(RECORD.join(lines))
            except OSError:
                pass  # the disk is full: numbers alone have no names


def _joined(texts: Sequence[str]) -> str:
    return PART.join(text.translate(_NO_SEPARATORS) for text in texts)


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
