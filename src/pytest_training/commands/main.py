"""The command line of `pytest-training`: imports only what the verb needs, and prints an error as one line.

No verb imports pytest or rich; `report` alone imports jinja2.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from msgspec.structs import replace

from pytest_training import __version__
from pytest_training.errors import TrainingError
from pytest_training.project import find_project
from pytest_training.text import print_any_sign
from pytest_training.wording import one_of

PROGRAM = "pytest-training"
VERBS = {
    "init": "write test_training_jobs.py, settings and a commented jobs.yaml for the scripts below this folder",
    "status": "print how far the run in progress is, or what the last run came to",
    "guide": "print one page of commands and files, for a program that drives pytest-training",
    "logs": "follow the log of a job of the run in progress, or print that of the last run",
    "history": "print the last runs of a job, or of all jobs",
    "report": "write the page and the summary of an earlier run, also of one that was killed",
    "compare": "compare the predictions of two jobs, or of two runs of a job, on the same people, by paired tests",
    "runs": "list all runs: what they trained, what passed, and which jobs have their best outcome there",
    "diff": "compare two runs without training: statuses, metrics, parameters, versions",
    "best": "print the folder of the best passed outcome of a job",
    "table": "print the trials of a study, the best first, with their parameters and metrics",
    "prune": "remove old run folders that nothing refers to; the history stays",
    "save-durations": "write how long jobs took here to durations.json beside them, for first runs on other machines",
}
PLACES = dict.fromkeys(("runs", "diff", "best", "prune"), "runs") | dict.fromkeys(("init", "save-durations"), "prepare")
PLACES |= {"compare": "comparing", "table": "studies", "status": "status"}
"""Each verb is a function of its name: these in these modules, the others in answers.py."""
JOB = {"metavar": "JOB", "help": "the job's id"}
RUN = {"metavar": "RUN", "nargs": "?", "default": "last"}
JSON = {"action": "store_true", "help": "print the answer as JSON"}
REPORTS = {"metavar": "DIR", "help": "folder with the reports (default: of the settings)"}
ARGUMENTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "init": {
        "--root": {"metavar": "DIR", "help": "folder with the training jobs (default: where the scripts are)"},
        "--include": {"action": "append", "metavar": "PATTERN", "help": "files that are jobs (default: auto)"},
        "--exclude": {"action": "append", "metavar": "REGEX", "help": "files that are not jobs, by their paths"},
    },
    "status": {
        "run": RUN | {"help": "id of a run, or its beginning (default: the run in progress, else the last)"},
        "--json": JSON,
    },
    "guide": {},
    "logs": {"job": JOB},
    "history": {"job": JOB | {"nargs": "?", "help": "the job's id (default: all jobs)"}, "--json": JSON},
    "report": {
        "run": RUN | {"help": "id of the run, or its beginning (default: the last run)"},
        "--compare": {
            "metavar": "WHAT",
            "default": "last",
            "help": "compare with a run, branch or commit (default: last)",
        },
        "--json": JSON,
    },
    "compare": {
        "first": {"metavar": "A", "help": "a job's id, or JOB@RUN with the id of a run or its beginning"},
        "second": {"metavar": "B", "help": "job to compare it with, stated like A"},
        "--name": {"metavar": "NAME", "default": "", "help": "name of the predictions, if a job has several"},
        "--json": JSON,
    },
    "table": {
        "study": {"metavar": "STUDY", "help": "the study's id"},
        "--run": {"metavar": "RUN", "help": "id of the run, or its beginning (default: the newest that has the study)"},
        "--csv": {"action": "store_true", "help": "print all trials as CSV, with exact numbers"},
        "--json": JSON,
    },
    "runs": {"--json": JSON},
    "diff": {
        "first": RUN | {"metavar": "A", "default": "previous", "help": "id of a run, its beginning, last or previous"},
        "second": RUN | {"metavar": "B", "help": "the run that is compared with it (default: last)"},
        "--json": JSON,
    },
    "best": {"job": JOB, "--json": JSON},
    "prune": {
        "--keep": {"metavar": "N", "type": int, "required": True, "help": "number of newest runs to keep in any case"},
        "--dry-run": {"action": "store_true", "help": "show what would be removed, and remove nothing"},
        "--json": JSON,
    },
    "save-durations": {},
}
"""The arguments of each verb, as `add_argument` takes them; all but `init` take `--reports` too."""
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
    parser = _parser()
    verb = words[0] if words else ""
    if verb not in VERBS and not verb.startswith("-"):
        named = one_of(verb, VERBS, limit=len(VERBS))
        parser.error(f"unknown verb {verb!r}: {named}" if verb else f"expected one of {', '.join(VERBS)}")
    arguments = parser.parse_args(words)
    project = find_project(Path.cwd())
    if getattr(arguments, "reports", None):
        project = replace(project, reports=Path.cwd() / arguments.reports)
    module = import_module(f"pytest_training.commands.{PLACES.get(verb, 'answers')}")
    getattr(module, verb.replace("-", "_"))(arguments, project)


def _parser() -> Parser:
    parser = Parser(prog=PROGRAM, description="Prepare a project for training; ask about its runs.")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}", help="print the version")
    parsers = parser.add_subparsers(metavar="VERB", required=True)
    for name, sentence in VERBS.items():
        each = parsers.add_parser(name, help=sentence, description=f"{sentence[0].upper()}{sentence[1:]}.")
        shared = {} if name == "init" else {"--reports": REPORTS}
        for argument, settings in {**ARGUMENTS[name], **shared}.items():
            each.add_argument(argument, **settings)
    return parser
