"""Checkpoints: a job that is killed at random moments ends with the metrics of an undisturbed one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pytest_training.execution.attempt.saving import Checkpoint
from pytest_training.execution.backends.protocol import Launcher
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Outcome
from pytest_training.execution.slot import Slot
from pytest_training.jobs.model import Job, RunSettings

from .workplace import Workplace, planned

KILLS = 20
DESCENT = """
    kills = pathlib.Path({kills!r})
    left = len(list(kills.iterdir()))
    if left:
        (kills / str(left - 1)).unlink()
        threading.Timer(random.SystemRandom().uniform(0.0, 0.05), os.kill, (os.getpid(), signal.SIGKILL)).start()
    features = np.random.default_rng(run.seed).normal(size=(200, 20))
    target = features @ np.arange(20.0)
    state = run.checkpoint.load() or {{"epoch": 0, "weights": np.zeros(20), "losses": []}}
    epoch, weights, losses = state["epoch"], state["weights"], state["losses"]
    while epoch < 6000:
        residual = features @ weights - target
        weights = weights - 0.0005 * features.T @ residual / 2
        losses = [*losses[-5:], float((residual**2).mean())]
        epoch += 1
        run.checkpoint.save(epoch=epoch, weights=weights, losses=losses)
    return {{"loss": losses[-1], "weight": float(weights.sum()), "epochs": epoch}}
"""
TOP = "import os, pathlib, random, signal, threading\nimport numpy as np\n"


def descent(workplace: Workplace, launcher: Launcher, kills: int) -> Outcome:
    """Train with that many kills ahead."""
    folder = workplace.root / f"kills-{kills}"
    folder.mkdir()
    for number in range(kills):
        (folder / str(number)).touch()
    job = workplace.function(DESCENT.format(kills=str(folder)), top=TOP, retries=3 * KILLS)
    run = RunFolder(workplace.root / "reports", f"run-{kills}")
    slot = Slot(name="main", folder=run, launcher=launcher, seed=3, threads=1, settings=RunSettings(grace_s=1.0))
    return slot.train(planned(job))


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_no_metric(workplace: Workplace, launcher: Launcher) -> None:
    undisturbed, killed = descent(workplace, launcher, 0), descent(workplace, launcher, KILLS)
    assert undisturbed.status == killed.status == "passed"
    assert sum(attempt.ending.signal == "SIGKILL" for attempt in killed.attempts) >= KILLS - 2, "hardly any was hit"
    assert killed.metrics == undisturbed.metrics
    assert killed.notes == (f"passed at attempt {len(killed.attempts)}",)
    folders = {workplace.root / "reports/runs/run-20" / attempt.folder for attempt in killed.attempts}
    assert len(folders) == len(killed.attempts), "attempts share a folder"
    assert all((folder / "log.txt").exists() for folder in folders)


def test_what_was_saved_comes_back_as_it_was(tmp_path: Path) -> None:
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    state = {
        "epoch": 3,
        "rate": 0.25,
        "name": "naïve",
        "done": False,
        "nothing": None,
        "raw": b"\x00\xff",
        "history": [{"loss": 0.5}, {"loss": 0.25}],
        "weights": np.arange(6.0).reshape(2, 3),
        "names": np.array(["a", "bc"]),
        "random": np.random.default_rng(1).bit_generator.state,
        "model": model,
    }
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(**state)
    found = checkpoint.load()
    assert found is not None
    np.testing.assert_array_equal(found.pop("weights"), state.pop("weights"))
    np.testing.assert_array_equal(found.pop("names"), state.pop("names"))
    np.testing.assert_array_equal(found.pop("model").coef_, model.coef_)
    del state["model"]
    assert found == state


def test_a_torn_file_gives_the_state_before_it(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(epoch=1)
    checkpoint.save(epoch=2)
    newest = tmp_path / "state.zip"
    newest.write_bytes(newest.read_bytes()[:40])
    assert checkpoint.load() == {"epoch": 1}


def test_a_job_without_a_checkpoint_starts_at_the_start(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path / "none").load() is None


@pytest.mark.parametrize("value", [object(), {1: "a"}, np.array([object()])], ids=["object", "integer key", "objects"])
def test_what_cannot_come_back_is_refused_and_the_state_before_stays(tmp_path: Path, value: object) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(epoch=1)
    with pytest.raises((TypeError, ValueError)):
        checkpoint.save(value=value)
    assert checkpoint.load() == {"epoch": 1}


def test_a_failed_gate_is_never_retried_and_a_reason_left_out_is_not_either(
    workplace: Workplace, launcher: Launcher
) -> None:
    def attempts(job: Job, run_id: str) -> int:
        folder = RunFolder(workplace.root / "reports", run_id)
        outcome = Slot(
            name="main", folder=folder, launcher=launcher, seed=0, threads=1, settings=RunSettings(grace_s=1.0)
        ).train(planned(job))
        assert outcome.status == "failed"
        return len(outcome.attempts)

    raising = "raise ValueError('no')"
    assert attempts(workplace.function(raising, retries=2), "any") == 3
    assert attempts(workplace.function(raising, retries=2, retry_on=("crash",)), "crash only") == 1
