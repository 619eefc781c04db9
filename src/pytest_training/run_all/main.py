"""The steps of `run_all_training.py`: parse, select, show or run, summarise."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_training.errors import DeclarationError
from pytest_training.project import Project, read_project
from pytest_training.run_all.arguments import Arguments, parse
from pytest_training.run_all.selection import NothingFoundError, Selection, dry_run, listing, pytest_arguments, select
from pytest_training.signals import EndingSignals
from pytest_training.text import print_any_sign

if TYPE_CHECKING:
    from pytest_training.run_all.session import Session

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
    """Carry out the command line in the project at `root` (default: here); return the exit code."""
    print_any_sign()
    arguments = parse(sys.argv[1:] if words is None else words)
    here = Path.cwd()
    project = read_project(root.resolve() if root else here)
    signals = EndingSignals()
    signals.take()
    try:
        selection = select(arguments, project, here)
        if arguments.list_:
            return _show(listing(selection.selected, selection.request.kinds))
        if arguments.parallel and len(selection.selected) > 1:
            _show([PARALLEL])
        command = pytest_arguments(arguments, project, selection, here)
        if arguments.dry_run:
            lines = dry_run(selection.selected, selection.request.kinds)
            return _show([*lines, f"Equivalent: {shlex.join(['pytest', *command])}"])
        from pytest_training.run_all.session import Session  # noqa: PLC0415  (only training needs it)

        session = Session()
        session.run(command)
        signals.hold()  # the summary is finished whatever comes: it takes milliseconds
        return _summarise(arguments, project, selection, session)
    except DeclarationError as error:
        return _refuse(error, Exit.NOTHING_FOUND if isinstance(error, NothingFoundError) else Exit.USAGE)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    finally:
        signals.give_back()


def _summarise(arguments: Arguments, project: Project, selection: Selection, session: Session) -> int:
    from pytest_training.run_all.session import copy_results, summarise, write_summary  # noqa: PLC0415  (as above)

    summary, folder = summarise(arguments, selection, session), arguments.summary_dir or project.reports
    try:
        _show([f"summary: {write_summary(summary, folder)}"])
    except OSError as error:
        return _refuse(f"cannot write the summary to {folder}: {error.strerror}", Exit.USAGE)
    problems = list(copy_results(summary, selection.selected, arguments.base_output_dir, arguments.logs_dir))
    for problem in problems:
        _refuse(problem, Exit.FAILED)
    if session.is_interrupted:
        return Exit.INTERRUPTED
    if session.status == 0:
        return Exit.FAILED if problems else Exit.OK
    if session.status != PYTEST_TESTS_FAILED or session.folder is None:
        return Exit.USAGE  # pytest has printed its own usage or collection error
    is_enough = arguments.allow_partial_success and summary["totals"]["SUCCESS"] and not problems
    return Exit.OK if is_enough else Exit.FAILED


def _show(lines: Iterable[str]) -> int:
    try:
        for line in lines:
            print(line, flush=True)  # noqa: T201  (a command line prints)
    except BrokenPipeError:
        sys.stdout = None  # `| head` has read enough
    return Exit.OK


def _refuse(message: object, code: Exit) -> int:
    print(f"run_all_training.py: error: {message}", file=sys.stderr)  # noqa: T201  (a command line prints)
    return code
