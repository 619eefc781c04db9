"""Earlier outcomes in a plan: which metric a job is held to, with which words, and which predictions are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_training.evaluation.noise import EarlierMetric, Mean
from pytest_training.execution.outcome import Attempt, Outcome, Status, StudyResult
from pytest_training.jobs.gates import parse_gates
from pytest_training.jobs.model import Gate, Job, Parameter, Plan, PlannedJob, Search, Space, Study
from pytest_training.jobs.trials import varied_by
from pytest_training.planning.regressions import with_comparison
from pytest_training.planning.steps import Request
from pytest_training.records.history import History
from pytest_training.records.run_record import RunRecord, provenance

RUN = "20260105-100000-abcd"
SEEDS = StudyResult(metric="auc", direction="higher", seeds=5)


def job(job_id: str = "als", gates: dict[str, str] | None = None, **fields: Any) -> Job:
    parsed = (gate for metric, text in (gates or {}).items() for gate in parse_gates(metric, text, ""))
    values: dict[str, Any] = {"kind": "function", "source": "", "home": "", "root": "", "gates": tuple(parsed)}
    return Job(id=job_id, **values | fields)


def planned(
    reports: Path, jobs: Sequence[Job], earlier: dict[str, Any], *rules: str, is_dry: bool = False
) -> tuple[PlannedJob, ...]:
    """Return the planned jobs after a run in which each of them passed with these fields."""
    return with_problems(reports, jobs, earlier, *rules, is_dry=is_dry)[0].jobs


def with_problems(
    reports: Path, jobs: Sequence[Job], earlier: dict[str, Any], *rules: str, is_dry: bool = False
) -> tuple[Plan, list[str]]:
    """Return the plan and its problems after a run in which each job passed with these fields."""
    record = RunRecord(run_id=RUN, started="", ended="", seed=0, workers=1, exit_code=0)
    fields: dict[str, Any] = {"kind": "function", "title": "", "status": Status.PASSED} | earlier
    history = History(reports / "history.sqlite")
    history.add(record, [Outcome(job_id=each.id, **fields) for each in jobs], provenance(reports))
    plan = Plan(run_id="", seed=0, workers=1, threads=1, jobs=tuple(map(of_job, jobs)))
    request = Request(project=reports, root=reports, reports=reports, max_regression=rules)
    return with_comparison(plan, history, request, is_dry=is_dry)


def of_job(job: Job) -> PlannedJob:
    return PlannedJob(job=job, expected_s=None, expected_from="unknown")


def held(reports: Path, job: Job, earlier: dict[str, Any], *rules: str) -> list[Gate]:
    """Return the gates of a job that are made of its earlier outcome."""
    return [gate for gate in planned(reports, [job], earlier, *rules)[0].job.gates if gate.against]


METRICS = {"auc": 0.8, "auc_low": 0.7, "auc_high": 0.9, "mae": 44.5, "odd": 2.0, "odd_low": 1.0}
OF_SEEDS = {"metrics": {**METRICS, "auc_sd": 0.02, "auc_low": 0.78, "auc_high": 0.82}, "study": SEEDS}


@pytest.mark.parametrize(
    ("gates", "earlier", "rules", "expected"),
    [
        ({"auc": ">= 0.5", "mae": "<= 50"}, {"metrics": METRICS}, ["2%"], ["auc >= 0.784", "mae <= 45.39"]),
        ({"auc": ">= 0.5", "mae": "<= 50"}, {"metrics": METRICS}, ["0.02"], ["auc >= 0.78", "mae <= 44.52"]),
        ({"auc": ">= 0.5"}, {"metrics": METRICS}, ["mae=1"], ["mae <= 45.5"]),
        ({}, {"metrics": METRICS}, ["2%"], ["auc >= 0.784"]),  # the headline
        ({"auc_low": ">= 0.5"}, {"metrics": METRICS}, ["auc_low=0.1"], ["auc_low >= 0.6"]),  # as it is asked for
        ({"auc_low": ">= 0.5"}, {"metrics": METRICS}, ["2%"], ["auc >= 0.784"]),  # no interval's end
        ({"odd_low": ">= 0.5"}, {"metrics": METRICS}, ["10%"], ["odd >= 1.8"]),  # its gate says that more is better
        (
            {"auc_sd": "<= 0.1", "mae": "<= 50"},
            OF_SEEDS,
            ["2%"],
            ["mae <= 45.39"],
        ),  # a spread is no metric
        ({"auc": ">= 0.5"}, {"metrics": {"mae": 1.0}}, ["2%"], []),
    ],
)
def test_a_job_is_held_to_its_metrics(
    gates: dict[str, str], earlier: dict[str, Any], rules: list[str], expected: list[str], tmp_path: Path
) -> None:
    made = held(tmp_path, job(gates=gates), earlier, *rules)
    assert [f"{gate.metric} {gate.operator} {gate.threshold:g}" for gate in made] == expected


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        ({"metrics": METRICS}, EarlierMetric(RUN, 0.8)),
        (OF_SEEDS, EarlierMetric(RUN, 0.8, Mean(0.8, 0.02, 0.78, 0.82, 5))),
        ({"metrics": {**METRICS, "auc_sd": 0.02}}, EarlierMetric(RUN, 0.8)),  # a job's own number, of no seeds
    ],
)
def test_the_spread_of_earlier_seeds_is_kept(earlier: dict[str, Any], expected: EarlierMetric, tmp_path: Path) -> None:
    assert [gate.earlier for gate in held(tmp_path, job(), earlier, "2%")] == [expected]


SEARCH = Study(search=Search(trials=9, parameters={"depth": Space(low=1, high=9)}))


@pytest.mark.parametrize(
    ("job", "before", "words"),
    [
        (job(parameters={"epochs": 5}), {"epochs": 5}, ""),
        (job(parameters={"epochs": 5, "new": 1}), {"epochs": 9}, " with other parameters (epochs, new)"),
    ],
)
def test_other_parameters_are_named(job: Job, before: dict[str, Any], words: str, tmp_path: Path) -> None:
    (gate,) = held(tmp_path, job, {"metrics": METRICS, "parameters": before}, "2%")
    assert gate.against == f"0.8 in run {RUN}{words}, at most 2 % worse"


DECLARED = tuple(Parameter(name=name, default=0) for name in ("a", "b", "depth", "epochs", "seed"))


@pytest.mark.parametrize(
    ("study", "trials", "before", "words"),
    [
        (Study(seeds=(0, 1)), [{"a": 1, "b": 2}] * 2, {"a": 1, "b": 2}, ""),
        (Study(seeds=(0, 1)), [{"a": 1, "seed": 0}, {"a": 1, "seed": 1}], {"a": 1}, ""),
        (Study(seeds=(0, 1)), [{"a": 1, "b": 3}] * 2, {"a": 1, "b": 2}, " with other parameters (b)"),
        (Study(matrix={"a": (1, 2)}), [{"a": 1, "b": 2}, {"a": 2, "b": 2}], {"a": 7, "b": 2}, ""),  # which was the best
        (Study(matrix={"a": (1, 2)}), [{"a": 1}, {"a": 2, "b": 2}], {"a": 1, "b": 2}, ""),  # perhaps the same trial
        (Study(matrix={"a": (1, 2)}), [{"a": 1}, {"a": 2}], {"a": 1, "b": 2}, " with other parameters (b)"),
        (SEARCH, [{"epochs": 2}] * 2, {"depth": 2, "epochs": 2}, ""),
        (SEARCH, [{"epochs": 2}] * 2, {"depth": 2, "epochs": 5, "old": 1}, " with other parameters (epochs, old)"),
        (SEARCH, [], {"depth": 2, "epochs": 5}, ""),  # its trials are earlier ones
    ],
)
def test_other_parameters_of_a_study_are_those_of_all_its_trials(
    study: Study, trials: list[dict[str, Any]], before: dict[str, Any], words: str, tmp_path: Path
) -> None:
    seeds = study.seeds or [None] * len(trials)
    shared: dict[str, Any] = {"trial_of": "als", "varied": varied_by(study), "declared": DECLARED}
    jobs = [
        job(f"als-{number}", parameters=each, seed=seed, **shared)
        for number, (each, seed) in enumerate(zip(trials, seeds, strict=True))
    ]
    own, *_ = planned(tmp_path, [job(study=study), *jobs], {"metrics": METRICS, "parameters": before}, "2%")
    assert [gate.against for gate in own.job.gates] == [f"0.8 in run {RUN}{words}, at most 2 % worse"]


ATTEMPT = Attempt(number=2, status=Status.PASSED, folder="jobs/als/attempt-2")
PREDICTED = {"metrics": METRICS, "attempts": (ATTEMPT,), "interval_method": "95 %: …"}


@pytest.mark.parametrize(
    ("fields", "earlier", "is_dry", "expected"),
    [
        ({}, PREDICTED, False, {RUN: "jobs/als/attempt-2"}),
        ({}, PREDICTED, True, {}),
        ({}, PREDICTED | {"interval_method": ""}, False, {}),  # no predictions
        ({"twin_of": "als"}, PREDICTED, False, {}),
    ],
)
def test_the_plan_names_the_earlier_predictions(
    fields: dict[str, Any], earlier: dict[str, Any], expected: dict[str, str], tmp_path: Path, *, is_dry: bool
) -> None:
    assert planned(tmp_path, [job(**fields)], earlier, is_dry=is_dry)[0].earlier == expected


def test_trials_are_held_to_nothing_beside_their_study(tmp_path: Path) -> None:
    jobs = [job("als", study=Study(seeds=(0, 1))), job("als-seed-0", trial_of="als"), job("als-seed-1", trial_of="als")]
    assert [len(each.job.gates) for each in planned(tmp_path, jobs, OF_SEEDS, "2%")] == [1, 0, 0]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("2", ["--training-max-regression: every auc is >= -1.2: did you mean '%'?"]),
        ("mae=2", []),
        ("0.8", []),
        ("2%", []),
    ],
)
def test_a_rule_that_every_value_satisfies_is_named(rule: str, said: list[str], tmp_path: Path) -> None:
    gates = {"auc": ">= 0.5", "mae": "<= 50"}
    assert with_problems(tmp_path, [job(gates=gates)], {"metrics": METRICS}, rule)[1] == said
