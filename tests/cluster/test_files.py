"""The files of attempts on nodes without shared files; the node is this process, with folders of its own."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.execution.attempt.messages import AttemptRequest, Reply
from pytest_training.execution.backends.cluster import node_files
from pytest_training.execution.backends.cluster.cargo import Cargo, Shipment
from pytest_training.execution.backends.cluster.moves import Moves
from pytest_training.execution.backends.cluster.nodes import Node
from pytest_training.execution.backends.cluster.orders import NodeFacts
from pytest_training.execution.backends.cluster.packing import expect_whole, pack
from pytest_training.execution.backends.cluster.returning import Returning
from pytest_training.execution.equipment import Equipment
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.pins import Lock, Pin, read_lock
from pytest_training.jobs.kinds.protocol import Call
from pytest_training.jobs.model import Dataset, Job, NeededOutcome

RUN = "20261130-120000-000000-abcd"


class Client:
    """Calls functions where a Dask client would have nodes call them; counts the bytes that go there."""

    def __init__(self, scratch: Path) -> None:
        self.loop = SimpleNamespace(asyncio_loop=asyncio.new_event_loop())
        self.scratch, self.sent = scratch, 0
        self.listed: list[tuple[str, int, str]] = []  # what the node claims to have beside its files
        threading.Thread(target=self.loop.asyncio_loop.run_forever, daemon=True).start()

    def worker(self, name: str) -> Any:
        return SimpleNamespace(local_directory=str(self.scratch / name), id=name)

    async def run(self, function: Any, *arguments: Any, workers: list[str], asynchronous: bool) -> Any:
        assert asynchronous
        self.sent += sum(len(each) for each in arguments if isinstance(each, bytes))
        answer = await function(*arguments, dask_worker=self.worker(workers[0]))
        if function is node_files.left:
            answer = [*answer[0], *self.listed], answer[1]
        return {workers[0]: answer}


class Site:
    """A project with one job, a run folder, and a host without either."""

    def __init__(self, tmp_path: Path) -> None:
        self.project, self.outside = tmp_path / 'pro"ject é', tmp_path / "outside"
        self.run = RunFolder(self.project / "reports", RUN)
        self.write("project/training/train_a.py", "def train(run): ...\n")
        self.client = Client(tmp_path / "scratch")
        pool: Any = SimpleNamespace(client=self.client, server=SimpleNamespace(run_id=RUN), stopping=False)
        self.shipment = Shipment(pool, project=self.project, runs=self.run.stable.runs)
        self.attempts = 0

    def write(self, name: str, content: str = "x") -> Path:
        path = self.project.parent / name.replace("project/", f"{self.project.name}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def node(self, name: str) -> Node:
        scratch = node_files.scratch(self.client.worker(name), RUN)
        own = {"executable": "/far/bin/python", "prefix": "/far", "scratch": str(scratch), "shares_files": False}
        machine = {"cores": 1, "cpus": (0,), "memory_mb": 1.0, "cards": {}, "equipment": Equipment()}
        facts = NodeFacts(id=name, host="far", **own, **machine)  # type: ignore[arg-type]  # of many types
        return Node(name, name, 1, 1.0, facts)

    def cargo(self, *, node: str = "w1", **fields: Any) -> Cargo:
        self.attempts += 1
        _, folder = self.run.job("a").begin_attempt()
        file = str(self.project / "training" / "train_a.py")
        places: dict[str, Any] = {"home": str(self.project / "training"), "root": str(self.project), "path": file}
        job = Job(id="a", kind="function", source="training/train_a.py", files=(file,), **places)
        request: dict[str, Any] = {
            "job": job,
            "start": Call(path=file, function="train"),
            "folder": str(folder.path),
            "checkpoint": str(self.run.job("a").checkpoint),
            "seed": 0,
            "threads": 1,
        }
        return Cargo(self.shipment, self.node(node), AttemptRequest(**request | fields))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.client.loop.asyncio_loop.call_soon_threadsafe(site.client.loop.asyncio_loop.stop)


def tree(request: AttemptRequest) -> Path:
    """Return the attempt's tree on the node: TREE/runs/RUN/jobs/a/attempt-1."""
    return Path(request.folder).parents[4]


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# --- paths -----------------------------------------------------------------------------------------------------------

OURS = {"/home/me/p": "/n/project", "/home/me/p/reports/runs": "/n/runs", "/usr/my env/bin/python": "/far/python"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("/home/me/p", "/n/project"),
        ("/home/me/p/data/x.csv", "/n/project/data/x.csv"),
        ("/home/me/p/reports/runs/1/a", "/n/runs/1/a"),
        ("--data=/home/me/p/x", "--data=/n/project/x"),
        ("/home/me/p/a:/home/me/p", "/n/project/a:/n/project"),
        ("file:///home/me/p/mlruns", "file:///n/project/mlruns"),
        ('File "/home/me/p/train.py", line 3', 'File "/n/project/train.py", line 3'),
        ("/usr/my env/bin/python", "/far/python"),
        ("see /home/me/p.", "see /n/project."),
        ("/home/me/p2/x", "/home/me/p2/x"),
        ("/home/me/p.bak", "/home/me/p.bak"),
        ("/home/me/pé/x", "/home/me/pé/x"),
        ("/mnt/home/me/p", "/mnt/home/me/p"),
        ("relative/p", "relative/p"),
    ],
)
def test_paths_are_moved_where_they_are_paths_and_back(ours: str, theirs: str) -> None:
    assert Moves(OURS).value({"a": [ours, 1, None]}) == {"a": [theirs, 1, None]}
    assert Moves({theirs: ours for ours, theirs in OURS.items()}).value(theirs) == ours


WORDS = ["/n/project", "/n/runs", "/n/", "/n", "/a", "\n", " ", '"', "proj", "é"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=12)


@given(TEXTS, st.lists(st.integers(1, 9), min_size=1, max_size=30))
@example(["/n/project", "/a", "\n"], [3])
def test_a_file_that_grows_is_moved_as_if_it_came_at_once(words: list[str], lengths: list[int]) -> None:
    moves, content = Moves({"/n/project": "/home/me/p", "/n/runs": "/r"}, is_json=True), "".join(words).encode()
    at, come = 0, b""
    for length in [*lengths, len(content)]:
        part = content[at : at + length + 20]
        whole = moves.whole(part)
        come, at = come + moves(part[:whole], before=content[:at][-1:]), at + whole
    come += moves(content[at:], before=content[:at][-1:])
    assert come == moves(content)


# --- to the node -----------------------------------------------------------------------------------------------------


def test_code_data_checkpoint_and_needed_files_travel_and_nothing_else(site: Site) -> None:
    subprocess.run(["git", "init", "-q", str(site.project)], check=True)
    site.write("project/.gitignore", "*.bin\nsecret.env\nlocal.py\n")
    site.write("project/run.sh").chmod(0o755)
    for name in ("big/a.bin", "secret.env", "local.py", "data/d.bin", "conf/c.yaml", "named/n.bin", "cli.bin"):
        site.write(f"project/{name}")
    code = "open('named/n.bin'), os.listdir('big'), open('OUTSIDE/o.csv'), open('gone.bin')"
    site.write("project/training/train_a.py", f"def train(run): {code.replace('OUTSIDE', str(site.outside))}")
    site.write("outside/o.csv")
    (site.project / "inner").symlink_to("run.sh")
    (site.project / "outer").symlink_to(site.outside / "o.csv")
    earlier = site.write("project/reports/runs/earlier/jobs/a/attempt-1/predictions.csv").parent
    needed = site.run.job("t").attempt(1)
    needed.create()
    (needed.artifacts / "model.bin").write_text("weights")
    site.run.job("a").checkpoint.mkdir(parents=True)
    (site.run.job("a").checkpoint / "state.zip").write_text("state")
    data = (
        Dataset(name="d", real=True, path="data/d.bin", home=str(site.project)),
        Dataset(name="o", real=True, path="../outside/o.csv", home=str(site.project)),
    )
    outcome = NeededOutcome(run_id=RUN, path=str(needed.artifacts))
    cargo = site.cargo(datasets=data, needed={"t": outcome}, earlier={"earlier": str(earlier)})
    files = (*cargo.request.job.files, str(site.project / "local.py"))
    parameters = {"where": f"{site.project}/data/d.bin", "cli": "cli.bin"}
    job = replace(cargo.request.job, files=files, parameters=parameters)
    cargo.request = replace(cargo.request, job=job)
    there = cargo.bring()
    far = tree(there)
    assert names(far / "project") == {
        ".gitignore",
        "run.sh",
        "inner",
        "conf/c.yaml",
        "training/train_a.py",
        "local.py",
        "data/d.bin",
        "named/n.bin",
        "cli.bin",
    }
    assert cargo.left_out == {
        "project/outer": "a link that leads elsewhere",
        "project/big": "a folder that Git ignores",
        f"{site.outside}/o.csv": "outside the project",
    }
    assert os.access(far / "project" / "run.sh", os.X_OK)
    assert not (far / "project" / "inner").is_symlink()
    assert Path(there.datasets[0].path or "").read_text() == Path(there.datasets[1].path or "").read_text() == "x"
    assert Path(there.datasets[1].path or "").is_relative_to(far)
    assert there.job.parameters["where"] == f"{far}/project/data/d.bin"
    assert (there.needed["t"].folder / "model.bin").read_text() == "weights"
    assert (Path(there.checkpoint) / "state.zip").read_text() == "state"
    assert names(Path(there.earlier["earlier"])) == {"predictions.csv"}
    assert there.files.artifacts.is_dir()
    assert isinstance(there.start, Call)
    assert Path(there.start.path).is_relative_to(far)


def test_a_node_gets_what_attempts_share_once_and_each_attempt_a_project_of_its_own(site: Site) -> None:
    site.write("project/code.py", "x" * 300_000)
    first = site.cargo().bring()
    alone = site.client.sent
    second = site.cargo().bring()
    assert site.client.sent < 1.2 * alone
    (tree(first) / "project" / "code.py").write_text("changed")
    assert (tree(second) / "project" / "code.py").read_text() == "x" * 300_000


def test_what_is_too_large_is_named(site: Site) -> None:
    large, small = site.write("project/large", "x" * 1000), site.write("project/small")
    parcel = pack({"large": large, "small": small, "gone": site.project / "gone"}, largest=100)
    assert parcel.names == {"small"}
    assert parcel.left_out == {"gone": "No such file or directory", "large": "0 MiB"}
    assert pack({"a": large, "b": large}, most=1500).left_out == {"b": "0 MiB"}
    with pytest.raises(DeclarationError, match=r"dataset 'd': cannot send gone .*, large .*MiB travel"):
        expect_whole(parcel, "dataset 'd'")


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "evil",
    [
        entry("../up"),
        entry("a/../../up"),
        entry("link", tarfile.SYMTYPE, "/etc/passwd"),
        entry("link", tarfile.SYMTYPE, "../../up"),
        entry("hard", tarfile.LNKTYPE, "/etc/passwd"),
        entry("pipe", tarfile.FIFOTYPE),
        entry("device", tarfile.CHRTYPE),
    ],
    ids=lambda each: f"{each.name}-{each.linkname}",
)
def test_a_node_unpacks_nothing_that_leads_elsewhere(site: Site, evil: tarfile.TarInfo) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(evil)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(tarfile.FilterError):
        asyncio.run(node_files.take(RUN, digest, (0, True), content, dask_worker=site.client.worker("w1")))
    assert asyncio.run(node_files.lay(RUN, "k", [digest], [], dask_worker=site.client.worker("w1"))) == [digest]
    with pytest.raises(ValueError, match="damaged"):
        asyncio.run(node_files.take(RUN, "0" * 64, (0, True), content, dask_worker=site.client.worker("w1")))


# --- and back --------------------------------------------------------------------------------------------------------


def test_all_that_an_attempt_leaves_comes_back_as_from_this_machine(site: Site) -> None:
    cargo = site.cargo()
    there, returning = cargo.bring(), Returning(cargo)
    far, files = tree(there), there.files
    files.log.write_text(f'File "{there.job.path}", line 3\n')
    files.events.write_text('{"t":0}\n')
    files.usage.write_text("{}")
    Path(there.checkpoint).mkdir()
    (Path(there.checkpoint) / "state.zip").write_text("state 1")
    returning.follow()
    assert cargo.files.log.read_text() == f'File "{cargo.request.job.path}", line 3\n'
    assert cargo.files.usage.read_text() == "{}"
    assert Path(cargo.request.checkpoint, "state.zip").read_text() == "state 1"
    with files.log.open("a") as log:
        log.write("more")
    (files.artifacts / "sub" / "deep").mkdir(parents=True)
    (files.artifacts / "sub" / "deep" / "model.bin").write_bytes(b"w" * 5_000_000)
    (files.artifacts / "last").symlink_to("sub/deep/model.bin")
    (files.artifacts / "elsewhere").symlink_to("/etc/passwd")
    os.mkfifo(files.artifacts / "pipe")
    (far / "project" / "metrics.json").write_text("{}")
    files.result.write_text(f'{{"at":"{there.job.path}"}}')
    reply = returning.fetch(Reply(refused=f"cannot load {there.job.path}"))
    assert reply.refused == f"cannot load {cargo.request.job.path}"
    assert cargo.files.log.read_text().endswith("3\nmore")
    assert names(cargo.files.artifacts) == {"sub/deep/model.bin", "last", "metrics.json"}
    assert msgspec.json.decode(cargo.files.result.read_bytes()) == {"at": cargo.request.job.path}
    assert not any(path.is_symlink() for path in cargo.files.artifacts.rglob("*"))
    beside, left_out = reply.notes
    assert beside == "files that it wrote into the project on node w1 (far) are in its folder: metrics.json"
    assert all(f"artifacts/{name} (a link, a pipe" in left_out for name in ("elsewhere", "pipe"))
    assert not far.exists()


ELSEWHERE = (
    "../../evil",
    "/tmp/evil",
    "runs/../../evil",
    f"runs/{RUN}/jobs/a/outcome.json",
    f"runs/{RUN}/jobs/other/attempt-1/artifacts/evil",
    f"runs/{RUN}/jobs/a/attempt-1/started.json",
    f"runs/{RUN}/jobs/a/attempt-1/log.txt",
    f"runs/{RUN}/plan.json",
    "runs/evil",
    "project/../evil",
    "private/evil",
    "outside/evil",
    "evil\0",
    "",
    ".",
    "project",
)


def test_what_a_node_sends_for_another_place_is_refused(site: Site) -> None:
    cargo = site.cargo()
    cargo.bring()
    before = names(site.project.parent)
    site.client.listed = [(name, 1, "") for name in ELSEWHERE]
    Returning(cargo).fetch(Reply())
    assert names(site.project.parent) - before == set()


def test_a_download_that_a_node_has_pinned_is_pinned_here(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(site.outside))
    home = str(site.project / "training")
    urls = {"new": "https://a/new", "pinned": "https://a/old", "moved": "https://b/moved", "stated": "https://a/stated"}
    sha256 = {"stated": "5" * 64}
    data = [Dataset(name=name, real=True, url=url, home=home, sha256=sha256.get(name)) for name, url in urls.items()]
    ours = Lock(datasets={"pinned": Pin(url="https://a/old", sha256="1" * 64)})
    theirs = {name: Pin(url=f"https://a/{name}", sha256="2" * 64) for name in (*urls, "another")}
    site.write("project/training/data.lock", msgspec.json.encode(ours).decode())
    cargo = site.cargo(datasets=tuple(data))
    lock = tree(cargo.bring()) / "project/training/data.lock"
    lock.write_bytes(msgspec.json.encode(Lock(datasets=theirs)))
    Returning(cargo).fetch(Reply())
    assert read_lock(Path(home, "data.lock")).datasets == {**ours.datasets, "new": theirs["new"]}


def test_a_checkpoint_that_changes_while_it_is_read_comes_later_without_a_word(site: Site) -> None:
    cargo = site.cargo()
    there, returning = cargo.bring(), Returning(cargo)
    state = Path(there.checkpoint, "state.zip")
    state.parent.mkdir()
    state.write_text("whole")
    name = cargo.name(Path(cargo.request.checkpoint, "state.zip"))
    site.client.listed = [(name, 5, "another stamp")]
    returning.follow()
    site.client.listed = []
    assert returning.fetch(Reply()).notes == ()
    assert Path(cargo.request.checkpoint, "state.zip").read_text() == "whole"


def test_of_a_log_without_bounds_the_beginning_and_the_end_come(site: Site) -> None:
    cargo = site.cargo()
    files, returning = cargo.bring().files, Returning(cargo)
    files.log.write_text("begins\n")
    returning.follow()
    with files.log.open("r+b") as log:
        log.seek(2**29)
        log.write(b"\nends\n")
    [note] = returning.fetch(Reply()).notes
    assert note == "did not travel to node w1 (far) or back: log.txt (480 MiB in its middle)"
    content = cargo.files.log.read_bytes()
    assert content.startswith("begins\n\n… 480 MiB were left out …\n".encode())
    assert content.endswith(b"\nends\n")


def test_a_node_that_claims_too_much_fills_no_disk(site: Site) -> None:
    cargo = site.cargo()
    files = cargo.bring().files
    (files.artifacts / "small").write_text("x")
    name = f"runs/{RUN}/jobs/a/attempt-1/artifacts"
    site.client.listed = [(f"{name}/huge", 2**40, ""), (f"{name}/torn", 10, "another stamp")]
    [note] = Returning(cargo).fetch(Reply()).notes
    names_and_reasons = "artifacts/torn (changed while it was read), artifacts/huge (1,048,576 MiB)"
    assert note == f"did not travel to node w1 (far) or back: {names_and_reasons}"
    assert names(cargo.files.artifacts) == {"small"}


# --- what stays there ------------------------------------------------------------------------------------------------


def test_the_next_run_removes_the_files_of_one_that_was_killed(site: Site) -> None:
    there = site.cargo().bring()
    assert tree(there).is_dir()
    node_files.USED[RUN] -= node_files.IDLE_S + 1
    assert asyncio.run(node_files.lay("later", "k", ["0"], [], dask_worker=site.client.worker("w1"))) == ["0"]
    assert not tree(there).exists()
    assert RUN not in node_files.USED
