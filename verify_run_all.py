"""Check run_all_training.py: its tests, list, dry runs and a filter. See docs/RUN_ALL_GUIDE.md."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

PROGRAM = "run_all_training.py"
SUITE = "tests/run_all/test_selection.py"
LIST = "the list names jobs"
ABSENT = "absent: "
"""Begins a text that the output must not have."""
CHECKS: dict[str, Callable[[list[str]], tuple[list[str], list[str]]]] = {
    LIST: lambda ids: (["--list"], [f"{len(ids)} job"]),
    "a dry run shows parameters": lambda ids: (
        ["--dry-run", "--epochs", "7", "--folds", "4"],
        [f"Selected jobs: {len(ids)}\n", "epochs=7", "folds=4"],
    ),
    "a parallel dry run with a filter shows the filtered jobs": lambda ids: (
        ["--parallel", "--dry-run", "--only", *ids[:2]],
        ["Parallel mode enabled", "Selected jobs: 2\n"],
    ),
    "a filter leaves the others out": lambda ids: (
        ["--dry-run", "--exclude", ids[0]],
        [f"Selected jobs: {len(ids) - 1}\n", *(f"[{job_id}]" for job_id in ids[1:]), f"{ABSENT}[{ids[0]}]"],
    ),
}
"""By sentence: from the ids of all jobs to the flags and to texts in the output."""


def main(root: Path, words: Sequence[str] | None = None) -> int:
    """Run the five checks and print the result of each; return 0 if all hold."""
    parser = argparse.ArgumentParser(
        description="Check run_all_training.py: its tests, list, dry run, parallel, filter."
    )
    parser.add_argument("--suite", default=SUITE, help="tests to run first")
    suite = parser.parse_args(words).suite
    if problem := check(root, LIST):
        print(f"FAILED {LIST}\n{problem}")
        return 1
    results = [
        _holds("the suite passes", _problem(root, ["-m", "pytest", "-q", suite], [" passed"])),
        *(_holds(sentence, check(root, sentence)) for sentence in CHECKS),
    ]
    return 0 if all(results) else 1


def check(root: Path, sentence: str) -> str:
    """Return an empty text if the sentence holds, else the output that shows that it does not."""
    listed = _run(root, [PROGRAM, "--list"])
    ids = [line.split()[0] for line in listed.stdout.splitlines()[2:]]
    if not ids:
        return f"{listed.stdout}\n{listed.stderr}\nexpected: a table of jobs"
    flags, texts = CHECKS[sentence](ids)
    return _problem(root, [PROGRAM, *flags], texts)


def _holds(sentence: str, problem: str) -> bool:
    print(f"FAILED {sentence}\n{problem}" if problem else f"ok     {sentence}")
    return not problem


def _problem(root: Path, arguments: list[str], texts: list[str]) -> str:
    """Return the command's output if the command fails or a text is not as it should be, else nothing."""
    ended = _run(root, arguments)
    is_right = ended.returncode == 0 and all(
        text.removeprefix(ABSENT) not in ended.stdout if text.startswith(ABSENT) else text in ended.stdout
        for text in texts
    )
    return "" if is_right else f"{ended.stdout}\n{ended.stderr}\nexpected: {texts}"


def _run(root: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", errors="replace", check=False)


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
