"""Checks of `run_all_training.py` for two programs of the root. Each check returns what is wrong, or an empty text."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROGRAM = "run_all_training.py"
SUITE = "tests/run_all/test_selection.py"


def main(root: Path, words: Sequence[str] | None = None) -> int:
    """Run the five checks and print the result of each; return 0 if all hold."""
    parser = argparse.ArgumentParser(
        description="Check run_all_training.py: its tests, list, dry run, parallel, filter."
    )
    parser.add_argument("--suite", default=SUITE, help="tests to run first")
    suite = parser.parse_args(words).suite
    if problem := check_list(root):
        print("FAILED the list names jobs", problem, sep="\n")
        return 1
    problems = [
        _show("the suite passes", _check(root, ["-m", "pytest", "-q", suite], " passed")),
        *(_show(sentence, check(root)) for sentence, check in CHECKS.items()),
    ]
    return 1 if any(problems) else 0


def check_list(root: Path) -> str:
    """Check that the list names jobs."""
    number = len(_ids(root))
    return _check(root, [PROGRAM, "--list"], f"{number} job" if number else "a table of jobs")


def check_dry_run(root: Path) -> str:
    """Check that a dry run shows the parameters that are set."""
    arguments = ["--dry-run", "--epochs", "7", "--folds", "4"]
    return _check(root, [PROGRAM, *arguments], f"Selected jobs: {len(_ids(root))}\n", "epochs=7", "folds=4")


def check_parallel(root: Path) -> str:
    """Check that a parallel dry run takes the jobs that are named."""
    arguments = ["--parallel", "--dry-run", "--only", *_ids(root)[:2]]
    return _check(root, [PROGRAM, *arguments], "Parallel mode enabled", "Selected jobs: 2\n")


def check_filter(root: Path) -> str:
    """Check that an excluded job is left out, and no other."""
    first, *others = _ids(root)
    wanted = [f"Selected jobs: {len(others)}\n", *(f"[{job_id}]" for job_id in others)]
    return _check(root, [PROGRAM, "--dry-run", "--exclude", first], *wanted, without=f"[{first}]")


CHECKS = {
    "the list names jobs": check_list,
    "a dry run shows parameters": check_dry_run,
    "a parallel dry run with a filter shows the filtered jobs": check_parallel,
    "a filter leaves the others out": check_filter,
}


def _show(sentence: str, problem: str) -> str:
    print(f"FAILED {sentence}\n{problem}" if problem else f"ok     {sentence}")
    return problem


def _ids(root: Path) -> list[str]:
    return [line.split()[0] for line in _run(root, [PROGRAM, "--list"]).stdout.splitlines()[2:]]


def _check(root: Path, arguments: Sequence[str], *wanted: str, without: str | None = None) -> str:
    """Return the command's output if it fails, lacks a wanted text or has the unwanted one; else nothing."""
    ended = _run(root, arguments)
    is_right = all(text in ended.stdout for text in wanted) and (without is None or without not in ended.stdout)
    return "" if ended.returncode == 0 and is_right else f"{ended.stdout}\n{ended.stderr}\nexpected: {wanted}"


def _run(root: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=root, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
