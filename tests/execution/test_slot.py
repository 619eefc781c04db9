"""Tests of execution/slot.py: attempts, retries, and an outcome on disk whatever a job has done to its folder."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from pytest_training.execution.attempt.environment import session_environment
from pytest_training.execution.attempt.messages import AttemptRequest, Lost, Reply
from pytest_training.execution.attempt.saving import Checkpoint
from pytest_training.execution.backends.fork_server.backend import ServerLauncher, start_server
from pytest_training.execution.backends.in_process import InProcessLauncher
from pytest_training.execution.backends.protocol import Launcher
from pytest_training.execution.backends.subprocess import SubprocessLauncher
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Attempt, Outcome, Status
from pytest_training.execution.slot import Slot, new_outcome, read_outcome, save_outcome
from pytest_training.execution.unfinished import interrupted_outcome, unfinished_outcome
from pytest_training.jobs.model import Gate, Job, Parameter, RunSettings
from pytest_training.limits.protocol import Ending

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
    most_s = 2 if cause == "timeout" else 60
    job = workplace.function(SECOND_TIME_LUCKY.format(fault=fault), retries=1, limits={"timeout": most_s})
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


OUT = "raise MemoryError"
KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize(
    ("body", "retry_on", "attempts"),
    [
        ("raise ValueError('no')", ("crash",), 1),
        ("raise ValueError('no')", ("memory",), 1),
        ("raise ValueError('no')", ("error",), 2),
        (OUT, ("memory",), 2),
        (OUT, ("error",), 2),
        (OUT, None, 2),
        (OUT, ("crash", "nccl"), 1),
        (KILLED, ("crash",), 2),
        (KILLED, ("memory",), 1),
        ("raise RuntimeError('NCCL error in: x.cpp')", ("nccl",), 2),
        ("fat = bytearray(300 * 2**20); import time; time.sleep(1000)", ("memory",), 2),
        ("return 1", ("memory", "error", "crash"), 1),
    ],
)
def test_only_the_stated_accidents_are_mended(
    workplace: Workplace, slot: Slot, body: str, retry_on: tuple[str, ...] | None, attempts: int
) -> None:
    job = workplace.function(body, retries=1, retry_on=retry_on, limits={"memory": 200.0})
    assert len(slot.train(planned(job)).attempts) == attempts


def test_a_script_that_ran_out_of_memory_is_mended_too(workplace: Workplace, slot: Slot) -> None:
    for body in ("raise MemoryError", "raise SystemExit('CUDA out of memory. Tried to allocate 2 GiB')"):
        outcome = slot.train(planned(workplace.script(body, retries=1, retry_on=("memory",))))
        assert (outcome.cause, len(outcome.attempts)) == ("memory", 2)


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
    early = slot.leave_out(planned(needy))
    assert early is not None
    assert (early.status, early.cause) == ("failed", "needs")
    assert early.reason == f"needs {good.id}, which has not ended: another plugin has changed the order"
    in_worker = replace(slot, owned=True).leave_out(planned(needy))
    assert in_worker is not None
    assert in_worker.reason.endswith("xdist keeps to needs only without ordinary tests and --dist")
    slot.train(planned(good))
    slot.train(planned(bad))
    outcome = slot.leave_out(planned(needy))
    assert outcome is not None
    assert (outcome.status, outcome.cause) == ("not run", "needs")
    assert outcome.reason == f"needs {bad.id}, which did not pass in this run"
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


@pytest.mark.parametrize("makes_it_anew", ["", "run.folder.mkdir(parents=True)\n"])
@pytest.mark.parametrize("end", ["return {'r2': 0.5}", "raise ValueError", "os._exit(0)"])
def test_a_note_says_that_a_job_has_deleted_its_folder_whatever_stands_there_now(
    workplace: Workplace, slot: Slot, makes_it_anew: str, end: str
) -> None:
    body = f"import os, shutil\nshutil.rmtree(run.folder.parent)\n{makes_it_anew}{end}"
    notes = slot.train(planned(workplace.function(body))).notes
    assert "its folder was deleted or replaced while it ran: what was there before is in no report" in notes


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


VARIABLES = (
    "import json, os\nfound = {name: os.environ.get(name) for name in ('SET', 'GONE', 'TZ', 'OMP_NUM_THREADS')}\n"
)
LATER = {"SET": "later: ü", "GONE": None, "TZ": "Pacific/Auckland", "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize("backend", ["fork", "subprocess", "in-process"])
def test_jobs_have_the_environment_of_the_moment_when_they_start(
    workplace: Workplace, slot: Slot, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setenv("GONE", "there")
    monkeypatch.setenv("SET", "earlier")
    save = "import pathlib\npathlib.Path(os.environ['TRAINING_FOLDER'], 'found.json').write_text(json.dumps(found))\n"
    script = workplace.script(VARIABLES + save)
    jobs = [
        workplace.function("run.save('found.json', found)\nreturn {}", top=VARIABLES),
        script,
        workplace.command(sys.executable, str(script.path)),
    ]
    with contextlib.closing(start_server([], log=workplace.root / "server.log", seed=0)) as server:
        launcher = {
            "fork": ServerLauncher(server.address),
            "subprocess": SubprocessLauncher(),
            "in-process": InProcessLauncher(),
        }[backend]
        slot = replace(slot, launcher=launcher, environment=session_environment())
        monkeypatch.delenv("GONE")
        monkeypatch.setenv("PYTEST_CURRENT_TEST", "of this test")
        for name in ("SET", "TZ"):
            monkeypatch.setenv(name, str(LATER[name]))
        for job in jobs[: 1 if backend == "in-process" else 3]:
            outcome = slot.train(planned(job))
            found = msgspec.json.decode((slot.folder.path / outcome.artifacts[0]).read_bytes())
            if backend == "in-process":
                found["OMP_NUM_THREADS"] = "1"
            assert found == LATER, job.kind


FIRST_FAILED = Ending(wall_s=0.5, exit_status=1)


@pytest.mark.parametrize(
    ("first", "left", "booked"),
    [
        (Ending(), ["log.txt"], (5.0, 1.0)),
        (Ending(), [], (0.0, 6.0)),
        (Ending(), ["secret"], (5.0, 1.0)),
        (FIRST_FAILED, ["log.txt"], (5.5, 0.5)),
        (FIRST_FAILED, [], (0.5, 5.5)),
    ],
    ids=["while it ran", "before it began", "with secrets", "in its second attempt", "before its second attempt"],
)
def test_a_job_that_was_killed_is_booked_with_what_it_ran(
    workplace: Workplace, slot: Slot, first: Ending, left: list[str], booked: tuple[float, float]
) -> None:
    declared = (Parameter(name="token", variable="TOKEN"),) if "secret" in left else ()
    job = workplace.function("return {}", declared=declared)
    files = slot.folder.job(job.id)
    for number, ending in ((1, first), (2, Ending())):
        files.attempt(number).create()
        attempt = Attempt(
            number=number, status=Status.INTERRUPTED, started=f"2026-01-01T10:00:0{number}.000+00:00", ending=ending
        )
        files.attempt(number).started.write_bytes(msgspec.json.encode(attempt))
    if "log.txt" in left:
        files.attempt(2).log.touch()
    outcome = interrupted_outcome(slot.folder, job, seed=0, reason="killed", ended="2026-01-01T10:00:07.000+00:00")
    assert (outcome.wall_s, outcome.waiting_s) == booked


OUTSIDE = (
    "/etc/passwd",
    "../../../secret",
    "jobs/als/../../../../secret",
    "jobs/other/attempt-1/log.txt",
    "jobs/als/..",
)


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("name", ["log", "artifacts", "attempts", "job_id"])
def test_an_outcome_with_paths_to_elsewhere_is_none(slot: Slot, name: str, path: str) -> None:
    outcome = new_outcome(Job(id="als", kind="function", source="", home="", root=""), seed=0)
    assert save_outcome(slot.folder, outcome) == read_outcome(slot.folder, "als")
    attempt = Attempt(number=1, status=Status.PASSED, folder=path)
    forged = {"log": path, "artifacts": (path,), "attempts": (attempt,), "job_id": path}[name]
    content = msgspec.json.encode(msgspec.structs.replace(outcome, **{name: forged}))
    slot.folder.job("als").outcome.write_bytes(content)
    assert read_outcome(slot.folder, "als") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b'{"job_id": 3}', b"\xff"])
def test_an_outcome_that_cannot_be_read_is_none(slot: Slot, content: bytes) -> None:
    outcome: Path = slot.folder.job("als").outcome
    outcome.parent.mkdir(parents=True)
    outcome.write_bytes(content)
    found: Any = read_outcome(slot.folder, "als")
    assert found is None


class Slow(Launcher):
    """A launcher as a backend makes it: it waits for a machine, then trains for half a second."""

    def __init__(self, reply: Reply, *, waits_s: float) -> None:
        self.reply, self.waits_s = reply, waits_s

    def launch(self, request: AttemptRequest) -> Reply:
        """Wait, and answer; leave the log of an attempt that began."""
        if self.reply.lost not in {None, NEVER_SENT}:
            request.files.log.write_text("trains\n")
        wait(self.waits_s)
        return self.reply

    def pause(self, seconds: float) -> bool:
        """Wait before another attempt."""
        return wait(seconds)


class Loses(Slow):
    """Loses a first attempt that trained; the next ones never begin."""

    def launch(self, request: AttemptRequest) -> Reply:
        """Lose the attempt, then answer."""
        is_first = request.folder.endswith("attempt-1")
        return Slow(Reply(lost=LOST_ATTEMPT), waits_s=0.1).launch(request) if is_first else super().launch(request)


def wait(seconds: float) -> bool:
    """Wait that long by the clock that measures it."""
    end = time.monotonic() + seconds
    while (rest_s := end - time.monotonic()) > 0:
        time.sleep(rest_s)
    return True


ENDED = Ending(exit_status=0, wall_s=0.05)
LOST_ATTEMPT = Lost(cause="server died", reason="it died")
NEVER_SENT = Lost(cause="worker died", reason="worker died: the cluster's scheduler is gone")


@pytest.mark.parametrize(
    ("reply", "own_s", "least_s"),
    [
        (Reply(ending=ENDED), 0.05, 0.1),
        (Reply(ending=msgspec.structs.replace(ENDED, waiting_s=0.1)), 0.05, 0.1),
        (Reply(ending=Ending(ended_by="interrupted")), 0.0, 0.1),
        (Reply(refused="needs 2 GPUs"), 0.0, 0.1),
        (Reply(lost=LOST_ATTEMPT), None, 0.0),
        (Reply(lost=LOST_ATTEMPT, ending=Ending(waiting_s=0.1)), None, 0.1),
        (Reply(lost=NEVER_SENT), 0.0, 0.2),
        (Reply(ending=Ending(exit_status=0)), None, 0.0),
    ],
    ids=[
        "ended",
        "measured by the backend",
        "never begun",
        "refused",
        "lost",
        "lost later",
        "never sent",
        "unmeasured",
    ],
)
def test_a_job_is_booked_with_its_own_time_and_not_with_what_it_waited_for(
    workplace: Workplace, slot: Slot, reply: Reply, own_s: float | None, least_s: float
) -> None:
    ours = replace(slot, launcher=Slow(reply, waits_s=0.2))
    outcome = ours.train(planned(workplace.function("return {}")))
    (attempt,) = outcome.attempts
    assert (outcome.wall_s, outcome.waiting_s) == (attempt.ending.wall_s, attempt.ending.waiting_s)
    assert outcome.wall_s + outcome.waiting_s >= 0.2
    assert outcome.wall_s == own_s if own_s is not None else outcome.wall_s >= 0.1
    assert outcome.waiting_s == (pytest.approx(least_s) if own_s is None else outcome.waiting_s)
    assert outcome.waiting_s >= least_s


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(lost=NEVER_SENT), "it died"),
        (Reply(ending=Ending(ended_by="interrupted")), "interrupted before attempt 2; attempt 1 it died"),
    ],
    ids=["lost", "interrupted"],
)
def test_an_attempt_that_never_began_hides_neither_log_nor_reason_of_the_one_before(
    workplace: Workplace, slot: Slot, reply: Reply, reason: str
) -> None:
    ours = replace(slot, launcher=Loses(reply, waits_s=0.1))
    outcome = ours.train(planned(workplace.function("return {}", retries=2)))
    (attempt,) = outcome.attempts
    assert outcome.reason == reason
    assert outcome.log is not None
    assert outcome.log.endswith("attempt-1/log.txt")
    assert (outcome.log_tail, outcome.wall_s) == (("trains",), attempt.ending.wall_s)
    assert outcome.waiting_s >= 0.1


@pytest.mark.parametrize(("ended_by", "goes_on"), [("interrupted", True), (None, False)], ids=str)
def test_a_worker_whose_job_was_stopped_ignores_a_second_ctrl_c(
    workplace: Workplace, slot: Slot, ended_by: Any, *, goes_on: bool
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    ending = msgspec.structs.replace(ENDED, ended_by=ended_by)
    ours = replace(slot, owned=True, launcher=Slow(Reply(ending=ending), waits_s=0))
    try:
        ours.train(planned(workplace.function("return {}")))
        assert signal.getsignal(signal.SIGINT) == (signal.SIG_IGN if goes_on else signal.default_int_handler)
    finally:
        for number, handler in (
            (signal.SIGINT, before),
            (signal.SIGTERM, signal.SIG_DFL),
            (signal.SIGHUP, signal.SIG_DFL),
        ):
            signal.signal(number, handler)


def test_pauses_before_another_attempt_are_waiting(workplace: Workplace, slot: Slot) -> None:
    job = workplace.function("raise ValueError('no')", retries=2, retry_wait_s=0.1)
    outcome = replace(slot, launcher=Slow(Reply(ending=ENDED), waits_s=0)).train(planned(job))
    assert len(outcome.attempts) == 3
    assert outcome.wall_s == pytest.approx(0.15)
    assert outcome.waiting_s >= 0.3


def test_a_job_does_not_pay_for_what_others_import(
    workplace: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "reports/runs/r1/jobs"  # the server may have begun long before the job asks for its process
    wait = f"while not list(Path({str(started)!r}).glob('*/attempt-1/started.json')): time.sleep(0.01)"
    (workplace.training / "heavy.py").write_text(f"import time\nfrom pathlib import Path\n{wait}\ntime.sleep(0.7)\n")
    monkeypatch.setenv("PYTHONPATH", str(workplace.training))
    server = start_server(["heavy"], log=tmp_path / "server.log", seed=0)
    slot = Slot(
        name="main",
        folder=RunFolder(tmp_path / "reports", "r1"),
        launcher=ServerLauncher(server.address),
        seed=0,
        threads=1,
        settings=RunSettings(),
    )
    try:
        outcome = slot.train(planned(workplace.function("return {}")))
    finally:
        server.close()
    assert outcome.waiting_s >= 0.6
    assert outcome.wall_s < outcome.waiting_s


@pytest.mark.parametrize("has_checkpoint", [True, False])
def test_an_attempt_says_whether_it_goes_on_from_an_earlier_run(
    workplace: Workplace,
    slot: Slot,
    has_checkpoint: bool,  # noqa: FBT001  (a case)
) -> None:
    job = workplace.function("return {}")
    if has_checkpoint:
        earlier = RunFolder(slot.folder.reports, "r0").job(job.id).checkpoint
        earlier.mkdir(parents=True)
        (earlier / "state.json").write_text("{}")
    resuming = replace(slot, settings=RunSettings(resumed=("r0",)))
    (attempt,) = resuming.train(planned(job)).attempts
    assert attempt.continued == has_checkpoint


def test_an_attempt_says_how_long_its_file_took_to_load(workplace: Workplace, slot: Slot) -> None:
    top = "import time\ntime.sleep(0.3)"
    for body in ("return {}", "raise ValueError('no')"):
        (attempt,) = slot.train(planned(workplace.function(body, top=top))).attempts
        assert 0.3 <= attempt.loading_s <= attempt.ending.wall_s
    (attempt,) = slot.train(planned(workplace.function("return {}", top=f"{top}\nraise OSError('no file')"))).attempts
    assert attempt.loading_s >= 0.3
    (attempt,) = slot.train(planned(workplace.script("import time; time.sleep(0.1)"))).attempts
    assert attempt.loading_s == 0
