"""Check run_all_training.py: its test suite, the list, dry runs and a filter. Exit code 0 only if all hold."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUITE = "tests/run_all/test_selection.py"


def main() -> int:
    """Run the five checks and say what became of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default=SUITE, help="tests to run first")
    suite = parser.parse_args().suite
    listed = run(["run_all_training.py", "--list"])
    ids = [line.split()[0] for line in listed.stdout.splitlines()[2:]]
    if not ids:
        print("FAILED the list names jobs", listed.stdout, listed.stderr, sep="\n")
        return 1
    some = ids[:2]
    checks: list[tuple[str, list[str], Callable[[str], bool]]] = [
        ("the suite passes", ["-m", "pytest", "-q", suite], lambda out: " passed" in out),
        ("the list names jobs", ["run_all_training.py", "--list"], lambda out: out.startswith(f"{len(ids)} job")),
        (
            "a dry run shows parameters",
            ["run_all_training.py", "--dry-run", "--epochs", "7", "--folds", "4"],
            lambda out: f"Selected jobs: {len(ids)}\n" in out and "epochs=7" in out and "folds=4" in out,
        ),
        (
            "a parallel dry run with a filter shows the filtered jobs",
            ["run_all_training.py", "--parallel", "--dry-run", "--only", *some],
            lambda out: "Parallel mode enabled" in out and f"Selected jobs: {len(some)}\n" in out,
        ),
        (
            "a filter leaves the others out",
            ["run_all_training.py", "--dry-run", "--exclude", ids[0]],
            lambda out: f"[{ids[0]}]" not in out and f"Selected jobs: {len(ids) - 1}\n" in out,
        ),
    ]
    return 1 if sum(not check(*each) for each in checks) else 0


def check(what: str, arguments: list[str], holds: Callable[[str], bool]) -> bool:
    """Run one check and print its line."""
    done = run(arguments)
    good = done.returncode == 0 and holds(done.stdout)
    print(f"{'ok    ' if good else 'FAILED'} {what}")
    if not good:
        print(done.stdout, done.stderr, sep="\n")
    return good


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments in this folder."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=HERE, capture_output=True, encoding="utf-8", errors="replace", check=False
    )


if __name__ == "__main__":
    sys.exit(main())
