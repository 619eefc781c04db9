"""Tests of execution/environment.py: threads, seeds, devices and the import path."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import types
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pytest_training.execution.attempt.environment import (
    LOADED,
    THREAD_VARIABLES,
    WAITING,
    changes_since,
    extend_import_path,
    job_environment,
    numeric_environment,
    seed_generators,
    session_environment,
    set_loaded_threads,
)
from pytest_training.execution.backends.fork_server.backend import ServerLauncher, start_server
from pytest_training.jobs.model import Job
from pytest_training.machine import cpu_quota, machine_cores, visible_gpus

from .workplace import Workplace


def test_every_numeric_library_is_told_how_many_threads_it_may_use() -> None:
    environment = numeric_environment(seed=2**32 + 5, threads=3)
    assert {environment.pop(name) for name in THREAD_VARIABLES} == {"3"}
    assert environment.pop("PYTHONHASHSEED") == "5"
    assert environment.keys() <= WAITING.keys()


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


GROUPS: list[tuple[str, dict[str, str], float | None]] = [
    ("0::/", {"cpu.max": "150000 100000"}, 1.5),
    ("0::/", {"cpu.max": "max 100000"}, None),
    ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "400000 100000"}, 4.0),
    ("0::/a/b", {"a/b/cpu.max": "50000 100000", "cpu.max": "400000 100000"}, 0.5),
    ("0::/docker/of-the-host", {"cpu.max": "200000 100000"}, 2.0),
    ("3:cpu,cpuacct:/", {"cpu,cpuacct/cpu.cfs_quota_us": "300000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 3.0),
    ("3:cpu:/a", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, None),
    ("3:cpu:/a", {"cpu/cpu.cfs_quota_us": "25000", "cpu/cpu.cfs_period_us": "50000"}, 0.5),
    ("4:memory:/a", {"memory/a/cpu.max": "100000 100000"}, None),
    ("nonsense", {}, None),
    ("0::/", {"cpu.max": "150000"}, None),
]


@pytest.mark.parametrize(("lines", "files", "quota"), GROUPS, ids=str)
def test_a_quota_of_a_control_group_counts(
    tmp_path: Path, lines: str, files: dict[str, str], quota: float | None
) -> None:
    for name, content in (
        {"proc/self/cgroup": f"1:name=x:/\n{lines}\n"} | {f"sys/fs/cgroup/{k}": v for k, v in files.items()}
    ).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
    assert cpu_quota(tmp_path) == quota


LIBRARIES = {
    "numba": ("numba.config.NUMBA_NUM_THREADS", "numba.get_num_threads()", "parallel_sum()"),
    "numexpr": ("numexpr.get_num_threads()",),
    "pyarrow": ("pyarrow.cpu_count()",),
    "torch": ("torch.get_num_threads()", "torch.get_num_interop_threads()"),
    "cv2": ("cv2.getNumThreads()",),
}
PARALLEL_SUM = """
def parallel_sum():
    @numba.njit(parallel=True)
    def total(values):
        numba.set_num_threads(2)
        result = 0.0
        for i in numba.prange(len(values)):
            result += values[i]
        return result
    import numpy
    numba.set_num_threads(1)
    return total(numpy.ones(3)) - 1
"""


@pytest.mark.parametrize("library", [pytest.param(each, marks=pytest.mark.slow) for each in LIBRARIES])
@pytest.mark.parametrize("is_warm", [True, False], ids=["loaded", "not loaded"])
def test_libraries_that_were_loaded_keep_to_the_budget_too(
    workplace: Workplace, library: str, *, is_warm: bool
) -> None:
    pytest.importorskip(library)
    numbers = ", ".join(f"'n{index}': {code}" for index, code in enumerate(LIBRARIES[library]))
    job = workplace.function(f"return {{{numbers}}}", top=f"import {library}\n{PARALLEL_SUM}")
    with contextlib.closing(start_server([library] * is_warm, log=workplace.root / "server.log", seed=0)) as server:
        verdict = workplace.verdict(ServerLauncher(server.address), job, threads=2)
    assert set(verdict.metrics.values()) == {2.0}, verdict.reason


@pytest.mark.parametrize(("library", "function"), LOADED)
def test_every_loaded_library_is_told_and_one_that_refuses_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, library: str, function: str
) -> None:
    told: list[int] = []
    monkeypatch.setitem(sys.modules, library, types.SimpleNamespace(**{function: told.append}))
    set_loaded_threads(3)
    assert told == [3]
    monkeypatch.setitem(sys.modules, library, types.SimpleNamespace(**{function: (1).__truediv__}))
    set_loaded_threads(0)


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


def test_only_what_a_job_may_have_differs_from_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "SECOND", "PYTEST_OURS"):
        monkeypatch.setenv(name, "80")
    before = session_environment()
    for name in ("COLUMNS", "LINES", "FIRST", "PYTEST_OURS"):  # readline sets the terminal's size in workers
        monkeypatch.setenv(name, "100")
    monkeypatch.delenv("SECOND")
    assert changes_since(before) == {"FIRST": "100", "SECOND": None}
