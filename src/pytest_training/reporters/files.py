"""Switches pytest's JUnit report and pytest-json-report on when a run begins, and gives their files their names.

Both are switched on late, so that a session which trains nothing is left alone.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_training.atomic import write_atomically
from pytest_training.execution.outcome import Outcome
from pytest_training.reporters.junit import junit_properties


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
        config.option.tbstyle = config.getoption("tbstyle", "auto")  # it asks for it with `-p no:terminal` too
        plugin.pytest_configure(config)
        config._json_report.pytest_sessionstart(None)  # type: ignore[attr-defined]  # noqa: SLF001
    return None


def _nowhere() -> Path | None:
    """Return a file in memory, None where there is no such thing: pytest raises what a full disk says, and ends."""
    if not hasattr(os, "memfd_create"):
        return None
    path = Path(f"/proc/self/fd/{os.memfd_create('junit.xml')}")  # lives as long as the process
    return path if path.exists() else None


@dataclass
class JunitFile:
    """pytest's JUnit report, written to memory or under a temporary name."""

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
            config.option.xmlpath = str(_nowhere() or path.with_name(".junit.xml.partial"))
            plugin.pytest_configure(config)
            config.option.xmlpath = None  # workers would write one too
        xml = config.stash.get(plugin.xml_key, None)
        if xml is None:
            return None
        if ours:
            xml.pytest_sessionstart()
        return cls(xml, path, ours)

    def tell(self, report: pytest.TestReport, outcome: Outcome) -> None:
        """Give the case that a report is about the job's properties, and the training's own duration as its time."""
        report.user_properties.extend(junit_properties(outcome))
        is_counted = self.xml.report_duration in {"total", report.when}
        # pytest adds this report's duration; without it stands what waiting for a slot and the set-up took.
        self.xml.node_reporter(report).duration = outcome.wall_s - (report.duration if is_counted else 0.0)

    def publish(self, stable: Path) -> None:
        """Give the finished file its name in the run folder and its stable name for CI."""
        written = Path(self.xml.logfile)
        content = written.read_bytes() if written.exists() and not self.done else b""
        if not content:
            return
        self.done = True
        try:
            write_atomically(self.final, content)
            write_atomically(stable, content)
        except OSError as error:
            self.xml.logfile = f"none ({error.strerror})"  # pytest tells where it is
            raise
        if self.ours:
            with contextlib.suppress(OSError):
                written.unlink()
            self.xml.logfile = str(stable)
