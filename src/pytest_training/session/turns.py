"""Which tests may be trained before their turn: those where nothing of the user's but session fixtures comes first."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from pytest_training.fixture import FIXTURE
from pytest_training.pytest_adapter import fixtures_of

HOOKS = ("pytest_runtest_protocol", "pytest_runtest_setup", "pytest_runtest_call", "pytest_pyfunc_call")
HARMLESS = ("_pytest.", "pytest_training.")  # modules whose fixtures and hooks change nothing that a job sees
SIMPLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.Assert, ast.Return)


class Turn(Struct, frozen=True):
    """What a test does before it trains its job."""

    reason: str = ""  # why the job is trained in the test's own turn; empty if it may be trained before
    fixtures: frozenset[str] = frozenset()  # of the session, to be set up before the job starts


def turn_of(item: pytest.Item) -> Turn:
    """Return what a test does before it trains."""
    session = set()
    for name, each in fixtures_of(item):
        origin = str(getattr(each.func, "__module__", ""))
        if origin.startswith(HARMLESS) and "xunit" not in name:
            continue
        if each.scope != "session" or each.params:
            return Turn(f"its fixture {name} is not one for the whole session")
        session.add(name)
    if place := next(_own_hooks(item), ""):
        return Turn(f"{place} runs before it")
    function: Callable[..., object] | None = getattr(item, "function", None)
    if function is None or not _begins_with_training(function):
        return Turn(f"its first line is not {FIXTURE}.train()")
    return Turn(fixtures=frozenset(session))


def _own_hooks(item: pytest.Item) -> Iterator[str]:
    """Yield the hooks of the project that run around a test."""
    root = item.config.rootpath
    for name in HOOKS:
        for each in getattr(item.ihook, name).get_hookimpls():
            origin = each.function.__module__
            file = Path(getattr(sys.modules.get(origin), "__file__", None) or "/")
            if file.is_relative_to(root) and not ("site-packages" in file.parts or origin.startswith(HARMLESS)):
                yield f"{name} of {file.name}"


def _begins_with_training(function: Callable[..., object]) -> bool:
    """Return True if the test's first statement trains in any case."""
    try:
        test = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return False
    if not isinstance(test, ast.FunctionDef):
        return False
    if not all(ast.unparse(each).startswith("pytest.mark.") for each in test.decorator_list):
        return False
    first = test.body[1 if ast.get_docstring(test) and len(test.body) > 1 else 0]
    return isinstance(first, SIMPLE) and any(ast.unparse(each) == f"{FIXTURE}.train" for each in ast.walk(first))
