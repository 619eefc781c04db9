"""Calls the plugin's own hooks, each implementation by itself: an error in one harms neither the run nor the others."""

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_training.errors import FROM_OTHERS
from pytest_training.options import shown_path

Errors = tuple[type[BaseException], ...]
RAISED: Errors = (*FROM_OTHERS, pytest.fail.Exception, pytest.skip.Exception)
"""What an implementation may raise; Ctrl-C ends the run, as elsewhere."""


def call_each(config: pytest.Config, hook: str, raised: Errors = RAISED, /, **arguments: Any) -> Iterator[str]:
    """Call every implementation of a hook in pluggy's order; yield a sentence for each that raised one of these."""
    manager = config.pluginmanager
    implementations = getattr(config.hook, hook).get_hookimpls()[::-1]  # pluggy calls the last first
    for each in implementations:
        others = [other.plugin for other in implementations if other is not each]
        try:
            manager.subset_hook_caller(hook, others)(**arguments)
        except raised as error:  # a user's hook may raise anything
            name, last = each.plugin_name, traceback.extract_tb(error.__traceback__)[-1]
            plugin = shown_path(Path(name), config) if Path(name).is_absolute() else name
            place = f"{Path(last.filename).name}:{last.lineno}"
            yield f"{hook} of {plugin} raised {type(error).__name__}: {error} ({place})"


def call_before_training(config: pytest.Config, hook: str, /, **arguments: Any) -> None:
    """Call every implementation of a hook; raise a usage error that names the plugin if one raises."""
    for failure in call_each(config, hook, **arguments):
        raise pytest.UsageError(failure)
