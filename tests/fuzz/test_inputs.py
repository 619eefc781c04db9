"""Formats as hypothesis makes them: nearly right, and wrong in every way. The functions assert; see `inputs.py`."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_training.errors import DeclarationError, ResultError, TrainingError
from pytest_training.execution.attempt.saving import save_object
from pytest_training.execution.folder import AttemptFolder, RunFolder
from pytest_training.execution.job_files import artifacts, log_tail
from pytest_training.execution.readers.declared import MetricsFileReader, read_result
from pytest_training.execution.readers.protocol import EndedAttempt
from pytest_training.execution.slot import read_outcome
from pytest_training.jobs.catalogue.declarations import job_keys as allowed_keys
from pytest_training.jobs.catalogue.document import read_document
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Command
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.model import Job
from pytest_training.limits import LIMITS
from pytest_training.planning.studies import expand_all
from pytest_training.records.events import EventTail, read_events

from . import inputs

quickly = settings(
    max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

# Values

words = st.sampled_from(
    [
        *("one", "two", "epochs", "folds", "rate", "many", "size", "train_one.py", "../../x", "/etc/passwd", "a\0b"),
        *("x" * 300, "1h", "4GB", ">= 0.5", "== nan", "{folder}", "{epochs}", "~", "yes", "1e999", "-1", "0x10"),
        *("", " ", "\u202e"),
    ]
)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=20) | st.integers(-3, 10**400)
)
anything = st.recursive(
    scalars, lambda below: st.lists(below, max_size=4) | st.dictionaries(words, below, max_size=4), max_leaves=12
)
job_keys = st.sampled_from([*allowed_keys(LIMITS), "typo"])
data_keys = st.sampled_from(
    ["package", "file", "path", "url", "simulated", "seed", "sha256", "shape", "real", "positive"]
)
declared_jobs = st.dictionaries(words | st.text(max_size=8), anything | st.dictionaries(job_keys, anything, max_size=5))
catalogues = anything | st.fixed_dictionaries(
    {},
    optional={
        "defaults": st.dictionaries(job_keys, anything, max_size=4),
        "jobs": declared_jobs,
        "data": st.dictionaries(words, st.dictionaries(data_keys, anything, max_size=4), max_size=3),
    },
)
yaml_marks = st.text(st.sampled_from("ab01 \n\t:-[]{}&*!<>|'\"#%@`,?~.\\\ufeff\x85\u2028\0\x1b"), max_size=60)


def dumped(value: Any) -> bytes:
    try:
        return yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")
    except ValueError:  # an integer of more digits than Python prints
        return b""


json_texts = anything.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)
deep = st.sampled_from([b"[" * 200_000, b'{"a":' * 200_000, b'{"metrics":{"a":1' + b"0" * 400 + b"}}", b'{"a":1e999}'])


def with_fields(**fields: Any) -> st.SearchStrategy[bytes]:
    """Return JSON objects that have some of the fields that a reader expects."""
    return st.fixed_dictionaries({}, optional=fields).map(lambda value: json.dumps(value).encode())


names = words | st.text(max_size=10)
numbers = st.dictionaries(names, st.floats() | st.integers() | anything, max_size=4)
texts = st.text() | anything
failures = st.fixed_dictionaries({}, optional={"cause": st.sampled_from(["error", "stopped", "?"]), "message": texts})
results = with_fields(metrics=numbers, failure=failures, data=anything)
times = st.sampled_from(["2026-01-01T00:00:00+00:00", "2026-01-01", "2026-13-45", "", "now"])
statuses = st.sampled_from(["passed", "failed", "interrupted", "?"])
attempts = st.fixed_dictionaries(
    {"number": st.integers(-1, 3) | scalars, "status": statuses}, optional={"started": times}
)
outcomes = with_fields(
    job_id=names, kind=names, title=texts, status=statuses, cause=st.sampled_from(["gate", "error", "?"]),
    reason=texts, parameters=numbers, metrics=numbers, attempts=st.lists(attempts, max_size=2), started=times,
    ended=times, wall_s=scalars, log=texts, log_tail=st.lists(texts, max_size=2), traceback=texts, number=scalars,
)  # fmt: skip


@quickly
@given((catalogues.map(dumped)) | yaml_marks.map(str.encode) | st.binary(max_size=60))
def test_any_catalogue_is_read_or_refused_with_a_sentence(content: bytes) -> None:
    inputs.catalogue(content)


@quickly
@given(catalogues.map(dumped), st.data())
def test_a_damaged_catalogue_is_read_or_refused_with_a_sentence(content: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 8)))
    inputs.catalogue(content[:start] + data.draw(yaml_marks).encode() + content[end:])


@quickly
@given(st.tuples(names, st.sampled_from([".", "=", ".=", ""]), names, st.sampled_from(["=", ""]), texts.map(str)))
def test_any_setting_is_taken_or_refused(parts: tuple[str, ...]) -> None:
    inputs.setting("".join(parts))


@quickly
@given(st.sampled_from([each.name for each in inputs.JOB.declared]), yaml_marks | anything.map(str) | st.text())
def test_any_value_of_a_parameter_is_taken_or_refused(name: str, text: str) -> None:
    inputs.setting(f"x.{name}={text}")


@quickly
@given(st.text() | st.from_regex(r"[><=]*\s*[-+0-9.e]*\s*[dhmsKMGTi]*B?"))
def test_any_duration_size_or_gate_is_taken_or_refused(text: str) -> None:
    inputs.number(text)


@quickly
@given(json_texts | results | deep)
def test_any_result_is_judged(content: bytes) -> None:
    inputs.result(content)


@quickly
@given(json_texts | numbers.map(lambda value: json.dumps(value).encode()) | deep)
def test_any_metrics_file_is_judged(content: bytes) -> None:
    inputs.metrics(content)


@quickly
@given(json_texts | outcomes | attempts.map(lambda value: json.dumps(value).encode()) | deep)
def test_any_record_of_an_attempt_is_read_or_left(content: bytes) -> None:
    inputs.record(content)


logged = st.dictionaries(
    st.sampled_from(["epoch", "step", "fold", "loss", "t"]) | names,
    st.integers(-2, 5) | st.floats(allow_nan=False, allow_infinity=False) | scalars,
    max_size=5,
)
amounts = st.integers(-1, 10) | scalars
reported = st.fixed_dictionaries(
    {}, optional={"t": amounts, "log": logged, "progress": st.tuples(amounts, amounts) | anything, "pid": amounts}
)
hostile_lines = st.sampled_from(
    [
        *(b"", b"\0" * 100, b"\xff\xfe", b"{", b'{"log":{"loss":NaN}}', b'{"log":{"loss":-Infinity}}'),
        *(b'{"log":{"\\ud800":"\\udfff"}}', b'{"log":{"loss":1' + b"0" * 400 + b"}}", b'{"progress":[1e999,1]}'),
        *(b'{"log":{"loss":"' + b"x" * 300_000 + b'"}}', b'{"log":' * 100_000, b'{"pid":-1}', b'{"pid":1' + b"0" * 30),
    ]
)
lines = reported.map(lambda value: json.dumps(value).encode()) | hostile_lines | json_texts
growing = st.lists(lines, max_size=30).map(b"\n".join)


extremes = st.sampled_from([0.0, 5e-324, -5e-324, 1e-300, 1.7e308, -1.7e308, 1e16, 1e16 + 2, 0.1]) | st.floats()
points = st.lists(st.tuples(extremes, extremes), min_size=2, max_size=6)


@quickly
@given(points, st.integers(1, 4))
def test_any_curve_is_drawn_or_left(points: list[tuple[float, float]], folds: int) -> None:
    fits = [{"fold": fold, "epoch": at, "loss": loss} for fold in range(folds) for at, loss in points]
    inputs.events("".join(json.dumps({"log": each}) + "\n" for each in fits).encode())


@quickly
@given(growing, st.sampled_from([b"", b"\n"]))
def test_any_events_are_followed_and_drawn_or_left(content: bytes, end: bytes) -> None:
    inputs.events(content + end)


@quickly
@given(json_texts | with_fields(datasets=st.dictionaries(names, anything | numbers), schema_version=scalars) | deep)
def test_any_lock_is_read_or_refused(content: bytes) -> None:
    inputs.lock(content)


@quickly
@given(json_texts | with_fields(run_id=names, seed=scalars, jobs=anything, schema_version=scalars) | deep)
def test_any_plan_is_read_or_refused(content: bytes) -> None:
    inputs.plan(content)


columns = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=20) | st.text(max_size=20)
columns = columns.filter(lambda value: not isinstance(value, str) or value.isprintable())


@settings(quickly, max_examples=40)
@given(
    columns,
    columns | json_texts.map(lambda text: text.decode("utf-8", "replace")),
    columns | outcomes.map(bytes.decode) | deep.map(bytes.decode),
)
def test_any_row_of_the_history_is_read_or_left(wall_s: object, parameters: object, outcome: object) -> None:
    inputs.history_row(wall_s, parameters, outcome)


@settings(quickly, max_examples=40)
@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: b"SQLite format 3\0" + tail))
def test_any_history_file_is_read_or_told_about(content: bytes) -> None:
    inputs.history(content)


hostile = st.sampled_from(
    [
        "../../x",
        "/etc/x",
        "a/../../../x",
        "..",
        ".",
        "",
        "/",
        "a\0b",
        "x" * 300,
        "a/" * 200,
        "a//b",
        "./a",
        "~/a",
        "a\nb",
    ]
) | st.text(max_size=30)


@quickly
@given(hostile)
def test_no_id_of_a_job_leads_out_of_the_run_folder(job_id: str) -> None:
    run = RunFolder(Path("/reports"), "r")
    with contextlib.suppress(TrainingError):
        assert (run.path / "jobs") in run.job(job_id).path.parents
        assert ".." not in run.job(job_id).path.parts


@quickly
@given(hostile, st.sampled_from(["", ".txt", ".json", ".npy"]))
def test_no_name_of_an_artifact_leads_out_of_the_jobs_folder(name: str, suffix: str) -> None:
    with inputs.scratch() as root, contextlib.suppress(ValueError, TypeError, OSError):
        path = save_object(root, name + suffix, "content")
        assert path.resolve().is_relative_to(root.resolve())


def test_aliases_that_explode_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    with pytest.raises(DeclarationError, match="the aliases stand for more than"):
        read_document("\n".join(lines), "jobs.yaml")
    with pytest.raises(DeclarationError, match="stands for nothing that ends above it"):
        read_document("a: &a [*a]", "jobs.yaml")


def test_a_catalogue_that_is_deep_or_large_is_refused(tmp_path: Path) -> None:
    for text, match in (
        ("[" * 5000, "nesting"),
        ("[" * 40, "levels of nesting"),
        ("# x\n" * 2_000_000, "at most 4 MiB"),
    ):
        (tmp_path / "jobs.yaml").write_text(text)
        with pytest.raises(DeclarationError, match=match):
            load_jobs(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("jobs: {%s: {command: [x]}}" % ("a" * 300), "at most 200 bytes"),
        ("jobs: {a: {command: [x], matrix: {p: [%s]}}}" % ("b" * 300), "at most 200 bytes"),
        ("jobs: {../../x: {command: [x]}}", "expected an id of letters"),
        ("jobs: {/x: {command: [x]}}", "expected an id of letters"),
        ('jobs: {"a\\0b": {command: [x]}}', "expected an id of letters"),
        ("jobs: {a: {command: [x]}, a/attempt-1: {command: [x]}}", "would be a folder inside that of 'a'"),
        ('jobs: {a: {command: [x], title: "\\ud800"}}', "UTF-8|not valid YAML"),
        ("jobs: {a: {command: [x], metrics: /etc/passwd}}", ""),
    ],
)
def test_ids_and_texts_that_no_file_can_hold_are_refused(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "jobs.yaml").write_text(text)
    if not match:  # told when the job has ended: the catalogue is trusted, the path is not used
        load_jobs(tmp_path, tmp_path)
        return
    with pytest.raises(DeclarationError, match=match):
        expand_all(load_jobs(tmp_path, tmp_path).jobs, 0, KINDS)


# What a job may leave in the place of files that the plugin reads

PLACE: dict[str, Any] = {"source": "x", "home": "/", "kind": "script", "id": "x"}


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptFolder:
    """Return the folder of an attempt, beside a file that holds a secret."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "secret.json").write_text('{"secret": 1}')
    folder = RunFolder(tmp_path / "reports", "r").job("x").attempt(1)
    folder.create()
    return folder


def test_links_out_of_the_folder_are_neither_listed_nor_read(attempt: AttemptFolder, tmp_path: Path) -> None:
    job = Job(**PLACE, root=str(tmp_path / "reports"))
    (attempt.artifacts / "mine.txt").write_text("x")
    (attempt.artifacts / "alias.txt").symlink_to("mine.txt")
    (attempt.artifacts / "out.txt").symlink_to(tmp_path / "secret.txt")
    (attempt.artifacts / "folder").symlink_to(tmp_path)
    (attempt.artifacts / "broken").symlink_to("nowhere")
    (attempt.artifacts / "metrics.json").symlink_to(tmp_path / "secret.json")
    attempt.log.symlink_to(tmp_path / "secret.txt")
    attempt.result.symlink_to(tmp_path / "secret.json")
    (tmp_path / "secret.jsonl").write_text('{"t": 0, "pid": 1, "log": {"secret": 1}}\n')
    attempt.events.symlink_to(tmp_path / "secret.jsonl")
    assert list(read_events(attempt.events, largest=1000)) == []
    assert not EventTail(attempt.events).poll()
    assert artifacts(attempt.artifacts)[0] == ("alias.txt", "mine.txt")
    assert log_tail(attempt.log) == ()
    with pytest.raises(ResultError, match=r"result\.json was replaced by the job: expected a plain file"):
        read_result(attempt.result)
    assert MetricsFileReader().read(EndedAttempt(job, attempt, 0.0, Command(argv=()))) is None


def test_a_link_in_the_place_of_the_folder_itself_is_not_followed(attempt: AttemptFolder, tmp_path: Path) -> None:
    attempt.artifacts.rmdir()
    attempt.artifacts.symlink_to(tmp_path)
    assert artifacts(attempt.artifacts)[0] == ()


def test_pipes_and_folders_in_the_place_of_files_are_never_waited_for(attempt: AttemptFolder, tmp_path: Path) -> None:
    job = Job(**PLACE, root=str(tmp_path / "reports"))
    run = RunFolder(tmp_path / "reports", "r")
    for path in (attempt.log, attempt.events, run.job("x").outcome, attempt.artifacts / "metrics.json"):
        os.mkfifo(path)
    attempt.result.mkdir()
    assert log_tail(attempt.log) == ()
    with pytest.raises(ResultError, match=r"result\.json was replaced by the job: expected a plain file"):
        read_result(attempt.result)
    assert read_outcome(run, "x") is None
    assert MetricsFileReader().read(EndedAttempt(job, attempt, 0.0, Command(argv=()))) is None
    assert artifacts(attempt.artifacts)[0] == ()
    assert stat.S_ISFIFO(attempt.log.stat().st_mode)
    assert list(read_events(attempt.events, largest=1000)) == []
    assert not EventTail(attempt.events).poll()
    attempt.events.unlink()
    attempt.events.mkdir()
    assert list(read_events(attempt.events, largest=1000)) == []
    assert not EventTail(attempt.events).poll()


def test_of_a_terabyte_of_events_only_the_beginning_or_the_end_is_read(attempt: AttemptFolder) -> None:
    attempt.events.write_bytes(b'{"t":0,"pid":42}\n')
    os.truncate(attempt.events, 2**40)  # a hole: no disk is filled
    with attempt.events.open("ab") as file:
        file.write(b'\n{"t":1,"log":{"epoch":1}}\n')
    assert [event.pid for event in read_events(attempt.events, largest=1000)] == [42]
    tail = EventTail(attempt.events)
    assert tail.poll()
    assert (tail.pid, tail.values) == (42, {"epoch": 1})


def test_files_whose_names_are_no_text_are_listed_in_a_form_that_json_can_hold(attempt: AttemptFolder) -> None:
    (attempt.artifacts / os.fsdecode(b"\xff.txt")).write_text("x")
    assert artifacts(attempt.artifacts)[0] == (r"\udcff.txt",)
