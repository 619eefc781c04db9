"""`pytest-training prune`: old run folders go, and nothing that anything refers to goes with them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from past_runs import Pasts, outcome, pasts
from sessions import Project, environment, text

from pytest_training.atomic import write_atomically
from pytest_training.execution.outcome import Status
from pytest_training.records import pruning
from pytest_training.records.run_record import BegunRun
from pytest_training.records.strict_json import encode

__all__ = ["pasts"]
OLD, USED = "20250101-100000-abcd", "20250202-100000-abcd"
FOR = {"expected_s": None, "expected_from": "unknown"}


def failed(job_id: str = "als", **fields: Any) -> Any:
    """Return an outcome that nothing would keep."""
    return outcome(job_id, Status.FAILED, cause="error", **fields)


def stays(pasts: Pasts, *words: str) -> dict[str, str]:
    """Prune, keeping the newest run alone; return why each other run stays."""
    kept: dict[str, str] = pasts.json("prune", "--keep", "1", *words)["kept"]
    assert [name for name in pasts.names if not name.startswith(".")] >= sorted(kept)
    return {run_id: reason for run_id, reason in kept.items() if not reason.startswith("one of the newest")}


def needs(pasts: Pasts) -> None:
    pasts(failed("student"), planned={"needed": {"als": {"run_id": USED, "folder": f"/x/runs/{USED}/jobs/als"}}})


def is_unchanged(pasts: Pasts) -> None:
    unchanged = outcome("als", Status.SKIPPED, cause="unchanged")
    pasts(unchanged, planned={"unchanged": {"run_id": USED}})


def resumes(pasts: Pasts) -> None:
    pasts(failed("other"), resumed=("20250303-100000-abcd", USED))


def resumes_in_a_chain(pasts: Pasts) -> None:
    middle = pasts(failed("other"), resumed=(USED,))
    pasts(failed("other"), planned={"needed": {"als": {"run_id": middle, "folder": ""}}})


def goes_on(pasts: Pasts) -> None:
    """Another run refers to it that goes on, and is not the newest."""
    going = pasts(failed("other"), finished=False, resumed=(USED,))
    process = psutil.Process()
    begun = BegunRun(run_id=going, started="", pid=process.pid, pid_started=process.create_time(), resumed=(USED,))
    write_atomically(pasts.folder(going) / "begun.json", encode(begun))
    pasts(failed())


def was_killed(pasts: Pasts) -> None:
    pasts(failed("other"), finished=False, resumed=(USED,))
    pasts(failed())


def is_linked(pasts: Pasts) -> None:
    pasts(failed())
    (pasts.root / "model").symlink_to(pasts.folder(USED) / "jobs" / "als" / "attempt-1" / "artifacts")


def is_linked_beside(pasts: Pasts) -> None:
    pasts(failed())
    (pasts.reports / "runs" / "best-of-all").symlink_to(USED)


def is_reported(pasts: Pasts) -> None:
    """Its session ended after that of a run that began later."""
    pasts(failed())
    (pasts.reports / "report.json").write_text(f'{{"training": {{"run_id": "{USED}"}}}}')


def is_in_the_summary(pasts: Pasts) -> None:
    pasts(failed())
    (pasts.reports / "summary.md").write_text(f"## Training: 1 failed\n\nrun `{USED}`\n")


def is_compared_in_the_settings(pasts: Pasts) -> None:
    (pasts.root / "pytest.ini").write_text(f"[pytest]\naddopts = -q --training-compare {USED[:13]}\n")
    pasts(outcome("als", Status.FAILED, cause="gate"))
    pasts(failed())


def is_compared_by_its_commit(pasts: Pasts) -> None:
    pasts(failed(), arguments=("-n", "4", "--training-compare=cccccc"))
    pasts(failed())


def is_compared_by_its_branch(pasts: Pasts) -> None:
    pasts(outcome("als", metrics={"auc": 0.99}))
    pasts(failed())


def is_ours_now(pasts: Pasts) -> None:
    """Somebody has left a file there."""
    (pasts.folder(USED) / "for-the-paper.txt").write_text("mine")
    pasts(failed())


def has_a_later_file(pasts: Pasts) -> None:
    """Somebody has looked into its numbers, and kept that beside the model."""
    notebook = pasts.folder(USED) / "jobs" / "als" / "attempt-1" / "artifacts" / "analysis.ipynb"
    notebook.write_text("mine")
    ended = (pasts.folder(USED) / "run.json").stat().st_mtime
    os.utime(notebook, (ended + 86400, ended + 86400))
    pasts(failed())


def is_audited(pasts: Pasts) -> None:
    pasts(failed())
    (pasts.reports / "audit.json").write_text(f'{{"run_id": "{USED}"}}')


def can_go_on(pasts: Pasts) -> None:
    (pasts.folder(USED) / "jobs" / "stroke" / "checkpoint").mkdir()
    pasts(failed("als"))


def has_no_plan_to_read(pasts: Pasts) -> None:
    (pasts.folder(USED) / "plan.json").write_text('{"run_id": "2025')
    pasts(failed())


def is_elsewhere(pasts: Pasts) -> None:
    """It was moved to another disk."""
    shutil.move(pasts.folder(USED), pasts.root / "elsewhere")
    pasts.folder(USED).symlink_to(pasts.root / "elsewhere")
    pasts(failed())


@pytest.mark.parametrize(
    "refer",
    [
        *(
            needs,
            is_unchanged,
            resumes,
            resumes_in_a_chain,
            goes_on,
            was_killed,
            is_linked,
            is_linked_beside,
            is_reported,
        ),
        *(is_in_the_summary, is_compared_in_the_settings, is_compared_by_its_commit, is_compared_by_its_branch),
        *(is_ours_now, has_a_later_file, is_audited, can_go_on, has_no_plan_to_read, is_elsewhere),
    ],
)
def test_a_run_stays_while_anything_refers_to_it(pasts: Pasts, refer: Callable[[Pasts], None]) -> None:
    pasts(failed(), run_id=OLD)
    gated = outcome("als", Status.FAILED, cause="gate") if "compared" in refer.__name__ else failed()
    pasts(gated, failed("stroke"), run_id=USED, branch="main", commit="c" * 40)
    middle = pasts(outcome("als", Status.FAILED, cause="gate", metrics={"auc": 0.1}), branch="topic")
    pasts(outcome("als", metrics={"auc": 0.2}), branch="topic")
    refer(pasts)
    kept = stays(pasts)
    assert USED in kept, kept
    assert (pasts.folder(USED) / "plan.json").exists()
    assert [name for name in (OLD, middle) if name in pasts.names] == []


def best_by_a_gate(pasts: Pasts) -> str:
    best = pasts(outcome("als", metrics={"size": 1.0}, gate="size <="))
    pasts(outcome("als", metrics={"size": 2.0}, gate="size <="))
    return best


def last_that_passed(pasts: Pasts) -> str:
    """The history would serve it to a job that needs it, and to --training-skip-unchanged."""
    pasts(outcome("als", metrics={"auc": 0.5}))
    return pasts(outcome("als", metrics={"auc": 0.4}))


def last_of_a_job_without_a_name(pasts: Pasts) -> str:
    pasts(outcome("None", metrics={"auc": 0.5}))
    pasts(outcome("als", metrics={"auc": 0.5}))
    run_id = pasts(outcome("als", metrics={"auc": 0.4}))
    pasts(outcome("None", metrics={"auc": 0.4}))
    return run_id


def last_that_was_whole(pasts: Pasts) -> str:
    pasts(outcome("als", metrics={"auc": 0.5}))
    return pasts(outcome("als", Status.FAILED, cause="gate", metrics={"auc": 0.4}))


def interrupted(pasts: Pasts) -> str:
    return pasts(outcome("als", Status.INTERRUPTED, cause="interrupted"))


def not_begun(pasts: Pasts) -> str:
    """Ctrl-C came before the study was judged: its trials are in this run."""
    trial = outcome("als-seed-0", trial_of="als", metrics={"auc": 0.9})
    return pasts(trial, outcome("als", Status.NOT_RUN, kind="study"))


def killed(pasts: Pasts) -> str:
    return pasts(outcome("als", metrics={"auc": 0.9}), finished=False)


def starting(pasts: Pasts) -> str:
    """Its begun.json is not yet written."""
    return pasts(finished=False, begun=False)


def unrecorded(pasts: Pasts) -> str:
    """The history was locked when it ended, or is a new one since."""
    return pasts(outcome("als", metrics={"auc": 0.9}), recorded=False)


def copied(pasts: Pasts) -> str:
    run_id = pasts(failed())
    shutil.copytree(pasts.folder(run_id), pasts.folder("20240101-a-copy"))
    return "20240101-a-copy"


def of_a_clock_that_was_ahead(pasts: Pasts) -> str:
    """The run with the greatest name is not the one that ended last."""
    pasts(failed(), run_id="20990101-100000-abcd")
    return pasts(failed())


def trial_without_its_study(pasts: Pasts) -> str:
    """The study takes it from the history, when its other trials have passed too."""
    return pasts(outcome("als-seed-0", trial_of="als", metrics={"auc": 0.9}))


@pytest.mark.parametrize(
    "leave",
    [
        *(best_by_a_gate, last_that_passed, last_of_a_job_without_a_name, last_that_was_whole, interrupted, not_begun),
        *(killed, starting, unrecorded, copied, trial_without_its_study),
    ],
)
def test_a_run_stays_that_has_what_nothing_else_has(pasts: Pasts, leave: Callable[[Pasts], str]) -> None:
    pasts(failed(), run_id=OLD)
    run_id = leave(pasts)
    pasts(failed())
    kept = stays(pasts)
    assert run_id in kept, kept
    assert (pasts.folder(run_id) / "plan.json").exists()
    assert OLD not in pasts.names


def test_the_newest_are_those_by_name_and_those_by_their_end(pasts: Pasts) -> None:
    pasts(failed(), run_id=OLD)
    run_id = of_a_clock_that_was_ahead(pasts)
    pasts.json("prune", "--keep", "1")
    assert pasts.names == [run_id, "20990101-100000-abcd"]


def test_what_was_interrupted_goes_once_the_job_has_ended_well_since(pasts: Pasts) -> None:
    old = [interrupted(pasts), not_begun(pasts)]
    (pasts.folder(pasts(failed())) / "jobs" / "als" / "checkpoint").mkdir()
    new = pasts(outcome("als", metrics={"auc": 0.9}))
    assert stays(pasts) == {}
    assert pasts.names == [new]
    assert old != []


@pytest.mark.parametrize("status", [Status.INTERRUPTED, Status.FAILED])
def test_a_checkpoint_stays_until_the_job_has_ended_well_with_its_parameters(pasts: Pasts, status: Status) -> None:
    long, brief = {"epochs": 1000}, {"epochs": 1}
    old = pasts(outcome("als", status, cause="error", parameters=long))
    (pasts.folder(old) / "jobs" / "als" / "checkpoint").mkdir()
    plain = pasts(outcome("als", status, cause="error", parameters=long))
    tried = pasts(outcome("als", metrics={"auc": 0.5}, parameters=brief))
    assert stays(pasts) == {old: "als can be resumed"}
    assert pasts.names == [old, tried]
    assert plain not in pasts.names
    pasts(outcome("als", metrics={"auc": 0.9}, parameters=long))
    assert stays(pasts) == {}


def test_trials_count_by_their_study(pasts: Pasts) -> None:
    """A search gives each trial other parameters in each run: the best of a trial says nothing."""

    def study(*values: float) -> str:
        trials = [outcome(f"als-{n}", trial_of="als", metrics={"auc": value}) for n, value in enumerate(values)]
        return pasts(*trials, outcome("als", kind="study", metrics={"auc": max(values)}))

    study(0.9, 0.1, 0.2)
    best, last = study(0.1, 0.95), study(0.1, 0.2)
    newest = pasts(failed("other"))
    assert set(stays(pasts)) == {best, last}
    assert pasts.names == [best, last, newest]


def test_what_is_no_run_is_left_alone(pasts: Pasts) -> None:
    pasts(failed(), run_id=OLD)
    pasts(failed())
    runs = pasts.reports / "runs"
    (runs / "notes").mkdir()
    (runs / "notes" / "mine.txt").write_text("mine")
    (runs / "file.txt").write_text("mine")
    (runs / "empty").mkdir()
    (pasts.root / "elsewhere").mkdir()
    (runs / "20240101-100000-link").symlink_to(pasts.root / "elsewhere")
    (pasts.root / "a").symlink_to("b")  # in a circle
    (pasts.root / "b").symlink_to("a")
    pasts.json("prune", "--keep", "1")
    assert {"notes", "file.txt", "empty", "20240101-100000-link"} < set(pasts.names)
    assert OLD not in pasts.names
    assert (runs / "notes" / "mine.txt").read_text() == "mine"


def test_what_runs_leave_is_no_file_of_others(pasts: Pasts) -> None:
    pasts(failed(), run_id=OLD)
    pasts(failed())
    names = "index.html summary.md report.json junit.xml audit.md audit.json interrupted.txt loading.json server.log"
    for name in (*names.split(), "optuna.journal", "optuna.journal.lock", ".run.json.0a1b.partial"):
        (pasts.folder(OLD) / name).write_text("")
    (pasts.folder(OLD) / "gpus").mkdir()
    assert pasts.json("prune", "--keep", "1")["removed_mb"].keys() == {OLD}


def test_links_in_a_removed_run_are_not_followed(pasts: Pasts) -> None:
    pasts(failed(), run_id=OLD)
    pasts(failed())
    mine = pasts.root / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    (pasts.folder(OLD) / "jobs" / "als" / "attempt-1" / "artifacts" / "link").symlink_to(mine)
    pasts.json("prune", "--keep", "1")
    assert OLD not in pasts.names
    assert (mine / "thesis.txt").read_text() == "mine"


def test_a_smoke_run_has_no_history_and_goes(pasts: Pasts) -> None:
    for name in (OLD, USED):
        pasts(outcome("als", metrics={"auc": 0.9}), run_id=name, recorded=False, smoke=True)
    assert pasts.json("prune", "--keep", "1")["removed_mb"].keys() == {OLD}
    assert pasts.names == [USED]


@pytest.mark.parametrize("damage", ["garbage" * 1000, "", None])
def test_without_a_history_that_can_be_read_nothing_is_removed(pasts: Pasts, damage: str | None) -> None:
    for run_id in (OLD, USED):
        pasts(failed(), run_id=run_id)
    before, history = pasts.names, pasts.reports / "history.sqlite"
    if damage is None:
        history.unlink()
    else:
        history.write_text(damage)
    code, _, said = pasts.answer("prune", "--keep", "1")
    assert pasts.names == before
    assert (code, "nothing is removed" in said) == ((2, True) if damage else (0, False))


def test_the_history_stays(pasts: Pasts) -> None:
    ids = [pasts(failed(), run_id=OLD), pasts(failed())]
    before = (pasts.reports / "history.sqlite").read_bytes()
    pasts.json("prune", "--keep", "1")
    assert (pasts.reports / "history.sqlite").read_bytes() == before
    assert [(each["run_id"], each["notes"]) for each in pasts.json("runs")] == [
        *((ids[0], ["no folder", "1 failed"]), (ids[1], ["1 failed"]))
    ]


def test_a_dry_run_says_the_same_and_removes_nothing(pasts: Pasts) -> None:
    pasts(failed(), run_id=OLD)
    pasts(outcome("als", metrics={"auc": 0.9}))
    pasts(failed())
    before = pasts.names
    dry = pasts.json("prune", "--keep", "1", "--dry-run")
    code, printed, _ = pasts.answer("prune", "--keep", "1", "--dry-run")
    assert pasts.names == before
    assert (code, printed.splitlines()[0].startswith(f"would remove {OLD}, ")) == (0, True)
    assert printed.splitlines()[1:2] == [f"kept {before[1]}: the best als"]
    real = pasts.json("prune", "--keep", "1")
    assert (real["removed_mb"], real["kept"]) == (dry["removed_mb"], dry["kept"])
    assert (list(real["removed_mb"]), pasts.names) == ([OLD], before[1:])


@pytest.mark.parametrize("keep", ["0", "-1"])
def test_a_number_of_runs_is_at_least_one(pasts: Pasts, keep: str) -> None:
    pasts(failed(), run_id=OLD)
    pasts(failed())
    before = pasts.names
    message = f"pytest-training prune: error: --keep: expected a number of runs, at least 1, found {keep}\n"
    assert pasts.answer("prune", f"--keep={keep}") == (2, "", message)
    assert pasts.names == before


@pytest.mark.parametrize("words", [(), ("--keep", "x"), ("--keep", "1.5"), ("--keep", "")])
def test_without_a_number_nothing_is_removed(pasts: Pasts, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        pasts.answer("prune", *words)
    assert ended.value.code == 2
    assert pasts.answer("prune", "--keep", "1")[2].endswith(f"prune: error: no run in {pasts.reports}\n")


def test_what_a_kill_has_left_half_removed_is_no_run_and_goes_next_time(pasts: Pasts) -> None:
    pasts(failed(), run_id=OLD)
    newest = pasts(failed())
    pasts.folder(OLD).rename(pasts.reports / "runs" / f"{pruning.PRUNED}{OLD}")
    assert [line["notes"][0] for line in pasts.json("runs")] == ["no folder", "1 failed"]
    assert pasts.json("prune", "--keep", "1")["removed_mb"] == {}
    assert pasts.names == [newest]


@pytest.mark.slow
def test_two_prunes_at_once_and_one_that_is_killed_leave_whole_runs_alone(tmp_path: Path) -> None:
    pasts = Pasts(tmp_path, lambda *_: (0, "", ""))
    for number in range(60):
        pasts(failed(), run_id=f"20260101-100000-{number:04d}")
    words = [sys.executable, "-m", "pytest_training", "prune", "--keep", "5"]
    three = [
        subprocess.Popen(words, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert three[0].stdout is not None
    three[0].stdout.readline()  # it is in the middle
    os.kill(three[0].pid, signal.SIGKILL)
    said = [process.communicate()[0] for process in three]
    assert [process.returncode for process in three] == [-9, 0, 0]
    kept = [f"20260101-100000-{number:04d}" for number in range(55, 60)]
    assert [name for name in pasts.names if not name.startswith(".")] == kept
    assert all((pasts.folder(run_id) / "jobs/als/attempt-1/artifacts/model.bin").exists() for run_id in kept)
    removed = [line.split()[1] for line in "".join(said[1:]).splitlines() if line.startswith("removed 2026")]
    assert len(removed) == len(set(removed))
    assert subprocess.run(words, cwd=tmp_path, env=environment(), check=False, capture_output=True).returncode == 0
    assert pasts.names == kept


@pytest.mark.slow
def test_after_real_runs_what_served_others_stays_and_resumes_go_on(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.job("teacher", "run.save('model.json', {'a': 1})\nreturn {'auc': 0.9}")
    project.job("student", "return {'auc': epochs / 100}", parameters="epochs=3")
    project.job("other", "raise SystemExit(3)")
    project.write("training/jobs.yaml", "jobs:\n  student: {needs: [teacher]}\n")

    def ran(*arguments: str) -> str:
        before = {path.name for path in (project.reports / "runs").glob("*")}
        ended = project.run("-p", "no:xdist", "-p", "no:cacheprovider", *arguments)
        assert ended.ret in {0, 1}, text(ended)
        (run_id,) = {path.name for path in (project.reports / "runs").iterdir()} - before
        return run_id

    def left() -> list[str]:
        ended = project.ask("prune", "--keep", "1")
        assert ended.ret == 0, text(ended)
        return sorted(path.name for path in (project.reports / "runs").iterdir())

    failing = [ran("-k", "other") for _ in range(2)]
    teacher = ran("-k", "teacher")
    best = ran("-k", "student", "--set", "student.epochs=9")
    student = ran("-k", "student")
    newest = ran("-k", "other")
    assert left() == [teacher, best, student, newest]
    assert not set(failing) & set(left())
    project.job("other")
    resumed = ran("--training-resume", newest)
    assert left() == [teacher, best, student, newest, resumed]
    skipped = ran("--training-skip-unchanged")
    assert project.statuses() == {"teacher": "skipped", "student": "skipped", "other": "skipped"}
    assert left() == [teacher, best, student, newest, resumed, skipped]
    assert project.ask("report", skipped).ret == 0
    assert project.run("-k", "student", "--set", "student.epochs=4", "-p", "no:xdist").ret == 0
