"""Clusters that a session starts or reaches: what is open to others, what is encrypted, what is refused."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Security
from sessions import WAIT, Project, text
from watching import eventually

from cluster.dask_nodes import is_whole
from cluster.listening import assert_private, descendants, words_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
UNTIL = 'note.write_text("")\nwait_for(note.with_name("go"))\nreturn {"score": 1.0}'
TOP = f'{WAIT}\nfrom pathlib import Path\nnote = Path(__file__).with_name("began")\n'
SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/keys
StrictModes no
UsePAM no
PidFile none
"""
CLUSTERS = """
from distributed import LocalCluster

def _options(**options):
    return {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None, "memory_limit": 0, **options}

def plain():
    return LocalCluster(**_options())

async def later():
    return await LocalCluster(asynchronous=True, **_options())

def adaptive():
    cluster = LocalCluster(**_options(n_workers=0))
    cluster.adapt(minimum=0, maximum=2)
    return cluster

def nothing():
    return "tcp://head:8786"

def broken():
    raise OSError("no such partition: gpu")
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "project").mkdir()
    return Project(tmp_path / "project")


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Start a server on 127.0.0.1 that this user's key opens; yield its pid and port."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None or os.getuid():
        (pytest.fail if os.environ.get("SLURM_TESTS") == "required" else pytest.skip)("needs openssh-server, and root")
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    Path("/run/sshd").mkdir(exist_ok=True)
    for key in (tmp_path / "host", home / ".ssh/id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    shutil.copy(home / ".ssh/id_ed25519.pub", tmp_path / "keys")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host_key = " ".join((tmp_path / "host.pub").read_text().split()[:2])
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    (tmp_path / "sshd_config").write_text(SSHD.format(port=port, folder=tmp_path))
    monkeypatch.setenv("HOME", str(home))
    with subprocess.Popen([program, "-D", "-f", tmp_path / "sshd_config"]) as server:
        eventually(lambda: _answers(port))
        yield server.pid, port
        server.terminate()


def _answers(port: int) -> bool:
    with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def session_of(project: Project, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a session and wait for its end; end it if the test has failed."""
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(project.start(*arguments))
        stack.callback(session.kill)
        yield session
        session.wait()


def test_what_starts_here_is_private_and_leaves_no_key(project: Project) -> None:
    project.job("stays", UNTIL, top=TOP)
    with session_of(project, "--training-cluster", "local:2") as session:
        eventually((project.root / "training/began").exists)
        assert_private(descendants([session.pid]))
        (project.root / "training/go").touch()
    assert session.returncode == 0, project.said


@pytest.mark.parametrize("is_killed", [False, True])
def test_what_starts_over_ssh_is_private_and_ends_with_the_session(
    project: Project, sshd: tuple[int, int], *, is_killed: bool
) -> None:
    server, port = sshd
    project.job("stays", UNTIL, top=TOP)
    with session_of(project, "--training-cluster", f"ssh:127.0.0.1:{port}") as session:
        eventually((project.root / "training/began").exists)
        started = [each for each in descendants([session.pid, server]) if each.pid != server]
        keys = {Path(word) for each in started for word in words_of(each) if word.endswith(".pem")}
        if is_killed:
            session.send_signal(signal.SIGKILL)
        else:
            assert_private(started)
            (project.root / "training/go").touch()
    assert session.returncode == (-signal.SIGKILL if is_killed else 0), project.said
    eventually(lambda: not any(each.is_running() for each in started))
    assert keys
    assert not any(each.exists() for each in keys)


def test_a_node_that_dies_over_ssh_is_started_again(project: Project, sshd: tuple[int, int]) -> None:
    server, port = sshd
    project.job("again", f'if run.folder.parent.name == "attempt-2":\n    return {{"score": 1.0}}\n{UNTIL}', top=TOP)
    project.write("training/jobs.yaml", "jobs: {again: {retries: 1, retry_on: [crash]}}")
    with session_of(project, "--training-cluster", f"ssh:127.0.0.1:{port}") as session:
        eventually((project.root / "training/began").exists)
        nannies = [each for each in descendants([server]) if "distributed.Nanny" in " ".join(words_of(each))]
        for each in nannies:
            each.kill()
    assert nannies
    assert session.returncode == 0, project.said
    assert len(project.metadata()["again"]["attempts"]) == 2


@contextlib.contextmanager
def scheduler(folder: Path, host: str, *options: str, has_worker: bool = True) -> Iterator[str]:
    """Start a Dask scheduler and a worker there as other people do; yield its address."""
    file, commands = folder / "scheduler.json", [["scheduler", "--port", "0", "--no-dashboard"]]
    commands += [["worker", "--nthreads", "2", "--no-dashboard"]] if has_worker else []
    with contextlib.ExitStack() as stack:
        for words in commands:
            command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(file), "--host", host, *options]
            with (folder / f"{words[0]}.txt").open("wb") as log:
                process = stack.enter_context(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log))
            stack.callback(process.kill)
            eventually(lambda: is_whole(file))
        yield json.loads(file.read_bytes())["address"]


def test_who_waits_for_a_node_reads_so(project: Project, tmp_path: Path) -> None:
    project.jobs("one")
    with scheduler(tmp_path, "127.0.0.1", has_worker=False) as address:
        result = project.run("--training-cluster", address, "-o", "training_cluster_wait=6s")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines([f"waiting up to 6.0 s for the first node of {address}"])
    result.stderr.fnmatch_lines([f"ERROR: --training-cluster {address}: no node to train on within 6 s: none has come"])


def own_address() -> str:
    """Return an address of this machine that others reach."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            pytest.skip("this machine has no address but 127.0.0.1")
        return str(probe.getsockname()[0])


def test_an_open_cluster_is_said_to_be_open_and_gets_no_secret(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "correct horse")
    project.jobs("open_job")
    project.job("secretive", 'return {"length": len(token)}', parameters="token")
    project.write("training/jobs.yaml", "jobs: {secretive: {secret: {token: MY_TOKEN}}}")
    with scheduler(tmp_path, own_address()) as address:
        result = project.run("--training-cluster", address)
        assert project.statuses() == {"open_job": "passed", "secretive": "failed"}, text(result)
        assert project.metadata()["secretive"]["reason"].startswith(
            "its secret parameter token would cross the network"
        )
        result.stdout.fnmatch_lines(["warning: the Dask cluster at tcp://* is not encrypted: who reaches it can run *"])
        result = project.run("--training-cluster", address, "-k", "secretive")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.run("--training-cluster", f"file:{tmp_path}/scheduler.json").ret == pytest.ExitCode.USAGE_ERROR


def test_certificates_of_dasks_configuration_open_a_cluster(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "correct horse")
    project.job("secretive", 'return {"length": len(token)}', parameters="token")
    project.write("training/jobs.yaml", "jobs: {secretive: {secret: {token: MY_TOKEN}}}")
    files = {name: tmp_path / f"{name}.pem" for name in ("ours", "theirs")}
    for path in files.values():
        security = Security.temporary()
        path.write_text(f"{security.tls_client_key}{security.tls_client_cert}")
    ours = str(files["ours"])
    options = ("--tls-ca-file", ours, "--tls-cert", ours, "--protocol", "tls")
    with scheduler(tmp_path, "127.0.0.1", *options) as address:
        for name, status in {"ours": pytest.ExitCode.OK, "theirs": pytest.ExitCode.USAGE_ERROR}.items():
            monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__CA_FILE", str(files[name]))
            monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT", str(files[name]))
            result = project.run("--training-cluster", address)
            assert result.ret == status, text(result)
            assert "Traceback" not in text(result)
        result.stderr.fnmatch_lines(
            [f"ERROR: --training-cluster {address}: cannot use the Dask cluster at {address}: *"]
        )


@pytest.mark.parametrize("function", ["plain", "later", "adaptive"])
def test_a_function_of_the_project_makes_the_cluster(project: Project, function: str) -> None:
    project.write("own_hpc.py", CLUSTERS)
    project.jobs("one", "two", "three")
    result = project.run("--training-cluster", f"own_hpc:{function}")
    assert result.ret == 0, text(result)
    (record,) = project.reports.glob("runs/*/run.json")
    assert json.loads(record.read_bytes())["place"] in {
        f"own_hpc:{function}: {nodes}" for nodes in ("1 node", "2 nodes")
    }


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("nothing", "TypeError: expected a Dask cluster, like SLURMCluster(), found 'tcp://head:8786'"),
        ("broken", "OSError: no such partition: gpu"),
    ],
)
def test_a_function_without_a_cluster_is_one_sentence(project: Project, function: str, problem: str) -> None:
    project.write("own_hpc.py", CLUSTERS)
    project.jobs("one")
    result = project.run("--training-cluster", f"own_hpc:{function}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    where = f"own_hpc:{function}"
    result.stderr.fnmatch_lines(
        [f"ERROR: --training-cluster {where}: cannot start the cluster that {where} returns: {problem}"]
    )
    assert "Traceback" not in text(result)


def test_an_ordinary_session_never_imports_dask(project: Project) -> None:
    project.jobs("one")
    project.write(
        "conftest.py",
        "import sys\ndef pytest_unconfigure():\n    assert not {'dask', 'distributed'} & {*sys.modules}\n",
    )
    assert project.run().ret == 0
