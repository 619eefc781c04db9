"""The run's folder goes away, or its plan is damaged, while workers start: one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from sessions import Project, text

CONFTEST = """
import shutil
from pathlib import Path

def pytest_configure_node(node):
    if node.gateway.id == "{worker}":
        (plan,) = Path("reports").glob("runs/*/plan.json")
        {what}
"""
SLOW = pytest.mark.slow


@pytest.mark.parametrize("worker", ["gw0", pytest.param("gw1", marks=SLOW)])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("shutil.rmtree('reports')", "expected a plan: No such file or directory"),
        pytest.param("plan.unlink()", "expected a plan: No such file or directory", marks=SLOW),
        pytest.param("plan.write_text('{')", "expected a plan as JSON: ", marks=SLOW),
    ],
)
def test_a_worker_without_a_plan_ends_the_run_with_one_line(tmp_path: Path, what: str, said: str, worker: str) -> None:
    project = Project(tmp_path)
    project.jobs("als", "stroke")
    project.write("conftest.py", CONFTEST.format(worker=worker, what=what))
    result = project.run("-n", "2")
    printed = text(result)
    assert result.ret == pytest.ExitCode.INTERRUPTED, printed
    (line,) = [line for line in printed.splitlines() if said in line]
    assert "the run's folder must stay while it goes on" in line
    assert "INTERNALERROR" not in printed
    assert "Traceback" not in printed
