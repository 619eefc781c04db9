"""`pytest-training report [RUN]`: page and summary of an earlier run, made of what is on disk."""

from __future__ import annotations

import argparse

from pytest_training.commands.output import remark, say, say_json
from pytest_training.jobs.model import RunSettings
from pytest_training.jobs.search import project_of
from pytest_training.project import Project
from pytest_training.records.recorded_run import find_run, read_run, run_ids
from pytest_training.reporters.html.page import write_page
from pytest_training.reporters.markdown import write_summary


def answer(arguments: argparse.Namespace, project: Project) -> None:
    """Write the report, and print where it is."""
    folder = find_run(project.reports, arguments.run)
    is_latest = run_ids(project.reports)[-1:] == [folder.run_id]
    code = project_of(project.training_root, project.root)
    run = read_run(folder, RunSettings(compare=arguments.compare, project=str(code)))
    write_page(run, is_latest=is_latest)
    write_summary(run, is_latest=is_latest)
    written = [folder.page, folder.summary, *([folder.stable.copy_of(folder.page)] if is_latest else [])]
    for problem in run.comparison.problems:
        remark(f"warning: {problem}")
    if arguments.json:
        say_json(
            {"run_id": folder.run_id, "is_finished": run.is_finished, "outcomes": run.outcomes, "written": written}
        )
        return
    say(f"run {folder.run_id}: {len(run.outcomes)} jobs")
    if not run.is_finished:
        say("this run did not finish: the report shows what is on disk")
    for path in written:
        say(f"wrote {path}")
