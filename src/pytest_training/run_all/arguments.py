"""The flags of `run_all_training.py`, read into one value."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_WORKERS = 4


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line asks for."""

    words: tuple[str, ...]
    """The command line as it was typed."""
    parallel: bool
    max_workers: int
    epochs: int | None
    folds: int | None
    sample: int | None
    batch: int | None
    only: list[str] | None
    exclude: list[str] | None
    list_jobs: bool
    dry_run: bool
    retries: int | None
    config: Path | None
    extra_arg: list[str]
    base_output_dir: Path | None
    logs_dir: Path | None
    summary_dir: Path | None
    verbose: bool
    allow_partial_success: bool
    no_auto_discover: bool
    discover_root: list[Path]
    include_pattern: list[str]
    exclude_regex: list[str]
    discovery_limit: int | None
    allow_discovery_overrides: bool
    no_default_jobs: bool
    mark_discovered_optional: bool
    strict_discovery: bool


def parse(words: Sequence[str]) -> Arguments:
    """Read the command line; a mistake ends the process with exit code 2."""
    return Arguments(words=tuple(words), **vars(_parser().parse_args(_joined(words))))


def _joined(words: Sequence[str]) -> list[str]:
    """Write `--extra-arg --quick` as `--extra-arg=--quick`, which argparse can read."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--extra-arg":
            joined[-1] = f"--extra-arg={word}"
        else:
            joined.append(word)
    return joined


def at_least(minimum: int) -> type[int]:
    """Return what reads a whole number of at least that for argparse."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < minimum:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {minimum}, found {text!r}")
        return int(text)

    return read  # type: ignore[return-value]  # argparse calls it, whatever it is


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_all_training.py",
        description="Train all models, one after another or several at a time. Each flag becomes an option of pytest; "
        "--dry-run prints the equivalent pytest command.",
        epilog="exit codes: 0 ok, 1 a mandatory job failed, 2 bad usage or configuration, 3 strict discovery found "
        "nothing, 130 interrupted",
        allow_abbrev=False,
    )
    running = parser.add_argument_group("running")
    running.add_argument("--parallel", action="store_true", help="train several jobs at a time")
    running.add_argument(
        "--max-workers", type=at_least(1), default=MAX_WORKERS, metavar="N", help="jobs at a time (default: 4)"
    )
    running.add_argument("--retries", type=at_least(0), metavar="N", help="further attempts of a job that fails")
    running.add_argument("--allow-partial-success", action="store_true", help="exit with 0 when any job succeeded")
    running.add_argument("--verbose", action="store_true", help="a line for each job's outcome as pytest -v shows it")
    running.add_argument("--list", dest="list_jobs", action="store_true", help="list the jobs and end")
    running.add_argument("--dry-run", action="store_true", help="show what would be trained and end")
    parameters = parser.add_argument_group("parameters")
    for name in ("epochs", "folds", "sample", "batch"):
        parameters.add_argument(f"--{name}", type=at_least(1), metavar="N", help=f"{name} of every job that has them")
    parameters.add_argument(
        "--extra-arg", action="append", default=[], metavar="TEXT", help="an extra argument for every script"
    )
    _add_selection(parser)
    _add_discovery(parser)
    folders = parser.add_argument_group("folders")
    folders.add_argument("--base-output-dir", type=Path, metavar="DIR", help="copy each job's artifacts to DIR/<job>")
    folders.add_argument("--logs-dir", type=Path, metavar="DIR", help="copy each job's log to DIR/<job>.log")
    folders.add_argument("--summary-dir", type=Path, metavar="DIR", help="folder of the summary (default: reports)")
    return parser


def _add_selection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("selecting")
    group.add_argument("--only", nargs="+", action="extend", metavar="ID", help="train these jobs")
    group.add_argument("--exclude", nargs="+", action="extend", metavar="ID", help="train all but these jobs")


def _add_discovery(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("finding jobs")
    group.add_argument("--config", type=Path, metavar="FILE", help="YAML with further jobs, or settings of known ones")
    group.add_argument("--no-auto-discover", action="store_true", help="do not search the folders of --discover-root")
    group.add_argument(
        "--discover-root", nargs="+", action="extend", type=Path, default=[], metavar="DIR", help="search here too"
    )
    group.add_argument(
        "--include-pattern",
        nargs="+",
        action="extend",
        default=[],
        metavar="GLOB",
        help="files that are jobs (default: train_*.py)",
    )
    group.add_argument(
        "--exclude-regex", nargs="+", action="extend", default=[], metavar="REGEX", help="files that are none"
    )
    group.add_argument("--discovery-limit", type=at_least(1), metavar="N", help="find at most N jobs in a folder")
    group.add_argument(
        "--allow-discovery-overrides", action="store_true", help="a job found there replaces one with the same id"
    )
    group.add_argument("--no-default-jobs", action="store_true", help="leave the project's own jobs out")
    group.add_argument("--mark-discovered-optional", action="store_true", help="jobs found there may fail")
    group.add_argument("--strict-discovery", action="store_true", help="exit with 3 when nothing is found")
