"""The schemas in docs/ are those of the files that a run really leaves."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sessions import Project, text

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
import make_schemas  # noqa: E402


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / "schemas" / name).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", sorted(make_schemas.SCHEMAS))
def test_each_schema_is_as_its_types_say(name: str) -> None:
    written = (DOCS / "schemas" / name).read_text(encoding="utf-8")
    assert written == make_schemas.text(make_schemas.schemas()[name]), "run: python docs/make_schemas.py"
    jsonschema.Draft202012Validator.check_schema(schema(name))


def test_what_a_run_leaves_is_valid(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.job("als", 'run.log(epoch=1); return {"r2": 0.3}', top='GATES = {"r2": ">= 0.1"}', parameters="epochs=3")
    project.job("stroke", 'raise ValueError("no data")')
    result = project.run("-n", "2")
    assert result.ret == 1, text(result)
    report = project.report()
    jsonschema.validate(report["training"], schema("training.json"))
    for test in report["tests"]:
        jsonschema.validate(test["metadata"], schema("job.json"))
    (folder,) = (project.reports / "runs").iterdir()
    jsonschema.validate(json.loads((folder / "plan.json").read_text()), schema("plan.json"))
    results = [*folder.glob("jobs/*/attempt-1/result.json")]
    assert len(results) == 2
    for path in results:
        jsonschema.validate(json.loads(path.read_text()), schema("result.json"))
