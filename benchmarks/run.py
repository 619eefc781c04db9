"""Measures the plugin beside its alternatives and prints Markdown: `python benchmarks/run.py [name ...]`.

By hand, on a quiet machine; never part of a test run. Read ratios within one run, not seconds across runs.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import adopted_scripts
import arrow_imports
import busy_threads
import collecting
import covering
import listing
import many_jobs
import on_cluster
import order
import questions
import reading
import report
import second_run
import shared_imports
import small_jobs
import talkative
import torch_scripts
from measuring import adopt_orphans
from tables import Answer

QUESTIONS: dict[str, tuple[Callable[[Path, int], Answer], int]] = {
    module.__name__: (module.answer, module.REPEATS)
    for module in (
        order,
        second_run,
        small_jobs,
        shared_imports,
        arrow_imports,
        busy_threads,
        torch_scripts,
        adopted_scripts,
        collecting,
        covering,
        reading,
        listing,
        questions,
        many_jobs,
        talkative,
        report,
        on_cluster,
    )
}
DISTRIBUTIONS = ("pytest", "pytest-xdist", "pytest-json-report", "scikit-learn", "pandas", "pytest-training")


def main() -> None:
    """Answer the questions that the command line names, else all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of: {', '.join(QUESTIONS)} (default: all)")
    parser.add_argument("--repeats", type=int, help="measure each alternative that often (default: as each needs)")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in QUESTIONS]:
        parser.error(f"no benchmark {unknown[0]!r}; expected one of {', '.join(QUESTIONS)}")
    adopt_orphans()
    print(machine(), flush=True)
    for name in arguments.names or QUESTIONS:
        answer, repeats = QUESTIONS[name]
        with tempfile.TemporaryDirectory(prefix="training-benchmark-") as folder:
            before = load()
            times = arguments.repeats or repeats
            result = answer(Path(folder) / name, times)
            result.notes.append(f"Median of {times}; load of the machine {before} before, {load()} after.")
        print(f"\n{result.markdown()}", flush=True)


def machine() -> str:
    """Describe the machine."""
    cores = len(os.sched_getaffinity(0))
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in DISTRIBUTIONS)
    make = subprocess.run(["make", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return f"{_processor()}, {cores} cores, {platform.system()}, Python {platform.python_version()}, {versions}, {make}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def load() -> str:
    """Return the load average of the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
