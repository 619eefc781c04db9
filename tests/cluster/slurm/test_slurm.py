"""Sessions that train through a real Slurm of one node."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sessions import Project, text
from watching import eventually, pid_in, processes_with

from cluster.slurm.one_node import Slurm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
CLUSTER = ("--training-cluster", "slurm")
ONE_CORE = ("DASK_JOBQUEUE__SLURM__CORES", "1")
"""A node of one core, in place of the page's."""
CATALOGUE = """
jobs:
  needy: {needs: [model]}
  trials: {seeds: 2}
  flaky: {retries: 1}
  owner_of_panel: {data: [panel]}
  script: {script: tools/fit.py, metrics: metrics.json}
  command: {command: [echo, score=0.5]}
data:
  panel: {path: panel.csv, license: CC0, citation: nobody}
"""
TOP = """
import os, sys, time
from pathlib import Path
from subprocess import Popen


def note(name, text):
    Path(name + ".new").write_text(f"{text}\\n")
    os.rename(name + ".new", name)


def wait_for(name):
    while not Path(name).exists():
        time.sleep(0.01)
"""
"""For the top of a job file; the project's folder is where it runs."""
STAY = """
process = Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(1000)"])
note(NAME, process.pid)
time.sleep(1000)
"""
"""A job that starts a process with a session of its own."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "project").mkdir()
    return Project(tmp_path / "project")


@contextlib.contextmanager
def session(project: Project, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a session; end it if the test has failed."""
    process = project.start(*arguments)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def end(project: Project, process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a session that passes."""
    assert process.wait(120) == 0, project.said


def make_twelve(project: Project) -> None:
    """Write twelve jobs of every shape, one of them a study."""
    project.write("training/jobs.yaml", CATALOGUE)
    project.write("training/panel.csv", "age,ill\n50,1\n")
    project.write("training/beside.py", "def fit():\n    return {'score': 0.9}\n")
    project.write("training/tools/fit.py", "import json\njson.dump({'score': 0.4}, open('metrics.json', 'w'))\n")
    project.job("model", 'run.save("weights.json", [1])\nreturn {"score": 0.9}')
    project.job("needy", 'return {"score": run.needed("model").metrics["score"]}')
    project.job("trials", 'return {"score": 0.5}')
    project.job("flaky", 'assert run.folder.parent.name != "attempt-1"\nreturn {"score": 1.0}')
    project.job("owner_of_panel", 'return {"score": float(len(run.data("panel").read_text()))}')
    project.job("gated", 'return {"score": 0.8}', top='GATES = {"score": ">= 0.7"}')
    project.job("importing", "return beside.fit()", top="import beside")
    project.job("logging", "run.log(epoch=epochs, loss=1.0)\nreturn {'score': 0.1}", parameters="epochs=50")
    project.jobs("plain", "other")


def test_twelve_jobs_train_through_slurm(project: Project, slurm: Slurm) -> None:
    make_twelve(project)
    result = project.run(*CLUSTER, "-n", "8")
    assert result.ret == 0, text(result)
    assert set(project.statuses().values()) == {"passed"}, project.statuses()
    nodes = "trained on slurm: [12] node*"  # jobs this short may end before the second has come
    result.stdout.fnmatch_lines([nodes, "12 jobs: 12 passed; 2 trials: 2 passed"])
    assert result.stderr.lines == []
    assert slurm.queue() == []
    assert [path.name for path in project.root.glob("slurm-*")] == []


def test_a_cancelled_node_is_replaced_and_its_attempt_retried(
    project: Project, slurm: Slurm, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*ONE_CORE)
    project.write("training/jobs.yaml", "jobs: {victim: {retries: 1, retry_on: [crash]}}")
    body = 'attempt = run.folder.parent.name\nnote(attempt, os.environ["SLURM_JOB_ID"])\n'
    project.job("victim", f'{body}if attempt == "attempt-1":\n    time.sleep(1000)\nreturn {{"score": 1.0}}', top=TOP)
    project.job("other", 'note("other", 1)\nwait_for("attempt-2")\nreturn {"score": 1.0}', top=TOP)
    with session(project, *CLUSTER, "-n", "2") as process:
        lost = pid_in(project.root / "attempt-1")
        pid_in(project.root / "other")
        slurm.cancel(str(lost))
        end(project, process)  # `other` has one node to its end, so attempt 2 has a third
    assert pid_in(project.root / "attempt-2") > lost
    first, second = project.metadata()["victim"]["attempts"]
    assert re.fullmatch(r"worker died: .* its node SLURMCluster-\d on .* went away", first["reason"]), first
    assert second["status"] == "passed", second
    assert len(project.metadata()["other"]["attempts"]) == 1
    assert slurm.queue() == []


def test_a_node_that_nobody_needs_is_given_back_before_the_run_ends(
    project: Project, slurm: Slurm, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*ONE_CORE)
    project.job("long", 'note("long", 1)\nwait_for("go")\nreturn {"score": 1.0}', top=TOP)
    project.job("short", 'note("short", 1)\nwait_for("long")\nreturn {"score": 1.0}', top=TOP)
    with session(project, *CLUSTER, "-n", "2") as process:
        pid_in(project.root / "short")
        eventually(lambda: len(slurm.queue()) == 1)
        project.write("go", "")
        end(project, process)
    assert slurm.queue() == []


def test_the_queue_is_empty_soon_after_pytest_was_killed(
    project: Project, slurm: Slurm, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__CORES", "12")  # so that two nodes train, and one waits
    project.write("training/jobs.yaml", "jobs: {a: {cpus: 12}, b: {cpus: 12}, c: {cpus: 12}}")
    for name in ("a", "b", "c"):
        project.job(name, f"NAME = {name!r}\n{STAY}", top=TOP)
    with session(project, *CLUSTER) as process:
        eventually(lambda: len(list(project.root.glob("[abc]"))) == 2 and len(slurm.queue()) == 3)
        process.kill()
        process.wait()
        eventually(lambda: slurm.queue() == [])
        eventually(lambda: processes_with(mark) == {})
    assert list(project.reports.glob(".cluster-*")) == []  # keys


def test_ctrl_c_while_no_node_has_come_ends_the_session(
    project: Project, slurm: Slurm, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__JOB_SCRIPT_PROLOGUE", "['sleep 1000']")
    project.jobs("one")
    with session(project, *CLUSTER) as process:
        eventually(lambda: slurm.queue() != [])
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == pytest.ExitCode.INTERRUPTED, project.said
    assert "KeyboardInterrupt" in project.said
    assert slurm.queue() == []
    assert list(project.reports.glob(".cluster-*")) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"QUEUE": "nonsense"}, ": sbatch: error: invalid partition specified: nonsense*"),
        ({"MEMORY": "999GiB"}, ": sbatch: error: Memory specification can not be satisfied*"),
        ({"JOB_SCRIPT_PROLOGUE": "['module load cuda', 'exit 3']"}, " within 20 s: a node ended with '*module: *'*"),
    ],
)
def test_a_session_says_why_slurm_has_no_node_for_it(
    project: Project, slurm: Slurm, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"DASK_JOBQUEUE__SLURM__{name}", value)
    project.jobs("one", "two")
    result = project.run(*CLUSTER, "-n", "40", "-o", "training_cluster_wait=20s")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --training-cluster slurm: no node to train on{said}"])
    assert slurm.queue() == []
