"""Tests of records/history.py: what is remembered, on real files, with real processes beside each other."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.execution.equipment import Machine
from pytest_training.execution.outcome import Attempt, Outcome, Status
from pytest_training.jobs.model import Job
from pytest_training.records.history import ENDED, PASSED, History
from pytest_training.records.history_file import set_aside
from pytest_training.records.run_record import Provenance, RunRecord

MACHINE = "aaaaaaaaaaaa"
OTHER_MACHINE = "bbbbbbbbbbbb"
NOBODY = 65534
PROVENANCE = Provenance(
    commit="c0ffee",
    branch="main",
    dirty=False,
    python="3.11.7",
    implementation="CPython",
    platform="Linux",
    machine=Machine(id=MACHINE, system="Linux", architecture="x86_64", processor="", cpus=4, memory_gib=8.0),
    packages={"numpy": "2.1"},
    environment={},
)


def run_record(run_id: str = "run-1", **changes: Any) -> RunRecord:
    known = RunRecord(run_id=run_id, started="", ended="", seed=0, workers=4, exit_code=0)
    return msgspec.structs.replace(known, **changes)


def outcome(job_id: str = "als", wall_s: float = 10.0, **changes: Any) -> Outcome:
    known = Outcome(job_id=job_id, kind="function", title="", status=Status.PASSED, wall_s=wall_s)
    return msgspec.structs.replace(known, **changes)


def job(job_id: str = "als", **parameters: Any) -> Job:
    return Job(id=job_id, kind="function", source="train_als.py", home="/", root="/", parameters=parameters)


def history_at(path: Path, machine: str = MACHINE, timeout_s: float = 5.0) -> History:
    return History(path, machine=machine, timeout_s=timeout_s)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return history_at(tmp_path / "reports" / "history.sqlite")


def outcomes_of(history: History) -> list[Outcome]:
    recent = history.recent(history.job_ids(), 9)
    return [recorded.outcome for job_id in recent for recorded in recent[job_id]]


def run_ids(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        return [run_id for (run_id,) in connection.execute("SELECT run_id FROM runs ORDER BY run_id")]


def test_asking_creates_no_file(history: History) -> None:
    assert history.expected([job()]) == {}
    assert outcomes_of(history) == []
    assert not history.path.parent.exists()
    assert history.problems == []


def test_an_outcome_comes_back_as_it_was_but_for_its_log(history: History) -> None:
    recorded = outcome(parameters={"epochs": 5}, metrics={"r2": 0.3}, reason="ünïcode", log_tail=("end",))
    history.add(run_record(), [recorded, outcome("heart")], PROVENANCE)
    assert outcomes_of(history) == [msgspec.structs.replace(recorded, log_tail=()), outcome("heart")]
    assert history.problems == []


def test_a_run_is_recorded_with_commit_seed_workers_machine_and_arguments(history: History) -> None:
    history.add(run_record(seed=2**80, arguments=("-n", "4")), [outcome(threads=2, slot="gw1")], PROVENANCE)
    with sqlite3.connect(history.path) as connection:
        run = connection.execute('SELECT "commit", dirty, seed, workers, machine, arguments FROM runs').fetchone()
        ran = connection.execute("SELECT threads, slot, machine FROM outcomes").fetchone()
    assert run == ("c0ffee", 0, str(2**80), 4, MACHINE, '["-n", "4"]')
    assert ran == (2, "gw1", MACHINE)


def test_recording_a_run_again_replaces_it(history: History) -> None:
    history.add(run_record(), [outcome(wall_s=1)], PROVENANCE)
    history.add(run_record(), [outcome(wall_s=2), outcome("heart")], PROVENANCE)
    assert [each.wall_s for each in outcomes_of(history)] == [2, 10]
    assert run_ids(history.path) == ["run-1"]


def test_what_cannot_be_written_as_it_is_does_not_stop_the_record(history: History) -> None:
    odd = outcome("\ud800", wall_s=float("nan"), reason="\udcff\0", parameters={"x": float("inf"), "n": 10**400})
    history.add(run_record(), [odd], PROVENANCE)
    with sqlite3.connect(history.path) as connection:
        row = connection.execute("SELECT job_id, reason, parameters FROM outcomes").fetchone()
    assert row == ("?", "?\0", '{"x": null, "n": null}')
    assert history.problems == []


def test_expects_the_median_of_the_last_three_with_the_same_parameters(history: History) -> None:
    for number, seconds in enumerate([100.0, 4.0, 9.0, 5.0]):
        history.add(run_record(f"run-{number}"), [outcome(wall_s=seconds, parameters={"epochs": 5})], PROVENANCE)
    history.add(run_record("run-9"), [outcome(wall_s=77, parameters={"epochs": 50})], PROVENANCE)
    assert history.expected([job(epochs=5), job("unknown")]) == {"als": 5.0}


def test_other_epochs_and_folds_scale_the_part_of_the_duration_that_is_not_fixed(history: History) -> None:
    history.add(run_record("small"), [outcome(wall_s=3, parameters={"epochs": 2, "folds": 2})], PROVENANCE)
    history.add(run_record("large"), [outcome(wall_s=6, parameters={"epochs": 10, "folds": 3})], PROVENANCE)
    assert history.expected([job(epochs=20, folds=5)]) == {"als": pytest.approx(6 + 3 / 26 * 70)}


def test_durations_of_other_machines_and_of_jobs_that_did_not_pass_are_ignored(history: History) -> None:
    history_at(history.path, OTHER_MACHINE).add(run_record("other"), [outcome(wall_s=1)], PROVENANCE)
    history.add(run_record("failed"), [outcome(wall_s=2, status=Status.FAILED)], PROVENANCE)
    assert history.expected([job()]) == {}
    history.add(run_record("passed"), [outcome(wall_s=3)], PROVENANCE)
    assert history.expected([job()]) == {"als": 3}


def test_the_rest_of_a_resumed_training_is_not_taken_for_a_whole_one(history: History) -> None:
    rest = Attempt(number=1, status=Status.PASSED, continued=True)
    history.add(run_record("whole"), [outcome(wall_s=60)], PROVENANCE)
    history.add(run_record("rest"), [outcome(wall_s=3, attempts=(rest,))], PROVENANCE)
    assert history.expected([job()]) == {"als": 60}
    assert [each.wall_s for each in outcomes_of(history)] == [3, 60]


def test_a_thousand_jobs_are_looked_up_without_reading_the_whole_history(history: History) -> None:
    jobs = [job(f"job-{number}", epochs=5) for number in range(1000)]
    for run in range(3):
        outcomes = [outcome(each.id, parameters={"epochs": 5}) for each in jobs]
        history.add(run_record(f"run-{run}"), outcomes, PROVENANCE)
    assert len(history.expected(jobs)) == 1000
    with sqlite3.connect(history.path) as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT wall_s, parameters FROM outcomes WHERE job_id = '' AND machine = ''"
            " AND status = 'passed' AND wall_s > 0 ORDER BY id DESC LIMIT 20"
        ).fetchall()
    assert "USING INDEX outcomes_of_job" in plan[0][-1]
    assert len(plan) == 1, "an index gives the order too: nothing is sorted"


def test_outcomes_of_an_unknown_form_are_left_out(history: History) -> None:
    history.add(run_record(), [outcome(), outcome("heart")], PROVENANCE)
    with sqlite3.connect(history.path) as connection:
        connection.execute("""UPDATE outcomes SET outcome = '{"colour": 1}' WHERE job_id = 'als'""")
    assert outcomes_of(history) == [outcome("heart")]


def add_runs(path: Path, name: str, together: Barrier) -> None:
    history = history_at(path)
    together.wait()
    for number in range(15):
        history.add(run_record(f"{name}-{number:02d}"), [outcome(), outcome("heart")], PROVENANCE)
    if history.problems:
        raise SystemExit("; ".join(history.problems))


def test_two_runs_that_end_at_once_are_both_recorded(history: History) -> None:
    context = multiprocessing.get_context("fork")
    together = context.Barrier(2)
    writers = [context.Process(target=add_runs, args=(history.path, name, together)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert run_ids(history.path) == [f"{name}-{number:02d}" for name in ("a", "b") for number in range(15)]


def die_while_writing(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")  # pages reach the file before the commit
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO runs (run_id, arguments) VALUES (?, ?)", [(f"half-{n}", "x" * 5000) for n in range(200)]
    )
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_writer_that_is_killed_leaves_the_history_as_it_was(history: History) -> None:
    history.add(run_record(), [outcome(wall_s=4)], PROVENANCE)
    writer = multiprocessing.get_context("fork").Process(target=die_while_writing, args=(history.path,))
    writer.start()
    writer.join(60)
    assert writer.exitcode == -signal.SIGKILL
    assert history.path.with_name("history.sqlite-journal").exists()
    assert history.expected([job()]) == {"als": 4}
    assert run_ids(history.path) == ["run-1"]


def damage_header(path: Path) -> None:
    path.write_bytes(b"this is no database, but somebody's notes\n" * 50)


def damage_pages(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(5000)


def drop_table(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE outcomes")


@pytest.mark.parametrize("damage", [damage_header, damage_pages, truncate, drop_table])
def test_a_damaged_history_is_set_aside_and_the_run_recorded_in_a_new_one(
    history: History, damage: Callable[[Path], None]
) -> None:
    history.add(run_record("old"), [outcome()], PROVENANCE)
    damage(history.path)
    damaged = history.path.read_bytes()
    history.add(run_record("new"), [outcome()], PROVENANCE)
    (kept,) = history.path.parent.glob("history.sqlite.corrupt-*")
    assert kept.read_bytes() == damaged
    assert run_ids(history.path) == ["new"]
    (problem,) = history.problems
    assert problem.startswith(f"{history.path} is no readable history (")
    assert problem.endswith(f"it is kept as {kept.name}, and a new history begins with this run")


def test_asking_a_damaged_history_changes_nothing(history: History) -> None:
    history.path.parent.mkdir()
    damage_header(history.path)
    before = history.path.read_bytes()
    assert history.expected([job()]) == {}
    assert history.problems == [
        f"{history.path} is no readable history (file is not a database): how long jobs take is unknown"
    ]
    assert list(history.path.parent.iterdir()) == [history.path]
    assert history.path.read_bytes() == before


def test_what_was_set_aside_in_the_same_second_is_not_overwritten(history: History) -> None:
    history.path.parent.mkdir()
    contents = {b"damaged file %d " % number * 100 for number in range(3)}
    for content in contents:
        history.path.write_bytes(content)
        history.add(run_record(), [], PROVENANCE)
    assert {path.read_bytes() for path in history.path.parent.glob("*.corrupt-*")} == contents


def test_the_journal_of_a_damaged_file_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"damaged")
    path.with_name("history.sqlite-journal").write_bytes(b"journal")
    kept = set_aside(path)
    assert kept.read_bytes() == b"damaged"
    assert kept.with_name(f"{kept.name}-journal").read_bytes() == b"journal"
    assert len(list(tmp_path.iterdir())) == 2


def test_an_empty_file_becomes_a_history(history: History) -> None:
    history.path.parent.mkdir()
    history.path.touch()
    assert history.expected([job()]) == {}
    history.add(run_record(), [outcome()], PROVENANCE)
    assert run_ids(history.path) == ["run-1"]
    assert history.problems == []


def make_newer(path: Path) -> str:
    history_at(path).add(run_record(), [], PROVENANCE)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    return "has schema 7 of a newer pytest-training, this one knows up to 1"


def make_foreign(path: Path) -> str:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    return "is a database of another program"


@pytest.mark.parametrize("make", [make_newer, make_foreign])
def test_a_database_that_is_not_ours_or_newer_is_reported_and_not_touched(
    history: History, make: Callable[[Path], str]
) -> None:
    expected_problem = make(history.path)
    before = history.path.read_bytes()
    assert history.expected([job()]) == {}
    history.add(run_record(), [outcome()], PROVENANCE)
    assert history.path.read_bytes() == before
    assert list(history.path.parent.iterdir()) == [history.path]
    asked, added = history.problems
    assert expected_problem in asked
    assert expected_problem in added
    assert added.endswith("run run-1 is not in the history (its run folder has its outcomes)")


def test_a_history_that_stays_locked_is_reported(history: History) -> None:
    history.add(run_record("before"), [outcome()], PROVENANCE)
    impatient = history_at(history.path, timeout_s=0.05)
    other = sqlite3.connect(history.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert impatient.expected([job()]) == {}
    impatient.add(run_record("during"), [outcome()], PROVENANCE)
    other.close()
    asked, added = impatient.problems
    locked = f"{history.path} is locked by another program for more than 0.05 s: "
    assert asked == f"{locked}how long jobs take is unknown"
    assert added == f"{locked}run during is not in the history (its run folder has its outcomes)"
    assert run_ids(history.path) == ["before"]


@pytest.mark.parametrize("place", ["folder", "file as folder", "proc"])
def test_a_place_where_no_file_can_be_is_reported(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    path = {
        "folder": tmp_path / "folder",
        "file as folder": tmp_path / "file" / "history.sqlite",
        "proc": Path("/proc/self/history.sqlite"),
    }[place]
    history = history_at(path)
    assert history.expected([job()]) == {}
    history.add(run_record(), [outcome()], PROVENANCE)
    assert history.problems
    assert all(problem.startswith(f"{path} cannot be used (") for problem in history.problems)


def test_names_with_spaces_question_marks_and_letters_of_all_kinds_are_paths(tmp_path: Path) -> None:
    history = history_at(tmp_path / "ä report?mode=ro #1 %41" / "history.sqlite")
    history.add(run_record(), [outcome()], PROVENANCE)
    assert history.path.exists()
    assert history.expected([job()]) == {"als": 10}
    assert history.problems == []


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that other users can enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="pytest-training-history-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def in_child(action: Callable[[], list[str]]) -> list[str]:
    """Run the action in a forked process, where limits and user can be changed, and return its strings."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(action()))
    child.start()
    sender.close()
    found: list[str] = receiver.recv()
    child.join(60)
    return found


def test_a_read_only_history_is_read_and_reported_when_written(public_folder: Path) -> None:
    path = public_folder / "history.sqlite"
    history_at(path).add(run_record("before"), [outcome()], PROVENANCE)
    path.chmod(0o444)
    public_folder.chmod(0o555)

    def as_nobody() -> list[str]:
        if os.getuid() == 0:
            os.setuid(NOBODY)  # root may write everywhere
        history = history_at(path)
        known = history.expected([job()])
        history.add(run_record("after"), [outcome()], PROVENANCE)
        return [str(known), *history.problems]

    known, problem = in_child(as_nobody)
    assert known == "{'als': 10.0}"
    assert problem == (
        f"{path} cannot be used (attempt to write a readonly database): "
        "run after is not in the history (its run folder has its outcomes)"
    )
    assert run_ids(path) == ["before"]


def test_a_full_disk_is_reported_and_loses_no_earlier_run(history: History) -> None:
    history.add(run_record("before"), [outcome()], PROVENANCE)

    def with_files_that_cannot_grow() -> list[str]:
        size = history.path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        history.add(run_record("after"), [outcome(reason="x" * 100_000)], PROVENANCE)
        return history.problems

    (problem,) = in_child(with_files_that_cannot_grow)
    assert f"{history.path} cannot be used (" in problem
    assert run_ids(history.path) == ["before"]


def test_a_killed_run_is_compared_with_runs_before_it_only(tmp_path: Path) -> None:
    """The history has nothing of it; its id says when it was."""
    history = history_at(tmp_path / "history.sqlite")
    for run_id, score in (("20260101", 0.1), ("20260103", 0.3)):
        history.add(run_record(run_id), [outcome(metrics={"r2": score})], PROVENANCE)
    assert history.newest(["als"], before="20260102")["als"].run_id == "20260101"
    assert history.newest(["als"], before="20260104")["als"].run_id == "20260103"
    assert history.newest(["als"], before="20260101") == {}


def test_an_outcome_that_missed_a_gate_counts_only_where_it_need_not_have_passed(tmp_path: Path) -> None:
    history = history_at(tmp_path / "history.sqlite")
    history.add(run_record("r1"), [outcome(metrics={"r2": 0.9})], PROVENANCE)
    history.add(run_record("r2"), [outcome(status=Status.FAILED, cause="gate", metrics={"r2": 0.1})], PROVENANCE)
    history.add(run_record("r3"), [outcome(status=Status.FAILED, cause="crash")], PROVENANCE)
    history.add(run_record("r4"), [outcome(status=Status.INTERRUPTED)], PROVENANCE)
    assert history.newest(["als"])["als"].run_id == "r2"
    assert history.newest(["als"], which=PASSED)["als"].run_id == "r1"
    assert history.newest(["als"], which=ENDED)["als"].run_id == "r3"
    history.add(run_record("r5"), [outcome(status=Status.FAILED, cause="result", metrics={"r2": 0.2})], PROVENANCE)
    assert history.newest(["als"])["als"].run_id == "r5"  # its gate named another metric


def test_a_run_can_be_named_by_id_branch_and_commit(tmp_path: Path) -> None:
    history = history_at(tmp_path / "history.sqlite")
    assert history.origins() == []
    history.add(run_record("r1"), [outcome()], PROVENANCE)
    history.add(run_record("r2"), [outcome()], msgspec.structs.replace(PROVENANCE, branch=None, commit=None))
    assert [(each.run_id, each.branch, each.commit) for each in history.origins()] == [
        ("r2", None, None),
        ("r1", "main", "c0ffee"),
    ]
