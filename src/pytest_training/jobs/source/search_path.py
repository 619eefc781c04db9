"""Where a file's imports may lie beside its own folder: what it adds to `sys.path`, and what is there already."""

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pytest_training.jobs.source.literals import walk

LEVELS = 4  # folders around a file from which it may name another
LONGEST = 200  # characters of a text that may be part of a path
_CHANGES = re.compile(r"sys\.path\b|addsitedir")


def added_texts(tree: ast.Module) -> Iterator[str]:
    """Yield the texts of each statement that changes `sys.path`, alone and joined: `lib` of `str(ROOT / "lib")`."""
    values: dict[str, ast.AST] = {}
    for node in walk(tree):
        if isinstance(node, ast.Assign | ast.For):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            value = node.value if isinstance(node, ast.Assign) else node.iter
            values |= {each.id: value for each in targets if isinstance(each, ast.Name)}
        if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign) and _CHANGES.search(ast.unparse(node)):
            texts = [text for text in _texts(node, dict(values)) if len(text) <= LONGEST]
            yield from ("", *texts, "/".join(texts))


def _texts(node: ast.AST, values: dict[str, ast.AST]) -> Iterator[str]:
    """Yield the texts in a node, and in the values of its names; a value counts once."""
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and each.id in values:
            yield from _texts(values.pop(each.id), values)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def added_folders(path: Path, root: Path, added: tuple[str, ...]) -> Iterator[Path]:
    """Yield the project's folders that parts of paths may mean, from the root or from a folder around the file."""
    for text in added:
        for start in dict.fromkeys((root, *path.parents[:LEVELS])):
            folder = Path(os.path.normpath(start / text))
            if folder.is_relative_to(root):
                yield folder


def search_path(root: Path) -> Iterator[Path]:
    """Yield the project's folders in `sys.path` that hold nothing installed: of PYTHONPATH, of editable installs."""
    for folder in map(Path, filter(None, sys.path)):
        if folder.is_relative_to(root) and {"site-packages", "dist-packages"}.isdisjoint(folder.parts):
            yield folder
