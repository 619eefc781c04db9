"""Tests of execution/judge.py: what an attempt came to, and the sentence that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.execution.attempt.messages import Failure, Reply, Result
from pytest_training.execution.backends.fork_server.backend import SERVER_DIED
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.judge import Verdict, judge, judge_gates
from pytest_training.jobs.model import Gate
from pytest_training.limits.protocol import Ending

from .workplace import Workplace

R2 = Gate(metric="r2", operator=">=", threshold=0.5)
DONE = Ending(exit_status=0)


def judged(workplace: Workplace, ending: Ending, result: Result | None = None, **fields: Any) -> Verdict:
    """Judge an attempt at a function job that ended so and left this result."""
    job = msgspec.structs.replace(workplace.function("return {}"), **fields)
    request = workplace.request(job)
    if result is not None:
        AttemptFolder(Path(request.folder)).result.write_bytes(msgspec.json.encode(result))
    return judge(request, Reply(ending=ending), since=0)


def told(verdict: Verdict) -> tuple[str, str | None, str]:
    return verdict.status, verdict.cause, verdict.reason


def test_a_job_passes_when_it_ends_well_and_its_gates_hold(workplace: Workplace) -> None:
    verdict = judged(workplace, DONE, Result(metrics={"r2": 0.5}), gates=(R2,))
    assert told(verdict) == ("passed", None, "")
    assert verdict.metrics == {"r2": 0.5}
    assert verdict.gates[0].passed


def test_a_gate_that_does_not_hold_is_told_with_both_numbers(workplace: Workplace) -> None:
    verdict = judged(workplace, DONE, Result(metrics={"r2": 0.25}), gates=(R2,))
    assert told(verdict) == ("failed", "gate", "r2 is 0.25, required >= 0.5")
    assert verdict.metrics == {"r2": 0.25}


def test_a_missing_gated_metric_is_told_with_those_that_are_there(workplace: Workplace) -> None:
    for metrics, found in (({"mae": 3.0, "n": 4.0}, "mae, n"), ({}, "none")):
        assert told(judged(workplace, DONE, Result(metrics=metrics), gates=(R2,))) == (
            "failed",
            "result",
            f"no metric 'r2', which a gate needs; metrics found: {found}",
        )


@pytest.mark.parametrize(
    ("method", "end"),
    [
        (
            "no interval of roc_auc, brier: 1 people, expected 8",
            "; intervals: no interval of roc_auc, brier: 1 people, expected 8",
        ),
        ("no interval of other_roc_auc: 1 people, expected 8", ""),
        ("95 %: the infinitesimal jackknife over 60 people", ""),
    ],
)
def test_a_gate_on_the_end_of_an_interval_that_few_people_lack_says_why(
    workplace: Workplace, method: str, end: str
) -> None:
    low, near = msgspec.structs.replace(R2, metric="roc_auc_low"), "" if end else " (did you mean 'roc_auc'?)"
    verdict = judged(workplace, DONE, Result(metrics={"roc_auc": 0.9}, interval_method=method), gates=(low,))
    assert told(verdict)[2] == f"no metric 'roc_auc_low', which a gate needs{near}; metrics found: roc_auc{end}"


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearest_of_many_metrics_is_said_first(workplace: Workplace, order: int) -> None:
    names = [f"{metric}_site_{site}" for metric in ("people", "brier", "roc_auc") for site in "abcdef"][::order]
    gate = Gate(metric="roc_auc_site_A", operator=">=", threshold=0.5)
    reason = judged(workplace, DONE, Result(metrics=dict.fromkeys(names, 0.5)), gates=(gate,)).reason
    assert reason.startswith("no metric 'roc_auc_site_A', which a gate needs (did you mean 'roc_auc_site_a'?); metrics")
    assert "found: roc_auc_site_a, roc_auc_site_" in reason
    assert reason.endswith("and 10 more")


def test_a_function_that_returns_one_nan_fails_and_its_other_metrics_are_kept(workplace: Workplace) -> None:
    failure = Failure(cause="result", message="metric 'mae' is nan; expected a finite number")
    verdict = judged(workplace, Ending(exit_status=1), Result(metrics={"r2": 0.5}, failure=failure))
    assert told(verdict) == ("failed", "result", "metric 'mae' is nan; expected a finite number")
    assert verdict.metrics == {"r2": 0.5}


@pytest.mark.parametrize(
    ("operator", "holding", "failing"),
    [
        (">=", [0.5, 0.6], [0.4]),
        ("<=", [0.5, 0.4], [0.6]),
        (">", [0.6], [0.5]),
        ("<", [0.4], [0.5]),
        ("==", [0.5], [0.4]),
    ],
)
def test_each_operator_means_what_it_says(operator: Any, holding: list[float], failing: list[float]) -> None:
    gate = Gate(metric="r2", operator=operator, threshold=0.5)
    for value in (*holding, *failing):
        (result,) = judge_gates((gate,), {"r2": value})
        assert (result.found, result.passed) == (value, value in holding)


@pytest.mark.parametrize(
    ("ending", "cause", "reason"),
    [
        (Ending(ended_by="timeout", wall_s=3), "timeout", "ended after 3.0 s: its time limit is 2 s"),
        (
            Ending(ended_by="memory", wall_s=3, peak_memory_mb=2000),
            "memory",
            "ended after 3.0 s: it used 2,000 MiB of memory, its limit is 1,000 MiB",
        ),
        (Ending(signal="SIGSEGV", wall_s=3), "crash", "was killed by SIGSEGV after 3.0 s"),
        (
            Ending(exit_status=3),
            "exit",
            "ended with exit status 3 without an exception (os._exit or a C library)",
        ),
        (Ending(exit_status=0), "exit", "ended with exit status 0 before train returned"),
        (Ending(exit_status=74), "system", "its result could not be written to the run folder (disk full?)"),
    ],
)
def test_an_end_without_a_result_is_told_by_how_the_process_ended(
    workplace: Workplace, ending: Ending, cause: str, reason: str
) -> None:
    assert told(judged(workplace, ending, limits={"timeout": 2, "memory": 1000})) == ("failed", cause, reason)


def test_a_backend_says_what_it_knows_of_an_attempt_that_it_lost(workplace: Workplace) -> None:
    reason = "the job server died while the job ran; see any server.log in the run folder"
    assert told(judge(workplace.request(workplace.function("return {}")), SERVER_DIED, since=0)) == (
        "failed",
        "server died",
        reason,
    )


def test_an_interrupted_job_has_not_failed(workplace: Workplace) -> None:
    verdict = judged(workplace, Ending(ended_by="interrupted", wall_s=3))
    assert told(verdict) == ("interrupted", "interrupted", "interrupted after 3.0 s")


def test_a_limit_outweighs_what_the_job_said_when_it_was_ended(workplace: Workplace) -> None:
    stopped = Result(failure=Failure(cause="stopped", message="was asked to end"))
    assert judged(workplace, Ending(ended_by="timeout"), stopped, limits={"timeout": 1}).cause == "timeout"
    assert told(judged(workplace, Ending(exit_status=1), stopped)) == (
        "failed",
        "crash",
        "was ended by SIGTERM from outside the run",
    )


def test_what_a_job_raised_outweighs_how_its_process_ended_then(workplace: Workplace) -> None:
    raised = Result(failure=Failure(cause="error", message="ValueError: no", traceback="Traceback …"))
    assert told(judged(workplace, Ending(signal="SIGSEGV"), raised)) == ("failed", "error", "raised ValueError: no")


def test_a_crash_after_the_result_is_a_crash(workplace: Workplace) -> None:
    assert judged(workplace, Ending(signal="SIGSEGV"), Result(metrics={"r2": 1.0})).cause == "crash"


def test_a_refusal_is_the_reason(workplace: Workplace) -> None:
    request = workplace.request(workplace.function("return {}"))
    verdict = judge(request, Reply(refused="needs 2 GPUs; this machine shows 0"), since=0)
    assert told(verdict) == ("failed", "error", "needs 2 GPUs; this machine shows 0")


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"metrics":{"r2":"high"}}', b'{"metrics":{"r2":1' + b"0" * 400 + b"}}"]
)
def test_a_result_that_the_job_wrote_itself_is_not_trusted(workplace: Workplace, content: bytes) -> None:
    request = workplace.request(workplace.function("return {}"))
    AttemptFolder(Path(request.folder)).result.write_bytes(content)
    verdict = judge(request, Reply(ending=DONE), since=0)
    assert (verdict.status, verdict.cause) == ("failed", "result")


def test_a_script_without_metrics_passes_with_a_note_unless_a_gate_needs_one(workplace: Workplace) -> None:
    script = workplace.script("")
    verdict = judge(workplace.request(script), Reply(ending=DONE), since=0)
    assert (verdict.status, verdict.notes) == ("passed", ("no metrics found",))
    gated = msgspec.structs.replace(script, gates=(R2,))
    assert judge(workplace.request(gated), Reply(ending=DONE), since=0).cause == "result"


def test_the_exit_status_of_a_program_is_told_as_it_is(workplace: Workplace) -> None:
    verdict = judge(workplace.request(workplace.command("tool")), Reply(ending=Ending(exit_status=2)), since=0)
    assert told(verdict) == ("failed", "exit", "ended with exit status 2")
