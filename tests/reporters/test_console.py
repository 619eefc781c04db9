"""Tests of reporting/console.py: what a person reads of finished and failed jobs, and of the run."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_training.execution.outcome import DataUsed, GateResult, Outcome, Status
from pytest_training.jobs.model import Gate
from pytest_training.reporters.console import (
    failure_text,
    finished_line,
    gate_table,
    interval_lines,
    main_metric,
    word,
)
from pytest_training.text import cells

REAL = DataUsed(name="uci", real=True, sha256="ab" * 32, path="/data/uci.csv")
SIMULATED = DataUsed(name="cohort", real=False, sha256=None, path="/data/cohort.csv")


def outcome(job_id: str = "parkinsons", **changes: Any) -> Outcome:
    known = Outcome(
        job_id=job_id, kind="function", title="", status=Status.PASSED, metrics={"roc_auc": 0.8712}, wall_s=3.21
    )
    return msgspec.structs.replace(known, **changes)


def judged(metric: str, operator: Any, threshold: float, found: float | None) -> GateResult:
    gate = Gate(metric=metric, operator=operator, threshold=threshold)
    return GateResult(gate=gate, found=found, passed=found is not None and gate.holds(found))


def failed(cause: Any, reason: str = "", **changes: Any) -> Outcome:
    return outcome(status=Status.FAILED, cause=cause, reason=reason, **changes)


def test_a_finished_job_is_one_line_with_its_metric_duration_and_count() -> None:
    text, markup = finished_line(outcome(), width=80, done=3, total=12)
    assert text.split() == ["PASSED", "parkinsons", "roc_auc", "0.871", "3.2", "s", "[", "3/12]"]
    assert len(text) == 79
    assert markup == {"green": True}


@pytest.mark.parametrize("notes", [(), ("unchanged since run 2026",), ("unchanged since run 2026", "1 of 2 pruned")])
def test_an_unchanged_job_has_a_line_at_every_width(notes: tuple[str, ...]) -> None:
    unchanged = outcome(status=Status.SKIPPED, cause="unchanged", notes=notes)
    for width in range(30, 161):
        text, _ = finished_line(unchanged, width=width, done=3, total=3)
        assert text.startswith("SKIPPED parkinsons")
        assert not notes or width < 70 or notes[0] in text


def test_the_main_metric_is_the_gated_one_with_its_interval() -> None:
    metrics = {"auc_low": 0.8, "auc_high": 0.9, "accuracy": 0.7, "auc": 0.85}
    gated = outcome(metrics=metrics, gates=(judged("auc", ">=", 0.8, 0.85),))
    assert main_metric(gated) == "auc 0.850 (0.800 to 0.900)"
    for end, operator in (("auc_low", ">="), ("auc_high", "<="), ("baseline_auc", "<=")):
        of_end = outcome(metrics=metrics | {"baseline_auc": 0.5}, gates=(judged(end, operator, 0.8, 0.8),))
        assert main_metric(of_end) == "auc 0.850 (0.800 to 0.900)"
    assert main_metric(outcome(metrics=metrics)) == "accuracy 0.700"
    assert main_metric(outcome(metrics={})) == ""


def test_a_metric_that_misses_its_gate_by_little_shows_that() -> None:
    missed = failed("gate", metrics={"auc": 0.84999}, gates=(judged("auc", ">=", 0.85, 0.84999),))
    assert word(missed) == "FAILED auc 0.84999, 3.2 s"


def test_simulated_data_is_marked_everywhere_and_never_cut_off() -> None:
    simulated = outcome(
        data=(REAL, SIMULATED),
        metrics={"roc_auc": 0.9, "roc_auc_low": 0.8, "roc_auc_high": 1.0},
        notes=("note " * 40,),
    )
    assert "simulated  " in finished_line(simulated, width=40, done=1, total=12)[0]
    for width in (60, 80, 120):
        assert ", simulated  " in finished_line(simulated, width=width, done=1, total=12)[0]
    assert word(simulated) == "PASSED roc_auc 0.900 (0.800 to 1), 3.2 s, simulated"
    assert "simulated" not in word(outcome(data=(REAL,)))


def test_a_failed_job_shows_its_reason_shortened_to_the_line() -> None:
    text, markup = finished_line(failed("error", "ValueError: " + "x" * 500), width=80, done=1, total=2)
    assert text.startswith("FAILED  parkinsons    ValueError: xxx")
    assert "x…" in text
    assert len(text) == 79
    assert markup == {"red": True}


LONG = "training/neurology/longitudinal/train_parkinsons.py"
TELLING = {
    "ended after 12.0 s: it used 12,000 MiB of memory, its limit is 10,000 MiB": "memory 12,000 MiB, limit 10,000 MiB",
    "ended after 1,200.0 s: its time limit is 1200 s": "time limit is 1200 s",
    "ended after 2 min 05 s: open_files was 1200, its limit is 1000": "open_files was 1200, its limit is 1000",
    "out of memory: raised MemoryError; it held 3 MiB; free were 20 MiB; load less": "out of memory: MemoryError",
    "out of GPU memory: raised torch.OutOfMemoryError: CUDA out of memory. Tried": "out of GPU memory",
    "a module is missing: raised ModuleNotFoundError: No module named 'lightgbm'; install": "'lightgbm'",
    "a module is missing: ended with exit status 1: ModuleNotFoundError: No module named 'jax'; install": "'jax'",
    "a file is missing: raised FileNotFoundError: [Errno 2] No such file or directory: 'a.csv'; …": "missing: 'a.csv'",
    "no space is left: raised OSError: [Errno 28] No space left on device; make room": "no space is left",
    "the network failed: ended with exit status 1: requests.exceptions.HTTPError: 503": "network failed",
    "raised sqlalchemy.exc.IntegrityError: no such row": "IntegrityError: no such row",
    "raised torch._dynamo.exc.InternalTorchDynamoError: AttributeError": "InternalTorchDynamoError",
    f"{LONG}:3: SyntaxError: expected ':'": "SyntaxError",
    f"{LONG}:31: expected a function of module-level code": "train_parkinsons.py:31: expected",
    "cannot be trained or recorded: No space left on device: reports/runs/1/jobs/a": "No space left on device",
    "its result could not be written to the run folder (disk full?)": "result could not be written",
    "cannot start '/opt/company/tools/bin/fit-model': No such file or directory": "'fit-model'",
    "was killed by SIGSEGV after 1,200.0 s": "SIGSEGV",
    "ended with exit status 3 without an exception (os._exit or a C library)": "exit status 3",
    "ended with exit status 1: sklearn.exceptions.NotFittedError: this LogisticRegression": "NotFittedError: this",
    "no metric 'auc', which a gate needs; metrics found: loss, accuracy": "no metric 'auc'",
    "needs als, which did not pass in this run": "needs als",
    "worker died: the pytest process gw3 that waited for this job ended without a word": "worker died",
}


def test_what_a_job_says_of_its_result_is_shown_with_its_failure() -> None:
    said = ("3 of 7 columns used", "'x' alone predicts the target\x1b[2J")
    missed = failed("gate", gates=(judged("leak_suspects", "==", 0, 1),), remarks=said)
    assert failure_text(missed).splitlines()[-2:] == ["3 of 7 columns used", "'x' alone predicts the target"]


@pytest.mark.parametrize("reason", TELLING)
def test_a_reason_keeps_its_telling_word_at_80_columns(reason: str) -> None:
    text, _ = finished_line(failed("error", reason), width=80, done=1, total=12)
    assert TELLING[reason] in text
    assert len(text) == 79
    wide, _ = finished_line(failed("error", reason), width=200, done=1, total=12)
    assert reason in wide


def test_what_a_reader_should_know_is_shown_where_there_is_room() -> None:
    retried = outcome(notes=("passed at attempt 2",))
    assert "roc_auc 0.871, passed at attempt 2 " in finished_line(retried, width=100, done=1, total=1)[0]
    assert "roc_auc 0.871 " in finished_line(retried, width=60, done=1, total=1)[0]


@pytest.mark.parametrize(
    ("changes", "status", "markup"),
    [
        ({"status": Status.INTERRUPTED, "cause": "interrupted"}, "INTERRUPTED", {"yellow": True}),
        ({"status": Status.NOT_RUN, "cause": "needs"}, "NOT RUN", {"yellow": True}),
        ({"status": Status.SKIPPED}, "SKIPPED", {"yellow": True}),
        ({"status": Status.FAILED, "cause": "error", "optional": True}, "XFAIL", {"yellow": True}),
    ],
)
def test_other_endings_have_words_and_colours_of_their_own(
    changes: dict[str, Any], status: str, markup: dict[str, bool]
) -> None:
    text, colour = finished_line(outcome(**changes), width=80, done=1, total=1)
    assert text.startswith(status)
    assert colour == markup


@given(
    st.text(st.characters(codec=None)),
    st.text(st.characters(codec=None)),
    st.text(st.characters(codec=None)),
    st.integers(min_value=40, max_value=200),
)
def test_a_line_never_breaks_whatever_names_and_reasons_hold(job_id: str, reason: str, metric: str, width: int) -> None:
    for each in (outcome(job_id, metrics={metric: 1.0}), failed("error", reason)):
        text, _ = finished_line(each, width=width, done=1, total=100)
        assert not {unicodedata.category(character) for character in text} & {"Cc", "Cs", "Zl", "Zp"}
        assert cells(text) < max(width, 41)


def test_a_long_id_takes_at_most_a_third_of_the_line() -> None:
    text, _ = finished_line(outcome("folder/with/a/very/long/name/of/a/job"), width=90, done=1, total=1)
    assert text.startswith("PASSED  folder/with/a/very/long/name/…  roc_auc 0.871 ")


def test_gates_are_a_table_of_what_was_required_found_and_by_how_much() -> None:
    gates = (
        judged("roc_auc", ">=", 0.85, 0.812),
        judged("mae", "<=", 3, 4.5),
        judged("recall", ">", 0.5, 0.75),
        judged("brier", "<", 0.2, None),
    )
    assert gate_table(gates) == [
        "metric   required  found",
        "roc_auc  >= 0.85   0.812    short by 0.038",
        "mae      <= 3      4.5      over by 1.5",
        "recall   > 0.5     0.75     holds",
        "brier    < 0.2     nothing  there is no such metric",
    ]


def test_a_failed_gate_shows_the_table_and_the_log_but_no_traceback() -> None:
    missed = failed(
        "gate",
        "roc_auc is 0.812, required >= 0.85",
        gates=(judged("roc_auc", ">=", 0.85, 0.812),),
        log="jobs/parkinsons/attempt-1/log.txt",
        log_tail=("training",),
    )
    assert failure_text(missed, folder="reports/runs/r1").splitlines() == [
        "roc_auc is 0.812, required >= 0.85",
        "",
        "metric   required  found",
        "roc_auc  >= 0.85   0.812  short by 0.038",
        "",
        "log: reports/runs/r1/jobs/parkinsons/attempt-1/log.txt",
    ]


def test_an_error_shows_the_jobs_traceback_and_the_end_of_its_log() -> None:
    raised = failed(
        "error",
        "ValueError: no rows",
        traceback='Traceback (most recent call last):\n  File "train_x.py", line 3, in train\n',
        log_tail=tuple(f"line {number}" for number in range(30)),
    )
    lines = failure_text(raised).splitlines()
    assert lines[:4] == [
        "ValueError: no rows",
        "",
        "Traceback (most recent call last):",
        '  File "train_x.py", line 3, in train',
    ]
    assert lines[5:] == ["The last lines of its log:", *(f"  line {number}" for number in range(30))]


def test_the_first_line_is_one_sentence_also_without_a_reason() -> None:
    assert failure_text(outcome(status=Status.NOT_RUN)) == "the job is not run"
    assert failure_text(failed("error", "two\nlines\x1b[2J")).splitlines() == ["two lines"]


def test_a_failure_is_bounded_and_clean_whatever_the_job_printed() -> None:
    wild = failed(
        "error",
        "\x1b[2J" + "r" * 10_000,
        traceback="\x1b[31mframe\x1b[0m " + "t" * 10_000 + "\n" * 50_000,
        log_tail=("\x1b]0;owned\x07" + "l" * 1_000_000,) * 20,
    )
    text = failure_text(wild)
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 502
    assert len(text.splitlines()) < 150


def test_what_a_job_waited_for_is_said_apart_from_how_long_it_took() -> None:
    waited = outcome("als", wall_s=4.0, waiting_s=3.6)
    assert finished_line(waited, width=80, done=1, total=2)[0] == (
        "PASSED  als           roc_auc 0.871, waited 3.6 s                  4.0 s  [1/2]"
    )
    assert word(waited) == "PASSED roc_auc 0.871, 4.0 s, waited 3.6 s"
    assert "waited" not in word(outcome(waiting_s=0.2))


def test_the_method_of_intervals_is_said_once_for_all_jobs_that_have_it() -> None:
    methods = {"als": "95 %: DeLong's method over 252 people", "ms": "95 %: DeLong's method over 70 people", "own": ""}
    methods["both"] = f"{methods['als']}; {methods['ms']}; 95 %: DeLong's method over 9 people, for one fitted model"
    jobs = [outcome(name, interval_method=method) for name, method in methods.items()]
    lines = interval_lines(jobs)
    assert "intervals of als, ms, both: 95 %: DeLong's method over people" in lines
    assert "intervals of both: 95 %: DeLong's method over people, for one fitted model" in lines
    assert len(lines) == 2
    many = [outcome(f"job{index}", interval_method=f"method {index}\x1b[2J") for index in range(9)]
    assert [line for line in interval_lines(many) if "\x1b" in line] == []
    assert len(interval_lines(many)) == 4
