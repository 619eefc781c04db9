"""Reports on a run: plugins that implement the plugin's own hooks, one module each, or the class `Reporter` in it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

REPORTERS = ("history", "json_report", "junit", "html.running", "markdown", "github", "audit", "terminal")
"""Modules in the order in which they are called; the history is first, so that reports have its problems."""


def load_reporters(config: pytest.Config) -> Iterator[tuple[str, object]]:
    """Yield each reporter with the name of its plugin; they are imported here, when a run begins."""
    from pytest_training.options import DOORS, secret_values  # noqa: PLC0415  (the verbs of the console do without pytest)

    for name in REPORTERS:
        module = import_module(f"{__name__}.{name}")
        reporter = module.Reporter(config) if hasattr(module, "Reporter") else module
        yield f"training-{name.partition('.')[0]}", reporter
    for setting in filter(lambda each: secret_values(config, each), DOORS):
        from pytest_training.reporters.door import Door  # noqa: PLC0415  (few runs need it)

        yield f"training-{setting}", Door(config, setting, f"{__name__}.{DOORS[setting]}")
