"""Files of packages: where a package is imported from, and what `python -m` calls a file of it."""

import ast
from pathlib import Path

from pytest_training.jobs.source.sources import Source


def depth_in_package(path: Path) -> int:
    """Return how many folders above a file are packages, one in the other."""
    return next(depth for depth, folder in enumerate(path.parents) if not (folder / "__init__.py").is_file())


def module_of(source: Source) -> str | None:
    """Return the dotted name under which `python -m` starts a file with relative imports, or None for other files."""
    level = max((node.level for node in source.tree.body if isinstance(node, ast.ImportFrom)), default=0)
    folders = source.path.parents[: max(level, depth_in_package(source.path))]
    return ".".join([*(folder.name for folder in reversed(folders)), source.path.stem]) if level else None
