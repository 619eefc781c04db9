"""Show what `run_all_training.py --parallel` gains, three times. See docs/RUN_ALL_GUIDE.md."""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

JOBS = ("diabetes", "model", "head_injury", "diabetes_progression")
QUICK = ("--epochs", "10", "--folds", "3")  # with less, models are too poor for their gates


@dataclass(frozen=True)
class Training:
    """A run: each job's start and end, and the jobs that failed."""

    spans: dict[str, tuple[datetime, datetime]]
    failed: tuple[str, ...]

    def seconds(self, job_id: str) -> float:
        """Return how long a job took."""
        start, end = self.spans[job_id]
        return (end - start).total_seconds()

    @property
    def makespan_s(self) -> float:
        """The time from the first job's start to the last one's end."""
        starts, ends = zip(*self.spans.values(), strict=True)
        return float((max(ends) - min(starts)).total_seconds())

    def remark(self, *, overlapping: bool) -> str:
        """Return what went wrong, or nothing."""
        if self.failed:
            return f"  FAILED: {', '.join(self.failed)}"
        overlaps = any(second[0] < first[1] for first, second in itertools.pairwise(sorted(self.spans.values())))
        return "" if overlaps is overlapping else "  FAILED: jobs did not run as asked for"


def main(root: Path, words: Sequence[str] | None = None) -> int:
    """Run the three demonstrations; return 0 if every job succeeded and ran as asked for."""
    parser = argparse.ArgumentParser(
        description="Train small sets of jobs one after another and in parallel. The ideal speed-up is that of workers "
        "that never wait, with each job as fast as in the faster of its two runs."
    )
    parser.add_argument("--jobs", nargs="+", default=JOBS, metavar="ID", help="the jobs of the largest set")
    jobs = parser.parse_args(words).jobs
    _train(root, jobs, len(jobs))  # not measured: the first start reads all libraries from disk
    alone, results = _train(root, jobs, 1), []
    for number, (names, workers) in enumerate([(jobs[:2], 2), (jobs, 2), (jobs, len(jobs))], 1):
        print(f"Demonstration {number}: {len(names)} jobs, {workers} workers", flush=True)
        results.append(_compare(alone, _train(root, names, workers), names, workers))
    return 0 if all(results) else 1


def speed_up(alone: Training, together: Training, jobs: Sequence[str], workers: int) -> tuple[float, float]:
    """Return the measured speed-up and the ideal one, which is never less."""
    sequential_s = sum(alone.seconds(job_id) for job_id in jobs)
    fastest_s = [min(alone.seconds(job_id), together.seconds(job_id)) for job_id in jobs]
    return sequential_s / together.makespan_s, sequential_s / max(*fastest_s, sum(fastest_s) / workers)


def _compare(alone: Training, together: Training, jobs: Sequence[str], workers: int) -> bool:
    """Print both durations and the speed-up; return True if nothing went wrong."""
    remarks = alone.remark(overlapping=False), together.remark(overlapping=True)
    if not alone.failed and not together.failed:
        print(f"  sequential  {sum(map(alone.seconds, jobs)):6.1f} s{remarks[0]}")
        print(f"  parallel    {together.makespan_s:6.1f} s{remarks[1]}")
        print("  speed-up    {:6.2f}, ideal {:.2f}".format(*speed_up(alone, together, jobs, workers)))
    else:
        print(f"  sequential{remarks[0]}\n  parallel{remarks[1]}")
    return not any(remarks)


def _train(root: Path, jobs: Sequence[str], workers: int) -> Training:
    """Run run_all_training.py and read its summary."""
    parallel = ["--parallel", "--max-workers", str(workers)] if workers > 1 else []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "run_all_training.py", *QUICK, *parallel, "--only", *jobs, "--summary-dir", folder]
        ended = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", errors="replace", check=False)
        written = list(Path(folder).glob("*.json"))
        if not written:
            sys.exit(f"no summary: exit code {ended.returncode}\n{ended.stdout}{ended.stderr}")
        jobs_of_run = json.loads(written[0].read_text(encoding="utf-8"))["jobs"]
    moments = {job["id"]: (job["start_time_utc"], job["end_time_utc"]) for job in jobs_of_run if job["start_time_utc"]}
    spans = {
        job_id: (datetime.fromisoformat(start), datetime.fromisoformat(end)) for job_id, (start, end) in moments.items()
    }
    return Training(spans, tuple(job["id"] for job in jobs_of_run if job["status"] != "SUCCESS"))


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
