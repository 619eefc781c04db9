"""`pytest-training compare A B`: two jobs, two runs of a job, and what cannot be compared."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_runs import make_run

from pytest_training.commands.main import main
from pytest_training.evaluation import record
from pytest_training.evaluation.judge import evaluate
from pytest_training.execution.folder import AttemptFolder, RunFolder

FIRST, SECOND = "20260101-100000-aaaa", "20260102-100000-bbbb"
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.permutation(np.arange(90) % 3 == 0).astype(int)
FOLD = np.arange(90) % 5
WEAK = np.clip(0.3 + 0.1 * TRUTH + RANDOM.normal(size=(3, 90)) / 5, 0, 1)
STRONG = np.clip(0.2 + 0.5 * TRUTH + RANDOM.normal(size=(3, 90)) / 5, 0, 1)


def keep(folder: AttemptFolder, score: np.ndarray[tuple[int, ...], np.dtype[np.float64]], name: str = "") -> None:
    made = record.make(TRUTH, score, fold=FOLD, name=name)
    record.write(made, folder.path)
    (folder.path / f"evaluation{'_' * bool(name)}{name}.json").write_bytes(msgspec.json.encode(evaluate(made)))


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the reports of two runs: `job0000` became stronger, `job0001` stays weak, `job0002` predicts nothing."""
    reports = tmp_path_factory.mktemp("compared") / "reports"
    for run_id, score in ((FIRST, WEAK), (SECOND, STRONG)):
        make_run(reports, jobs=3, epochs=1, run_id=run_id)
        keep(RunFolder(reports, run_id).job("job0000").attempt(1), score)
        keep(RunFolder(reports, run_id).job("job0001").attempt(1), WEAK)
    keep(RunFolder(reports, FIRST).job("job0000").attempt(1), WEAK, name="external")
    keep(RunFolder(reports, SECOND).job("job0001").attempt(1), WEAK, name="external")
    for run_id in (FIRST, SECOND):
        broken = RunFolder(reports, run_id).job("job0002").attempt(1).path / "predictions_broken.csv"
        broken.write_text("truth,row\n1\n")
    other = record.make(TRUTH[:60], WEAK[:, :60], fold=FOLD[:60], name="other")
    record.write(other, RunFolder(reports, SECOND).job("job0001").attempt(1).path)
    record.write(record.make(TRUTH, WEAK, name="other"), RunFolder(reports, SECOND).job("job0000").attempt(1).path)
    return reports


def ask(reports: Path, *words: str) -> int:
    return main(["compare", *words, "--reports", str(reports)])


def test_two_jobs_are_compared_by_their_newest_predictions(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(reports, "job0000", "job0001") == 0
    title, header, *tests = capsys.readouterr().out.splitlines()
    assert title == f"job0000 in run {SECOND} against job0001 in run {SECOND}, on the same 90 people:"
    assert header.split() == ["test", "metric", "difference", "95", "%", "interval", "p"]
    assert tests
    assert all(" +0." in line and float(line.split()[-1]) < 0.05 for line in tests if "roc_auc" in line)


def test_two_runs_of_a_job_are_named_by_the_beginning_of_their_ids(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(reports, "job0000@20260101", "job0000@last", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["first"]["job"] == f"job0000 in run {FIRST}"
    assert answer["first"]["metrics"]["roc_auc"] < answer["second"]["metrics"]["roc_auc"]
    test = answer["tests"][0]
    metrics = [answer[side]["metrics"]["roc_auc"] for side in ("first", "second")]
    assert test["difference"] == pytest.approx(metrics[0] - metrics[1])
    assert test["low"] < test["difference"] < test["high"] < 0


def test_equal_predictions_do_not_differ(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(reports, "job0001@20260101", "job0001", "--json") == 0
    assert {(test["difference"], test["p"]) for test in json.loads(capsys.readouterr().out)["tests"]} == {(0.0, 1.0)}


def test_predictions_of_a_name_come_from_the_last_run_that_has_them(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(reports, "job0000@last", "job0001@last", "--name", "external") == 0
    assert capsys.readouterr().out.startswith(f"job0000 in run {FIRST} against job0001 in run {SECOND}")


@pytest.mark.parametrize("before", ["job0000@previous", "job0000@20260101"])
@pytest.mark.parametrize("now", ["job0000", "job0000@last", "job0000@20260102"])
def test_a_job_is_compared_with_its_run_before(
    reports: Path, capsys: pytest.CaptureFixture[str], now: str, before: str
) -> None:
    assert ask(reports, now, before) == 0
    assert capsys.readouterr().out.startswith(f"job0000 in run {SECOND} against job0000 in run {FIRST}")


MISTAKES = {
    "a job without predictions of the name": (("job0000", "job0002"), "'job0002' has no predictions without --name: "),
    "an unknown job": (("job0000", "als"), "no predictions of job 'als': expected one of job0000, job0001, job0002"),
    "a job like another": (("job0000", "job0003"), "no predictions of job 'job0003': did you mean 'job000"),
    "an unknown run": (("job0000@1999", "job0000"), "run '1999': expected one of the 2 runs in "),
    "a path": (("../../etc", "job0000"), "expected a name inside the run folder"),
    "a damaged record": (
        ("job0002@20260101", "job0002", "--name", "broken"),
        "expected a record of predictions, found none",
    ),
    "an unknown name": (
        ("job0000", "job0001", "--name", "extrnal"),
        "job 'job0000' has no predictions named 'extrnal': did you mean 'external'? Expected one of external, no --",
    ),
    "a name that another run has": (
        ("job0000@20260102", "job0001", "--name", "external"),
        f"run {SECOND}: job 'job0000' has no predictions named 'external': expected one of no --name, other",
    ),
    "itself": (("job0000", "job0000"), f"are the same predictions, job0000 in run {SECOND}; expected another job"),
    "itself as the last": (("job0000", "job0000@last"), "or another run: job0000@previous"),
    "itself by the run": (("job0000@20260102", "job0000"), "are the same predictions"),
    "itself as the only one": (
        ("job0000", "job0000@previous", "--name", "external"),
        "one run alone has predictions of job 'job0000'",
    ),
    "other people": (("job0000", "job0001", "--name", "other"), "are of 90 and 60 people, 60 of them in both"),
    "one job": (("job0000",), "the following arguments are required: B"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_what_cannot_be_compared_is_one_line(reports: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    words, message = MISTAKES[case]
    try:
        code = ask(reports, *words)
    except SystemExit as ended:
        code = int(str(ended.code))
    assert code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert message in line


def test_a_part_of_a_long_record_is_said_to_be_one(
    reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path, jobs=2, epochs=1)
    for number in (0, 1):
        attempt = folder.job(f"job000{number}").attempt(1)
        keep(attempt, WEAK)
        record.write(record.make(TRUTH, WEAK, fold=FOLD), attempt.path, most=100)
    assert ask(tmp_path, "job0000", "job0001") == 0
    assert "90 of 270 predictions are in its file, and compared" in capsys.readouterr().err


def test_without_numpy_the_extra_is_named(
    reports: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "pytest_training.evaluation.comparison", raising=False)
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert ask(reports, "job0000", "job0001") == 2
    assert "pip install 'pytest-training[evaluation]'" in capsys.readouterr().err
