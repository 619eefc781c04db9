"""Tests of execution/slot.py: attempts, retries, and an outcome on disk whatever a job has done to its folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.execution.attempt.checkpoint import Checkpoint
from pytest_training.execution.backends.fork_server.backend import ServerLauncher
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Attempt, Outcome, Status
from pytest_training.execution.slot import Slot, read_outcome
from pytest_training.execution.unfinished import unfinished_outcome
from pytest_training.jobs.model import Gate, RunSettings

from .workplace import Workplace, planned

pytestmark = pytest.mark.timeout(60)

SECOND_TIME_LUCKY = """
marker = run.folder.parents[1] / "seen"
if not marker.exists():
    marker.touch()
    {fault}
return {{"r2": 0.5}}
"""


@pytest.fixture
def slot(workplace: Workplace, launcher: ServerLauncher) -> Slot:
    return Slot(
        name="gw0",
        folder=RunFolder(workplace.root / "reports", "r1"),
        launcher=launcher,
        seed=3,
        threads=1,
        settings=RunSettings(grace_s=0.3),
    )


def folders(outcome: Outcome) -> list[str]:
    return [attempt.folder for attempt in outcome.attempts]


def test_the_outcome_is_returned_and_on_disk(workplace: Workplace, slot: Slot) -> None:
    job = workplace.function("print('epoch 1')\nrun.save('scores.json', [1])\nreturn {'seed': run.seed}")
    outcome = slot.train(planned(job))
    assert read_outcome(slot.folder, job.id) == outcome
    assert (outcome.status, outcome.metrics, outcome.slot) == ("passed", {"seed": 3.0}, "gw0")
    assert outcome.artifacts == (f"jobs/{job.id}/attempt-1/artifacts/scores.json",)
    assert (slot.folder.path / str(outcome.log)).read_text() == "epoch 1\n"
    assert outcome.log_tail == ()


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("raise ValueError('no')", "error"),
        ("import os; os._exit(3)", "exit"),
        ("import os; os.kill(os.getpid(), 11)", "crash"),
        ("while True: pass", "timeout"),
    ],
)
def test_a_retry_mends_an_accident_and_every_attempt_keeps_its_folder(
    workplace: Workplace, slot: Slot, fault: str, cause: str
) -> None:
    job = workplace.function(SECOND_TIME_LUCKY.format(fault=fault), retries=1, limits={"timeout": 2})
    outcome = slot.train(planned(job))
    assert (outcome.status, outcome.notes) == ("passed", ("passed at attempt 2",))
    assert [(attempt.number, attempt.status, attempt.cause) for attempt in outcome.attempts] == [
        (1, "failed", cause),
        (2, "passed", None),
    ]
    assert folders(outcome) == [f"jobs/{job.id}/attempt-1", f"jobs/{job.id}/attempt-2"]
    for folder in folders(outcome):
        assert (slot.folder.path / folder / "started.json").exists()
        assert (slot.folder.path / folder / "log.txt").exists()


def test_attempts_end_with_the_last_retry(workplace: Workplace, slot: Slot) -> None:
    outcome = slot.train(planned(workplace.function("raise ValueError('no')", retries=2)))
    assert (outcome.status, outcome.reason) == ("failed", "raised ValueError: no")
    assert [attempt.reason for attempt in outcome.attempts] == ["raised ValueError: no"] * 3


@pytest.mark.parametrize("returned", ["{'r2': 0.1}", "{'r2': float('nan')}", "{}", "None"])
def test_an_answer_is_not_asked_for_again(workplace: Workplace, slot: Slot, returned: str) -> None:
    gate = Gate(metric="r2", operator=">=", threshold=0.5)
    outcome = slot.train(planned(workplace.function(f"return {returned}", gates=(gate,), retries=3)))
    assert outcome.status == "failed"
    assert len(outcome.attempts) == 1


def test_only_the_stated_accidents_are_mended(workplace: Workplace, slot: Slot) -> None:
    job = workplace.function("raise ValueError('no')", retries=3, retry_on=("crash",))
    assert len(slot.train(planned(job)).attempts) == 1


def test_a_job_whose_file_has_a_mistake_fails_with_it_and_starts_nothing(workplace: Workplace, slot: Slot) -> None:
    job = workplace.function("return {}", problem="training/train_x.py:3: SyntaxError: invalid syntax")
    outcome = slot.train(planned(job))
    assert (outcome.status, outcome.cause, outcome.reason) == ("failed", "error", job.problem)
    assert outcome.log is None


def test_a_job_that_asks_for_threads_gets_them(workplace: Workplace, slot: Slot) -> None:
    job = workplace.function("return {'threads': run.threads}", cpus=2)
    outcome = slot.train(planned(job))
    assert (outcome.threads, outcome.metrics) == (2, {"threads": 2.0})


def test_a_need_is_met_by_a_job_that_passed_in_this_run(workplace: Workplace, slot: Slot) -> None:
    good, bad = workplace.function("return {}"), workplace.function("return 1")
    needy = msgspec.structs.replace(workplace.function("return {}"), needs=(good.id, bad.id))
    assert slot.unmet_need(needy) == good.id
    slot.train(planned(good))
    slot.train(planned(bad))
    assert slot.unmet_need(needy) == bad.id
    outcome = slot.leave_out(needy, bad.id)
    assert (outcome.status, outcome.cause) == ("not run", "needs")
    assert read_outcome(slot.folder, needy.id) == outcome


@pytest.mark.parametrize(
    "fault",
    [
        "import shutil; shutil.rmtree(run.folder.parent)",
        "import shutil; shutil.rmtree(run.folder.parents[1])",
        "import os; log = run.folder.parent / 'log.txt'; log.unlink(); os.mkfifo(log)",
        "import os; open(os.fsencode(run.folder) + b'/sc\\xffres', 'wb').close()",
        "import os; os.umask(0o777)",
        "import os; os.fork() or os.wait()",
        "import sys; sys.stdout = sys.stderr = None",
        "import os; os.close(1); os.close(2)",
        "import os; os.environ.clear(); os.chdir('/')",
        "import warnings; warnings.simplefilter('error')",
    ],
)
def test_what_a_job_does_to_its_surroundings_does_not_change_its_outcome(
    workplace: Workplace, slot: Slot, fault: str
) -> None:
    passing = slot.train(planned(workplace.function(f"{fault}\nreturn {{'r2': 0.5}}")))
    assert (passing.status, passing.reason, passing.metrics) == ("passed", "", {"r2": 0.5})
    failing = slot.train(planned(workplace.function(f"{fault}\nraise ValueError('true reason')")))
    assert (failing.status, failing.reason) == ("failed", "raised ValueError: true reason")


def test_a_job_that_takes_all_permissions_from_new_files_leaves_a_result_that_can_be_read(
    workplace: Workplace, slot: Slot
) -> None:
    outcome = slot.train(planned(workplace.function("import os; os.umask(0o777)\nreturn {}")))
    result = slot.folder.job(outcome.job_id).attempt(1).result
    assert result.stat().st_mode & 0o600 == 0o600


@pytest.mark.parametrize("name", ["result.json", "events.jsonl"])
def test_a_folder_in_the_place_of_a_file_fails_at_most_that_job(workplace: Workplace, slot: Slot, name: str) -> None:
    outcome = slot.train(
        planned(workplace.function(f"(run.folder.parent / {name!r}).mkdir(exist_ok=True)\nreturn {{}}"))
    )
    assert outcome.status in {"passed", "failed"}
    assert read_outcome(slot.folder, outcome.job_id) == outcome


CHECKPOINTS: dict[str, Callable[[Path, Path], Any]] = {
    "state.zip": lambda path, _: path.write_bytes(b"state"),
    "a link to a folder": lambda path, outside: path.symlink_to(outside),
    "a link to a file": lambda path, outside: path.symlink_to(outside / "precious"),
    "a loop": lambda path, _: path.symlink_to(path.parent),
    "a dangling link": lambda path, _: path.symlink_to("nowhere"),
    "a pipe": lambda path, _: os.mkfifo(path),
}
EPOCH = "return {'epoch': (run.checkpoint.load() or {'epoch': 0})['epoch']}"


def test_of_a_checkpoint_only_plain_files_go_from_run_to_run(workplace: Workplace, slot: Slot) -> None:
    (workplace.root / "outside").mkdir()
    (workplace.root / "outside" / "precious").write_text("precious")
    job = workplace.function("return {}")
    checkpoint = RunFolder(slot.folder.reports, "r0").job(job.id).checkpoint
    checkpoint.mkdir(parents=True)
    for name, make in CHECKPOINTS.items():
        make(checkpoint / name, workplace.root / "outside")
    outcome = replace(slot, settings=RunSettings(resumed=("r0",))).train(planned(job))
    assert [path.name for path in slot.folder.job(job.id).checkpoint.iterdir()] == ["state.zip"]
    assert outcome.notes == ("5 link(s) or pipe(s) in its checkpoint were not copied from the resumed run",)


def test_the_newest_checkpoint_is_taken_of_runs_that_were_resumed_and_interrupted(
    workplace: Workplace, slot: Slot
) -> None:
    job = workplace.function(EPOCH)
    for run_id, epoch in (("r1", 3), ("r2", 5)):
        Checkpoint(RunFolder(slot.folder.reports, run_id).job(job.id).checkpoint).save(epoch=epoch)
    runs = {"r8": ("r2", "r1"), "r7": ("r3", "r2", "r1"), "r6": ("r1",), "r5": ("r3",), "r4": ()}
    epochs = {
        run_id: replace(slot, folder=RunFolder(slot.folder.reports, run_id), settings=RunSettings(resumed=resumed))
        .train(planned(job))
        .metrics["epoch"]
        for run_id, resumed in runs.items()
    }
    assert epochs == {"r8": 5, "r7": 5, "r6": 3, "r5": 0, "r4": 0}


def test_a_log_that_leads_to_a_secret_is_not_reported(workplace: Workplace, slot: Slot) -> None:
    secret = workplace.root / "secret"
    secret.write_text("password\n")
    job = workplace.function(
        f"log = run.folder.parent / 'log.txt'\nlog.unlink()\nlog.symlink_to({str(secret)!r})\nraise ValueError('no')"
    )
    outcome = slot.train(planned(job))
    assert "password" not in msgspec.json.encode(outcome).decode()
    assert secret.read_text() == "password\n"


def test_the_outcome_of_a_slot_that_died_is_made_of_what_its_attempts_left(workplace: Workplace, slot: Slot) -> None:
    job = workplace.function("return {}")
    files = slot.folder.job(job.id)
    for number in (1, 2):
        files.attempt(number).create()
        begun = Attempt(number=number, status=Status.INTERRUPTED, started=f"2026-01-01T10:00:0{number}.000+00:00")
        files.attempt(number).started.write_bytes(msgspec.json.encode(begun))
    files.attempt(2).log.write_text("epoch 1\n")
    outcome = unfinished_outcome(slot.folder, job, seed=3, slot="gw1", cause="worker died", reason="worker died")
    assert (outcome.status, outcome.cause, outcome.slot) == ("failed", "worker died", "gw1")
    assert (outcome.started, len(outcome.attempts)) == ("2026-01-01T10:00:01.000+00:00", 2)
    assert (outcome.log, outcome.log_tail) == (f"jobs/{job.id}/attempt-2/log.txt", ("epoch 1",))


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b'{"job_id": 3}', b"\xff"])
def test_an_outcome_that_cannot_be_read_is_none(slot: Slot, content: bytes) -> None:
    outcome: Path = slot.folder.job("als").outcome
    outcome.parent.mkdir(parents=True)
    outcome.write_bytes(content)
    found: Any = read_outcome(slot.folder, "als")
    assert found is None
