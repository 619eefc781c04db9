"""`--training-audit` finds sixteen planted defects, each in a small job of its own, and nothing in an honest one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sessions import Project, text

from pytest_training.evaluation.finding import CHECKS

COMMON = '''
"""Small tables, and a model that is judged in five folds."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def table(run, rows=240, columns=4, noise=1.5):
    """Return random columns and a target that the first one says something about."""
    random = np.random.default_rng([run.seed, rows])
    x = pd.DataFrame(random.normal(size=(rows, columns)), columns=[f"x{number}" for number in range(columns)])
    y = (x["x0"] + noise * random.normal(size=rows) > 0).astype(int).to_numpy()
    return x, y, random


def logistic():
    return make_pipeline(StandardScaler(), LogisticRegression())


def judge(run, x, y, *, fold=None, person=None, model=logistic, train=False, worse=False):
    """Predict each fold by a model of the others, and state all that an audit asks for."""
    run.describe(x, y, person=person)
    fold = np.random.default_rng(run.seed).permutation(len(y)) % 5 if fold is None else fold
    score = np.zeros(len(y))
    for held_out in np.unique(fold):
        fit, rest = fold != held_out, fold == held_out
        fitted = model().fit(x[fit], y[fit])
        score[rest] = fitted.predict_proba(x[rest])[:, 1]
    if train:
        run.predictions(y, model().fit(x, y).predict_proba(x)[:, 1], name="train")
    run.predictions(y, 1 - score if worse else score, fold=fold, person=person)
'''
JOBS = {
    "honest": """
        x, y, _ = table(run)
        judge(run, x, run.target(y), train=True)
        run.choice("C", 1.0, among=[0.1, 1.0, 10.0])
    """,
    "A01": """
        x, y, random = table(run, 300)
        person = np.arange(300) % 60
        y = (x["x0"].to_numpy()[person] + random.normal(size=300) > 0).astype(int)
        judge(run, x, run.target(y, person), person=person)
    """,
    "A02": """
        x, y, random = table(run, 60, 8)
        visit = np.repeat(np.arange(60), 5)
        x = x.iloc[visit].reset_index(drop=True) + 0.02 * random.normal(size=(300, 8))
        judge(run, x, run.target(y[visit]))
    """,
    "A03": """
        x, y, random = table(run)
        again = np.r_[np.arange(240), random.permutation(240)[:60]]
        judge(run, x.iloc[again].reset_index(drop=True), run.target(y[again]))
    """,
    "A04": """
        x, y, random = table(run)
        judge(run, x.assign(charge=850 * y + random.normal(scale=90, size=240)), run.target(y))
    """,
    "A05": """
        x, y, random = table(run)
        first = 100 * random.random(240)
        second = first + np.where(y == 1, 1, -1) * (0.5 + random.random(240))
        judge(run, x.assign(systolic=first, later=second), run.target(y))
    """,
    "A06": """
        x, y, random = table(run)
        value = np.where(random.random(240) < np.where(y == 1, 0.95, 0.05), random.normal(size=240), np.nan)
        judge(run, x.assign(troponin=value), run.target(y), model=boosted)
    """,
    "A07": """
        x, y, random = table(run)
        order = np.argsort(-y, kind="stable")
        judge(run, x.iloc[order].reset_index(drop=True).assign(number=np.arange(240)), run.target(y[order]))
    """,
    "A08": """
        x, y, _ = table(run)
        judge(run, x, run.target(y), worse=True)
    """,
    "A09": """
        x, y, random = table(run)
        judge(run, x.drop(columns="x0"), run.target(random.permutation(y)))
    """,
    "A10": """
        x, y, random = table(run, 100, 1000, noise=50)
        y = run.target(y)
        best = np.argsort([-abs(np.corrcoef(x[name], y)[0, 1]) for name in x])[:10]
        judge(run, x.iloc[:, best], y)
    """,
    "A11": """
        x, y, _ = table(run)
        judge(run, x, run.target(y), train=True, model=lambda: DecisionTreeClassifier(random_state=0))
    """,
    "A12": """
        x, y, random = table(run, 300, noise=0.5)
        site = np.arange(300) % 5
        judge(run, x, run.target(np.where(site == 3, 1 - y, y)), fold=site)
    """,
    "A13": """
        x, y, _ = table(run)
        for _ in range(5):
            run.choice("C", 10.0, among=[0.1, 1.0, 10.0])
            run.choice("depth", 2, among=[1, 2, 3])
        judge(run, x, run.target(y))
    """,
    "A14": """
        x, y, random = table(run, 120)
        y = np.zeros(120, dtype=int)
        y[np.argsort(-x["x0"] - random.normal(size=120))[:12]] = 1
        judge(run, x, run.target(y), fold=np.argsort(np.argsort(y * 2 + random.random(120))) % 5)
    """,
    "A15": """
        x, y, _ = table(run)
        judge(run, x, run.target(y), fold=np.random.default_rng().permutation(240) % 5)
    """,
    "A16": """
        x, y, _ = table(run)
        y = run.target(y)
        run.describe(x, y)
        easy = np.flatnonzero(abs(x["x0"]) > 0.3)
        fold = np.arange(len(easy)) % 5
        score = 1 / (1 + np.exp(-x["x0"].to_numpy()[easy]))
        run.predictions(y[easy], score, fold=fold, row=easy)
    """,
}
TOP = """
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier
from tables import judge, table

def boosted():
    return HistGradientBoostingClassifier(max_iter=20, random_state=0)
"""


@pytest.mark.slow
def test_each_planted_defect_is_found_and_an_honest_job_has_none(tmp_path: Path) -> None:
    assert JOBS.keys() - {"honest"} == CHECKS.keys()
    project = Project(tmp_path)
    project.write("training/tables.py", COMMON)
    for name, body in JOBS.items():
        project.job(name.lower(), body, top=TOP)
    result = project.run("--training-audit", "-n", "2")
    audit = json.loads((project.reports / "audit.json").read_text())
    codes = {job["job_id"]: [finding["code"] for finding in job["findings"]] for job in audit["jobs"]}
    assert {name: codes[name.lower()] for name in JOBS if name not in [*codes[name.lower()], "honest"]} == {}, text(
        result
    )
    honest = next(job for job in audit["jobs"] if job["job_id"] == "honest")
    assert (honest["findings"], honest["unchecked"]) == ([], {})
    assert set(honest["passed"]) == CHECKS.keys()
    assert honest["facts"] == [
        "a regression with 4 predictors needs 383 people at least (Riley et al. 2019); here are 240"
    ]
