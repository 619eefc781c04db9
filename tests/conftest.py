"""What the tests of the plugin share."""

from __future__ import annotations

import signal

import pytest

pytest_plugins = ["pytester"]

for ignored in (signal.SIGINT, signal.SIGHUP):  # as a shell's background job and nohup do; children inherit it
    if signal.getsignal(ignored) == signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored == signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow tests, most of which train all twelve jobs, unless `-m` is given: `-m slow` runs them."""
    if config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)
