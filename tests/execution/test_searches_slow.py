"""Searches beside Optuna used directly, and what pruning saves."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sessions import Project

optuna = pytest.importorskip("optuna")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TRIALS = 60
BRANIN = """
from math import cos, pi
def train(run, *, x=0.0, y=0.0):
    return {"loss": (y - 5.1 / (4 * pi**2) * x**2 + 5 / pi * x - 6) ** 2 + 10 * (1 - 1 / (8 * pi)) * cos(x) + 10}
"""
ACKLEY = """
from math import cos, e, exp, pi, sqrt
def train(run, *, x=0.0, y=0.0):
    far, waves = sqrt((x * x + y * y) / 2), (cos(2 * pi * x) + cos(2 * pi * y)) / 2
    return {"loss": -20 * exp(-0.2 * far) - exp(waves) + e + 20}
"""
ROSENBROCK = """
def train(run, *, x=0.0, y=0.0, scale="plain"):
    return {"loss": ((1 - x) ** 2 + 100 * (y - x * x) ** 2) * (2 if scale == "doubled" else 1)}
"""
DIABETES = """
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
def train(run, *, alpha=1.0, intercept=True):
    model = Ridge(alpha=alpha, fit_intercept=intercept)
    return {"r2": cross_val_score(model, *load_diabetes(return_X_y=True), scoring="r2", cv=3).mean()}
"""
PLANE = {"x": (-5.0, 10.0), "y": (0.0, 15.0)}
SEARCHES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "branin": (BRANIN, "loss", PLANE),
    "ackley": (ACKLEY, "loss", {"x": (-5.0, 5.0), "y": (-5.0, 5.0)}),
    "rosenbrock": (ROSENBROCK, "loss", {"x": (-2.0, 2.0), "y": (-1.0, 3.0), "scale": ["plain", "doubled"]}),
    "diabetes": (DIABETES, "r2", {"alpha": (1e-4, 100.0), "intercept": [False, True]}),
}


def outcomes(project: Project, job_id: str) -> list[dict[str, Any]]:
    """Return the newest outcome of each trial, by its number."""
    files = sorted(project.reports.glob(f"runs/*/jobs/{job_id}-trial-*/outcome.json"))
    newest = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in files}
    return [newest[name] for name in sorted(newest)]


def journal(project: Project) -> Path:
    """Return the newest run's journal."""
    return max(project.reports.glob("runs/*/optuna.journal"))


def directly(path: Path, metric: str, spaces: dict[str, Any]) -> list[float]:
    """Return the values of the trials of Optuna itself."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def objective(trial: Any) -> float:
        drawn = {
            name: trial.suggest_categorical(name, space)
            if isinstance(space, list)
            else trial.suggest_float(name, *space, log=name == "alpha")
            for name, space in spaces.items()
        }
        return float(module.train(SimpleNamespace(seed=3), **drawn)[metric])

    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=3), direction="minimize" if metric == "loss" else "maximize"
    )
    study.optimize(objective, n_trials=TRIALS)
    return [trial.value for trial in study.trials]


def test_one_slot_ends_where_optuna_ends(tmp_path: Path) -> None:
    project, jobs = Project(tmp_path), {}
    for name, (source, metric, spaces) in SEARCHES.items():
        project.write(f"training/train_{name}.py", source)
        parameters = {
            each: space if isinstance(space, list) else {"low": space[0], "high": space[1], "log": each == "alpha"}
            for each, space in spaces.items()
        }
        jobs[name] = {"search": {"trials": TRIALS, "metric": metric, "parameters": parameters}}
    project.write("training/jobs.yaml", json.dumps({"jobs": jobs}))
    project.run("--training-seed", "3")
    for name, (_, metric, spaces) in SEARCHES.items():
        values = [each["metrics"][metric] for each in outcomes(project, name)]
        direct = directly(project.root / f"training/train_{name}.py", metric, spaces)
        assert values == pytest.approx(direct, rel=1e-9)
        best = min if metric == "loss" else max
        assert best(values) == pytest.approx(best(direct), rel=0.01)


EPOCHS = 40
CURVE = f"""
import time
def train(run, *, rate=0.1):
    for epoch in range(1, {EPOCHS + 1}):
        loss = abs(rate - 0.37) + 1 / epoch
        run.log(epoch=epoch, loss=loss)
        time.sleep(0.02)
    return {{"loss": loss}}
"""
SEARCH = "{trials: %d, metric: loss, parameters: {rate: {low: 0.0, high: 1.0}}, sampler: random, pruner: %s}"


def test_asha_saves_half_of_the_epochs_and_no_slot_draws_ahead(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("training/train_curve.py", CURVE)
    project.write("training/jobs.yaml", f"jobs: {{curve: {{search: {SEARCH % (TRIALS, 'asha')}}}}}")
    project.run("-n", "4")
    trials = outcomes(project, "curve")
    assert len(trials) == TRIALS
    # Curves do not cross, so that pruning cannot change the best of what was drawn.
    best = min(abs(each["parameters"]["rate"] - 0.37) for each in trials) + 1 / EPOCHS
    assert min(each["metrics"]["loss"] for each in trials if each["status"] == "passed") == best
    events = project.reports.glob("runs/*/jobs/curve-trial-*/attempt-1/events.jsonl")
    trained = sum(path.read_text(encoding="utf-8").count('"loss"') for path in events)
    assert trained < TRIALS * EPOCHS / 2
    assert all(each["cause"] in {None, "pruned"} for each in trials)
    assert most_at_once(journal(project)) <= 4


def most_at_once(path: Path) -> int:
    """Return the largest number of trials that had been drawn and had not ended."""
    drawn, most = 0, 0
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        drawn += (entry["op_code"] == 4) - (entry["op_code"] == 6 and entry["state"] in {1, 2, 3})
        most = max(most, drawn)
    return most


def test_a_search_is_extended_by_what_has_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path)
    body = 'if a > 640 and os.environ.get("FAIL"): raise RuntimeError("a is big")\nreturn {"auc": a / 1000}'
    project.job("q", body, top="import os", parameters="a=1, epochs=4")

    def train(trials: int, *options: str, high: int = 1000) -> list[dict[str, Any]]:
        spaces = f"{{trials: {trials}, metric: auc, parameters: {{a: {{low: 1, high: {high}}}}}}}"
        project.write("training/jobs.yaml", f"jobs: {{q: {{search: {spaces}}}}}")
        said = project.run("--training-skip-unchanged", *options)
        assert "warning:" not in said.stdout.str() + said.stderr.str()
        return [each for job_id, each in sorted(project.metadata().items()) if job_id != "q"]

    monkeypatch.setenv("FAIL", "1")
    first, second = train(4), train(6)
    monkeypatch.delenv("FAIL")
    third = train(6, "-n", "2")
    drawn = [each["parameters"] for each in third]
    assert [each["parameters"] for each in first] == drawn[:4]
    assert [each["parameters"] for each in second] == drawn
    assert len({each["a"] for each in drawn}) == 6
    assert {each["cause"] for each in first} == {None, "error"}
    assert [each["cause"] for each in third] == [None if each["cause"] == "error" else "unchanged" for each in second]
    assert project.metadata()["q"]["parameters"] == max(drawn, key=lambda each: each["a"])
    fourth = train(6)
    assert [each["parameters"] for each in fourth] == drawn
    assert {each["cause"] for each in fourth} == {"unchanged"}
    assert project.metadata()["q"]["cause"] == "unchanged"
    assert {each["status"] for each in train(6, high=10)} == {"passed"}
    runs = len([*project.reports.glob("runs/*")])
    refused = project.run("-k", "q-trial-003")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    assert len([*project.reports.glob("runs/*")]) == runs
