"""`--epochs` and the like reach the option that means it, whatever it is called."""

from __future__ import annotations

import pytest

from pytest_training.jobs.kinds.script.kind import ScriptKind
from pytest_training.jobs.model import Job, Plan, PlannedJob
from pytest_training.planning.description import describe_plan
from pytest_training.planning.parameters import apply_options, fill_seeds

from .project import Project, message


def script(project: Project, *options: str) -> Job:
    calls = "\n".join(f"parser.add_argument({option!r}, type=float)" for option in options)
    return project.job(f"import argparse\nparser = argparse.ArgumentParser()\n{calls}\nparser.parse_args()\n")


def words(job: Job) -> list[str]:
    return [*ScriptKind().start(job, folder="FOLDER", seed=0).argv[2:]]


def passed(job: Job, **options: int) -> list[str]:
    [job] = apply_options([job], epochs=options.get("epochs"), folds=options.get("folds"))
    return words(job)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        *(
            (("--a", name), name)
            for name in ("--epochs", "--num_train_epochs", "--max-epochs", "--n_epochs", "--nEpochs")
        ),
        *((("--a", name), name) for name in ("--trainer.max_epochs", "--num-epochs", "--epoch", "--nEpochs")),
        (("--max_epochs", "--epochs"), "--epochs"),
        (("--epoch", "--n_epochs"), "--n_epochs"),
        (("--pretrain.epochs", "--trainer.max_epochs"), "--trainer.max_epochs"),
        (("--gan.epochs", "--net.epochs", "--epochs"), "--epochs"),
        (("--gan.epochs", "--net.epochs"), None),
        (("--warmup_epochs", "--epochs_per_eval", "--epoch_size", "--start-epoch", "--steps"), None),
    ],
)
def test_epochs_reach_the_option_that_means_them(
    project: Project, options: tuple[str, ...], expected: str | None
) -> None:
    job = script(project, *options)
    if expected is None:
        assert message(lambda: passed(job, epochs=2)).startswith("--epochs: no job has a parameter 'epochs'")
    else:
        assert passed(job, epochs=2) == [expected, "2.0"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("batch_size", ("--batch-size", "--train_batch_size", "--per_device_train_batch_size", "--bs", "--batchSize")),
        ("batch", ("--batch-size", "--batch")),
        ("learning_rate", ("--learning-rate", "--lr", "--base_lr", "--optim.lr", "--lr0")),
        ("lr", ("--learning-rate", "--lr", "--model.optimizer.lr")),
        ("folds", ("--folds", "--n_splits", "--k-folds", "--cv")),
    ],
)
def test_a_parameter_reaches_the_option_that_means_it(project: Project, name: str, options: tuple[str, ...]) -> None:
    for option in options:
        [job] = apply_options([script(project, option, "--other")], settings=[f"*.{name}=3"])
        assert words(job) == [option, "3.0"]


@pytest.mark.parametrize("option", ["--seed", "--manualSeed", "--trainer.seed", "--seed_everything", "--random-state"])
def test_the_runs_seed_reaches_the_option_that_means_it(project: Project, option: str) -> None:
    [job] = fill_seeds([script(project, option)], 7)
    assert words(job) == [option, "7.0"]


def test_the_catalogue_reaches_them_too_and_a_jobs_own_value_counts(project: Project) -> None:
    script(project, "--lr", "--num_epochs")
    project.function("f", "learning_rate=0.1, n_epochs=3")
    jobs = project.load("defaults: {parameters: {lr: 0.5, epochs: 7}}\njobs: {x: {parameters: {num_epochs: 2}}}")[0]
    assert {job.id: job.parameters for job in jobs} == {
        "f": {"learning_rate": 0.5, "n_epochs": 7},
        "x": {"lr": 0.5, "num_epochs": 2.0},
    }


def test_the_plan_shows_what_is_passed(project: Project) -> None:
    [job] = apply_options([script(project, "--num_train_epochs")], epochs=2)
    planned = PlannedJob(job=job, expected_s=None, expected_from="unknown")
    plan = Plan(run_id="r", seed=0, workers=1, threads=1, jobs=(planned,))
    assert "    options     --num_train_epochs 2.0" in describe_plan(plan)
