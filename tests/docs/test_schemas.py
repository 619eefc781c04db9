"""The schemas in docs/ are those of the files that a run really leaves."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import every_kind
import jsonschema
import pytest
from every_kind import REASONS
from sessions import Project, text

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
import make_schemas  # noqa: E402  (after its folder is on the path)


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / "schemas" / name).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", sorted(make_schemas.SCHEMAS))
def test_each_schema_is_as_its_types_say(name: str) -> None:
    written = (DOCS / "schemas" / name).read_text(encoding="utf-8")
    assert written == make_schemas.text(make_schemas.schemas()[name]), "run: python docs/make_schemas.py"
    jsonschema.Draft202012Validator.check_schema(schema(name))


@pytest.mark.slow
def test_what_a_run_leaves_is_valid(tmp_path: Path) -> None:
    project = Project(tmp_path)
    every_kind.make(project)
    result = project.run("-n", "2")
    assert result.ret == 1, text(result)
    report = project.report()
    assert {job_id: project.statuses()[job_id] for job_id in REASONS} == {
        job_id: status for job_id, (status, _) in REASONS.items()
    }
    jsonschema.validate(report["training"], schema("training.json"))
    for test in report["tests"]:
        jsonschema.validate(test["metadata"], schema("job.json"))
    (folder,) = (project.reports / "runs").iterdir()
    jsonschema.validate(json.loads((folder / "plan.json").read_text()), schema("plan.json"))
    results = {path.parts[-3]: json.loads(path.read_text()) for path in folder.glob("jobs/*/attempt-*/result.json")}
    assert {"good", "weak", "broken", "same"} <= set(results)
    for found in results.values():
        jsonschema.validate(found, schema("result.json"))


@pytest.mark.parametrize("name", sorted(make_schemas.SCHEMAS))
def test_a_schema_refuses_what_no_run_leaves(name: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"no such key": 1}, schema(name))
