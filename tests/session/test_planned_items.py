"""What a test's fixture holds is the job of the plan, in every process."""

from __future__ import annotations

from pathlib import Path

import pytest
from sessions import Project, text

TEST = """
def test_training_job(training_job):
    gates = [gate.threshold for gate in training_job.job.gates]
    open(f"gates-{training_job.job.id}", "w").write(str(gates))
    training_job.train(), training_job.check()
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_item_holds_the_gates_that_the_plan_has_added(tmp_path: Path, workers: str) -> None:
    project = Project(tmp_path)
    project.job("a", "return {'r2': 0.5}", top="GATES = {'r2': '>= 0.1'}")
    project.job("b", "return {'r2': 0.5}", top="GATES = {'r2': '>= 0.1'}")
    project.write("test_jobs.py", TEST)
    project.run()
    compared = project.run("-n", workers, "--training-max-regression", "0.1")
    assert compared.ret == 0, text(compared)
    assert [Path(tmp_path, f"gates-{name}").read_text() for name in "ab"] == ["[0.1, 0.4]"] * 2
