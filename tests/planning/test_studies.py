"""Studies become trials: names, options, parameters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs.project import Project

from pytest_training.jobs.model import Job
from pytest_training.jobs.trials import in_id
from pytest_training.planning.steps import PLAN, Draft, Request, advance

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "depth": st.integers(-9, 10**6),
    "rate": st.floats(-1e9, 1e9, allow_nan=False),
    "name": st.text("ab cé/-.", min_size=1, max_size=5).filter(str.strip),
    "deep": st.booleans(),
    "free": st.none() | st.integers(0, 9),
}


def planned(project: Project, **request: Any) -> dict[str, Job]:
    """Return the jobs of a dry plan by id."""
    places: dict[str, Any] = {"project": project.root, "root": project.training, "reports": project.root / "reports"}
    draft = advance(Draft(request=Request(**places, **request), is_dry=True), PLAN)
    return {each.job.id: each.job for each in draft.plan.jobs}


@pytest.fixture
def forest(project: Project) -> Project:
    project.write(
        "training/train_forest.py",
        """
        def train(run, *, depth=3, rate=0.1, name="x", deep=False, free=None, epochs=2):
            return {"auc": 0.8}
        """,
    )
    return project


@given(data=st.data(), count=st.integers(0, 3), number=st.integers(0, 20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_an_id_says_the_parameters_and_the_seed_of_its_trial(
    forest: Project, data: st.DataObject, count: int, number: int
) -> None:
    names = data.draw(st.lists(st.sampled_from([*VALUES]), unique=True, max_size=3))
    matrix = {name: data.draw(st.lists(VALUES[name], min_size=1, max_size=3, unique_by=in_id)) for name in names}
    options = [f"forest.{name}={','.join(map(_text, values))}" for name, values in matrix.items()]
    jobs = planned(
        forest, matrix=tuple(options), seeds=str(count) if count else None, seed=number, settings=("*.epochs=9",)
    )
    own = jobs.pop("forest")
    assert set(own.needs) == (jobs.keys() if names or count else set())
    for job_id, job in jobs.items():
        words = [f"{name}-{in_id(job.parameters[name])}" for name in names]
        seed = [] if job.seed is None else [f"seed-{job.seed}"]
        assert job_id == "-".join(["forest", *words, *seed])
        assert {name: job.parameters[name] for name in names}.items() <= job.parameters.items()
        assert job.parameters["epochs"] == 9
    combinations = [tuple(job.parameters[name] for name in names) for job in jobs.values()]
    assert all(combinations.count(each) == max(count, 1) for each in combinations)


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else f'"{value}"'
