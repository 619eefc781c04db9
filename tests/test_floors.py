"""The house: each floor of src/pytest_training imports those below it, and never one above."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest_training

SOURCE = Path(pytest_training.__file__).parent
FLOORS = (
    ("accidents", "errors", "fixture", "places", "signals"),
    ("atomic", "git", "machine", "processes", "pytest_adapter", "text", "wording", "project"),
    ("units",),
    ("evaluation",),
    ("limits",),
    ("jobs",),
    ("execution",),
    ("records",),
    ("planning",),
    ("registry",),
    ("options", "hookspecs"),
    ("option_values",),
    ("reporters",),
    ("session",),
    ("run_all", "commands", "shipped"),
    ("plugin", "__init__", "__main__"),
)
"""From the ground up; names on one floor do not import each other."""
ALLOWED = {
    ("__init__", "execution"),  # the type `Run` for type checkers, loaded on demand
    ("plugin", "__init__"),
    ("commands", "__init__"),  # the version
}
"""What may differ, each with its reason."""


def test_floors_import_downwards_only() -> None:
    height = {name: index for index, floor in enumerate(FLOORS) for name in floor}
    wrong = [
        f"{path.relative_to(SOURCE)} imports {target}"
        for path in sorted(SOURCE.rglob("*.py"))
        for target in sorted(set(_imported(path)))
        if (own := _room(path)) != target and height[target] >= height[own] and (own, target) not in ALLOWED
    ]
    assert wrong == []


def _room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def _imported(path: Path) -> Iterator[str]:
    """Yield the rooms that a module imports, anywhere in it: at its top, in a function, for type checkers."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        for parts in (module.split(".") for module in modules):
            if parts[0] == "pytest_training" and len(parts) > 1:
                is_room = (SOURCE / parts[1]).is_dir() or (SOURCE / f"{parts[1]}.py").is_file()
                yield parts[1] if is_room else "__init__"
