"""The steps of `run_all_training.py`: read, select, show or run, summarise."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_training.errors import DeclarationError
from pytest_training.project import Project, read_project
from pytest_training.run_all.arguments import Arguments, parse
from pytest_training.run_all.selection import NothingFoundError, Selection, select
from pytest_training.signals import EndingSignals
from pytest_training.text import print_any_sign

if TYPE_CHECKING:
    from pytest_training.run_all.summary import Ended

PARALLEL = "⚠️  Parallel mode enabled. Ensure sufficient resources."
PYTEST_TESTS_FAILED = 1


class Exit(IntEnum):
    """The exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOTHING_FOUND = 3
    INTERRUPTED = 130


def main(words: Sequence[str] | None = None, *, root: Path | None = None) -> int:
    """Do what the command line asks for in the project at `root` (default: here); return the exit code."""
    print_any_sign()
    arguments = parse(sys.argv[1:] if words is None else words)
    here = Path.cwd()
    project = read_project(root.resolve() if root else here)
    signals = EndingSignals()
    signals.take()
    try:
        return _act(arguments, project, select(arguments, project, here), here, signals)
    except NothingFoundError as error:
        return _refuse(error, Exit.NOTHING_FOUND)
    except DeclarationError as error:
        return _refuse(error, Exit.USAGE)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    finally:
        signals.give_back()


def _act(arguments: Arguments, project: Project, selection: Selection, here: Path, signals: EndingSignals) -> int:
    from pytest_training.run_all import display, pytest_command  # noqa: PLC0415  (an error is told without them)

    if arguments.list_jobs:
        return _show(display.listing(selection.selected, selection.request.kinds))
    if arguments.parallel and len(selection.selected) > 1:
        _show([PARALLEL])
    command = pytest_command.pytest_arguments(arguments, project, selection, here)
    if arguments.dry_run:
        lines = display.dry_run(selection.selected, selection.request.kinds)
        return _show([*lines, f"Equivalent: {pytest_command.shown(command)}"])
    status, ended = _train(command)
    signals.hold()  # the summary is finished whatever comes: it takes milliseconds
    return _summarise(arguments, project, selection, status, ended)


def _train(command: list[str]) -> tuple[int, Ended]:
    from pytest_training.execution.folder import utc_now  # noqa: PLC0415
    from pytest_training.run_all.summary import Ended  # noqa: PLC0415

    started = utc_now()
    try:
        from pytest_training.run_all.session import run_pytest  # noqa: PLC0415

        return run_pytest(command)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED, Ended(started, utc_now(), is_interrupted=True, folder=None)


def _summarise(arguments: Arguments, project: Project, selection: Selection, status: int, ended: Ended) -> int:
    from pytest_training.run_all.copies import copy_results  # noqa: PLC0415
    from pytest_training.run_all.summary import summarise, write_summary  # noqa: PLC0415

    summary = summarise(arguments, selection, ended)
    folder = arguments.summary_dir or project.reports
    try:
        _show([f"summary: {write_summary(summary, folder)}"])
    except OSError as error:
        return _refuse(f"cannot write the summary to {folder}: {error.strerror}", Exit.USAGE)
    outputs, logs = arguments.base_output_dir, arguments.logs_dir
    problems = list(copy_results(summary, selection.selected, outputs=outputs, logs=logs))
    for problem in problems:
        _refuse(problem, Exit.FAILED)
    code = exit_code(status, ended, summary, partial=arguments.allow_partial_success)
    return Exit.FAILED if problems and code == Exit.OK else code


def exit_code(status: int, ended: Ended, summary: dict[str, Any], *, partial: bool) -> int:
    """Return the exit code for pytest's."""
    if ended.is_interrupted:
        return Exit.INTERRUPTED
    if status == 0:
        return Exit.OK
    if status != PYTEST_TESTS_FAILED or ended.folder is None:
        return Exit.USAGE  # pytest's own usage and collection errors; it has said which
    return Exit.OK if partial and summary["totals"]["SUCCESS"] else Exit.FAILED


def _show(lines: Iterable[str]) -> int:
    try:
        for line in lines:
            print(line, flush=True)  # noqa: T201  (a command line prints)
    except BrokenPipeError:
        sys.stdout = None  # `| head` has read enough
    return Exit.OK


def _refuse(message: object, code: Exit) -> int:
    print(f"run_all_training.py: error: {message}", file=sys.stderr)  # noqa: T201
    return code
