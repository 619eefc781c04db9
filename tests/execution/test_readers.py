"""Tests of execution/readers: nothing that an attempt left is trusted, and no link is followed."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_training.errors import ResultError
from pytest_training.execution.attempt.messages import Failure, Result
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.job_files import LARGEST_RESULT
from pytest_training.execution.readers import READERS
from pytest_training.execution.readers.declared import MetricsFileReader, read_result
from pytest_training.execution.readers.findings import Followed, FoundMetrics, read_metrics
from pytest_training.execution.readers.protocol import EndedAttempt, Reader
from pytest_training.jobs.kinds import KINDS
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


def ended(job: Job, folder: AttemptFolder, *, since: float = 0) -> EndedAttempt:
    start = KINDS[job.kind].start(job, folder=str(folder.artifacts), seed=0)
    return EndedAttempt(job, folder, since, start, read_result(folder.result))


def read_all(attempt: EndedAttempt, readers: Sequence[Reader] = READERS) -> FoundMetrics:
    followed = Followed(attempt, readers)
    followed.poll()
    return read_metrics(attempt, readers, followed)


def read_metrics_file(job: Job, folder: AttemptFolder, *, since: float) -> Any:
    metrics = MetricsFileReader().read(ended(job, folder, since=since))
    return metrics and {name: each.value for name, each in metrics.items()}


def written_at(path: Path, content: str, time_s: float) -> None:
    path.write_text(content)
    os.utime(path, (time_s, time_s))


# result.json


def test_a_result_is_read_as_it_was_written_and_none_is_none(folder: AttemptFolder) -> None:
    assert read_result(folder.result) is None
    result = Result(metrics={"r2": 0.5}, failure=Failure(cause="error", message="no"))
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
    with pytest.raises(ResultError, match="was replaced by the job: expected a plain file"):
        read_result(folder.result)


def test_a_pipe_or_a_folder_in_place_of_the_result_is_no_result(folder: AttemptFolder) -> None:
    os.mkfifo(folder.result)
    with pytest.raises(ResultError, match="was replaced by the job: expected a plain file"):
        read_result(folder.result)
    folder.result.unlink()
    folder.result.mkdir()
    with pytest.raises(ResultError, match="was replaced by the job: expected a plain file"):
        read_result(folder.result)


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
        read_all(ended(job, folder))


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


@pytest.mark.parametrize(
    ("content", "metrics", "notes"),
    [
        ('{"r2": 0.5, "loss": NaN}', {"r2": 0.5}, ["metric 'loss' is nan; expected a finite number"]),
        ('{"loss": -Infinity, "r2": 0.5, "n": 1e999}', {"r2": 0.5}, ["metric 'loss' is -inf", "metric 'n' is inf"]),
        ('{"r2": 0.5, "": 1}', {"r2": 0.5}, ["a metric is named ''; expected a short printable string"]),
        ('{"r2": 0.5, "converged": true}', {"r2": 0.5, "converged": 1.0}, []),
        ('{"r2": 0.5, "model": "rf", "best": null, "by": [1], "test": {"r2": 0.1}}', {"r2": 0.5}, []),
        ('{"test": {"r2": 0.5}}', {"test_r2": 0.5}, []),
        ('{"test": {"x": 0.5}}', {}, ["its metrics are nested: write metrics: {path: test} in the catalogue"]),
        (
            '{"a": {"s": "x"}, "b": {"c": {"d": {"x": 0.5}}}}',
            {},
            ["its metrics are nested: write metrics: {path: b.c.d}"],
        ),
        ('{"a": {"s": "x"}}', {}, []),
        (
            '{"r2": 0.5, "a": NaN, "b": NaN, "c": NaN, "d": NaN, "e": NaN}',
            {"r2": 0.5},
            ["metric 'a' is nan", "metric 'b' is nan", "metric 'c' is nan", "2 more metrics are no finite numbers"],
        ),
    ],
)
def test_what_is_no_metric_is_named_and_the_others_are_kept(
    job: Job, folder: AttemptFolder, content: str, metrics: dict[str, float], notes: list[str]
) -> None:
    (folder.artifacts / "metrics.json").write_text(content)
    found = read_all(ended(job, folder))
    assert found.values == metrics
    assert len(found.notes) == len(notes)
    assert all(note.startswith(start) for note, start in zip(found.notes, notes, strict=True)), found.notes


@pytest.mark.parametrize(
    ("path", "content", "whole"),
    [
        ("final", {"final": {"test": {"r2": 0.5}}}, "final.test"),
        ("a.b", {"a": {"b": {"c": {"d": {"r2": 0.5}}}}}, "a.b.c.d"),
        ("", {"final": {"r2": 0.5}}, "final"),
    ],
)
def test_the_hint_about_nested_metrics_says_the_path_from_the_top_of_the_file(
    job: Job, folder: AttemptFolder, path: str, content: dict[str, Any], whole: str
) -> None:
    (folder.artifacts / "metrics.json").write_text(json.dumps(content))
    found = read_all(ended(with_file(job, "metrics.json", path), folder))
    assert found.hint == f"its metrics are nested: write metrics: {{path: {whole}}} in the catalogue"
    corrected = read_all(ended(with_file(job, "metrics.json", whole), folder))
    assert corrected.values == {"r2": 0.5}


def test_a_cell_that_is_no_number_leaves_the_rest_of_the_row(job: Job, folder: AttemptFolder) -> None:
    (folder.artifacts / "metrics.csv").write_text("epoch,loss,auc\n1,0.5,0.7\n2,nan,0.8\n")
    found = read_all(ended(job, folder))
    assert (found.values, [*found.refused]) == ({"epoch": 2.0, "auc": 0.8}, ["loss"])


@pytest.mark.parametrize(
    ("table", "metrics"),
    [
        ("model,accuracy\nsvm,0.95\nknn,0.8\n", {"svm_accuracy": 0.95, "knn_accuracy": 0.8}),
        ("metric,value\naccuracy,0.9\nf1,0.8\n", {"accuracy": 0.9, "f1": 0.8}),
        ("metric,value\naccuracy,0.9\n", {"accuracy": 0.9}),
        ("fold,auc\n1,0.9\n2,0.8\n", {"fold_1_auc": 0.9, "fold_2_auc": 0.8}),
        (",precision,support\n0,0.9,5\nmacro avg,0.8,9\n", {"0_precision": 0.9, "macro_avg_precision": 0.8}),
    ],
)
def test_the_rows_of_several_models_or_metrics_are_not_taken_for_moments(
    job: Job, folder: AttemptFolder, table: str, metrics: dict[str, float]
) -> None:
    (folder.artifacts / "metrics.csv").write_text(table)
    assert read_all(ended(job, folder)).values == metrics


TABLES = {
    "UTF-16, as PowerShell writes it": "epoch,auc\n1,0.81\n2,0.91\n".encode("utf-16"),
    "UTF-16 without a mark": "epoch,auc\n1,0.81\n2,0.91\n".encode("utf-16-le"),
    "UTF-8 with a mark": "epoch,auc\n1,0.81\n2,0.91\n".encode("utf-8-sig"),
    "decimal commas": b"epoch;auc\n1;0,81\n2;0,91\n",
    "decimal commas and tabs": b"epoch\tauc\n1\t0,81\n2\t0,91\n",
    "per cent": b"epoch,auc\n1,81%\n2,91%\n",
    "decimal commas and per cent": b"epoch;auc\n1;81,5 %\n2;91,0 %\n",
    "an exponent": b"epoch;auc\n1;8,1e-1\n2;9,1E-1\n",
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("is_declared", [False, True])
def test_a_table_is_read_however_a_program_of_another_country_writes_it(
    job: Job, folder: AttemptFolder, table: str, *, is_declared: bool
) -> None:
    (folder.artifacts / "metrics.csv").write_bytes(TABLES[table])
    job = with_file(job, "metrics.csv") if is_declared else job
    assert read_all(ended(job, folder)).values == {"epoch": 2.0, "auc": 0.91}


def test_a_text_in_json_is_a_metric_if_it_is_a_number_and_its_name_that_of_a_measurement(
    job: Job, folder: AttemptFolder
) -> None:
    written = {"auc": "0.91", "loss": "3e-1", "version": "1.0", "model": "b7", "date": "2024", "recall": "high", "n": 3}
    (folder.artifacts / "metrics.json").write_text(json.dumps(written))  # json.dumps(…, default=str) of numpy's numbers
    assert read_all(ended(job, folder)).values == {"auc": 0.91, "loss": 0.3, "n": 3.0}


@pytest.mark.parametrize(
    ("name", "content", "metrics"),
    [
        (
            "metrics.csv",
            "step,train_loss,val_acc\n9,0.9,\n9,,0.7\n19,0.5,\n",
            {"step": 19, "train_loss": 0.5, "val_acc": 0.7},
        ),
        ("metrics.csv", "a;b\n" + "1;\n" * 999 + ";2\n", {"a": 1, "b": 2}),
        ("metrics.csv", "a,b\n1,2\n,\n3\n,x\n", {"a": 3, "b": 2}),
        ("metrics.json", '{"r2": 0.1, "best": 3}\n{"r2": 0.2, "best": null}\n', {"r2": 0.2, "best": 3}),
        ("metrics.json", '[{"r2": 0.1, "n": 2}, {"r2": 0.2, "model": "rf"}]', {"r2": 0.2, "n": 2}),
    ],
)
def test_of_several_records_the_last_value_of_each_name_counts(
    job: Job, folder: AttemptFolder, name: str, content: str, metrics: dict[str, float]
) -> None:
    (folder.artifacts / name).write_text(content)
    found = read_all(ended(job, folder))
    assert (found.values, found.sources) == (metrics, dict.fromkeys(metrics, name))


# readers


class Log(Reader):
    """Reads `accuracy 0.5` from a log."""

    name = "log"

    def read(self, attempt: EndedAttempt) -> dict[str, float] | None:
        words = attempt.folder.log.read_text().split()
        return {words[0]: float(words[1])} if words else None


def test_the_first_reader_that_finds_metrics_counts(job: Job, folder: AttemptFolder) -> None:
    attempt, readers = ended(job, folder), (*READERS, Log())
    folder.log.write_text("")
    assert read_all(attempt, readers).values == {}
    folder.log.write_text("accuracy 0.5")
    assert read_all(attempt, readers).values == {"accuracy": 0.5}
    (folder.artifacts / "metrics.json").write_text('{"r2": 0.1}')
    assert read_all(attempt, readers).values == {"r2": 0.1}


def test_a_reader_that_raises_is_named(job: Job, folder: AttemptFolder) -> None:
    folder.log.write_text("accuracy high")
    with pytest.raises(ResultError, match=r"reader 'log' raised ValueError: could not convert string to float: 'high'"):
        read_all(ended(job, folder), (*READERS, Log()))


def test_a_program_has_no_metrics_in_its_result(job: Job, workplace: Workplace, folder: AttemptFolder) -> None:
    folder.result.write_bytes(msgspec.json.encode(Result(metrics={"r2": 0.5})))
    assert read_all(ended(job, folder)).values == {}
    assert read_all(ended(workplace.function("return {}"), folder)).values == {"r2": 0.5}


PATTERNS = ("**/m.json", "a/**/m.json", "**/**/*.json", "**/a/**/m.json", "*/**/?.json", "**/[ab]/m.json", "a/**/b/*n")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_of_any_depth_finds_what_pathlib_finds(folder: AttemptFolder, job: Job, pattern: str) -> None:
    for number, folders in enumerate(
        itertools.chain(*(itertools.product(["a", "b", ".h"], repeat=i) for i in range(4)))
    ):
        for name in ("m.json", "other"):
            path = folder.artifacts.joinpath(*folders, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            written_at(path, json.dumps({"number": number}), number + 10.0)
    numbers = [json.loads(path.read_text())["number"] for path in folder.artifacts.glob(pattern) if path.is_file()]
    assert read_metrics_file(with_file(job, pattern), folder, since=0) == {"number": max(numbers)}
