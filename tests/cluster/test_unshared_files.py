"""A whole session on nodes that see neither the project nor the run folder: a mount namespace hides both from them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sessions import Project, environment
from watching import eventually

from cluster.dask_nodes import is_whole

REQUIRED = os.environ.get("SLURM_TESTS") == "required"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
HIDE = 'mount -t tmpfs none "$0" && shift 0 && exec "$@"'
CATALOGUE = """
jobs:
  model: {data: [inside, outside], retries: 1, retry_on: [error]}
  needy: {needs: [model], parameters: {teacher: "{needs.model.folder}"}}
  moved: {retries: 1, retry_on: [crash]}
  beside: {script: tools/beside.py}
  command: {command: [python, tools/command.py, "--out", "{folder}", "--conf", CONF]}
  secret: {secret: {key: SECRET_KEY}}
data:
  inside: {path: ../large/x.csv, license: CC0, citation: nobody}
  outside: {path: OUTSIDE, license: CC0, citation: nobody}
"""
SECRET = 'print("key", key)\nrun.save("key.json", [1])\nreturn {"n": len(key)}'


class Nodes:
    """A scheduler and two nodes of two cores that cannot see a folder."""

    def __init__(self, hidden: Path, scratch: Path) -> None:
        self.scratch, self.processes = scratch, dict[str, subprocess.Popen[bytes]]()
        self.file, self.hidden = scratch / "scheduler.json", hidden
        self._start("scheduler", "scheduler", "--scheduler-file", str(self.file), "--port", "0", "--no-dashboard")
        eventually(lambda: is_whole(self.file))
        self.join("w1")
        self.join("w2")

    def join(self, name: str) -> None:
        own = ("--name", name, "--nthreads", "2", "--no-nanny", "--no-dashboard")
        self._start(name, "worker", "--scheduler-file", str(self.file), "--local-directory", str(self.scratch), *own)

    def _start(self, name: str, kind: str, *arguments: str) -> None:
        words = [sys.executable, "-m", "distributed.cli.dask_" + kind, "--host", "127.0.0.1", *arguments]
        if kind == "worker":
            words = ["unshare", "-m", "bash", "-c", HIDE, str(self.hidden), *words]
        with (self.scratch / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                words, cwd=self.scratch, env=environment(), stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, name: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def left(self) -> list[Path]:
        """Return the files of runs that are still there."""
        return list(self.scratch.glob("*/*/training-*"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "project").mkdir(exist_ok=True)
    return Project(tmp_path / "project")


@pytest.fixture(params=["project"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nodes]:
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        (pytest.fail if REQUIRED else pytest.skip)("needs mount namespaces: unshare -m, as root")
    for name in ("scratch", "temporary", "project/training"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    nodes = Nodes(tmp_path / request.param, tmp_path / "scratch")
    yield nodes
    for name in nodes.processes:
        nodes.kill(name)


def write_jobs(project: Project, scratch: Path) -> None:
    outside = project.root.parent / "outside.csv"
    outside.write_text("a\n2\n")
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    project.write(".gitignore", "large\nreports\n")
    project.write("large/x.csv", "a\n1\n")
    conf = project.write("conf/c.json", '{"rate": 0.25}')
    project.write("training/jobs.yaml", CATALOGUE.replace("OUTSIDE", str(outside)).replace("CONF", str(conf)))
    project.write("helpers/__init__.py", "RATE = 3\n")
    project.job(
        "model",
        """
        inside, outside = run.data("inside").read_text(), run.data("outside").read_text()
        state = run.checkpoint.load() or {"n": 0}
        run.checkpoint.save(n=state["n"] + 1)
        run.save("sub/deep/model.txt", "weights")
        if not state["n"]:
            raise RuntimeError(f"first at {__file__}")
        return {"n": state["n"], "rate": RATE, "inside": int(inside[2:]), "outside": int(outside[2:])}
        """,
        top="from helpers import RATE",
    )
    project.job(
        "needy",
        """
        from pathlib import Path
        own = run.needed("model").folder
        return {"same": float(own == Path(teacher)), "read": len((own / "sub/deep/model.txt").read_text())}
        """,
        parameters='teacher: str = ""',
    )
    project.job(
        "moved",
        f"""
        import time
        from pathlib import Path
        state = run.checkpoint.load()
        run.checkpoint.save(n=1)
        run.log(loss=0.5)
        print("has begun at", __file__, flush=True)
        while state is None:
            time.sleep(0.05)
        print("goes on")
        while not Path({str(scratch / "go")!r}).exists():
            time.sleep(0.05)
        return {{"n": state["n"]}}
        """,
    )
    project.job("secret", SECRET, parameters='key: str = ""')
    project.write("tools/beside.py", 'import json\njson.dump({"acc": 0.9}, open("metrics.json", "w"))\n')
    project.write(
        "tools/command.py",
        """
        import argparse, json, pathlib
        parser = argparse.ArgumentParser()
        parser.add_argument("--out"), parser.add_argument("--conf")
        words = parser.parse_args()
        conf = json.loads(pathlib.Path(words.conf).read_text())
        pathlib.Path(words.out, "metrics.json").write_text(json.dumps(conf))
        """,
    )


def test_jobs_train_on_nodes_without_shared_files_as_on_this_machine(
    project: Project, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_jobs(project, nodes.scratch)
    monkeypatch.setenv("SECRET_KEY", "hunter2-hunter2")
    session = project.start("--training-cluster", f"file:{nodes.file}")
    try:
        eventually(lambda: list(project.reports.glob("runs/*/jobs")) or session.poll() is not None)
        run = next(project.reports.glob("runs/*"), project.reports)
        moved = run / "jobs/moved"
        log = moved / "attempt-1/log.txt"
        eventually(lambda: log.exists() and "has begun" in log.read_text())  # while it trains
        eventually((moved / "checkpoint/state.zip").exists)
        eventually((moved / "attempt-1/usage.json").exists)
        events = moved / "attempt-1/events.jsonl"
        eventually(lambda: events.exists() and events.read_text().count("\n") >= 1)
        others = {"model", "needy", "beside", "command", "secret"}  # else some of them may die with the node
        eventually(lambda: others == {path.parent.name for path in run.glob("jobs/*/outcome.json")})
        nodes.kill(json.loads((moved / "attempt-1/usage.json").read_text())["node"])
        again = moved / "attempt-2/log.txt"
        eventually(lambda: again.exists() and "goes on" in again.read_text())
        (nodes.scratch / "go").touch()
        assert session.wait(120) == 0, project.said
    finally:
        session.kill()
    jobs = project.metadata()
    assert {name: job["metrics"] for name, job in jobs.items()} == {
        "model": {"n": 1, "rate": 3, "inside": 1, "outside": 2},
        "needy": {"same": 1, "read": 7},
        "moved": {"n": 1},
        "beside": {"acc": 0.9},
        "command": {"rate": 0.25},
        "secret": {"n": 15},
    }, project.said
    first, second = jobs["model"]["attempts"]
    assert first["reason"] == f"raised RuntimeError: first at {project.root}/training/train_model.py"
    assert second["status"] == "passed"
    traceback = (run / "jobs/model/attempt-1/log.txt").read_text()
    assert f'File "{project.root}/training/train_model.py", line' in traceback
    assert (run / "jobs/model/attempt-2/artifacts/sub/deep/model.txt").read_text() == "weights"
    assert (run / "jobs/beside/attempt-1/artifacts/metrics.json").is_file()
    assert not (project.root / "metrics.json").exists()
    assert (run / "jobs/secret/attempt-1/log.txt").read_text() == "key ***\n"
    contents = {path: path.read_bytes() for path in project.reports.rglob("*") if path.is_file()}
    assert [
        path for path, content in contents.items() if b"hunter2" in content or b"dask-scratch-space" in content
    ] == []
    eventually(lambda: len(nodes.left()) == 1)  # that of the killed node
    nodes.join("w3")
    eventually(lambda: not nodes.left())


@pytest.mark.parametrize("nodes", ["temporary", "project/training"], indirect=True)
def test_a_secret_stays_private_on_a_node_that_shares_a_part_of_the_files(
    project: Project, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(project.root.parent / "temporary"))
    monkeypatch.setenv("SECRET_KEY", "hunter2-hunter2")
    project.write("training/jobs.yaml", "jobs: {secret: {secret: {key: SECRET_KEY}}}")
    project.job("secret", SECRET, parameters='key: str = ""')
    session = project.start("--training-cluster", f"file:{nodes.file}")
    assert session.wait(120) == 0, project.said
    job = project.metadata()["secret"]
    assert (job["metrics"], job["notes"]) == ({"n": 15}, [])
    contents = {path.name: path.read_bytes() for path in project.reports.rglob("*") if path.is_file()}
    assert contents["log.txt"] == b"key ***\n"
    assert contents["key.json"]
    assert [name for name, content in contents.items() if b"hunter2" in content] == []
    eventually(lambda: not nodes.left())
