"""Seeds the global generators of a job's process, also those of libraries that are imported later.

Python imports it by this name when a script's own interpreter starts; then it needs nothing but the standard library.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys

TYPE_CHECKING = False  # typing, contextlib and pathlib take 10 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType
    from typing import Any, Self

VARIABLE = "TRAINING_GENERATORS"  # environment variable with the seed for a script's own interpreter


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


def _start() -> None:
    """Seed, remove every trace, and do what the user's own sitecustomize does."""
    Seeder(int(os.environ.pop(VARIABLE))).__enter__()
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


if __name__ == "sitecustomize" and VARIABLE in os.environ:
    _start()
