"""The flags of `run_all_training.py`, read into one value."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from msgspec import Struct


def at_least(minimum: int) -> Callable[[str], int]:
    """Return a function that parses a whole number of at least `minimum` for argparse."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < minimum:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {minimum}, found {text!r}")
        return int(text)

    return read


SWITCH = {"action": "store_true"}
COUNT = {"type": at_least(1), "metavar": "N"}
RETRIES = {"type": at_least(0), "metavar": "N"}
TEXTS = {"action": "append", "default": [], "metavar": "TEXT"}
IDS = {"nargs": "+", "action": "extend", "metavar": "ID"}
FOLDER = {"type": Path, "metavar": "DIR"}
FILE = {"type": Path, "metavar": "FILE"}
SEVERAL = {"nargs": "+", "action": "extend", "default": []}
FOLDERS = SEVERAL | FOLDER
GLOBS = SEVERAL | {"metavar": "GLOB"}
REGEXES = SEVERAL | {"metavar": "REGEX"}
PARAMETERS = {"sample": ("sample", "samples", "sample_size"), "batch": ("batch", "batch_size")}
"""Parameters that `--sample` and `--batch` set, wherever a job has one."""


class Arguments(Struct, frozen=True, kw_only=True):
    """The values of the flags: each annotation has the flag's group, its help and its arguments for argparse."""

    words: tuple[str, ...]  # the command line as it was typed
    parallel: Annotated[bool, "running", "train several jobs at a time", SWITCH]
    max_workers: Annotated[int, "running", "jobs at a time (default: 4)", {**COUNT, "default": 4}]
    retries: Annotated[int | None, "running", "further attempts of a job that fails", RETRIES]
    allow_partial_success: Annotated[bool, "running", "exit with 0 when any job succeeded", SWITCH]
    verbose: Annotated[bool, "running", "a line for each job's outcome, as with -v of pytest", SWITCH]
    list_: Annotated[bool, "running", "list the jobs and end", SWITCH]
    dry_run: Annotated[bool, "running", "show the commands and end", SWITCH]
    epochs: Annotated[int | None, "parameters", "epochs of every job that has them", COUNT]
    folds: Annotated[int | None, "parameters", "folds of every job that has them", COUNT]
    sample: Annotated[int | None, "parameters", "sample of every job that has them", COUNT]
    batch: Annotated[int | None, "parameters", "batch of every job that has them", COUNT]
    extra_arg: Annotated[list[str], "parameters", "an extra argument for every script and command", TEXTS]
    only: Annotated[list[str] | None, "selecting", "train these jobs", IDS]
    exclude: Annotated[list[str] | None, "selecting", "train all but these jobs", IDS]
    config: Annotated[Path | None, "finding jobs", "YAML with further jobs or settings of jobs", FILE]
    no_auto_discover: Annotated[bool, "finding jobs", "do not search the folders of --discover-root", SWITCH]
    discover_root: Annotated[list[Path], "finding jobs", "search here too", FOLDERS]
    include_pattern: Annotated[list[str], "finding jobs", "files that are jobs (default: train_*.py)", GLOBS]
    exclude_regex: Annotated[list[str], "finding jobs", "files that are not jobs", REGEXES]
    discovery_limit: Annotated[int | None, "finding jobs", "at most N jobs of a folder", COUNT]
    allow_discovery_overrides: Annotated[bool, "finding jobs", "jobs of further folders replace others", SWITCH]
    no_default_jobs: Annotated[bool, "finding jobs", "leave the project's own jobs out", SWITCH]
    mark_discovered_optional: Annotated[bool, "finding jobs", "jobs of further folders may fail", SWITCH]
    strict_discovery: Annotated[bool, "finding jobs", "exit with 3 when no job exists", SWITCH]
    base_output_dir: Annotated[Path | None, "folders", "copy each job's artifacts to DIR/<job>", FOLDER]
    logs_dir: Annotated[Path | None, "folders", "copy each job's log to DIR/<job>.log", FOLDER]
    summary_dir: Annotated[Path | None, "folders", "folder of the summary (default: reports)", FOLDER]


def flags() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return the group, the help and the arguments for argparse of each flag, by the field's name."""
    hints = get_type_hints(Arguments, include_extras=True)
    return {name: hint.__metadata__ for name, hint in hints.items() if name != "words"}


def parse(words: Sequence[str]) -> Arguments:
    """Parse the command line; a mistake ends the process with exit code 2."""
    parser = argparse.ArgumentParser(
        prog="run_all_training.py",
        description="Train all models, one after another or several at a time. Each flag becomes an option of pytest; "
        "--dry-run prints the equivalent pytest command.",
        epilog="exit codes: 0 ok, 1 a mandatory job failed, 2 bad usage or configuration, 3 strict discovery without "
        "a job, 130 interrupted",
        allow_abbrev=False,
    )
    groups = {group: parser.add_argument_group(group) for group in dict.fromkeys(row[0] for row in flags().values())}
    for name, (group, text, how) in flags().items():
        groups[group].add_argument(f"--{name.rstrip('_').replace('_', '-')}", dest=name, help=text, **how)
    return Arguments(words=tuple(words), **vars(parser.parse_args(_joined(words))))


def _joined(words: Sequence[str]) -> list[str]:
    """Return the words with `--extra-arg --quick` as `--extra-arg=--quick`, which argparse can parse."""
    joined: list[str] = []
    for word in words:
        is_value = joined[-1:] == ["--extra-arg"]
        joined.append(f"{joined.pop()}={word}" if is_value else word)
    return joined
