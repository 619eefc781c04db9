"""Tests of execution/server.py and keeper.py: a real job server and what its clients and its jobs can do to it."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watching import eventually, is_alive, pid_in

from pytest_training.execution.attempt.messages import AttemptRequest, Loading, Reply
from pytest_training.execution.backends.fork_server.backend import (
    STARTED,
    STOP,
    STOP_ALL,
    ServerHandle,
    ServerLauncher,
    start_server,
)
from pytest_training.execution.backends.fork_server.imports import recorded_reads
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.job_files import read_json
from pytest_training.jobs.model import Job, RunSettings
from pytest_training.processes import tree

from .test_launcher import DEAF, GRANDCHILD
from .workplace import Workplace

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="the job server needs Linux"),
]

MODULES = {
    "counted": "import os, pathlib\nwith open(pathlib.Path(__file__).with_name('imports'), 'a') as f:\n"
    "    f.write(f'{os.getpid()}\\n')\n",
    "threaded": "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n",
    "arrow": "import os, threading\n"
    "if 'background_thread:false' not in os.environ.get('JE_ARROW_MALLOC_CONF', ''):\n"
    "    threading.Thread(target=threading.Event().wait, daemon=True).start()\nLOADED_BY = os.getpid()\n",
    "broken": "raise RuntimeError('broken module')\n",
    "leaving": "raise SystemExit(3)\n",
    "crashing": "import os; os._exit(3)\n",
    "hanging": "import time\ntime.sleep(3)\n",
    "last": "import os\nLOADED_BY = os.getpid()\n",
}
"""Installed modules that the server is asked to load, in this order."""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("modules")
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def loaded(modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHandle]:
    """Return a server that was asked to load all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(modules))
        handle = start_server(
            [*MODULES, "no_such_module", "counted.no_such_name"],
            log=tmp_path_factory.mktemp("loaded") / "server.log",
            seed=0,
            longest_import_s=2,
        )
        yield handle
        handle.close()


def encoded(request: AttemptRequest) -> bytes:
    return msgspec.json.encode(request) + b"\n"


def connect(address: str) -> socket.socket:
    link = socket.socket(socket.AF_UNIX)
    link.connect(address)
    return link


def reply_on(link: socket.socket) -> Reply:
    received = b"".join(iter(lambda: link.recv(65536), b""))
    return msgspec.json.decode(received.removeprefix(STARTED + b"\n"), type=Reply)


# What clients do


def test_a_request_may_come_in_pieces(workplace: Workplace, launcher: ServerLauncher) -> None:
    content = encoded(workplace.request(workplace.function("return {}")))
    with connect(launcher.address) as link:
        for start in range(0, len(content), 400):
            link.sendall(content[start : start + 400])
            assert workplace.verdict(launcher, workplace.function("return {}")).status == "passed"
        assert reply_on(link).ending.exit_status == 0


def test_two_attempts_run_at_once(workplace: Workplace, launcher: ServerLauncher) -> None:
    meet = """
    import time
    (run.folder.parents[1] / "here_{me}").touch()
    while not (run.folder.parents[1] / "here_{other}").exists(): time.sleep(0.01)
    return {{}}
    """
    requests = [workplace.request(workplace.function(meet.format(me=me, other=1 - me))) for me in (0, 1)]
    with connect(launcher.address) as first, connect(launcher.address) as second:
        first.sendall(encoded(requests[0]))
        second.sendall(encoded(requests[1]))
        assert [reply_on(link).ending.exit_status for link in (first, second)] == [0, 0]


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=40).filter(lambda line: line not in {STOP, STOP_ALL} and b"\n" not in line))
def test_garbage_is_refused_in_one_sentence(launcher: ServerLauncher, line: bytes) -> None:
    with connect(launcher.address) as link:
        link.sendall(line + b"\n")
        reply = reply_on(link)
    assert reply.refused is not None
    assert reply.refused.startswith("the job server cannot read the request: ")
    assert "\n" not in reply.refused


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b'{"job": 3}', b"{}", b'{"seed": 1e999}', b'{"seed": ' + b"1" * 5000 + b"}", b"null"]
)
def test_json_that_is_no_request_is_refused(workplace: Workplace, launcher: ServerLauncher, line: bytes) -> None:
    with connect(launcher.address) as link:
        link.sendall(line + b"\n")
        assert "cannot read the request" in str(reply_on(link).refused)
    assert workplace.verdict(launcher, workplace.function("return {}")).status == "passed"


def test_a_line_without_end_is_cut_off(workplace: Workplace, launcher: ServerLauncher) -> None:
    with connect(launcher.address) as link, pytest.raises(OSError, match=r"pipe|reset"):
        link.sendall(b"x" * (80 * 2**20))
    assert workplace.verdict(launcher, workplace.function("return {}")).status == "passed"


def test_what_follows_a_refused_line_starts_nothing(workplace: Workplace, launcher: ServerLauncher) -> None:
    request = workplace.request(workplace.function("return {}"))
    with connect(launcher.address) as link:
        link.sendall(b"garbage\n" + encoded(request))
        assert "cannot read the request" in str(reply_on(link).refused)
    assert workplace.verdict(launcher, workplace.function("return {}")).status == "passed"
    assert not AttemptFolder(Path(request.folder)).log.exists()


def test_a_second_request_on_one_connection_does_not_replace_the_first(
    workplace: Workplace, launcher: ServerLauncher
) -> None:
    first, second = (workplace.request(workplace.function("return {}")) for _ in range(2))
    with connect(launcher.address) as link:
        link.sendall(encoded(first) + encoded(second))
        assert reply_on(link).ending.exit_status == 0
    assert AttemptFolder(Path(first.folder)).result.exists()
    assert not AttemptFolder(Path(second.folder)).log.exists()


def test_a_closed_connection_ends_the_attempt_with_all_that_it_started(
    workplace: Workplace, launcher: ServerLauncher
) -> None:
    request = workplace.request(workplace.function(GRANDCHILD + "time.sleep(1000)"))
    with connect(launcher.address) as link:
        link.sendall(encoded(request))
        grandchild = pid_in(AttemptFolder(Path(request.folder)).artifacts / "grandchild")
    eventually(lambda: not is_alive(grandchild))
    assert workplace.verdict(launcher, workplace.function("return {}")).status == "passed"


def test_stop_ends_the_attempt_gently_even_one_that_is_stopped(workplace: Workplace, launcher: ServerLauncher) -> None:
    body = "import os, signal\ntry: os.kill(os.getpid(), signal.SIGSTOP)\nfinally: run.save('bye.txt', 'x')\nreturn {}"
    deaf = workplace.request(workplace.function(f"run.save('up.txt', 'x')\n{DEAF}"))
    patient = RunSettings(grace_s=30)
    stopped = workplace.request(workplace.function(f"run.save('up.txt', 'x')\n{body}"), settings=patient)
    for request in (deaf, stopped):
        folder = AttemptFolder(Path(request.folder)).artifacts
        with connect(launcher.address) as link:
            link.sendall(encoded(request))
            eventually((folder / "up.txt").exists)
            link.sendall(b"stop\n")
            assert reply_on(link).ending.ended_by == "interrupted"


def test_more_gpus_than_there_are_is_a_refusal(workplace: Workplace, launcher: ServerLauncher) -> None:
    verdict = workplace.verdict(launcher, workplace.function("return {}", gpus=64))
    assert verdict.reason.startswith("needs 64 GPUs; this machine shows ")


# What it loads


def test_a_module_is_loaded_once_for_all_jobs(workplace: Workplace, loaded: ServerHandle, modules: Path) -> None:
    launcher = ServerLauncher(loaded.address)
    job = workplace.function(
        "return {'server': os.getppid(), 'loaded_by': last.LOADED_BY}", top="import counted, last, os"
    )
    first = workplace.verdict(launcher, job).metrics
    loads = (modules / "imports").read_text()
    assert workplace.verdict(launcher, job).metrics == first
    assert first["server"] == first["loaded_by"]
    assert (modules / "imports").read_text() == loads


def test_a_module_that_starts_a_thread_is_left_to_the_jobs(workplace: Workplace, loaded: ServerHandle) -> None:
    launcher = ServerLauncher(loaded.address)
    top = "import threading\nimport threaded\n"
    metrics = workplace.verdict(launcher, workplace.function("return {'n': threading.active_count()}", top=top)).metrics
    assert metrics == {"n": 2.0}
    for pid in tree(loaded.process.pid):
        assert len(os.listdir(f"/proc/{pid}/task")) == 1  # noqa: PTH208  (names are enough)


@pytest.mark.parametrize("users", [None, "", "background_thread:true"])
def test_arrow_starts_no_thread_in_the_server_unless_the_user_wants_it(
    workplace: Workplace, modules: Path, monkeypatch: pytest.MonkeyPatch, users: str | None
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(modules))
    monkeypatch.delenv("JE_ARROW_MALLOC_CONF", raising=False)
    if users is not None:
        monkeypatch.setenv("JE_ARROW_MALLOC_CONF", users)
    job = workplace.function("return {'server': os.getppid(), 'loaded_by': arrow.LOADED_BY}", top="import arrow, os")
    with contextlib.closing(start_server(["arrow"], log=workplace.root / "server.log", seed=0)) as server:
        metrics = workplace.verdict(ServerLauncher(server.address), job).metrics
    assert (metrics["server"] == metrics["loaded_by"]) == (users is None)


MISSING = (
    "a module is missing: raised ModuleNotFoundError: No module named 'no_such_module'; "
    "install it into the environment that runs pytest"
)


@pytest.mark.parametrize(
    ("module", "cause", "reason"),
    [
        ("broken", "error", "raised RuntimeError: broken module"),
        ("leaving", "exit", "called sys.exit(3) before train returned"),
        ("crashing", "exit", "ended with exit status 3 without an exception (os._exit or a C library)"),
        ("hanging", None, ""),
        ("no_such_module", "missing module", MISSING),
    ],
)
def test_a_module_that_hurts_when_it_is_imported_hurts_the_jobs_that_import_it_alone(
    workplace: Workplace, loaded: ServerHandle, module: str, cause: str | None, reason: str
) -> None:
    launcher = ServerLauncher(loaded.address)
    verdict = workplace.verdict(launcher, workplace.function("return {}", top=f"import {module}"))
    assert (verdict.cause, verdict.reason) == (cause, reason)
    assert workplace.verdict(launcher, workplace.function("return {}")).status == "passed"


PACKAGES = {
    "plain": "",
    "starter": "from threading import Event, Thread\nThread(target=Event().wait, daemon=True, name='gossip').start()\n",
    "above": "import plain, starter\n",
    "hidden": "import importlib\nimportlib.import_module('starter')\n",
    "ending": "import os; os._exit(7)\n",
    "last": "import plain\n",
}
COUNTED = "import os\nwith open({file!r}, 'a') as file: file.write(f'{{__name__}} {{os.getpid()}}\\n')\n"


@pytest.mark.parametrize(
    ("names", "threaded", "broken"),
    [
        pytest.param(
            *(("plain", "starter", "above", "hidden", "last"), {"starter", "above", "hidden"}, set()),
            marks=pytest.mark.slow,
        ),
        (("plain", "above.x", "hidden", "starter", "last.x"), {"starter", "above", "hidden"}, set()),
        (("hidden", "ending", "plain"), {"hidden"}, {"ending"}),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in [
                (("ending", "above", "plain"), {"above"}, {"ending"}),
                (("starter", "above"), {"starter", "above"}, set()),
            ]
        ),
    ],
    ids=lambda value: ",".join(sorted(value)),
)
def test_packages_that_start_threads_cost_one_restart_and_none_in_the_next_run(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], threaded: set[str], broken: set[str]
) -> None:
    loads = workplace.root / "loads"
    for name, text in PACKAGES.items():
        (workplace.root / f"{name}.py").write_text(COUNTED.format(file=str(loads)) + text + "LOADED_BY = os.getpid()\n")
    monkeypatch.setenv("PYTHONPATH", str(workplace.root))
    harmless = {name.partition(".")[0] for name in names} - threaded - broken
    top = "import os, sys\nfrom pytest_training.processes import thread_count\nhere = set(sys.modules)\n"
    body = f"return {{name: float(name in here) for name in {sorted(PACKAGES)!r}}} | {{'threads': thread_count()}}"
    for restarts in (1, 0):
        loads.write_text("")
        with contextlib.closing(start_server(names, log=workplace.root / "server.log", seed=0)) as server:
            metrics = workplace.verdict(ServerLauncher(server.address), workplace.function(body, top=top)).metrics
        assert metrics.pop("threads") == 1, (workplace.root / "server.log").read_text()
        assert {name for name, is_loaded in metrics.items() if is_loaded} - {"plain"} == harmless - {"plain"}
        lines = loads.read_text().split()[::2]
        for name in {*lines} - broken:
            tried = len(threaded) if name == "starter" else len(broken)
            assert lines.count(name) <= 1 + restarts + tried, lines
        loading = read_json(server.loading, Loading)
        assert loading is not None
        named = [problem.split(" for ")[0].split(" import ")[1].split(", ") for problem in loading.problems]
        assert {*itertools.chain(*named)} == threaded | broken
        assert set(loading.seconds) == harmless
    assert "gossip" in (workplace.root / "threads.json").read_text()


READERS = {
    "get": "READ = os.environ.get('KERAS')",
    "getenv": "READ = os.getenv('KERAS')",
    "item": "try: READ = os.environ['KERAS']\nexcept KeyError: READ = None",
    "contains": "READ = 'set' if 'KERAS' in os.environ else None",
    "copy": "READ = dict(os.environ) and os.environ.copy().get('KERAS')",
    "setdefault": "READ = os.environ.setdefault('KERAS', 'tensorflow')",
}


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerHandle]:
    """Return a server that has loaded what reads the variable KERAS in all these ways."""
    folder = tmp_path_factory.mktemp("reading")
    for name, code in READERS.items():
        (folder / f"reads_{name}.py").write_text(f"import os\n{code}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        patch.delenv("KERAS", raising=False)
        with contextlib.closing(
            start_server([f"reads_{n}" for n in READERS], log=folder / "server.log", seed=0)
        ) as handle:
            yield handle


@pytest.mark.parametrize(
    ("changes", "is_alone"),
    [
        ({}, False),
        ({"MLFLOW_TRACKING_URI": "x"}, False),
        ({"OMP_NUM_THREADS": "64", "PYTHONHASHSEED": "9"}, False),
        ({"KERAS": "jax"}, True),
        ({"LANG": None}, True),
        *(
            pytest.param({name: ""}, True, marks=pytest.mark.slow)
            for name in ("LD_PRELOAD", "OMP_WAIT_POLICY", "PYTHONWARNINGS", "MKL_CBWR")
        ),
    ],
    ids=str,
)
def test_a_variable_that_was_read_too_early_sends_the_job_to_an_interpreter_of_its_own(
    workplace: Workplace,
    reading: ServerHandle,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str | None],
    is_alone: bool,  # noqa: FBT001  (a column of the table)
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(reading.loading).parent))
    names = ", ".join(f"reads_{name}" for name in READERS)
    body = "return {'server': os.getppid(), 'different': sum(module.READ != os.environ.get('KERAS') for module in ALL)}"
    job = workplace.function(body, top=f"import os, {names}\nALL = [{names}]")
    request = workplace.request(job, environment=changes)
    reply = ServerLauncher(reading.address).launch(request)
    metrics = msgspec.json.decode(request.files.result.read_bytes())["metrics"]
    assert (metrics["server"] in tree(reading.process.pid)) != is_alone
    assert bool(reply.notes) == is_alone
    if is_alone:
        assert next(iter(changes)) in reply.notes[0] or "LANG" in reply.notes[0]


@pytest.mark.parametrize("value", ["torch", None])
def test_variables_that_libraries_read_are_recorded_whatever_the_way(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    for name, code in READERS.items():
        monkeypatch.delenv("KERAS", raising=False)
        if value or name == "copy":
            monkeypatch.setenv("KERAS", "torch")
        with recorded_reads() as names:
            exec(code, {"os": os})  # noqa: S102  (what a library does)
        assert "KERAS" in names, name
    assert type(os.environ).__name__ == "_Environ"


# What it measures


def ending(workplace: Workplace, launcher: ServerLauncher, job: Job) -> Any:
    return launcher.launch(workplace.request(job)).ending


FAT = "fat = bytearray(b'x') * (300 * 2**20)\nreturn {}"


def test_peak_memory_is_the_jobs_own(workplace: Workplace, launcher: ServerLauncher) -> None:
    thin = workplace.function("return {}")
    before = ending(workplace, launcher, thin).peak_memory_mb
    assert 300 <= ending(workplace, launcher, workplace.function(FAT)).peak_memory_mb < 300 + before + 50
    assert ending(workplace, launcher, thin).peak_memory_mb < before + 20
    script = workplace.script("fat = bytearray(b'x') * (300 * 2**20)")
    assert 300 <= ending(workplace, launcher, script).peak_memory_mb < 400
    lasting = f"{FAT[:-10]}; import time; time.sleep(0.5)"
    in_a_child = workplace.function(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {lasting!r}])")
    assert 300 <= ending(workplace, launcher, in_a_child).peak_memory_mb < 500


def test_what_the_server_has_loaded_for_others_is_not_the_jobs(
    workplace: Workplace, modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (modules / "large.py").write_text("weights = bytearray(b'x') * (200 * 2**20)\n")
    monkeypatch.setenv("PYTHONPATH", str(modules))
    thin = "import time; time.sleep(0.5); return {}"
    own = "own = bytearray(b'x') * (60 * 2**20); import time; time.sleep(0.5); return {}"
    for preloaded in ([], ["large"]):
        with contextlib.closing(start_server(preloaded, log=workplace.root / "server.log", seed=0)) as server:
            launcher = ServerLauncher(server.address)
            assert workplace.verdict(launcher, workplace.function(own, limits={"memory": 100})).status == "passed"
            endless = own.replace("0.5", "1000")
            assert workplace.verdict(launcher, workplace.function(endless, limits={"memory": 50})).cause == "memory"
            assert ending(workplace, launcher, workplace.function(thin)).peak_memory_mb < 30


def test_cpu_time_is_that_of_the_job_and_of_what_it_waited_for(workplace: Workplace, launcher: ServerLauncher) -> None:
    burning = "import time\nwhile time.process_time() < 0.3: pass\n"
    assert 0.3 <= ending(workplace, launcher, workplace.function(burning)).cpu_s < 2
    in_a_child = workplace.function(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burning!r}])")
    assert 0.3 <= ending(workplace, launcher, in_a_child).cpu_s < 3
    assert ending(workplace, launcher, workplace.function("import time; time.sleep(0.3)")).cpu_s < 0.3


# How it ends


def test_closing_the_lifeline_ends_every_job_and_removes_the_socket(workplace: Workplace, tmp_path: Path) -> None:
    handle = start_server([], log=tmp_path / "server.log", seed=0)
    request = workplace.request(workplace.function(GRANDCHILD + "time.sleep(1000)"))
    threading.Thread(target=ServerLauncher(handle.address).launch, args=(request,)).start()
    grandchild = pid_in(AttemptFolder(Path(request.folder)).artifacts / "grandchild")
    members = tree(handle.process.pid)
    handle.close()
    assert not any(map(is_alive, {*members, grandchild}))
    assert not handle.folder.exists()
    assert (tmp_path / "server.log").read_text() == ""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_of_the_terminal_is_the_owners_and_not_the_servers(
    workplace: Workplace, launcher: ServerLauncher, server: ServerHandle, sent: int
) -> None:
    os.killpg(server.process.pid, sent)
    assert workplace.verdict(launcher, workplace.function("return {}")).status == "passed"


def test_stop_all_ends_what_runs_and_starts_nothing_more(workplace: Workplace, tmp_path: Path) -> None:
    handle = start_server([], log=tmp_path / "server.log", seed=0)
    launcher = ServerLauncher(handle.address)
    request = workplace.request(workplace.function(GRANDCHILD + "time.sleep(1000)"))
    replies: list[Reply] = []
    slot = threading.Thread(target=lambda: replies.append(launcher.launch(request)))
    slot.start()
    grandchild = pid_in(AttemptFolder(Path(request.folder)).artifacts / "grandchild")
    handle.stop_all()
    slot.join()
    assert [reply.ending.ended_by for reply in replies] == ["interrupted"]
    assert not is_alive(grandchild)
    assert workplace.verdict(launcher, workplace.function("return {}")).status == "interrupted"
    handle.close()
