"""Switches pytest's JUnit report and pytest-json-report on when a run begins, and gives their files their names.

Both are switched on late, so that a session which trains nothing is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_training.execution.folder import write_atomically


def enable_json_report(config: pytest.Config) -> str | None:
    """Switch pytest-json-report on; return a sentence when that cannot be."""
    manager = config.pluginmanager
    plugin: Any = manager.getplugin("pytest_jsonreport")
    if plugin is None or manager.is_blocked("json-report") or manager.is_blocked("jsonreport"):
        return "report.json is not written: the plugin pytest-json-report is switched off or not installed"
    if not config.option.json_report:
        config.option.json_report = True
        config.option.json_report_file = ""  # we write it ourselves, atomically
        config.option.json_report_verbosity = -1
        plugin.pytest_configure(config)
        config._json_report.pytest_sessionstart(None)  # type: ignore[attr-defined]  # noqa: SLF001
    return None


@dataclass
class JunitFile:
    """pytest's JUnit report, written under a temporary name."""

    xml: Any
    final: Path
    ours: bool
    done: bool = False

    @classmethod
    def enable(cls, config: pytest.Config, path: Path) -> JunitFile | None:
        """Switch the report on unless the user did; None when pytest's plugin is off."""
        plugin: Any = config.pluginmanager.getplugin("junitxml")
        if plugin is None:
            return None
        ours = not config.option.xmlpath
        if ours:
            config.option.xmlpath = str(path.with_name(".junit.xml.partial"))
            plugin.pytest_configure(config)
            config.option.xmlpath = None  # workers would write one too
        xml = config.stash.get(plugin.xml_key, None)
        if xml is None:
            return None
        if ours:
            xml.pytest_sessionstart()
        return cls(xml, path, ours)

    def publish(self, stable: Path) -> None:
        """Give the finished file its name in the run folder and its stable name for CI."""
        written = Path(self.xml.logfile)
        if self.done or not written.exists():
            return
        self.done = True
        content = written.read_bytes()
        write_atomically(self.final, content)
        write_atomically(stable, content)
        if self.ours:
            written.unlink()
            self.xml.logfile = str(stable)
