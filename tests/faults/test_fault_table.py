"""Every fault of the catalogue in one run: only its own job fails, with the true reason, and no process is left."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sessions import Project, text
from watching import processes_with

from .catalogue import FAULTS, FINE

pytestmark = pytest.mark.slow

HERE = {name: fault for name, fault in FAULTS.items() if fault.can_be}
PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
HEAD = """# What happens to a job that goes wrong

Every row is measured by `tests/faults`, in four ways: with `-n 0`, with `-n 4`, with `-n 4` and
`training_start = subprocess`, and on two nodes of a cluster (`--training-cluster local:2x2`). The outcomes are equal,
word for word, except for times, memory and places.

In each run two healthy jobs trained beside all of these. `report.json` and `junit.xml` named every job.
`python tests/faults/write_table.py` writes the table, and every test run compares it.

(\\*) Measured only where PyTorch is installed, which is no dependency. Elsewhere the row is the last measured.

| fault | what happens to the job | message | the others | left-over processes |
|---|---|---|---|---|
"""


class Mode(NamedTuple):
    """A way to train all faults."""

    workers: int
    settings: str = ""
    """Of pytest.ini."""
    options: tuple[str, ...] = ()
    """Of the command line."""


ALONE, WORKERS, SUBPROCESSES = Mode(0), Mode(4), Mode(4, "training_start = subprocess")
MEASURED = frozenset(
    {"started", "ended", "wall_s", "waiting_s", "cpu_s", "loading_s", "stalled_s", "measured", "peak_memory_mb"}
    | {"free_mb", "threads", "slot", "worker", "host"}
)
"""Fields of outcomes, attempts and endings that differ between two runs."""
CLUSTER = Mode(4, options=("--training-cluster", "local:2x2"))


class Ended(NamedTuple):
    """A run that has ended."""

    printed: str
    metadata: dict[str, dict[str, Any]]
    cases: set[str]
    left: dict[int, str]


def faulty_run(folder: Path, mode: Mode) -> Ended:
    """Run all faults in one session."""
    project = Project(folder)
    project.jobs(*FINE)
    project.write("pytest.ini", f"[pytest]\ntraining_grace = 1s\ntraining_stalled = 1s\n{mode.settings}\n")
    for name, fault in HERE.items():
        if fault.whole:
            project.write(f"training/train_{name}.py", fault.whole)
        else:
            project.job(name, fault.body, top=fault.top)
    (folder / "training" / "shadow").mkdir()
    (folder / "training" / "train_shadowed.py").rename(folder / "training" / "shadow" / "train_shadowed.py")
    project.write("training/shadow/random.py", "raise RuntimeError('not the standard one')\n")
    settings = [f"  {name}: {fault.settings}" for name, fault in HERE.items() if fault.settings]
    project.write("training/jobs.yaml", "\n".join(["defaults: {timeout: 60s}", "jobs:", *settings, ""]))
    mark = f"FAULTS_OF={folder}"
    result = project.run("-n", str(mode.workers), *mode.options, env=dict([mark.split("=", 1)]))
    left = processes_with(mark)
    ended = Ended(text(result), project.metadata(), set(project.cases()), left)
    shutil.rmtree(project.reports / "runs")  # a gigabyte of log
    return ended


@pytest.fixture(scope="module")
def run_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Mode], Ended]:
    """Return what runs all faults in a mode, once for all tests."""
    return cache(lambda mode: faulty_run(tmp_path_factory.mktemp("faults"), mode))


@pytest.fixture(
    params=[
        pytest.param(ALONE, id="alone"),
        pytest.param(WORKERS, id="workers"),
        pytest.param(SUBPROCESSES, id="subprocesses"),
        pytest.param(CLUSTER, id="cluster"),
    ],
    scope="module",
)
def ended(request: pytest.FixtureRequest, run_in: Callable[[Mode], Ended]) -> Ended:
    return run_in(request.param)


def row(name: str, ended: Ended) -> str:
    """Return a fault's row of the table: from what was measured or, of what cannot be made here, as it is."""
    if name not in HERE:
        rows = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {FAULTS[name].told} |")]
        return rows[0] if rows else f"{name}: no row yet; measure it where {FAULTS[name].module} is installed"
    found = ended.metadata[name]
    said = re.sub(r"\d[\d.,]*", "…", found["reason"].splitlines()[0]) if found["reason"] else ""
    said = re.sub(r"; (it held|free were) [^;]*", "", said)  # a short job is not always measured
    others = "passed" if all(ended.metadata[fine]["status"] == "passed" for fine in FINE) else "failed"
    happens = found["status"] + (f" ({found['cause']})" if found["cause"] else "")
    said = re.sub(r"(/[\w.-]+)+/", "…/", said)[:110].replace("|", "\\|")
    return f"| {FAULTS[name].told} | {happens} | {said} | {others} | {len(ended.left)} |"


def words(value: Any) -> Any:
    """Return an outcome, or a part of it, without what was measured of this run: times, memory, places."""
    if isinstance(value, dict):
        left_out = {
            *MEASURED,
            *(("exit_status", "signal") if value.get("ended_by") else ()),
        }  # as the grace sufficed
        return {name: words(each) for name, each in value.items() if name not in left_out}
    if isinstance(value, list):
        return [words(each) for each in value]
    if not isinstance(value, str):
        return value
    here = re.sub(r"; (it held|free were) [^;]*", "", value)
    here = re.sub(r"runs/[^/\s]+|/\S*/faults\d+|0x[0-9a-f]+", "…", here)
    return re.sub(r"\d[\d.,]*(?= (s|MiB|ms)\b)", "…", here)


def page(ended: Ended) -> str:
    """Return the page from what was measured."""
    return HEAD + "\n".join(row(name, ended) for name in FAULTS) + "\n"


def test_each_fault_has_its_true_reason_and_fails_its_job_alone(ended: Ended) -> None:
    wrong = {
        name: (found["status"], found["cause"], found["reason"])
        for name, fault in HERE.items()
        if (found := ended.metadata[name])
        and not (
            (found["status"], found["cause"]) == ("passed", None)
            if fault.cause is None
            else found["cause"] == fault.cause and fault.reason in found["reason"]
        )
    }
    assert not wrong, ended.printed
    assert [ended.metadata[name]["status"] for name in FINE] == ["passed", "passed"]


@pytest.mark.parametrize("mode", [pytest.param(SUBPROCESSES, id="subprocesses"), pytest.param(CLUSTER, id="cluster")])
def test_every_backend_gives_the_outcomes_of_the_fork_server(run_in: Callable[[Mode], Ended], mode: Mode) -> None:
    usual, other = run_in(ALONE), run_in(mode)
    assert {name: words(each) for name, each in other.metadata.items()} == {
        name: words(each) for name, each in usual.metadata.items()
    }


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("stalls", "stalled: no output and no CPU for "),
        ("logs_nan", "loss is not finite at epoch 1"),
        ("prints_nan", "a number is not finite in the last lines of its log: epoch 1: loss nan"),
    ],
)
def test_what_is_strange_and_fails_no_job_is_a_note(ended: Ended, name: str, note: str) -> None:
    assert note in "; ".join(ended.metadata[name]["notes"])


def test_every_job_is_in_every_report(ended: Ended) -> None:
    expected = {*HERE, *FINE}
    assert set(ended.metadata) == expected
    assert ended.cases == {f"test_training_job[{name}]" for name in expected}


def test_no_process_is_left(ended: Ended) -> None:
    assert not ended.left


def test_no_frame_of_the_plugin_is_shown(ended: Ended) -> None:
    assert "pytest_training" not in ended.printed.replace("pytest_training.egg", "")


def test_the_page_in_the_docs_is_what_was_measured(ended: Ended) -> None:
    assert PAGE.read_text() == page(ended), "run `python tests/faults/write_table.py`"
