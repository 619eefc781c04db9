"""A job draws the same numbers from the global generators again, in every way of starting it; no two jobs the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_training.execution.attempt.messages import AttemptRequest
from pytest_training.execution.backends.fork_server.backend import ServerLauncher
from pytest_training.execution.backends.in_process import InProcessLauncher
from pytest_training.execution.backends.protocol import Launcher
from pytest_training.execution.backends.subprocess import SubprocessLauncher
from pytest_training.execution.folder import AttemptFolder
from pytest_training.jobs.model import Job

from .workplace import Workplace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the job server needs Linux")

TORCH = "seeds = []\ndef manual_seed(seed): seeds.append(seed)\ndef set_num_threads(threads): pass\n"
DRAW = """
import json, os, random, sys
top = random.random()
def draw():
    import numpy.random
    import torch
    values = {"random": random.random(), "numpy": numpy.random.rand(), "torch": torch.seeds[-1]}
    with open(os.environ["TRAINING_FOLDER"] + "/drawn.json", "w") as file: json.dump(values, file)
    return values
"""
FUNCTION = "draw()\nreturn {'seed': run.seed}"
TRACES = (
    "print([name for name in os.environ if 'GENERATORS' in name], [path for path in sys.path if 'startup' in path])\n"
)


def drawn(launcher: Launcher, request: AttemptRequest) -> dict[str, Any]:
    """Return what a job drew."""
    launcher.launch(request)
    content: dict[str, Any] = json.loads((AttemptFolder(Path(request.folder)).artifacts / "drawn.json").read_bytes())
    return content


@pytest.fixture
def jobs(workplace: Workplace) -> dict[str, Job]:
    """Return a job of each kind, all with one id."""
    (workplace.training / "torch.py").write_text(TORCH)
    script = DRAW + TRACES + "\ndraw()\n"
    return {
        "function": workplace.function(FUNCTION, top=DRAW, id="one"),
        "script": workplace.script(script.replace("top = random.random()", ""), id="one"),
        "fresh": workplace.script(script.replace("top = random.random()", ""), id="one", fresh="it says so"),
    }


@pytest.mark.parametrize("way", ["fork", "subprocess"])
def test_the_numbers_are_the_same_in_every_kind_and_way(
    workplace: Workplace, launcher: ServerLauncher, jobs: dict[str, Job], way: str
) -> None:
    first = drawn(launcher, workplace.request(jobs["function"], seed=3))
    ways = [jobs["function"], jobs["script"], jobs["fresh"]] if way == "fork" else [jobs["function"], jobs["script"]]
    for job in ways:
        request = workplace.request(job, seed=3)
        assert drawn(launcher if way == "fork" else SubprocessLauncher(), request) == first
        if job.kind == "script":
            assert AttemptFolder(Path(request.folder)).log.read_text() == "[] []\n"


def test_other_seeds_and_other_jobs_draw_others(workplace: Workplace, launcher: ServerLauncher) -> None:
    (workplace.training / "torch.py").write_text(TORCH)
    jobs = [workplace.function(FUNCTION, top=DRAW), workplace.script(DRAW + "draw()\n")]
    several = [drawn(launcher, workplace.request(job, seed=seed)) for job in jobs for seed in (0, 1)]
    for name in ("random", "numpy", "torch"):
        assert len({each[name] for each in several}) == 4


def test_a_job_in_the_pytest_process_draws_them_too_and_leaves_no_trace(
    workplace: Workplace, launcher: ServerLauncher, monkeypatch: pytest.MonkeyPatch, jobs: dict[str, Job]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "torch", sys)  # so that the job's one is gone after the test
    del sys.modules["torch"]
    before = list(sys.meta_path)
    request = workplace.request(jobs["function"], seed=3)
    monkeypatch.setenv("TRAINING_FOLDER", str(AttemptFolder(Path(request.folder)).artifacts))
    there = drawn(InProcessLauncher(), request)
    assert sys.meta_path == before
    assert there == drawn(launcher, workplace.request(jobs["function"], seed=3))


@pytest.mark.parametrize("kind", ["function", "script", "fresh"])
def test_seed_false_leaves_the_generators_alone(workplace: Workplace, launcher: ServerLauncher, kind: str) -> None:
    (workplace.training / "torch.py").write_text("seeds = [None]\ndef set_num_threads(threads): pass\n")
    job = {
        "function": workplace.function(FUNCTION, top=DRAW, seeded=False),
        "script": workplace.script(DRAW + "draw()\n", seeded=False),
        "fresh": workplace.script(DRAW + "draw()\n", seeded=False, fresh="it says so"),
    }[kind]
    several = [drawn(launcher, workplace.request(job)) for _ in range(2)]
    assert several[0]["random"] != several[1]["random"]
    assert several[0]["numpy"] != several[1]["numpy"]


def test_the_users_own_sitecustomize_runs_too(
    workplace: Workplace, launcher: ServerLauncher, jobs: dict[str, Job]
) -> None:
    (workplace.root / "sitecustomize.py").write_text("print('mine')\n")
    request = workplace.request(jobs["fresh"])
    drawn(launcher, request)
    assert AttemptFolder(Path(request.folder)).log.read_text() == "mine\n[] []\n"
