"""Reports a run to GitHub Actions: the step's summary, and an annotation for each failure."""

import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_training.execution.outcome import Status
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.reporters import console, markdown
from pytest_training.text import one_line

LARGEST_SUMMARY = 1_000_000  # bytes; GitHub refuses a step's summary above 1 MiB
MOST_ANNOTATIONS = 10  # GitHub shows ten of a kind per step
IN_TEXT = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
IN_PROPERTY = IN_TEXT | str.maketrans({":": "%3A", ",": "%2C"})


class Reporter:
    """Writes the step's summary; switches GitHub's commands off while pytest prints what jobs printed."""

    def __init__(self, config: pytest.Config) -> None:
        self.terminal: Any = config.pluginmanager.getplugin("terminalreporter")
        self.last_lines: list[str] = []

    def pytest_training_run_start(self) -> None:
        """Switch commands off: a job may print `::error::` or `::add-mask::`, and pytest prints logs of failed jobs."""
        if self.terminal is not None and os.environ.get("GITHUB_ACTIONS") == "true":
            token = secrets.token_hex(16)  # switches commands on again; no job can guess it
            self.terminal.write_line(f"::stop-commands::{token}")
            self.last_lines.append(f"::{token}::")

    def pytest_training_run_end(self, run: TrainingRun) -> None:
        """Add the summary, and note the annotations."""
        if os.environ.get("GITHUB_STEP_SUMMARY") and run.record is not None:
            problem = add_step_summary(markdown.summary(run, run.comparison))
            run.problems.extend([problem] if problem else [])
        self.last_lines += failure_annotations(run, os.environ)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Switch commands on again and annotate failures, after all that pytest writes of what jobs said."""
        for line in self.last_lines if self.terminal is not None else ():
            self.terminal.write_line(line)


def add_step_summary(text: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Append to the step's summary; return a sentence if that fails."""
    if not (path := environment.get("GITHUB_STEP_SUMMARY")):
        return None
    try:
        with Path(path).open("ab") as file:
            file.write(text.encode("utf-8", "replace")[:LARGEST_SUMMARY] + b"\n")
    except (OSError, ValueError) as error:
        return f"the step summary is not written: {error}"
    return None


def failure_annotations(run: TrainingRun, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yield the lines that GitHub turns into annotations; none outside GitHub."""
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    top, jobs = environment.get("GITHUB_WORKSPACE"), [planned.job for planned in run.plan.jobs]
    sources = {it.id: os.path.relpath(Path(it.root, it.source), top) if top else it.source for it in jobs}
    failed = [outcome for outcome in run.outcomes if outcome.status in {Status.FAILED, Status.INTERRUPTED}]
    for outcome in failed[:MOST_ANNOTATIONS]:
        file, _, line = sources.get(outcome.job_id, "").partition(":")
        title, line = f"training {one_line(outcome.job_id, 80)}", line if line.isdecimal() else ""
        place = {"file": file, "line": line, "title": title}
        properties = (f"{name}={one_line(value, 200).translate(IN_PROPERTY)}" for name, value in place.items() if value)
        kind = "warning" if outcome.optional else "error"
        yield f"::{kind} {','.join(properties)}::{console.sentence(outcome).translate(IN_TEXT)}"
