"""A secret parameter reaches the job, and nothing else: no file below reports/, no line on the terminal."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from sessions import ended, question, text
from watching import eventually

from pytest_training.errors import DeclarationError
from pytest_training.execution.attempt.environment import changed
from pytest_training.execution.attempt.messages import AttemptRequest, Failure, Reply, Result
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.secrets import CHUNK, Secrets
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Call
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.model import Job, Parameter
from pytest_training.planning.parameters import apply_options
from pytest_training.processes import children

from .folder import Ended, Folder

pytestmark = pytest.mark.slow

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
MEASURED = """
import argparse, json
parser = argparse.ArgumentParser()
parser.add_argument("--token", required=True)
parser.add_argument("--output-dir")
arguments = parser.parse_args()
with open(arguments.output_dir + "/metrics.json", "w") as file:
    json.dump({arguments.token: float("nan")}, file)
"""
"""Its metrics have the value for a name, and are refused in a sentence that quotes it."""
COMMAND = "{command: [python, -c, 'import sys; print(sys.argv); sys.exit(sys.argv[1])', '{token}']"
CATALOGUE = f"""
jobs:
  one: {{secret: {{token: MY_TOKEN}}}}
  two: {{secret: {{token: MY_TOKEN}}, optional: true}}
  three: {{secret: {{token: MY_TOKEN}}}}
  four: {COMMAND}, secret: {{token: MY_TOKEN}}}}
"""
WAITING = """
import sys, time
from pathlib import Path


def train(run, *, token=""):
    print("the token is", token, flush=True)
    run.log(token=token, epoch=1)
    Path("printed").touch()
    time.sleep(1000)
"""
STARTS = pytest.mark.parametrize("start", [["-n2"], ["-n0"], ["-o", "training_start=subprocess"]])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "project")


@pytest.fixture
def four(folder: Folder) -> Folder:
    folder.job("one", JOB)
    folder.job("two", TALKATIVE)
    folder.job("three", SCRIPT)
    folder.write("training/jobs.yaml", CATALOGUE)
    return folder


@pytest.fixture
def waiting(folder: Folder) -> Folder:
    folder.job("one", WAITING)
    folder.write("training/jobs.yaml", "jobs: {one: {secret: {token: MY_TOKEN}}}\n")
    return folder


def holding(folder: Path) -> list[str]:
    """Return the files below a folder that hold a recognisable part of the token."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [str(path) for path in files if b"ter<2>" in (found := path.read_bytes()) or b"ter&lt;2" in found]


def assert_secret(folder: Folder, printed: str) -> None:
    assert "ter<2>" not in printed
    assert holding(folder.root / "reports") == []


def trained(folder: Folder, *arguments: str) -> Ended:
    run = folder.run(*arguments, environment={"MY_TOKEN": TOKEN})
    assert_secret(folder, run.text)
    return run


@pytest.mark.parametrize("start", [["-n2"], ["-n0"], ["-o", "training_start=subprocess"], ["--training-in-process"]])
def test_no_file_and_no_line_holds_a_secret_but_the_job_gets_it(four: Folder, start: list[str]) -> None:
    run = trained(four, "-rA", "--tb=long", *start)
    run.counted(passed=1, failed=2, xfailed=1)
    assert "***" in run.text
    metadata = {test["metadata"]["id"]: test["metadata"] for test in four.report()["tests"]}
    assert metadata["one"]["metrics"] == {"score": float(len(TOKEN))}
    assert {each["parameters"]["token"] for each in metadata.values()} == {"$MY_TOKEN"}
    assert metadata["two"]["reason"] == "raised ValueError: bad token '***'"
    logs = {path.parts[-3]: path.read_text() for path in four.root.glob("reports/runs/*/jobs/*/attempt-1/log.txt")}
    assert logs["one"] == "the token is ***\n"
    assert logs["three"] == '***\n"***"\nbad ***\n'
    assert logs["four"] == "['-c', '***']\n***\n"
    (events,) = four.root.glob("reports/runs/*/jobs/one/attempt-1/events.jsonl")
    assert '"token":"***"' in events.read_text()


def test_with_capture_off_the_terminal_shows_no_secret(four: Folder) -> None:
    assert "the token is" not in trained(four, "--training-in-process", "-s").text


def test_what_is_wrong_with_a_metrics_file_is_said_without_the_secret(folder: Folder) -> None:
    folder.job("one", MEASURED)
    folder.write("training/jobs.yaml", "jobs: {one: {secret: {token: MY_TOKEN}}}\n")
    assert "metric '***'" in folder.run("-n0", environment={"MY_TOKEN": TOKEN}).text
    left = holding(folder.root / "reports")
    assert [Path(path).name for path in left] == ["metrics.json"]  # what the job itself wrote into its folder


def test_the_plan_of_a_dry_run_names_the_variable(four: Folder) -> None:
    run = four.run("--collect-only", "--training-plan", "plan.json", environment={"MY_TOKEN": TOKEN})
    assert "token=$MY_TOKEN" in run.text
    assert "problem" not in run.text
    assert "ter<2>" not in run.text + (four.root / "plan.json").read_text()


def test_a_variable_that_is_not_set_fails_its_jobs_alone(four: Folder) -> None:
    four.job("other")
    run = four.run("-n0", "-k", "one or two or other", environment={"MY_TOKEN": None})
    run.counted(passed=1, failed=1, xfailed=1)
    line = "training/jobs.yaml:3: jobs.one.secret.token: one needs the environment variable MY_TOKEN, which is not set"
    assert line in run.text
    assert line in " ".join(four.run("--collect-only", environment={"MY_TOKEN": ""}).text.split())


def test_a_job_that_goes_over_its_time_leaves_a_masked_log(waiting: Folder) -> None:
    trained(waiting, "-n0", "--training-timeout", "5s").counted(failed=1)
    (log,) = waiting.root.glob("reports/runs/*/jobs/one/attempt-1/log.txt")
    assert log.read_text().startswith("the token is ***\n")


def begun(waiting: Folder, *start: str) -> Any:
    run = waiting.begin(*start, environment={"MY_TOKEN": TOKEN})
    eventually((waiting.root / "printed").exists)
    assert holding(waiting.root / "reports") == []
    return run


@STARTS
def test_ctrl_c_leaves_a_masked_log(waiting: Folder, start: list[str]) -> None:
    run = begun(waiting, *start)
    run.send_signal(signal.SIGINT)
    assert_secret(waiting, waiting.end(run).text)
    (log,) = waiting.root.glob("reports/runs/*/jobs/one/attempt-1/log.txt")
    assert log.read_text().startswith("the token is ***\n")


@STARTS
def test_a_run_that_is_killed_leaves_no_log(waiting: Folder, start: list[str]) -> None:
    run = begun(waiting, *start)
    run.kill()
    assert_secret(waiting, waiting.end(run).text)
    report = ended(question("report"), cwd=waiting.root)
    assert_secret(waiting, text(report))
    assert report.ret == 0
    assert list(waiting.root.rglob("log.txt")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_worker_that_is_killed_leaves_no_log(waiting: Folder) -> None:
    waiting.job("other")
    run = begun(waiting, "-n2")
    for pid in children(run.pid):
        if b"exec(eval(" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    printed = waiting.end(run).text
    assert "worker died" in printed
    assert_secret(waiting, printed)
    assert not list(waiting.root.rglob("one/attempt-1/log.txt"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("one.token=NEVER-9", "--set one.token: one takes token from the environment variable MY_TOKEN: set that"),
        ("*.token=NEVER-9", "--set *.token: one takes token from the environment variable MY_TOKEN: set that"),
        ("one.tokn=NEVER-9", "--set one.tokn: one has no parameter 'tokn'"),
        ("none.token=NEVER-9", "--set none.token: no job 'none'"),
        ("token=NEVER-9", "expected JOB.PARAMETER=VALUE"),
    ],
)
def test_a_mistake_with_a_secret_does_not_show_it(
    four: Folder, setting: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    jobs, _ = load_jobs(four.root / "training", four.root)
    with pytest.raises(DeclarationError) as caught:
        apply_options(jobs, settings=[setting])
    assert message in str(caught.value)
    assert "NEVER-9" not in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("{secret: {tokn: MY_TOKEN}}", "jobs.one.secret.tokn: one has no parameter 'tokn'"),
        ("{secret: [token]}", "jobs.one.secret: expected a mapping, found a list"),
        ("{secret: {token: NEVER-9}}", "expected the name of the environment variable that holds token, like MY_TOKEN"),
        ("{secret: {token: 47}}", "expected the name of the environment variable that holds token, like MY_TOKEN"),
        ("{secret: {token: MY_TOKEN}, matrix: {token: [a1, b2]}}", "one takes token from the environment variable"),
        ("{secret: {token: MY_TOKEN}, parameters: {token: NEVER-9}}", "one takes token from the environment variable"),
    ],
)
def test_a_wrong_declaration_is_refused(four: Folder, declared: str, message: str) -> None:
    four.write("training/jobs.yaml", f"jobs:\n  one: {declared}\n")
    with pytest.raises(DeclarationError) as caught:
        load_jobs(four.root / "training", four.root)
    assert message in str(caught.value)
    assert "NEVER-9" not in str(caught.value)


def test_a_default_for_all_jobs_gives_way_to_a_secret(four: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    four.write("training/jobs.yaml", CATALOGUE + "defaults: {parameters: {token: x}}\n")
    jobs, _ = load_jobs(four.root / "training", four.root)
    assert [job.parameters["token"] for job in jobs] == ["$MY_TOKEN"] * 4


# One job's values


def job(**types: Any) -> Job:
    """Return a job with a secret parameter of each type, in the variable of that name in capitals."""
    declared = tuple(Parameter(name=name, type=types[name], variable=name.upper()) for name in types)
    parameters = {name: f"${name.upper()}" for name in types}
    place: dict[str, Any] = {"source": "training/jobs.yaml:1", "home": "/", "root": "/"}
    return Job(id="a", kind="function", declared=declared, parameters=parameters, **place)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, "first-1"), ({"TOKEN": "later-2"}, "later-2"), (None, "of now-3"), ({"TOKEN": None}, "")],
)
def test_a_job_that_waits_in_a_thread_keeps_the_secrets_of_when_it_began(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None] | None, expected: str
) -> None:
    monkeypatch.setenv("TOKEN", "of now-3")  # by an ordinary test meanwhile
    variables = changed({"TOKEN": "first-1"}, changes)
    if expected:
        assert Secrets.of(job(token="str"), KINDS["function"], variables).values == {"token": expected}
    else:
        with pytest.raises(DeclarationError, match="TOKEN, which is not set"):
            Secrets.of(job(token="str"), KINDS["function"], variables)


def secrets_of(job: Job) -> Secrets:
    return Secrets.of(job, KINDS[job.kind], os.environ)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Secrets:
    monkeypatch.setenv("TOKEN", "abcdefgh")
    return secrets_of(job(token="str"))


def test_values_have_the_type_of_their_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TOKEN": "abcdef", "PIN": "12", "KEYS": "[key-1, key-2]"}.items():
        monkeypatch.setenv(name, value)
    hidden = job(token="str", pin="int", keys="list")
    secrets = secrets_of(hidden)
    revealed = secrets.reveal(hidden)
    assert revealed.parameters == {"token": "abcdef", "pin": 12, "keys": ["key-1", "key-2"]}
    assert secrets.mask({"said": ("abcdef", "key-2", 12)}) == {"said": ("***", "***", 12)}
    assert "abcdef" not in f"{secrets} {secrets!r}"


@pytest.mark.parametrize("value", [None, "", "NEVER-9", "\udcff"])
def test_a_missing_or_wrong_value_is_said_without_it(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIN", raising=False)
    if value is not None:
        monkeypatch.setenv("PIN", value)
    with pytest.raises(DeclarationError) as caught:
        secrets_of(job(pin="int"))
    assert "training/jobs.yaml:1: a takes pin from the environment variable PIN" in str(caught.value)
    assert "NEVER-9" not in str(caught.value)


def test_short_values_are_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN", "on")
    assert secrets_of(job(pin="str")).mask({"said": "on and on"}) == {"said": "on and on"}


class Writes:
    """Launches attempts that write what a function writes."""

    def __init__(self, write: Any) -> None:
        self.write = write

    def launch(self, request: AttemptRequest) -> Reply:
        self.request = request
        self.write(request.files)
        return Reply()

    def pause(self, seconds: float) -> bool:
        raise NotImplementedError(seconds)


def attempt(tmp_path: Path, write: Any) -> tuple[AttemptFolder, AttemptRequest]:
    """Have an attempt of a job with the secret `abcdefgh` write its files; return its folder and what it was sent."""
    folder = AttemptFolder(tmp_path / "attempt-1")
    folder.create()
    secret = job(token="str")
    secrets, launcher = secrets_of(secret), Writes(write)
    request = AttemptRequest(
        job=secrets.reveal(secret),
        start=Call(path="train_a.py", function="train"),
        folder=str(folder.path),
        checkpoint=str(tmp_path / "checkpoint"),
        seed=0,
        threads=1,
    )
    secrets.launch(request, launcher.launch)
    return folder, launcher.request


@pytest.mark.usefixtures("secrets")
def test_the_folder_of_an_attempt_gets_its_files_when_it_has_ended_and_nobody_else_can_read_them_before(
    tmp_path: Path,
) -> None:
    modes: list[int] = []

    def write(files: AttemptFolder) -> None:
        files.log.write_text("abcdefgh\n")
        modes.append(files.log.parent.stat().st_mode & 0o777)
        assert sorted(path.name for path in (tmp_path / "attempt-1").iterdir()) == ["artifacts"]

    folder, request = attempt(tmp_path, write)
    assert folder.log.read_text() == "***\n"
    assert sorted(path.name for path in folder.path.iterdir()) == ["artifacts", "log.txt"]
    assert request.job.parameters == {"token": "abcdefgh"}
    assert modes == [0o700]
    assert not request.files.log.parent.exists()


@pytest.mark.usefixtures("secrets")
def test_a_value_across_two_pieces_of_a_large_log_is_found(tmp_path: Path) -> None:
    lengths = (CHUNK - 3, CHUNK, 0, 2 * CHUNK - 12, 5)
    folder, _ = attempt(
        tmp_path, lambda files: files.log.write_bytes(b"abcdefgh".join(b"." * length for length in lengths))
    )
    assert folder.log.read_bytes() == b"***".join(b"." * length for length in lengths)


def test_of_a_value_that_another_one_begins_no_rest_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KEYS", "[abcd, abcdefgh]")
    files = AttemptFolder(tmp_path), AttemptFolder(tmp_path / "masked")
    for place in range(CHUNK - 10, CHUNK + 2):
        files[0].log.write_bytes(b"." * place + b"abcdefgh")
        secrets_of(job(keys="list")).publish(*files)
        assert files[1].log.read_bytes() == b"." * place + b"***"


@pytest.mark.parametrize("name", ["log.txt", "events.jsonl", "result.json"])
@pytest.mark.parametrize("form", [".{}.partial", "{}"])
@pytest.mark.usefixtures("secrets")
def test_a_link_planted_where_a_masked_file_goes_is_not_followed(tmp_path: Path, name: str, form: str) -> None:
    (tmp_path / "precious").write_text("precious")

    def write(files: AttemptFolder) -> None:
        (files.own / name).write_text("{}")
        (files.path / form.format(name)).symlink_to(tmp_path / "precious")

    folder, _ = attempt(tmp_path, write)
    assert (tmp_path / "precious").read_text() == "precious"
    assert (folder.path / name).is_file()
    assert not (folder.path / name).is_symlink()


@pytest.mark.usefixtures("secrets")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("of somebody else")
    folder, _ = attempt(tmp_path, lambda files: files.log.symlink_to(tmp_path / "other"))
    assert not folder.log.exists()


@pytest.mark.usefixtures("secrets")
def test_a_job_that_deletes_its_folder_has_a_masked_log_all_the_same(tmp_path: Path) -> None:
    def write(files: AttemptFolder) -> None:
        files.log.write_text("abcdefgh")
        files.artifacts.rmdir()
        files.path.rmdir()

    folder, _ = attempt(tmp_path, write)
    assert folder.log.read_text() == "***"


@pytest.mark.parametrize("content", [b'{"abcdefgh": 1', b"abcdefgh"])
@pytest.mark.usefixtures("secrets")
def test_a_result_that_the_job_changed_is_masked_too(tmp_path: Path, content: bytes) -> None:
    folder, _ = attempt(tmp_path, lambda files: files.result.write_bytes(content))
    assert folder.result.read_bytes() == content.replace(b"abcdefgh", b"***")


def test_structs_are_masked_whole(secrets: Secrets) -> None:
    failure = Failure(cause="error", message="bad abcdefgh", traceback='raise "abcdefgh"')
    masked = secrets.mask(Result(metrics={"abcdefgh": 1.0}, failure=failure))
    assert masked == Result(
        metrics={"***": 1.0}, failure=Failure(cause="error", message="bad ***", traceback='raise "***"')
    )


def test_of_a_value_that_a_message_cuts_no_part_is_left(secrets: Secrets) -> None:
    assert secrets.mask("called sys.exit('abcdef…) or abcdefgh… or abc…") == "called sys.exit('***…) or ***… or abc…"


def test_of_a_value_where_a_long_message_ends_no_part_is_left(folder: Folder) -> None:
    folder.job("one", "def train(run, *, token=''):\n    raise ValueError('.' * 1_980 + token)\n")
    folder.write("training/jobs.yaml", "jobs: {one: {secret: {token: MY_TOKEN}}}\n")
    assert TOKEN[:3] not in folder.run("-n0", environment={"MY_TOKEN": TOKEN}).text
    assert not [path for path in (folder.root / "reports").rglob("*.json") if TOKEN[:3] in path.read_text()]


def test_an_attempt_that_is_interrupted_here_leaves_a_masked_log(secrets: Secrets, tmp_path: Path) -> None:
    def write(files: AttemptFolder) -> None:
        files.log.write_text("abcdefgh")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(tmp_path, write)
    assert (tmp_path / "attempt-1" / "log.txt").read_text() == "***"
    assert secrets.mask("abcdefgh") == "***"
