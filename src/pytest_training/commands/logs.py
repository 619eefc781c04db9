"""`pytest-training logs JOB`: the log of a job, followed while the job runs."""

from __future__ import annotations

import argparse

from pytest_training.commands.output import check_job, remark, say
from pytest_training.jobs.model import read_plan
from pytest_training.project import Project
from pytest_training.records.recorded_run import find_run, running_run
from pytest_training.reporters.job_log import JobLog


def answer(arguments: argparse.Namespace, project: Project) -> None:
    """Print the log; until the job ends if the run is in progress."""
    running = running_run(project.reports)
    folder = running or find_run(project.reports, "last")
    jobs = {planned.job.id: planned.job for planned in read_plan(folder.plan).jobs}
    job_id = arguments.job
    check_job(job_id, jobs, f"run {folder.run_id}")
    remark(f"log of {job_id} in run {folder.run_id} ({'ended' if running is None else 'running'})")
    for line in JobLog(folder, jobs[job_id], is_followed=running is not None, remark=remark).lines():
        say(line)
