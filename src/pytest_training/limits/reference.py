"""Limits from outside, for processes that load no plugin and no conftest.py: a source file and the name of a class."""

from __future__ import annotations

import importlib.machinery
import inspect
import sys
import types
from pathlib import Path

import msgspec

from pytest_training.errors import DeclarationError
from pytest_training.limits.protocol import Limit


class LimitReference(msgspec.Struct, frozen=True):
    """Where the class of a limit is defined."""

    key: str
    file: str
    class_name: str


def refer(limit: Limit) -> LimitReference:
    """Return the reference to a limit's class; raise DeclarationError if no other process could load it."""
    kind = type(limit)
    if "<locals>" in kind.__qualname__:
        raise DeclarationError(f"limit {limit.key!r}: expected its class at the top of a file, found it in a function")
    return LimitReference(limit.key, inspect.getfile(kind), kind.__qualname__)


def load_limit(reference: LimitReference) -> Limit:
    """Load the file under a name of its own and return a limit of the class; raise DeclarationError if that fails."""
    name = f"pytest_training_limit_{Path(reference.file).stem}_{reference.key}"
    try:
        loader = importlib.machinery.SourceFileLoader(name, reference.file)
        sys.modules[name] = module = types.ModuleType(name)
        module.__file__ = reference.file
        loader.exec_module(module)
        limit: Limit = getattr(module, reference.class_name)()
    except (Exception, SystemExit) as error:  # a project's file may raise anything
        raise DeclarationError(
            f"limit {reference.key!r} cannot be loaded from {reference.file}: {type(error).__name__}: {error}"
        ) from error
    return limit
