"""Every trained job that says more than metrics leaves its cards among its artifacts, and no other job."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from sessions import Project, text

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"

DESCRIBED = """
table, target = {"age": [50, 60, 70, 80]}, [0, 1, 0, 1]
run.describe(table, target, classes=("well", "ill"), who=f"Patients of {key}.", units={"age": "years"})
run.save("model.json", {})
return {"auc": 0.7}
"""
PREDICTED = """
run.predictions([0, 1] * 20, [0.2, 0.7, 0.4, 0.6] * 10)
run.predictions([1.5, 2.5] * 20, [1.0, 2.0, 1.5, 3.0] * 10, name="points")
"""
STATED = "import json\njson.dump({'loss': 0.5}, open('metrics.json', 'w'))\n"
CATALOGUE = """
defaults: {card: {ethics: Not needed for made-up numbers.}}
jobs:
  described: {gates: {auc: ">= 0.8"}, secret: {key: HIDDEN_PLACE}}
  plain: {card: {ethics: null}}
  broken: {card: {ethics: null, intended_use: None.}}
"""


def test_cards_of_every_kind_of_job(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(pytester.path, pytester)
    project.job("described", DESCRIBED, parameters="key='x'")
    project.job("predicted", PREDICTED)
    project.job("plain")
    project.job("broken", "raise ValueError('no')")
    project.write("training/train_stated.py", STATED)
    project.write("training/jobs.yaml", CATALOGUE)
    monkeypatch.setenv("HIDDEN_PLACE", "Baker Street 221b")
    result = project.run("-n", "2")
    listed = {name: [Path(path).name for path in job["artifacts"]] for name, job in project.metadata().items()}
    assert listed == {
        "described": ["model.json", "model_card.md", "tripod_ai.md"],
        "predicted": ["model_card.md", "tripod_ai.md"],
        "stated": ["model_card.md", "tripod_ai.md"],
        "plain": [],
        "broken": [],
    }, text(result)
    for job_id, name in (("described", "description.json"), ("predicted", "evaluation.json")):
        (path,) = project.reports.glob(f"runs/*/jobs/{job_id}/attempt-1/{name}")
        jsonschema.validate(json.loads(path.read_text()), json.loads((SCHEMAS / name).read_text()))
    card, predicted, stated = (card_of(project, job_id) for job_id in ("described", "predicted", "stated"))
    assert "**The job did not pass.** auc is 0.7, required" in card
    assert "Patients of \\*\\*\\*." in card
    assert "| age | years | 0 | 65 (57.5 to 72.5) |" in card
    assert "221b" not in card
    assert "Intervals: 95 %: DeLong's method over 40 people" in predicted
    assert "; 95 %: the infinitesimal jackknife over 40 people" in predicted, "DeLong's method is for classes"
    assert "- ethics: Not needed for made-up numbers." in stated
    checklist = card_of(project, "predicted", "tripod_ai.md")
    assert "| 15 | Model output |" in checklist
    assert "The risk of 1; from 0.5 on somebody counts as positive." in checklist


def card_of(project: Project, job_id: str, name: str = "model_card.md") -> str:
    (path,) = project.reports.glob(f"runs/*/jobs/{job_id}/attempt-1/artifacts/{name}")
    return path.read_text()
