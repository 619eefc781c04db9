"""What stands after `--training-cluster`: every form, and one sentence for whatever else is typed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sessions import Project

from pytest_training.errors import DeclarationError
from pytest_training.execution.backends.cluster import connect
from pytest_training.execution.backends.cluster.backend import MOST_EACH, Cluster
from pytest_training.execution.backends.cluster.where import QUEUES, SHAPES, Where, is_open, parse_where
from pytest_training.execution.backends.protocol import Opening
from pytest_training.machine import machine_cores
from pytest_training.wording import counted

HPC = '''
"""Clusters of a project's own."""

from distributed import LocalCluster as Started

NODES = 2


def make():
    return Started(n_workers=NODES)


async def later():
    return await Started(asynchronous=True)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a module that makes clusters, and files of schedulers."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_hpc.py").write_text(HPC, encoding="utf-8")
    (tmp_path / "good.json").write_text(json.dumps({"address": "tls://10.0.0.1:8786", "workers": {}}), encoding="utf-8")
    for name, content in {
        "list": "[]",
        "no": "{}",
        "none": '{"address": null}',
        "torn": '{"addr',
        "word": '"x"',
    }.items():
        (tmp_path / f"{name}.json").write_text(content, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("local", f"start 1 node of {counted(machine_cores(), 'core')} on this machine"),
        ("local:1", "start 1 node of 1 core on this machine"),
        ("local:999", "start 1 node of 999 cores on this machine"),
        ("local:12x1", "start 12 nodes of 1 core on this machine"),
        ("local:1x16", "start 1 node of 16 cores on this machine"),
        ("tcp://head:8786", "use the Dask cluster at tcp://head:8786"),
        ("tls://[fe80::1]:65535", "use the Dask cluster at tls://[fe80::1]:65535"),
        ("file:good.json", "use the Dask cluster at tls://10.0.0.1:8786"),
        *((name, f"submit nodes as {name} jobs") for name in ("slurm", "pbs", "sge", "lsf", "htcondor")),
        ("ssh:a", "start nodes over SSH on a"),
        ("ssh:a,ann@b.example.org,c:2222,a", "start nodes over SSH on a, b.example.org, c"),
        ("own_hpc:make", "start the cluster that own_hpc:make returns"),
        ("own_hpc:later", "start the cluster that own_hpc:later returns"),
        ("own_hpc:Started", "start the cluster that own_hpc:Started returns"),
    ],
)
def test_every_form_says_what_it_would_do(folder: Path, text: str, does: str) -> None:
    """As `--collect-only` shows it."""
    assert parse_where(text, "--training-cluster", (folder,)).does == does


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *(
            (f"local:{each}", "local:NxM; each 1 to 999")
            for each in ("", "0", "-1", "x", "1000", "2.5", "٣", "1 ", "01")
        ),
        *(
            (f"local:{each}", "local:NxM; each 1 to 999")
            for each in ("x4", "4x", "0x4", "4x0", "2X2", "2x2x2", "2x1000")
        ),
        *((f"tcp:{each}", "like tcp://head:8786") for each in ("", "/x", "//", "//head", "//head:0", "//head:65536")),
        *((f"tls:{each}", "like tls://head:8786") for each in ("//a b:1", "//ann@head:1", "//head:8786/x", "//:1")),
        ("file:", "file:PATH"),
        ("file:nope.json", "found none in 'nope.json'"),
        *((f"file:{each}.json", "found none in") for each in ("list", "no", "none", "torn", "word")),
        ("file:.", "found none in"),
        *((f"ssh:{each}", "ssh:host1,ann@host2") for each in ("", ",", "a,,b", "a,", "a b", "-oProxyCommand=x", "a:0")),
        *((f"{each}:4", f"{each} alone") for each in ("slurm", "pbs", "sge", "lsf", "htcondor")),
        ("head:8786", "did you mean 'tcp://head:8786'?"),
        ("lokal:4", "did you mean 'local'?"),
        ("slrum", "did you mean 'slurm'?"),
        ("bogus", "'bogus': expected one of "),
        ("no_such:make", "no module 'no_such'"),
        ("no_such.at_all:make", "no module 'no_such.at_all'"),
        ("own_hpc:mak", "did you mean 'make'?"),
        ("own_hpc:", "expected a cluster"),
        ("own_hpc:make()", "expected a cluster"),
    ],
)
def test_whatever_is_wrong_is_one_sentence(folder: Path, text: str, problem: str) -> None:
    """It names the option or setting, and what was expected."""
    with pytest.raises(DeclarationError) as raised:
        parse_where(text, "training_cluster in pytest.ini", (folder,))
    sentence = str(raised.value)
    assert sentence.startswith("training_cluster in pytest.ini: ")
    assert problem in sentence
    assert "\n" not in sentence


@given(
    text=st.one_of(st.text(max_size=40), st.builds("{}:{}".format, st.sampled_from([*SHAPES]), st.text(max_size=30)))
)
@example("file:\x00")
@example("file:" + "x" * 5_000)
@example("a" * 5_000 + ":b")
@example("..:x")
def test_any_text_is_a_cluster_or_a_sentence(text: str) -> None:
    """Nothing else is ever raised."""
    try:
        assert isinstance(parse_where(text, "--training-cluster", (Path("/nowhere"),)), Where)
    except DeclarationError as error:
        assert "--training-cluster: " in str(error)  # noqa: PT017  (either is right)


@pytest.mark.parametrize(
    ("address", "open_to_others"),
    [
        *((each, False) for each in ("tls://head:1", "tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://localhost:1")),
        *((each, False) for each in ("tcp://127.8.8.8:1", "inproc://10.0.0.1/5/1", "wss://head:1")),
        *((each, True) for each in ("tcp://head:1", "tcp://10.0.0.1:1", "tcp://0.0.0.0:1", "ws://head:1", "ucx://b:1")),
        *((each, True) for each in ("tcp://[fe80::1]:1", "tcp://127.0.0.1.evil.org:1", "")),
    ],
)
def test_an_address_is_open_unless_it_is_encrypted_or_stays_here(address: str, *, open_to_others: bool) -> None:
    """A name may be any machine's."""
    assert is_open(address) == open_to_others


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        *((Where(kind=each, typed=each, label=each, does=""), f"jobqueue.{each}.cores") for each in QUEUES),
        (
            Where(kind="tls", typed="tls://h:1", label="tls://h:1", does="", address="tls://h:1"),
            "distributed.comm.tls.ca-file",
        ),
    ],
)
def test_a_setting_that_dask_needs_is_asked_for_before_anything_starts(where: Where, problem: str) -> None:
    """By the name that it has in Dask's configuration."""
    with pytest.raises(DeclarationError, match=problem):
        connect.check(where)


@pytest.mark.parametrize(
    ("kind", "package"),
    [
        *((each, "distributed") for each in ("tcp", "local", "function")),
        ("local", "cryptography"),
        ("ssh", "asyncssh"),
        ("slurm", "dask_jobqueue"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, kind: str, package: str
) -> None:
    """Before anything is imported of what is there."""
    monkeypatch.setitem(sys.modules, package, None)
    name = package.replace("_", "-")
    sentence = f"--training-cluster x needs {name}, of the extra cluster: pip install 'pytest-training\\[cluster\\]'"
    with pytest.raises(DeclarationError, match=sentence):
        connect.check(Where(kind=kind, typed="x", label="x", does=""))


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("os:nofn", "no function 'nofn' in module 'os': *xpected one of *"),
        ("own_hpc:NODES", "no function 'NODES' in module 'own_hpc': *xpected one of Started, later, make"),
        ("file:odd.json", "cannot use the Dask cluster at odd://h:1: *; the scheduler of that file may have ended"),
    ],
)
def test_what_cannot_be_started_is_named_as_it_was_typed(folder: Path, typed: str, problem: str) -> None:
    (folder / "odd.json").write_text('{"address": "odd://h:1"}', encoding="utf-8")
    with pytest.raises(DeclarationError) as raised:
        connect.connect(parse_where(typed, "--training-cluster", (folder,)), Opening())
    pytest.LineMatcher([str(raised.value)]).fnmatch_lines([f"--training-cluster {typed}: {problem}"])


def test_a_dry_run_starts_nothing_and_says_what_it_would_start(pytester: pytest.Pytester) -> None:
    """It knows the slots of a cluster on this machine."""
    project = Project(pytester.path, pytester)
    project.jobs("one", "two", "three")
    pytester.makeini("[pytest]\ntraining_cluster = local:2\n")
    result = project.here("--collect-only")
    result.stdout.fnmatch_lines(["3 training jobs on 2 slots, *", "would start 1 node of 2 cores on this machine"])
    assert project.here("--collect-only", "--training-cluster", "local:0").ret == pytest.ExitCode.USAGE_ERROR


LARGE = """
jobs:
  one: {cpus: 3}
  two: {memory: 900TB}
  three: {cpus: 2, memory: 1MB}
"""


def test_a_dry_run_names_the_jobs_that_no_node_on_this_machine_could_hold(pytester: pytest.Pytester) -> None:
    """They would fail at once; and it says that the machine is smaller than these nodes."""
    project = Project(pytester.path, pytester)
    project.jobs("one", "two", "three", "four")
    (pytester.path / "training/jobs.yaml").write_text(LARGE, encoding="utf-8")
    result = project.here("--collect-only", "--training-cluster", "local:999x2")
    too_large = "would fail: needs {} at once; no node is that large: the most are 2 cores, 0 GPUs, * MiB"
    said = "warning: --training-cluster: local:999x2 means 1,998 cores, but this machine has *"
    jobs = [f"warning: one {too_large.format('3 cores')}", f"warning: two {too_large.format('1 core, * MiB')}"]
    result.stdout.fnmatch_lines_random([said, *jobs])
    assert str(result.stdout).count("would fail") == 2


@pytest.mark.parametrize(("factor", "is_said"), [(MOST_EACH, False), (MOST_EACH + 1, True)])
@pytest.mark.parametrize("form", ["local:{}", "local:{}x1", "local:1x{}"])
def test_a_number_far_beyond_the_cores_of_this_machine_is_said(form: str, factor: int, *, is_said: bool) -> None:
    cluster, where = Cluster(), form.format(cores := factor * machine_cores())
    cluster.open(Opening(where=where, is_dry=True))
    bound = MOST_EACH * machine_cores()
    said = f"--training-cluster: {where} means {counted(cores, 'core')}, but this machine has {machine_cores()}: "
    said += f"expected at most {bound}, for jobs share them; local alone takes {machine_cores()}"
    assert [*cluster.remarks(())] == [said] * is_said
