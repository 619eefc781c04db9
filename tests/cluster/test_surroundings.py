"""A job cannot tell a node from a slot of this machine by its surroundings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sessions import Project, strict_json, text

from pytest_training.execution.attempt.environment import SIZE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
SURROUNDINGS = """
import json, os, resource, signal, sys, threading, warnings

def handler(number):
    return getattr(signal.getsignal(number), "__qualname__", str(signal.getsignal(number)))

LIMITS = [name for name in dir(resource) if name.startswith("RLIMIT")]
"""
BODY = """
umask = os.umask(0)
os.umask(umask)
links = [f"/proc/self/fd/{fd}" for fd in range(256)]
opened = [os.path.basename(os.readlink(link)) for link in links if os.path.exists(link)]
(run.folder / "seen.json").write_text(json.dumps({
    "environment": dict(os.environ), "cwd": os.getcwd(), "umask": umask, "path": sys.path, "nice": os.nice(0),
    "handlers": {str(each): handler(each) for each in signal.valid_signals()},
    "blocked": list(map(str, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
    "limits": {name: resource.getrlimit(getattr(resource, name)) for name in LIMITS},
    "opened": opened, "threads": threading.active_count(), "filters": str(warnings.filters), "flags": str(sys.flags),
    "cores": sorted(os.sched_getaffinity(0)), "policy": os.sched_getscheduler(0), "recursion": sys.getrecursionlimit(),
    "modules": sorted({name.partition(".")[0] for name in sys.modules}), "terminal": os.isatty(0),
    "oom": open("/proc/self/oom_score_adj").read(), "leads": os.getsid(0) == os.getpid(),
}))
return {"score": 1.0}
"""


@pytest.mark.parametrize("start", ["fork", "subprocess"])
def test_a_job_has_the_surroundings_of_one_on_this_machine(tmp_path: Path, start: str) -> None:
    """Also with the interpreter that the user wants."""
    project = Project(tmp_path)
    project.job("a", BODY, top=SURROUNDINGS)
    project.write("pytest.ini", f"[pytest]\ntraining_start = {start}\n")
    seen = [_seen(project, *options) for options in (("-n", "0"), ("--training-cluster", "local:1"))]
    assert seen[0] == seen[1]
    assert not [name for name in seen[0]["environment"] if name.startswith("PYTEST_")]


def _seen(project: Project, *options: str) -> dict[str, Any]:
    assert project.run(*options).ret == 0
    place = project.reports / project.metadata()["a"]["attempts"][0]["folder"]
    surroundings: dict[str, Any] = strict_json(place / "artifacts" / "seen.json")
    run_id = place.parents[2].name
    surroundings["environment"] = {
        name: value.replace(run_id, "RUN")
        for name, value in surroundings["environment"].items()
        if name not in SIZE  # a node has no terminal
    }
    return surroundings


def test_nothing_is_waited_for_where_nothing_is_to_be_trained(tmp_path: Path) -> None:
    """The cluster of the function never has a node."""
    project = Project(tmp_path)
    project.jobs("a")
    cluster = "LocalCluster(n_workers=0, host='127.0.0.1', dashboard_address='127.0.0.1:0')"
    project.write("hpc.py", f"from distributed import LocalCluster\n\ndef empty():\n    return {cluster}\n")
    project.run("-n", "0")
    again = project.run(
        "--training-cluster", "hpc:empty", "--training-skip-unchanged", "-o", "training_cluster_wait=1s"
    )
    assert again.ret == 0, text(again)
    assert project.metadata()["a"]["cause"] == "unchanged"
    assert "trained on" not in again.stdout.str()


LAST_THREADS = """
import atexit, threading

def pytest_unconfigure(config):
    atexit.register(lambda: open("threads", "w").write(" ".join(each.name for each in threading.enumerate())))
"""


def test_a_session_with_many_jobs_in_flight_leaves_no_thread(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.jobs(*(f"j{number}" for number in range(40)))
    project.write("conftest.py", LAST_THREADS)
    ended = project.run("--training-cluster", "local:20")
    ended.assert_outcomes(passed=40)
    assert (tmp_path / "threads").read_text() == "MainThread"
