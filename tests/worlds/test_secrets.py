"""A secret parameter reaches the job, and nothing else: no file below reports/, no line on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.errors import DeclarationError
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.model import Job, Parameter
from pytest_training.jobs.secrets import CHUNK, MASK, Secrets, hide
from pytest_training.planning.parameters import apply_options

from .folder import Ended, Folder

TOKEN = 'hun"ter<2>-ölweg'
JOB = """
def train(run, *, token="", epochs=1):
    assert token == 'hun"ter<2>-ölweg'
    print("the token is", token)
    run.log(token=token)
    return {"score": float(len(token))}
"""
TALKATIVE = JOB.replace('return {"score"', 'raise ValueError(f"bad token {token!r}")\n    return {"score"')
SCRIPT = """
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--token")
token = parser.parse_args().token
print(token)
print(json.dumps(token), file=sys.stderr)
sys.exit(f"bad {token}")
"""
CATALOGUE = """
jobs:
  one: {secret: [token]}
  two: {secret: [token], optional: true}
  three: {secret: [token]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "project")
    folder.job("one", JOB)
    folder.job("two", TALKATIVE)
    folder.job("three", SCRIPT)
    folder.write("training/jobs.yaml", CATALOGUE)
    return folder


def holding(folder: Path) -> list[str]:
    """Return the files below a folder that hold a recognisable part of the token."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [str(path) for path in files if b"ter<2>" in (found := path.read_bytes()) or b"ter&lt;2" in found]


def trained(folder: Folder, *arguments: str) -> Ended:
    ended = folder.run("--set", f"*.token={TOKEN}", *arguments)
    assert "ter<2>" not in ended.text
    assert MASK in ended.text
    return ended


@pytest.mark.parametrize("start", [["-n2"], ["-n0"], ["-o", "training_start=subprocess"], ["--training-in-process"]])
def test_no_file_and_no_line_holds_a_secret_but_the_job_gets_it(folder: Folder, start: list[str]) -> None:
    ended = trained(folder, "-rA", "--tb=long", *start)
    assert holding(folder.root / "reports") == []
    report = folder.report()
    ended.counted(passed=1, failed=1, xfailed=1)
    metadata = {test["metadata"]["id"]: test["metadata"] for test in report["tests"]}
    assert metadata["one"]["metrics"] == {"score": float(len(TOKEN))}
    assert metadata["one"]["parameters"]["token"] == MASK
    assert "bad token" in metadata["two"]["reason"]
    assert f"*.token={MASK}" in report["training"]["arguments"]


def test_the_plan_of_a_dry_run_holds_no_secret(folder: Folder) -> None:
    ended = trained(folder, "--collect-only", "--training-plan", "plan.json")
    assert f"token={MASK}" in ended.text
    assert "ter<2>" not in (folder.root / "plan.json").read_text()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("one.tokn=SECRET-9", "--set one.tokn=***: one has no parameter 'tokn'"),
        ("none.token=SECRET-9", "--set none.token=***: no job 'none'"),
        ("token=SECRET-9", "expected JOB.PARAMETER=VALUE"),
        ("pin.pin=SECRET-9", "--set pin.pin=***: expected another kind of value for pin, which is secret"),
    ],
)
def test_a_mistake_with_a_secret_does_not_show_it(folder: Folder, setting: str, message: str) -> None:
    folder.job("pin", "def train(run, *, pin=0):\n    pass\n")
    folder.write("training/jobs.yaml", CATALOGUE + "  pin: {secret: [pin]}\n")
    jobs, _ = load_jobs(folder.root / "training", folder.root)
    with pytest.raises(DeclarationError) as caught:
        apply_options(jobs, settings=[setting])
    assert message in str(caught.value)
    assert "SECRET-9" not in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("{secret: [tokn]}", "jobs.one.secret[0]: one has no parameter 'tokn'"),
        ("{secret: token}", "jobs.one.secret: expected a list, found 'token'"),
        ("{secret: [token], matrix: {token: [a1, b2]}}", "token is under matrix too"),
        ("{secret: [token], parameters: {token: [SECRET-9]}}", "another kind of value for token, which is secret"),
    ],
)
def test_a_wrong_declaration_is_refused(folder: Folder, declared: str, message: str) -> None:
    folder.write("training/jobs.yaml", f"jobs:\n  one: {declared}\n")
    with pytest.raises(DeclarationError) as caught:
        load_jobs(folder.root / "training", folder.root)
    assert message in str(caught.value)
    assert "SECRET-9" not in str(caught.value)


def job(**parameters: object) -> Job:
    declared = tuple(Parameter(name=name) for name in parameters)
    place: dict[str, Any] = {"source": "x", "home": "/", "root": "/"}
    return Job(
        id="a", kind="function", declared=declared, parameters=dict(parameters), secret=tuple(parameters), **place
    )


def test_what_is_hidden_is_revealed_again() -> None:
    true = job(token="abcdef", pin=12, keys=["k1", "k2"])
    (hidden,), secrets = hide([true])
    assert set(hidden.parameters.values()) == {MASK}
    assert secrets.reveal(hidden) == true
    assert "abcdef" not in f"{secrets} {secrets!r}"


def test_a_parameter_that_is_not_set_may_be_seen_to_be_so() -> None:
    (hidden,), secrets = hide([job(token=None, other="")])
    assert hidden.parameters == {"token": None, "other": ""}
    assert secrets == Secrets()


def test_short_values_are_masked_as_values_and_in_arguments_but_not_in_every_text() -> None:
    (hidden,), secrets = hide([job(pin="on")])
    assert hidden.parameters == {"pin": MASK}
    assert secrets.masked({"said": "on and on"}) == {"said": "on and on"}
    given = ["--set", "a.pin=on", "--set=*.pin=on", "-k", "on"]
    assert secrets.arguments(given) == ("--set", f"a.pin={MASK}", f"--set=*.pin={MASK}", "-k", "on")


def test_a_value_across_two_pieces_of_a_large_log_is_found(tmp_path: Path) -> None:
    _, secrets = hide([job(token="abcdefgh")])
    log = tmp_path / "log.txt"
    log.write_bytes(b"." * (CHUNK - 3) + b"abcdefgh" + b"." * CHUNK + b"abcdefgh")
    secrets.clean_file(log)
    assert log.read_bytes() == b"." * (CHUNK - 3) + b"***" + b"." * CHUNK + b"***"
    assert list(tmp_path.iterdir()) == [log]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    _, secrets = hide([job(token="abcdefgh")])
    other, link = tmp_path / "other", tmp_path / "log.txt"
    other.write_text("abcdefgh")
    link.symlink_to(other)
    secrets.clean_file(link)
    assert other.read_text() == "abcdefgh"


def test_structs_are_masked_whole() -> None:
    (hidden,), secrets = hide([job(token="abcdefgh")])
    said = msgspec.structs.replace(hidden, title="uses abcdefgh", tags=("abcdefgh",))
    assert secrets.masked(said).title == "uses ***"
    assert secrets.masked(said).tags == ("***",)
