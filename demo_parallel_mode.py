"""Train small sets of jobs, one after another and in parallel; print the measured speed-up beside the ideal one.

The ideal is that of equally long jobs: N jobs on W workers take ceil(N / W) rounds. Exit code 0 only if every job of
every run succeeded, no two jobs of a sequential run overlapped, and jobs of each parallel run did.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
JOBS = ["diabetes", "model", "head_injury", "diabetes_progression"]
QUICK = ["--epochs", "10", "--folds", "3"]  # with less, models are too poor for their gates


def main() -> int:
    """Run the three demonstrations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", nargs="+", default=JOBS, metavar="ID", help="the jobs of the largest set")
    jobs = parser.parse_args().jobs
    train(jobs, [])  # not measured: the first start reads all libraries from disk
    shows = [(jobs[:2], 2), (jobs, 2), (jobs, len(jobs))]
    return 1 if sum(not demonstrate(number, *show) for number, show in enumerate(shows, 1)) else 0


def demonstrate(number: int, jobs: list[str], workers: int) -> bool:
    """Train the jobs twice and print what that took."""
    rounds = math.ceil(len(jobs) / workers)
    print(f"Demonstration {number}: {len(jobs)} jobs, {workers} workers", flush=True)
    alone = train(jobs, [])
    together = train(jobs, ["--parallel", "--max-workers", str(workers)])
    good = True
    for name, summary, overlapping in (("sequential", alone, False), ("parallel", together, True)):
        failed = [job["id"] for job in summary["jobs"] if job["status"] != "SUCCESS"]
        right = not failed and overlaps(summary) is overlapping
        good = good and right
        remark = "" if right else f"  FAILED: {', '.join(failed) or 'jobs did not run as asked for'}"
        print(f"  {name:10}  {took(summary):6.1f} s{remark}")
    if took(together):
        print(f"  speed-up    {took(alone) / took(together):6.2f}, ideal {len(jobs) / rounds:.2f} ({rounds} rounds)")
    return good


def train(jobs: list[str], arguments: list[str]) -> dict[str, Any]:
    """Run run_all_training.py and return its summary."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "run_all_training.py", *QUICK, *arguments, "--only", *jobs, "--summary-dir", folder]
        done = subprocess.run(command, cwd=HERE, capture_output=True, encoding="utf-8", errors="replace", check=False)
        written = list(Path(folder).glob("*.json"))
        if not written:
            sys.exit(f"no summary: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        summary: dict[str, Any] = json.loads(written[0].read_text(encoding="utf-8"))
        return summary


def spans(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return start and end of each job that ran, by start."""
    return sorted((job["start_time_utc"], job["end_time_utc"]) for job in summary["jobs"] if job["start_time_utc"])


def overlaps(summary: dict[str, Any]) -> bool:
    """Whether two jobs ran at the same time."""
    return any(second[0] < first[1] for first, second in itertools.pairwise(spans(summary)))


def took(summary: dict[str, Any]) -> float:
    """Return the seconds from the first job's start to the last one's end."""
    moments = [datetime.fromisoformat(moment) for span in spans(summary) for moment in span]
    return (max(moments) - min(moments)).total_seconds() if moments else 0.0


if __name__ == "__main__":
    sys.exit(main())
