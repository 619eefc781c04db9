"""PBS, SGE, LSF and HTCondor, each with programs of its names that start a job at once on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from sessions import Project, text
from watching import eventually, processes_with

SUBMIT = """
import os, re, subprocess, sys

job = sys.stdin.read() if sys.argv[0].endswith("bsub") else open(sys.argv[-1]).read()
if condor := re.search(r'^Arguments = "-c \\'(.*)\\'"$', job, re.MULTILINE):
    job = condor[1].replace("''", "'").replace('""', '"')
if "REFUSE" in os.environ:
    sys.exit("too many jobs")
log = open(os.devnull, "w")
process = subprocess.Popen(["bash", "-c", job], start_new_session=True, stdin=log, stdout=log, stderr=log)
print(f"submitted to cluster {process.pid}.")
"""
CANCEL = """
import contextlib, os, signal, sys

for each in sys.argv[1:]:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(int(each.partition(".")[0]), signal.SIGTERM)
"""
QUEUES = {"pbs": ("qsub", "qdel"), "sge": ("qsub", "qdel"), "lsf": ("bsub", "bkill")}
QUEUES["htcondor"] = ("condor_submit", "condor_rm")


@pytest.fixture(params=QUEUES)
def queue(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a queueing system that is there."""
    kind: str = request.param
    for name, program in zip(QUEUES[kind], (SUBMIT, CANCEL), strict=True):
        (file := tmp_path / "programs" / name).parent.mkdir(exist_ok=True)
        file.write_text(f"#!{sys.executable}\n{program}", encoding="utf-8")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "programs"), prepend=":")
    for key, value in {"CORES": "2", "MEMORY": "2GiB", "PROCESSES": "1", "DISK": "1GiB"}.items():
        monkeypatch.setenv(f"DASK_JOBQUEUE__{kind.upper()}__{key}", value)
    monkeypatch.setenv("SESSION_OF", str(tmp_path))
    return kind


@pytest.mark.slow
def test_jobs_train_on_the_nodes_of_each_queueing_system(queue: str, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.jobs("one", "two")
    result = project.run("--training-cluster", queue)
    assert result.ret == 0, text(result)
    result.stdout.fnmatch_lines([f"trained on {queue}: 1 node", "2 jobs: 2 passed"])
    assert [path.name for path in project.root.iterdir() if path.suffix in {".out", ".err"}] == []
    eventually(lambda: processes_with(f"SESSION_OF={tmp_path}") == {})


@pytest.mark.slow
def test_each_queueing_system_says_why_it_starts_no_node(
    queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUSE", "1")
    project = Project(tmp_path / "project")
    project.jobs("one")
    result = project.run("--training-cluster", queue)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    why = "Command exited with non-zero exit code*" if queue == "lsf" else "too many jobs"  # dask-jobqueue drops LSF's
    result.stderr.fnmatch_lines([f"ERROR: --training-cluster {queue}: no node to train on: {why}"])
