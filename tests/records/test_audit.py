"""What an audit makes of metrics: those of a job, of its second training, and of trainings with a shuffled target."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_training.evaluation.finding import CHECKS
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.jobs.model import Job
from pytest_training.records.audit import OF_METRICS, JobAudit, Trained, audit_job

Metrics = Mapping[str, float]
AUC = {"roc_auc": 0.8, "roc_auc_low": 0.7, "roc_auc_high": 0.9, "baseline_roc_auc": 0.5}
CHANCE = {"roc_auc": 0.52, "roc_auc_low": 0.4, "roc_auc_high": 0.6, "baseline_roc_auc": 0.5}
LEAK = {"roc_auc": 0.75, "roc_auc_low": 0.6, "roc_auc_high": 0.9, "baseline_roc_auc": 0.5}
OPEN = ["A08", "A09", "A10", "A11"]


class Case(NamedTuple):
    """Metrics, and what an audit of them says."""

    metrics: Metrics
    again: Metrics
    shuffled: Sequence[Metrics]
    findings: Sequence[str] = ()
    unchecked: Sequence[str] = ()
    said: str = ""


CASES = {
    "all is well": Case(AUC | {"train_roc_auc": 0.9}, AUC | {"train_roc_auc": 0.9}, [CHANCE] * 3),
    "an error": Case(
        {"mae": 2.0, "baseline_mae": 3.0}, {"mae": 2.0}, [{"mae": 3.1}, {"mae": 3.2}, {"mae": 3.1}], ["A15"], ["A11"]
    ),
    "worse": Case(
        AUC | {"brier": 0.3, "baseline_brier": 0.2},
        AUC | {"brier": 0.3, "baseline_brier": 0.2},
        [CHANCE] * 3,
        ["A08"],
        ["A11"],
        "brier 0.300 against 0.200",
    ),
    "chance": Case(
        CHANCE, CHANCE, [CHANCE | {"roc_auc": 0.53}] * 3, ["A09"], ["A11"], "roc_auc 0.520 (0.400 to 0.600)"
    ),
    "chance, no interval": Case(
        {"acc": 0.6}, {"acc": 0.6}, [{"acc": 0.5}, {"acc": 0.58}, {"acc": 0.55}], ["A09"], ["A08", "A10", "A11"]
    ),
    "a leak, the fit first": Case({"train_roc_auc": 1.0} | AUC, {"train_roc_auc": 1.0} | AUC, [LEAK] * 3, ["A10"]),
    "a leak of a named evaluation": Case(
        {"gain_low": 0.3, "late_roc_auc": 0.8, "late_baseline_roc_auc": 0.5},
        {"gain_low": 0.3, "late_roc_auc": 0.8, "late_baseline_roc_auc": 0.5},
        [{"gain_low": 0.1, "late_roc_auc": 0.8}] * 3,
        ["A10"],
        ["A11"],
        "late_roc_auc is 0.800",
    ),
    "worse in a named evaluation": Case(
        {"late_roc_auc": 0.4, "late_baseline_roc_auc": 0.5},
        {"late_roc_auc": 0.4, "late_baseline_roc_auc": 0.5},
        [{"late_roc_auc": 0.5}] * 3,
        ["A08", "A09"],
        ["A11"],
    ),
    "a leak": Case(
        AUC, AUC, [LEAK] * 3, ["A10"], ["A11"], "roc_auc is 0.750, 0.750, 0.750 with a shuffled target, 0.500 is chance"
    ),
    "a leak, no interval": Case(
        {"r2": 0.6}, {"r2": 0.6}, [{"r2": 0.5}, {"r2": 0.4}, {"r2": 0.5}], ["A10"], ["A08", "A11"]
    ),
    "a leak in an error": Case(
        {"mae": 1.0, "dummy_mae": 3.0}, {"mae": 1.0, "dummy_mae": 3.0}, [{"mae": 1.1}] * 3, ["A10"], ["A11"]
    ),
    "one lucky shuffle": Case(AUC, AUC, [LEAK, CHANCE, CHANCE], [], ["A11"]),
    "learned by heart": Case(
        AUC | {"train_roc_auc": 1.1},
        AUC | {"train_roc_auc": 1.1},
        [CHANCE] * 3,
        ["A11"],
        [],
        "roc_auc 0.800 against 1.10",
    ),
    "a loss by heart": Case(
        {"loss": 0.5, "fit_loss": 0.2}, {"loss": 0.5, "fit_loss": 0.2}, [], ["A11"], ["A08", "A09", "A10"]
    ),
    "the last bit": Case(
        {"f1": 0.1 + 0.2}, {"f1": 0.3}, [], ["A15"], OPEN, "1 of 1 metrics: f1 0.30000000000000004 and 0.3"
    ),
    "a metric fewer": Case({"f1": 0.3, "n": 3}, {"f1": 0.3}, [], ["A15"], OPEN, "n 3 and nothing"),
    "clocks": Case(
        {"f1": 0.3, "fit_seconds": 1, "peak_mb": 3}, {"f1": 0.3, "fit_seconds": 2, "peak_mb": 4}, [], [], OPEN
    ),
    "not shuffled": Case(AUC, AUC, [AUC] * 3, [], ["A09", "A10", "A11"]),
    "shuffled ones failed": Case(AUC, AUC, [CHANCE, {}, CHANCE], [], ["A09", "A10", "A11"]),
    "again failed": Case(AUC, {}, [CHANCE] * 3, [], ["A11", "A15"]),
    "nothing known": Case({"thing": 1.0}, {"thing": 1.0}, [{"thing": 2.0}] * 3, [], OPEN),
    "failed": Case({}, {}, [], [], [*OPEN, "A15"]),
}


def outcome(job_id: str, metrics: Metrics) -> Outcome:
    status = Status.PASSED if metrics else Status.FAILED
    return Outcome(job_id=job_id, kind="function", title="", status=status, metrics=dict(metrics), reason="raised Boom")


def audited(case: Case, mode: str = "all") -> JobAudit:
    job = Job(id="als", kind="function", source="", home="", root="")
    shuffled = [outcome(f"als-shuffled-{number}", metrics) for number, metrics in enumerate(case.shuffled, 1)]
    return audit_job(Trained(job, outcome("als", case.metrics), outcome("als-again", case.again), shuffled), mode)


@pytest.mark.parametrize("name", CASES)
def test_metrics_show_what_they_can_and_nothing_else(name: str) -> None:
    case = CASES[name]
    audit = audited(case)
    assert [finding.code for finding in audit.findings] == list(case.findings), audit.findings
    assert [code for code in audit.unchecked if code in OF_METRICS] == list(case.unchecked), audit.unchecked
    assert set(audit.unchecked) >= CHECKS.keys() - OF_METRICS.keys()
    assert {*audit.passed, *audit.unchecked, *case.findings} == set(CHECKS)
    assert case.said in " ".join(finding.sentence for finding in audit.findings)


def test_two_trainings_alone_are_one_check() -> None:
    audit = audited(CASES["the last bit"], "twice")
    assert ([finding.code for finding in audit.findings], audit.unchecked, audit.passed) == (["A15"], {}, ())


def test_each_check_has_its_section() -> None:
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^### (A\d\d): (.+)$", page, re.MULTILINE)) == CHECKS
