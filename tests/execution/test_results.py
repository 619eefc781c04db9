"""Tests of execution/results.py: of what an attempt left nothing is trusted, and no link is followed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_training.errors import ResultError
from pytest_training.execution.attempt.messages import Failure, Result
from pytest_training.execution.attempt.metrics import finite_metrics
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.job_files import log_tail
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.execution.results import (
    LARGEST_RESULT,
    artifacts,
    read_metrics_file,
    read_result,
)
from pytest_training.jobs.model import Job, MetricsFile

from .workplace import Workplace

pytestmark = pytest.mark.timeout(30)  # a pipe in place of a file must not make anybody wait

SECRET = json.dumps({"r2": 0.9})


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    folder = AttemptFolder(tmp_path / "runs" / "attempt-1")
    folder.create()
    return folder


@pytest.fixture
def job(workplace: Workplace) -> Job:
    return workplace.script("")


def with_file(job: Job, pattern: str, path: str = "") -> Job:
    return msgspec.structs.replace(job, metrics=MetricsFile(file=pattern, path=path))


def written_at(path: Path, content: str, time_s: float) -> None:
    path.write_text(content)
    os.utime(path, (time_s, time_s))


# result.json


def test_a_result_is_read_as_it_was_written_and_none_is_none(folder: AttemptFolder) -> None:
    assert read_result(folder.result) is None
    result = Result(metrics={"r2": 0.5}, failure=Failure(cause="error", message="no"), peak_memory_mb=3.5)
    folder.result.write_bytes(msgspec.json.encode(result))
    assert read_result(folder.result) == result


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.from_regex(rb'\{"metrics":\{"r2":[^}]{0,9}\}\}', fullmatch=True))
@example(b'{"metrics":{"r2":NaN}}')
@example(b'{"metrics":{"r2":1e999}}')
@example(b"[" * 100_000)
def test_a_changed_result_is_refused_in_one_sentence(folder: AttemptFolder, content: bytes) -> None:
    folder.result.write_bytes(content)
    try:
        found = read_result(folder.result)
    except ResultError as error:
        assert "is no result any more" in str(error)  # noqa: PT017  (any content may also be a result)
    else:
        assert isinstance(found, Result)


def test_a_result_of_100_mb_is_refused_without_reading_it(folder: AttemptFolder) -> None:
    folder.result.touch()
    os.truncate(folder.result, 100 * 2**20)
    with pytest.raises(ResultError, match=f"larger than {LARGEST_RESULT // 2**20} MiB"):
        read_result(folder.result)


def test_a_result_that_is_a_link_is_not_followed(folder: AttemptFolder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(msgspec.json.encode(Result(metrics={"r2": 0.9})))
    folder.result.symlink_to(tmp_path / "secret")
    assert read_result(folder.result) is None


def test_a_pipe_or_a_folder_in_place_of_the_result_is_no_result(folder: AttemptFolder) -> None:
    os.mkfifo(folder.result)
    assert read_result(folder.result) is None
    folder.result.unlink()
    folder.result.mkdir()
    assert read_result(folder.result) is None


# a script's metrics file


def test_metrics_are_read_from_the_jobs_folder(job: Job, folder: AttemptFolder) -> None:
    (folder.artifacts / "metrics.json").write_text('{"r2": 0.5}')
    assert read_metrics_file(job, folder, since=0) == {"r2": 0.5}


def test_a_job_without_a_metrics_file_has_no_metrics_unless_the_catalogue_names_one(
    job: Job, folder: AttemptFolder
) -> None:
    assert read_metrics_file(job, folder, since=0) is None
    with pytest.raises(ResultError, match=r"wrote no file 'scores\.json', where the catalogue says"):
        read_metrics_file(with_file(job, "scores.json"), folder, since=0)


def test_the_newest_match_of_the_pattern_counts(job: Job, folder: AttemptFolder) -> None:
    (folder.artifacts / "fold").mkdir()
    written_at(folder.artifacts / "fold" / "a.json", '{"r2": 0.2}', 2_000)
    written_at(folder.artifacts / "fold" / "b.json", '{"r2": 0.1}', 1_000)
    assert read_metrics_file(with_file(job, "**/*.json"), folder, since=0) == {"r2": 0.2}


def test_metrics_in_the_root_from_before_the_start_are_not_taken(folder: AttemptFolder, workplace: Workplace) -> None:
    job = workplace.script("# writes metrics.json")
    written_at(workplace.root / "metrics.json", '{"r2": 0.9}', 1_000)
    assert read_metrics_file(job, folder, since=1_001) is None
    written_at(workplace.root / "metrics.json", '{"r2": 0.9}', 1_002)
    assert read_metrics_file(job, folder, since=1_001) == {"r2": 0.9}


def test_metrics_are_found_at_a_dotted_path(job: Job, folder: AttemptFolder) -> None:
    (folder.artifacts / "metrics.json").write_text('{"test": {"scores": {"r2": 0.5}}, "seed": 1}')
    assert read_metrics_file(with_file(job, "metrics.json", "test.scores"), folder, since=0) == {"r2": 0.5}
    for path, told in (
        ("test.score", "expected metrics at 'test.score', found nothing at 'score'"),
        ("seed.x", "expected metrics at 'seed.x', found nothing at 'x'"),
        ("seed", "expected a mapping of metric names to numbers, found int"),
    ):
        with pytest.raises(ResultError, match=rf"metrics\.json: {told}"):
            read_metrics_file(with_file(job, "metrics.json", path), folder, since=0)


@pytest.mark.parametrize(
    "content", ["", "not JSON", '{"r2": 0.5', "[" * 100_000, '{"r2": ' + "1" * 5_000 + "}", "\udcff"]
)
def test_a_metrics_file_that_is_not_json_is_named(job: Job, folder: AttemptFolder, content: str) -> None:
    (folder.artifacts / "metrics.json").write_text(content, errors="surrogateescape")
    with pytest.raises(ResultError, match=r"^metrics\.json: expected JSON with metrics; "):
        read_metrics_file(job, folder, since=0)


@pytest.mark.parametrize("content", ["NaN", "Infinity", "1e999", "1" + "0" * 400])
def test_a_number_in_a_metrics_file_that_is_not_finite_is_named(job: Job, folder: AttemptFolder, content: str) -> None:
    (folder.artifacts / "metrics.json").write_text(f'{{"r2": {content}}}')
    with pytest.raises(ResultError, match=r"metric 'r2' is (nan|inf); expected a finite number"):
        finite_metrics(read_metrics_file(job, folder, since=0))


def test_a_metrics_file_of_100_mb_is_refused(job: Job, folder: AttemptFolder) -> None:
    (folder.artifacts / "metrics.json").touch()
    os.truncate(folder.artifacts / "metrics.json", 100 * 2**20)
    with pytest.raises(ResultError, match=r"metrics\.json is larger than 16 MiB"):
        read_metrics_file(job, folder, since=0)


def test_no_link_leads_to_metrics_outside_the_jobs_folder(job: Job, folder: AttemptFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "metrics.json").write_text(SECRET)
    (folder.artifacts / "metrics.json").symlink_to(outside / "metrics.json")
    (folder.artifacts / "sub").symlink_to(outside)
    assert read_metrics_file(job, folder, since=0) is None
    with pytest.raises(ResultError, match="wrote no file"):
        read_metrics_file(with_file(job, "sub/metrics.json"), folder, since=0)
    (folder.artifacts / "metrics.json").unlink()
    (folder.artifacts / "sub").unlink()
    folder.artifacts.rmdir()
    folder.artifacts.symlink_to(outside)
    assert read_metrics_file(job, folder, since=0) is None


@pytest.mark.parametrize("pattern", ["../metrics.json", "/etc/passwd", "a/../../metrics.json"])
def test_a_pattern_that_leads_out_of_the_folder_is_refused(job: Job, folder: AttemptFolder, pattern: str) -> None:
    with pytest.raises(ResultError, match="expected a path inside the job's folder or the root"):
        read_metrics_file(with_file(job, pattern), folder, since=0)


# log.txt


def test_the_last_lines_of_a_huge_log_are_read_without_the_rest(folder: AttemptFolder) -> None:
    with folder.log.open("wb") as log:
        log.truncate(200 * 2**20)
        log.seek(0, os.SEEK_END)
        log.write(b"\n" + b"".join(b"line %d\n" % number for number in range(100)))
    assert log_tail(folder.log) == tuple(f"line {number}" for number in range(80, 100))


def test_a_log_of_any_bytes_has_a_tail_that_can_be_written_down(folder: AttemptFolder) -> None:
    folder.log.write_bytes(b"\xff\x00 no end of line \xed\xa0\x80")
    (line,) = log_tail(folder.log)
    assert "no end of line" in line
    msgspec.json.encode(line)


def test_the_traceback_at_the_end_of_the_log_is_left_out(folder: AttemptFolder) -> None:
    traceback = "Traceback (most recent call last):\nValueError: no\n"
    folder.log.write_text("epoch 1\n" + traceback)
    assert log_tail(folder.log, without=Failure(cause="error", message="no", traceback=traceback)) == ("epoch 1",)


def test_a_log_that_became_a_link_a_pipe_or_a_folder_has_no_tail(folder: AttemptFolder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password")
    folder.log.symlink_to(tmp_path / "secret")
    assert log_tail(folder.log) == ()
    folder.log.unlink()
    os.mkfifo(folder.log)
    assert log_tail(folder.log) == ()
    folder.log.unlink()
    folder.log.mkdir()
    assert log_tail(folder.log) == ()


# artifacts


def test_artifacts_are_all_files_below_the_folder_and_no_links(folder: AttemptFolder, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").touch()
    (folder.artifacts / "fold").mkdir()
    (folder.artifacts / "fold" / "b.npy").touch()
    (folder.artifacts / "a.json").touch()
    (folder.artifacts / "link").symlink_to(tmp_path / "outside")
    (folder.artifacts / "secret").symlink_to(tmp_path / "outside" / "secret")
    (folder.artifacts / "loop").symlink_to(folder.artifacts)
    assert artifacts(folder.artifacts) == ("a.json", "fold/b.npy")


def test_a_folder_of_artifacts_that_became_a_link_has_none(folder: AttemptFolder, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").touch()
    folder.artifacts.rmdir()
    folder.artifacts.symlink_to(tmp_path / "outside")
    assert artifacts(folder.artifacts) == ()


def test_a_file_name_that_is_no_utf_8_can_still_be_reported(folder: AttemptFolder) -> None:
    Path(os.fsdecode(os.fsencode(folder.artifacts) + b"/sc\xffres.json")).touch()
    found: Any = artifacts(folder.artifacts)
    outcome = Outcome(job_id="als", kind="function", title="", status=Status.PASSED, artifacts=found)
    assert b"res.json" in msgspec.json.encode(outcome)
