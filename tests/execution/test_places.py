"""A job may put anything at any name of ours: nothing outside its run changes, it keeps its metrics, others train."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from deep_folders import deep

from pytest_training.atomic import write_atomically
from pytest_training.execution.backends.fork_server.backend import ServerLauncher
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.job_files import Walk, artifacts
from pytest_training.execution.slot import Slot, read_outcome
from pytest_training.jobs.model import Job, MetricsFile, RunSettings

from .workplace import Workplace, planned

pytestmark = pytest.mark.timeout(60)

TOP = """
import os, pathlib, shutil

OUTSIDE = pathlib.Path(os.environ["OUTSIDE_OF_THE_RUN"])
"""
THINGS = {
    "a link to a folder outside": "os.symlink(OUTSIDE, {place})",
    "a dangling link": "os.symlink(OUTSIDE / 'nowhere', {place})",
    "a link to itself": "os.symlink({place}, {place})",
    "a link to a file outside": "os.symlink(OUTSIDE / 'precious', {place})",
    "a pipe": "os.mkfifo({place})",
    "a file": "pathlib.Path({place}).write_text('x')",
    "a folder": "os.makedirs(pathlib.Path({place}, 'x'))",
}
PLACES = {
    "another job": "jobs / 'other'",
    "its own folder": "own.parent",
    "its attempt": "own",
    "its next attempt": "own.with_name('attempt-2')",
    "its artifacts": "run.folder",
    "every job": "jobs",
    "the run": "jobs.parent",
    "result.json": "own / 'result.json'",
    "started.json": "own / 'started.json'",
    "its outcome": "own.parent / 'outcome.json'",
    "its checkpoint": "own.parent / 'checkpoint'",
    "a checkpoint in the making": "own.parent / 'checkpoint' / 'state.zip'",
}
BODY = """
own = run.folder.parent
jobs = own.parents[0].parent
place = {place}
place.parent.mkdir(exist_ok=True)
if os.path.lexists(place):
    os.rename(place, OUTSIDE.parent / ("moved-" + str(os.getpid())))
{thing}
run.checkpoint.save(epoch=1)
run.log(epoch=1)
{end}
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious").write_text("precious")
    monkeypatch.setenv("OUTSIDE_OF_THE_RUN", str(folder))
    return folder


@pytest.fixture
def slot(workplace: Workplace, launcher: ServerLauncher) -> Slot:
    run = RunFolder(workplace.root / "reports", "r1")
    return Slot(name="main", folder=run, launcher=launcher, seed=0, threads=1, settings=RunSettings(grace_s=0.3))


def hostile(workplace: Workplace, outside: Path, place: str, thing: str, end: str) -> Job:
    body = BODY.format(place=PLACES[place], thing=THINGS[thing].format(place="place"), end=end)
    return workplace.function(body, top=TOP.replace('os.environ["OUTSIDE_OF_THE_RUN"]', repr(str(outside))), retries=1)


ENDS = {"return {'score': 0.5}": ("passed", ""), "raise ValueError('why')": ("failed", "raised ValueError: why")}
CASES = [
    pytest.param((place, thing, end), marks=() if (row + column) % 3 == last == 0 else pytest.mark.slow)
    for row, place in enumerate(PLACES)
    for column, thing in enumerate(THINGS)
    for last, end in enumerate(ENDS)
]
"""Each place with each thing; in the quick suite a third of them, all places and all things among these."""


@pytest.mark.parametrize("case", CASES, ids=" - ".join)
def test_whatever_stands_at_a_name_of_ours_harms_nobody(
    workplace: Workplace, slot: Slot, outside: Path, case: tuple[str, str, str]
) -> None:
    place, thing, end = case
    outcome = slot.train(planned(hostile(workplace, outside, place, thing, end)))
    other = slot.train(planned(workplace.function("return {'score': 0.7}", id="other")))
    assert (other.status, other.metrics) == ("passed", {"score": 0.7}), other.reason
    assert (outcome.status, outcome.reason) == ENDS[end]
    assert outcome.metrics == ({"score": 0.5} if outcome.status == "passed" else {})
    assert [read_outcome(slot.folder, each.job_id) for each in (outcome, other)] == [outcome, other]
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("precious", "precious")]
    assert not list(slot.folder.path.rglob("*.partial*"))


@pytest.mark.parametrize(
    "thing", ["a dangling link", "a link to itself", "a link to a file outside", "a pipe", "a file"]
)
def test_without_a_reports_folder_every_job_ends_and_says_so(
    workplace: Workplace, slot: Slot, outside: Path, thing: str
) -> None:
    body = BODY.format(place="jobs.parents[2]", thing=THINGS[thing].format(place="place"), end="return {}")
    first = workplace.function(body, top=TOP.replace('os.environ["OUTSIDE_OF_THE_RUN"]', repr(str(outside))), retries=1)
    for job in (first, workplace.function("return {}"), workplace.function("return {}", retries=3)):
        outcome = slot.train(planned(job))
        assert (outcome.status, outcome.cause) == ("failed", "system")
        assert outcome.reason.startswith("cannot be trained or recorded: ")
        assert str(slot.folder.reports) in outcome.reason


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Return a folder of the user that this process is for the length of the test: root may do anything."""
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    yield folder
    if is_root:
        os.seteuid(0)
    shutil.rmtree(folder)


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o555, 0o111, 0o222])
@pytest.mark.parametrize("name", ["artifacts", "attempt-1", "als", "jobs"])
def test_of_a_folder_whose_permissions_a_job_took_everything_is_recorded(
    unprivileged: Path, name: str, mode: int
) -> None:
    files = RunFolder(unprivileged, "r1").job("als")
    _, attempt = files.begin_attempt()
    (attempt.artifacts / "scores.json").write_text("[1]")
    taken = next(path for path in (attempt.artifacts, *attempt.artifacts.parents) if path.name == name)
    taken.chmod(mode)
    attempt.settle()
    write_atomically(attempt.result, b"{}", below=attempt.own_below)
    write_atomically(files.outcome, b"{}", below=files.below)
    assert artifacts(attempt.artifacts) == (("scores.json",), ())


def test_a_folder_below_that_cannot_be_listed_is_named_in_a_note(unprivileged: Path) -> None:
    (unprivileged / "closed").mkdir()
    (unprivileged / "open").write_text("x")
    (unprivileged / "closed").chmod(0)
    assert artifacts(unprivileged) == (("open",), ("artifacts in 1 folder(s) cannot be listed",))
    (unprivileged / "closed").chmod(0o700)


@pytest.mark.parametrize(("depth", "names", "notes"), [(1000, 2, 0), (3000, 1, 1)])
def test_artifacts_however_deep_and_however_many_are_listed_in_bounds(
    memory: Path, depth: int, names: int, notes: int
) -> None:
    (memory / "first").touch()
    deep(memory, depth, "metrics.json")
    listed, remarks = artifacts(memory)
    assert (len(listed), len(remarks)) == (names, notes)


DEEP_SCRIPT = """
import os
os.chdir(os.environ["TRAINING_FOLDER"])
for _ in range(1100):
    os.mkdir("d")
    os.chdir("d")
open("metrics.json", "w").write('{"score": 0.5}')
"""


def test_metrics_a_thousand_folders_deep_are_read(memory: Path, launcher: ServerLauncher) -> None:
    workplace = Workplace(memory)
    slot = Slot(
        name="main", folder=RunFolder(memory, "r"), launcher=launcher, seed=0, threads=1, settings=RunSettings()
    )
    job = workplace.script(DEEP_SCRIPT, metrics=MetricsFile(file="**/metrics.json"))
    outcome = slot.train(planned(job))
    assert (outcome.status, outcome.metrics) == ("passed", {"score": 0.5}), outcome.reason
    assert len(outcome.artifacts) == 1


def test_of_more_artifacts_than_anybody_reads_the_first_are_listed(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / str(number)).touch()
    walk = Walk(tmp_path, most=20)
    assert len(list(walk)) == 20
    assert walk.is_cut
    assert not Walk(tmp_path, most=30).is_cut
