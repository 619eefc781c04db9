"""Tests of execution/launcher.py: three ways to execute an attempt, and the same verdict from each."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import threadpoolctl  # noqa: F401  (sets a variable when it is loaded, which is not to happen within a test)
from watching import eventually, is_alive, pid_in

from pytest_training.atomic import write_atomically
from pytest_training.execution.attempt.environment import WAITING
from pytest_training.execution.attempt.messages import Reply
from pytest_training.execution.backends import default_backend
from pytest_training.execution.backends.fork_server.backend import (
    ALONE,
    SERVER_DIED,
    ServerHandle,
    ServerLauncher,
    start_server,
)
from pytest_training.execution.backends.in_process import InProcessLauncher
from pytest_training.execution.backends.protocol import Launcher, Seat
from pytest_training.execution.backends.subprocess import AT_ONCE, SubprocessLauncher
from pytest_training.execution.folder import AttemptFolder, RunFolder
from pytest_training.execution.keeper import MOST_SERVERS
from pytest_training.jobs.model import Gate, Job, RunSettings
from pytest_training.processes import tree

from .workplace import Workplace

pytestmark = pytest.mark.timeout(240)

SEGFAULT = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(0.01)"
GROWING = "import time\nkept = []\nwhile True: kept.append(bytearray(b'x') * (20 * 2**20)); time.sleep(0.02)"
GATE = (Gate(metric="r2", operator=">=", threshold=0.9),)
GRANDCHILD = """
import subprocess, sys, time
code = "import os, sys, time; os.setsid(); open(sys.argv[1] + '.new', 'w').write(f'{os.getpid()}\\\\n'); "
code += "os.rename(sys.argv[1] + '.new', sys.argv[1]); time.sleep(1000)"
subprocess.Popen([sys.executable, "-c", code, str(run.folder / "grandchild")])
while not (run.folder / "grandchild").exists(): time.sleep(0.01)
"""
"""Starts a process that leads its own session, and waits until it does."""

FUNCTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("passed", "return {'r2': 0.5}", {}),
    ("failed gate", "return {'r2': 0.5}", {"gates": GATE}),
    ("raised", "raise ValueError('no')", {}),
    ("sys.exit", "import sys; sys.exit('bye')", {}),
    ("NaN", "return {'r2': float('nan')}", {}),
    ("no data", "run.data('visits')", {}),
]
"""What every launcher can do."""

ENDINGS: list[tuple[str, str, dict[str, Any]]] = [
    ("os._exit", "import os; os._exit(3)", {}),
    ("segfault", SEGFAULT, {}),
    ("ended from outside", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)", {}),
    ("deaf", DEAF, {"limits": {"timeout": 0.3}}),
    ("growing", GROWING, {"limits": {"memory": 300}}),
]
"""What would end the pytest process itself."""


def verdict(workplace: Workplace, launcher: Launcher, job: Job) -> tuple[str, str | None, str, dict[str, float]]:
    found = workplace.verdict(launcher, job)
    numbers_left_out = re.sub(r"[\d,.]+ (s\b|MiB)", r"N \1", found.reason)
    return found.status, found.cause, numbers_left_out, found.metrics


def ids(cases: list[tuple[str, str, dict[str, Any]]]) -> list[str]:
    return [name for name, _, _ in cases]


@pytest.mark.parametrize(("_name", "body", "fields"), FUNCTIONS, ids=ids(FUNCTIONS))
def test_all_launchers_give_the_same_verdict(
    workplace: Workplace, launcher: ServerLauncher, _name: str, body: str, fields: dict[str, Any]
) -> None:
    job = workplace.function(body, **fields)
    verdicts = [verdict(workplace, each, job) for each in (launcher, SubprocessLauncher(), InProcessLauncher())]
    assert verdicts[0] == verdicts[1] == verdicts[2]


@pytest.mark.parametrize(("_name", "body", "fields"), ENDINGS, ids=ids(ENDINGS))
def test_server_and_subprocess_tell_the_same_of_how_a_job_ended(
    workplace: Workplace, launcher: ServerLauncher, _name: str, body: str, fields: dict[str, Any]
) -> None:
    job = workplace.function(body, **fields)
    verdicts = [verdict(workplace, each, job) for each in (launcher, SubprocessLauncher())]
    assert verdicts[0] == verdicts[1]
    assert verdicts[0][0] == "failed"


@pytest.mark.parametrize("kind", ["server", "subprocess"])
def test_programs_run_in_the_root_with_their_arguments_and_are_judged(
    workplace: Workplace, launcher: ServerLauncher, kind: str
) -> None:
    chosen: Launcher = launcher if kind == "server" else SubprocessLauncher()
    passing = workplace.script(
        """
        import json, os, pathlib, sys
        print(sys.argv[1:], os.getcwd())
        folder = pathlib.Path(os.environ["TRAINING_FOLDER"])
        (folder / "metrics.json").write_text(json.dumps({"r2": 0.5, "seed": int(os.environ["TRAINING_SEED"])}))
        """
    )
    assert verdict(workplace, chosen, passing) == ("passed", None, "", {"r2": 0.5, "seed": 0.0})
    assert verdict(workplace, chosen, workplace.script("raise SystemExit(2)")) == (
        "failed",
        "exit",
        "ended with exit status 2",
        {},
    )
    missing = workplace.command("/no/such/program")
    told = "cannot start '/no/such/program': No such file or directory"
    assert verdict(workplace, chosen, missing) == ("failed", "error", told, {})


@pytest.mark.parametrize("kind", ["server", "subprocess"])
@pytest.mark.parametrize("end", ["return {}", SEGFAULT])
def test_nothing_that_a_job_started_outlives_it(
    workplace: Workplace, launcher: ServerLauncher, kind: str, end: str
) -> None:
    chosen: Launcher = launcher if kind == "server" else SubprocessLauncher()
    request = workplace.request(workplace.function(GRANDCHILD + end))
    chosen.launch(request)
    assert not is_alive(pid_in(AttemptFolder(Path(request.folder)).artifacts / "grandchild"))


def test_a_job_that_is_asked_to_end_may_say_goodbye(workplace: Workplace, launcher: ServerLauncher) -> None:
    body = """
    import time
    try:
        fat = bytearray(b"x") * (400 * 2**20)
        while True:
            time.sleep(0.01)
    finally:
        run.save("goodbye.txt", "saved")
    """
    for each in (launcher, SubprocessLauncher()):
        request = workplace.request(workplace.function(body, limits={"memory": 300}), settings=RunSettings(grace_s=30))
        assert each.launch(request).ending.ended_by == "memory"
        assert (AttemptFolder(Path(request.folder)).artifacts / "goodbye.txt").read_text() == "saved"


@pytest.mark.parametrize(
    "body",
    [
        "import atexit, time; atexit.register(time.sleep, 1000)",
        "import threading, time; threading.Thread(target=time.sleep, args=(1000,)).start()",
        "import time; from concurrent.futures import ThreadPoolExecutor as Pool; Pool().submit(time.sleep, 1000)",
        "import atexit; atexit.register(lambda: 1 / 0)",
    ],
)
def test_what_a_job_leaves_to_the_end_of_its_process_cannot_hold_it_up(
    workplace: Workplace, launcher: ServerLauncher, body: str
) -> None:
    for each in (launcher, SubprocessLauncher()):
        assert verdict(workplace, each, workplace.function(body + "\nreturn {}")) == ("passed", None, "", {})


def test_workers_of_joblib_end_with_the_job(workplace: Workplace, launcher: ServerLauncher) -> None:
    top = "import os\nfrom joblib import Parallel, delayed\n"
    body = "return {str(pid): 1 for pid in Parallel(2)(delayed(os.getpid)() for _ in range(2))}"
    for each in (launcher, SubprocessLauncher()):
        _, cause, _, pids = verdict(workplace, each, workplace.function(body, top=top, limits={"timeout": 60}))
        assert cause is None
        assert not any(is_alive(int(pid)) for pid in pids)


DRAWING = """
module_level = random.random() + np.random.rand()
def draw():
    return {"module": module_level, "random": random.random(), "numpy": np.random.rand(), "hash": hash("x") % 1000}
"""


def test_a_seed_gives_the_same_metrics_with_every_launcher(workplace: Workplace, launcher: ServerLauncher) -> None:
    job = workplace.function("return draw()", top="import random\nimport numpy as np\n" + DRAWING, imports=("numpy",))
    launchers: list[Launcher] = [launcher, launcher, SubprocessLauncher(), InProcessLauncher()]
    drawn = [workplace.verdict(each, job).metrics for each in launchers]
    for metrics in drawn:
        metrics.pop("hash", None) if metrics is drawn[-1] else None  # this process hashes as it was started
        assert {**drawn[0], **metrics} == drawn[0]
    assert drawn[2] == drawn[0]
    other = workplace.verdict(launcher, job, seed=1).metrics
    assert other["random"] != drawn[0]["random"]
    assert other["numpy"] != drawn[0]["numpy"]


def test_a_job_has_the_threads_that_it_was_given(workplace: Workplace, launcher: ServerLauncher) -> None:
    top = "import os\nimport numpy as np\nimport threadpoolctl\n"
    body = """
    pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    variable = os.environ["OMP_NUM_THREADS"]
    return {"run": run.threads, "variable": int(variable), "least": min(pools), "most": max(pools)}
    """
    for each in (launcher, SubprocessLauncher()):
        job = workplace.function(body, top=top, imports=("numpy",))
        metrics = workplace.verdict(each, job, threads=2).metrics
        assert metrics == {"run": 2.0, "variable": 2.0, "least": 2.0, "most": 2.0}


REPORTING = f"""
names = {[*WAITING]!r}
run.save("environment.json", {{name: os.environ.get(name) for name in names}})
return {{}}
"""


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        ({}, WAITING),
        (dict.fromkeys(WAITING, ""), dict.fromkeys(WAITING, "")),
        (
            {"OMP_WAIT_POLICY": "active", "KMP_BLOCKTIME": "200"},
            WAITING | {"OMP_WAIT_POLICY": "active", "KMP_BLOCKTIME": "200"},
        ),
    ],
    ids=["unset", "empty", "other"],
)
def test_openmp_threads_of_a_job_wait_without_spinning_unless_the_user_wants_it(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, users: dict[str, str], expected: dict[str, str]
) -> None:
    for name in WAITING:
        monkeypatch.delenv(name, raising=False)
    for name, value in users.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    job = workplace.function(REPORTING, top="import os\n")
    with contextlib.closing(start_server([], log=workplace.root / "server.log", seed=0)) as server:
        for each in (ServerLauncher(server.address), SubprocessLauncher(), InProcessLauncher()):
            request = workplace.request(job)
            each.launch(request)
            reported = AttemptFolder(Path(request.folder)).artifacts / "environment.json"
            assert msgspec.json.decode(reported.read_bytes()) == expected
    assert dict(os.environ) == before


def test_the_socket_lies_in_a_folder_that_nobody_else_may_enter(server: ServerHandle) -> None:
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    assert stat.S_ISSOCK(Path(server.address).stat().st_mode)


def test_fork_is_used_where_it_is_safe() -> None:
    assert default_backend() == ("fork" if sys.platform == "linux" else "subprocess")


def test_an_error_of_a_job_in_this_process_is_kept_with_its_own_frames_for_the_debugger(workplace: Workplace) -> None:
    launcher = InProcessLauncher()
    reply: Reply = launcher.launch(workplace.request(workplace.function("raise ValueError('no')")))
    assert reply.ending.exit_status == 1
    assert isinstance(launcher.raised, ValueError)
    frames = launcher.raised.__traceback__
    assert frames is not None
    assert frames.tb_frame.f_code.co_name == "train"
    launcher.launch(workplace.request(workplace.function("return {}")))
    assert launcher.raised is None


# A slot and an owner that die


def test_a_worker_whose_owner_has_died_or_says_so_waits_no_longer_and_ends_its_attempt(workplace: Workplace) -> None:
    orphaned = SubprocessLauncher(Seat(folder=RunFolder(workplace.root, "r1"), owner=os.getpid()))
    ordered = SubprocessLauncher(Seat(folder=RunFolder(workplace.root, "r2"), owner=os.getppid()))
    assert ordered.pause(0.0)
    write_atomically(RunFolder(workplace.root, "r2").interrupted, AT_ONCE.encode())
    for each in (orphaned, ordered):
        assert not each.pause(1000)
        reply = each.launch(workplace.request(workplace.function(DEAF), settings=RunSettings(grace_s=1000)))
        assert reply.ending.ended_by == "interrupted"


OWNER = """
import sys
from pathlib import Path
import msgspec
from pytest_training.execution.backends.fork_server.backend import start_server
from pytest_training.execution.backends.fork_server.backend import ServerLauncher
from pytest_training.execution.backends.subprocess import SubprocessLauncher
from pytest_training.execution.attempt.messages import AttemptRequest

request = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=AttemptRequest)
if sys.argv[2] == "server":
    handle = start_server([], log=Path(sys.argv[1]).with_name("server.log"), seed=0)
    Path(sys.argv[1]).with_name("server.pid").write_text(f"{handle.process.pid}\\n")
    launcher = ServerLauncher(handle.address)
else:
    launcher = SubprocessLauncher()
launcher.launch(request)
"""
"""A session that trains one job."""


@pytest.mark.parametrize("kind", ["server", "subprocess"])
def test_a_killed_owner_takes_every_process_along(workplace: Workplace, kind: str) -> None:
    request = workplace.request(workplace.function(GRANDCHILD + "time.sleep(1000)"))
    (workplace.root / "request.json").write_bytes(msgspec.json.encode(request))
    owner = subprocess.Popen([sys.executable, "-c", OWNER, workplace.root / "request.json", kind])
    grandchild = pid_in(AttemptFolder(Path(request.folder)).artifacts / "grandchild")
    members = tree(owner.pid)
    assert len(members) >= 3
    owner.kill()
    owner.wait()
    eventually(lambda: not any(map(is_alive, {*members, grandchild})))


def test_a_killed_server_is_told_and_the_next_request_is_served(workplace: Workplace, tmp_path: Path) -> None:
    handle = start_server([], log=tmp_path / "server.log", seed=0)
    try:
        launcher = ServerLauncher(handle.address)
        request = workplace.request(workplace.function(GRANDCHILD + "time.sleep(1000)"))
        replies: list[Reply] = []
        slot = threading.Thread(target=lambda: replies.append(launcher.launch(request)))
        slot.start()
        grandchild = pid_in(AttemptFolder(Path(request.folder)).artifacts / "grandchild")
        keeper, server, job = tree(handle.process.pid)[:3]
        os.kill(server, signal.SIGKILL)
        slot.join()
        assert replies == [SERVER_DIED]
        eventually(lambda: not any(map(is_alive, (server, job, grandchild))))
        assert is_alive(keeper)
        assert workplace.verdict(launcher, workplace.function("return {}")).status == "passed"
    finally:
        handle.close()
    assert not Path(handle.address).exists()


def kill_five_servers(handle: ServerHandle) -> None:
    for _ in range(MOST_SERVERS):
        eventually(lambda: len(tree(handle.process.pid)) == 2)
        _, server = tree(handle.process.pid)
        os.kill(server, signal.SIGKILL)
        eventually(lambda: not is_alive(server))  # noqa: B023  (it is called within this turn)
    handle.process.wait()


@pytest.mark.parametrize(
    "lose",
    [
        kill_five_servers,
        lambda handle: os.kill(handle.process.pid, signal.SIGKILL),
        lambda handle: shutil.rmtree(handle.folder),
    ],
    ids=["five deaths", "the keeper's death", "no socket"],
)
def test_where_no_server_is_left_each_job_is_trained_by_an_interpreter_of_its_own(
    workplace: Workplace, tmp_path: Path, lose: Callable[[ServerHandle], object]
) -> None:
    with contextlib.closing(start_server([], log=tmp_path / "server.log", seed=0)) as handle:
        lose(handle)
        launcher = ServerLauncher(handle.address)
        for body, status in (("return {}", 0), ("raise ValueError('no')", 1)):
            reply = launcher.launch(workplace.request(workplace.function(body)))
            assert (reply.ending.exit_status, reply.lost, reply.notes) == (status, None, (ALONE,))


@pytest.mark.slow
def test_attempts_at_once_in_one_process_have_each_its_own_cpu_time(workplace: Workplace, tmp_path: Path) -> None:
    burns = workplace.function("import time; end = time.process_time() + 1.5\nwhile time.process_time() < end: pass")
    go = tmp_path / "go"
    waits = workplace.function(f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)")
    endings: dict[str, float] = {}

    def train(name: str, job: Job) -> None:
        endings[name] = SubprocessLauncher().launch(workplace.request(job)).ending.cpu_s

    beside = threading.Thread(target=train, args=("waits", waits))
    beside.start()
    train("burns", burns)
    go.touch()
    beside.join(60)
    assert 1.5 <= endings["burns"] < 10
    assert endings["waits"] < endings["burns"] - 0.5
