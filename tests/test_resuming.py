"""`--training-resume` and `--training-skip-unchanged`: what need not be trained again is not, and that is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from sessions import Project, strict_json, text

STOPS_ONCE = """
state = run.checkpoint.load() or {"epoch": 0}
for epoch in range(state["epoch"], epochs):
    run.checkpoint.save(epoch=epoch + 1)
    if epoch == 1 and not pathlib.Path("mended").exists():
        raise RuntimeError("stopped")
return {"epochs": epoch + 1, "began_at": state["epoch"], "seed": run.seed}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_run_trains_only_what_did_not_pass_with_its_parameters_seed_and_checkpoint(
    project: Project, workers: int
) -> None:
    project.jobs("good", "fine")
    project.job("stops", STOPS_ONCE, top="import pathlib", parameters="epochs=3")
    first = project.run("-n", str(workers), "--epochs", "6", "--training-seed", "7")
    assert project.statuses() == {"good": "passed", "fine": "passed", "stops": "failed"}, text(first)
    (project.root / "mended").touch()

    again = project.run("-n", str(workers), "--training-resume")
    assert again.ret == 0, text(again)
    assert project.statuses() == {"stops": "passed"}
    metadata = project.metadata()["stops"]
    assert metadata["metrics"] == {"epochs": 6, "began_at": 2, "seed": 7}
    assert metadata["parameters"] == {"epochs": 6}
    earlier, later = sorted(project.reports.glob("runs/*"))
    assert strict_json(later / "begun.json")["resumed"] == [earlier.name]  # its checkpoints count in a third run too

    nothing = project.run("-n", str(workers), "--training-resume")
    assert nothing.ret == 0
    assert "nothing to train" in text(nothing)


def test_a_run_to_resume_is_named_and_its_parameters_are_not_mixed_with_others(project: Project) -> None:
    project.jobs("good")
    assert "--training-resume: no run in" in text(project.run("--training-resume"))
    project.run()
    unknown = project.run("--training-resume=20200101")
    assert unknown.ret == pytest.ExitCode.USAGE_ERROR
    assert "--training-resume: run '20200101': expected one of the 1 runs in" in text(unknown)
    mixed = project.run("--training-resume", "--set", "good.epochs=3")
    assert mixed.ret == pytest.ExitCode.USAGE_ERROR
    assert "--set cannot go with it" in text(mixed)


def test_unchanged_jobs_are_skipped_against_the_run_that_passed_and_changed_ones_are_trained(project: Project) -> None:
    project.job("model", 'return {"score": helper.SCORE}', top="import helper", parameters="epochs=3")
    project.jobs("other")
    project.write("training/helper.py", "SCORE = 0.5")
    project.run()
    run_id = project.report()["training"]["run_id"]

    skipped = project.run("--training-skip-unchanged")
    assert skipped.ret == 0, text(skipped)
    assert project.statuses() == {"model": "skipped", "other": "skipped"}
    metadata = project.metadata()["model"]
    assert metadata["metrics"] == {"score": 0.5}
    assert run_id in metadata["reason"]
    assert f"unchanged since run {run_id}" in text(skipped)

    project.write("training/helper.py", "SCORE = 0.6")
    project.run("--training-skip-unchanged")
    assert project.statuses() == {"model": "passed", "other": "skipped"}
    project.run("--training-skip-unchanged", "--set", "model.epochs=4")
    assert project.statuses() == {"model": "passed", "other": "skipped"}
    project.run("--training-skip-unchanged", "--training-seed", "1", "-n", "2")
    assert project.statuses() == {"model": "passed", "other": "passed"}


def test_what_qualifies_the_metrics_of_an_unchanged_job_is_said_again(project: Project) -> None:
    body = """
        run.note("3 of 7 columns used")
        run.data("cohort")
        random = np.random.default_rng(0)
        truth = random.integers(0, 2, 60)
        run.predictions(truth, (truth + random.random(60)) / 2)
        """
    project.job("model", body, top="import numpy as np")
    project.write("training/made.py", "def make(path, seed):\n    path.write_text('a')\n")
    project.write("training/jobs.yaml", "data: {cohort: {simulated: made:make}}")
    assert project.run().ret == 0
    first = project.metadata()["model"]
    skipped = project.run("--training-skip-unchanged")
    second = project.metadata()["model"]
    assert (second["status"], second["cause"]) == ("skipped", "unchanged")
    names = ("metrics", "sources", "interval_method", "remarks", "datasets")
    assert {name: first[name] for name in names} == {name: second[name] for name in names}
    assert first["datasets"][0]["opened"]
    said = ["model: 3 of 7 columns used", "simulated data: model"]
    skipped.stdout.fnmatch_lines(said)


def test_changed_data_are_trained_on_again(project: Project) -> None:
    project.job("reads", 'return {"size": len(run.data("table").read_text())}')
    project.write("training/jobs.yaml", "data:\n  table: {path: table.csv}\n")
    table = project.write("training/table.csv", "a,b")
    project.run()
    project.run("--training-skip-unchanged")
    assert project.statuses() == {"reads": "skipped"}
    table.write_text("a,b,c")
    project.run("--training-skip-unchanged")
    assert project.metadata()["reads"]["metrics"] == {"size": 5}
