"""Tests of execution/environment.py: threads, seeds, devices and the import path."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from pytest_training.execution.attempt.environment import (
    THREAD_VARIABLES,
    extend_import_path,
    job_environment,
    seed_generators,
    set_threads,
)
from pytest_training.jobs.model import Job
from pytest_training.machine import machine_cores, visible_gpus

from .workplace import Workplace


def test_every_numeric_library_is_told_how_many_threads_it_may_use() -> None:
    environment = {"OMP_NUM_THREADS": "64", "HOME": "/root"}
    set_threads(environment, 3)
    assert environment.pop("HOME") == "/root"
    assert set(THREAD_VARIABLES) == set(environment)
    assert set(environment.values()) == {"3"}


def test_cores_are_those_that_this_process_may_use() -> None:
    allowed = min(os.sched_getaffinity(0))
    seen = subprocess.run(
        [sys.executable, "-c", "from pytest_training.machine import *; print(machine_cores())"],
        preexec_fn=lambda: os.sched_setaffinity(0, {allowed}),
        stdout=subprocess.PIPE,
        check=True,
    )
    assert seen.stdout.strip() == b"1"
    assert machine_cores() == len(os.sched_getaffinity(0))


def drawn(job: Job, seed: int) -> tuple[float, ...]:
    with seed_generators(job, seed):
        return random.random(), np.random.rand()  # noqa: NPY002, S311  (the generators that are seeded)


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**70])
def test_a_seed_of_any_size_gives_the_same_numbers_again(workplace: Workplace, seed: int) -> None:
    job = workplace.command("tool")
    assert drawn(job, seed) == drawn(job, seed)


def test_other_seeds_and_other_jobs_draw_other_numbers(workplace: Workplace) -> None:
    jobs = [workplace.command("tool") for _ in range(3)]
    assert len({drawn(job, seed) for job in jobs for seed in range(3)}) == 9


@pytest.mark.parametrize(
    ("outer", "gpus"),
    [("", []), ("-1", []), ("0", ["0"]), ("2, 5", ["2", "5"]), ("GPU-8932f937,MIG-3eb8", ["GPU-8932f937", "MIG-3eb8"])],
)
def test_gpus_are_those_that_the_outer_environment_leaves(
    monkeypatch: pytest.MonkeyPatch, outer: str, gpus: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", outer)
    assert visible_gpus() == gpus


def test_local_modules_are_found_beside_the_file_then_in_the_training_folder_then_in_the_root(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", ["/installed"])
    job = workplace.function("return {}")
    nested = msgspec.structs.replace(job, path=str(workplace.training / "d1" / "train_x.py"))
    extend_import_path(nested)
    extend_import_path(nested)
    training = str(workplace.training)
    assert sorted(sys.path) == sorted([f"{training}/d1", training, str(workplace.root), "/installed"])
    assert sys.path[-1] == "/installed"


def test_a_job_can_read_its_id_folder_seed_and_threads(workplace: Workplace) -> None:
    job = workplace.command("tool")
    environment = job_environment(job, folder="/out", seed=2**40, threads=2)
    told = {name: value for name, value in environment.items() if name.startswith("TRAINING_")}
    assert told == {
        "TRAINING_JOB": job.id,
        "TRAINING_FOLDER": "/out",
        "TRAINING_SEED": str(2**40),
        "TRAINING_THREADS": "2",
    }
    assert 0 <= int(environment["PYTHONHASHSEED"]) < 2**32
