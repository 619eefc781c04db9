"""Calls the plugin's own hooks, each implementation by itself: one that raises harms neither the run nor the others."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_training.options import shown_path

RAISED = (Exception, SystemExit, pytest.fail.Exception, pytest.skip.Exception)
"""What an implementation may raise; Ctrl-C ends the run, there as elsewhere."""


def call_each(config: pytest.Config, hook: str, /, **arguments: Any) -> list[str]:
    """Call every implementation of a hook in pluggy's order; return a sentence for each that raised."""
    return list(_failures(config, hook, arguments))


def call_before_training(config: pytest.Config, hook: str, /, **arguments: Any) -> None:
    """Call every implementation of a hook; raise a usage error that names the plugin if one raises."""
    for failure in _failures(config, hook, arguments):
        raise pytest.UsageError(failure)


def _failures(config: pytest.Config, hook: str, arguments: dict[str, Any]) -> Iterator[str]:
    manager = config.pluginmanager
    implementations = getattr(config.hook, hook).get_hookimpls()[::-1]  # pluggy begins with the last
    for each in implementations:
        others = [other.plugin for other in implementations if other is not each]
        try:
            manager.subset_hook_caller(hook, others)(**arguments)
        except RAISED as error:  # a user's hook may raise anything
            yield _failure(hook, _plugin(each.plugin_name, config), error)


def _failure(hook: str, plugin: str, error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{hook} of {plugin} raised {type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"


def _plugin(name: str, config: pytest.Config) -> str:
    """Return a plugin's name, for a conftest.py its path as the user would type it."""
    return shown_path(Path(name), config) if Path(name).is_absolute() else name
