"""Workers train what the owner has selected: by count, by position, by chance, once or again.

Each selector is a plugin that does what public ones do (pytest-split, -shard, -random-order, -randomly, -reverse,
-test-groups), or a project's own conftest.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sessions import Project, text

FIRST_HALF = """
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    keep, drop = items[: (len(items) + 1) // 2], items[(len(items) + 1) // 2 :]
    items[:] = keep
    config.hook.pytest_deselected(items=drop)
"""
EVERY_SECOND = """
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    del items[1::2]
"""
BY_CHANCE = """
import random

def pytest_collection_modifyitems(items):
    chosen = random.Random(os.getpid()).sample(items, (len(items) + 1) // 2)
    items[:] = chosen
"""
AROUND_ALL_OTHERS = """
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    result = yield
    del items[(len(items) + 1) // 2 :]
    return result
"""
ONLY_IN_WORKERS = """
def pytest_collection_modifyitems(items):
    if "PYTEST_XDIST_WORKER" in os.environ:
        del items[0]
    else:
        del items[3:]
"""
SHUFFLED = """
import random

def pytest_collection_modifyitems(items):
    random.Random(os.getpid()).shuffle(items)
    del items[3:]
"""
RENAMED = """
def pytest_collection_modifyitems(items):
    for item in items:
        item._nodeid = item.nodeid.upper()
    del items[(len(items) + 1) // 2 :]
"""
SELECTORS = {
    name.lower().replace("_", " "): value
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, str)
}
"""Each selects three of five jobs."""
HEAD = "import os, pytest\n"


def selected(root: Path, *selectors: str, jobs: int = 5) -> Project:
    """Return a project with so many jobs, and these plugins beside it."""
    project = Project(root)
    project.jobs(*"abcdefghijklmnopqrstuvwxyz"[:jobs])
    for number, selector in enumerate(selectors):
        project.write(f"selector_{number}.py", HEAD + selector)
    return project


def plugins(count: int) -> list[str]:
    return [word for number in range(count) for word in ("-p", f"selector_{number}")]


def test_workers_train_what_the_owner_has_selected(tmp_path: Path) -> None:
    project = selected(tmp_path, EVERY_SECOND, BY_CHANCE, ONLY_IN_WORKERS, RENAMED, jobs=26)
    result = project.run("-n", "2", *plugins(4), env={"PYTHONPATH": str(tmp_path)})
    assert result.ret == 0, text(result)
    assert 2 <= result.parseoutcomes()["passed"] == len(project.statuses()) <= 4


@pytest.mark.slow
def test_jobs_and_ordinary_tests_are_selected_together(tmp_path: Path) -> None:
    project = selected(tmp_path, FIRST_HALF, jobs=4)
    project.write("test_ordinary.py", "def test_1(): pass\ndef test_2(): pass\n")
    project.run("-n", "2", *plugins(1), env={"PYTHONPATH": str(tmp_path)}).assert_outcomes(passed=3, deselected=3)
    assert project.statuses().keys() == {"a", "b", "c"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dist"), [*((name, "load") for name in SELECTORS), ("first half", "worksteal"), ("by chance", "loadgroup")]
)
def test_each_selector_selects_once(tmp_path: Path, name: str, dist: str) -> None:
    project = selected(tmp_path, SELECTORS[name])
    result = project.run("-n", "2", "--dist", dist, *plugins(1), env={"PYTHONPATH": str(tmp_path)})
    result.assert_outcomes(passed=3, deselected=result.parseoutcomes().get("deselected", 0))
    assert list(project.statuses().values()) == ["passed"] * 3
