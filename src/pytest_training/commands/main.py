"""The command line of `pytest-training`: imports the verb's module alone, and prints an error as one line.

No verb imports pytest or rich; `report` alone imports jinja2.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from pytest_training.errors import TrainingError
from pytest_training.project import find_project
from pytest_training.text import print_any_sign
from pytest_training.wording import did_you_mean

PROGRAM = "pytest-training"
VERBS = {
    "init": "write test_training_jobs.py, settings and a commented jobs.yaml for the scripts below this folder",
    "logs": "follow the log of a job of the run in progress, or print that of the last run",
    "history": "print the last runs of a job, or of all jobs",
    "report": "write the page and the summary of an earlier run, also of one that was killed",
}
"""Each is a module beside this one, with `add_arguments` and `answer`."""
USAGE = 2
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit."""
        self.exit(USAGE, f"{self.prog}: error: {message}\n")


def main(words: Sequence[str] | None = None) -> int:
    """Answer the command line; return the exit code."""
    words = sys.argv[1:] if words is None else words
    print_any_sign()
    try:
        _answer(words)
    except BrokenPipeError:  # `… logs als | head`: Python flushes stdout once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (TrainingError, OSError) as error:
        sys.stderr.write(f"{PROGRAM} {words[0]}: error: {error}\n")
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _answer(words: Sequence[str]) -> None:
    parser = Parser(prog=PROGRAM, description="Prepare a project for training; ask about its runs.")
    verb = words[0] if words else ""
    if verb not in VERBS and not verb.startswith("-"):
        suffix = f", found {verb!r}{did_you_mean(verb, VERBS)}" if verb else ""
        parser.error(f"expected one of {', '.join(VERBS)}{suffix}")
    module = _add_verbs(parser, verb)
    arguments = parser.parse_args(words)
    project = find_project(Path.cwd())
    if getattr(arguments, "reports", None):
        project = dataclasses.replace(project, reports=Path.cwd() / arguments.reports)
    module.answer(arguments, project)


def _add_verbs(parser: argparse.ArgumentParser, verb: str) -> Any:
    """Declare all verbs; import and return the module of one."""
    module = None
    parsers = parser.add_subparsers(metavar="VERB", required=True)
    for name, sentence in VERBS.items():
        each = parsers.add_parser(name, help=sentence, description=f"{sentence[0].upper()}{sentence[1:]}.")
        if name == verb:
            module = import_module(f"pytest_training.commands.{name}")
            module.add_arguments(each)
        if name != "init":
            each.add_argument("--reports", metavar="DIR", help="folder with the reports (default: of the settings)")
    return module
