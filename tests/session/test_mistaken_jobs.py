"""Mistakes in job files: each fails its own job with a sentence, and the others train."""

from __future__ import annotations

from pathlib import Path

import pytest
from sessions import Project

MISTAKES = {
    "position": ("def train(run, epochs=5):\n    return {}\n", "train takes 'epochs' by position"),
    "dynamic": ("LEAST = 1\nGATES = {'auc': f'>= {LEAST}'}\ndef train(run):\n    return {}\n", "one literal dict"),
    "gates": ("GATES = {'a': 'high', 'b': 1}\ndef train(run):\n    return {}\n", "gate of 'b': expected"),
    "both": ("GATES = {'a': 'high'}\ndef train(run, x):\n    return {}\n", "gate of 'a': expected"),
    "coroutine": ("async def train(run):\n    return {}\n", "`async def train` cannot be a job"),
    "keywords": ("def train(run, **kw):\n    return {}\n", "train takes **kw"),
    "varied": ("def train(run, *rest):\n    return {}\n", "train takes *rest"),
    "dataset": ("def train(run):\n    run.data('nowhere')\n", "uses the dataset 'nowhere', which the catalogue"),
    "required": ("def train(run, *, rate):\n    return {}\n", "needs a value for rate"),
    "syntax": ("def train(run:\n", "SyntaxError"),
    "encoding": ("# coding: nowhere\ndef train(run):\n    return {}\n", "nowhere"),
}


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_mistake_in_a_file_fails_its_job_alone(tmp_path: Path, workers: str) -> None:
    project = Project(tmp_path)
    for job_id, (text, _) in MISTAKES.items():
        project.write(f"training/train_{job_id}.py", text)
    project.jobs("healthy")
    ended = project.run("-n", workers)
    assert ended.ret == pytest.ExitCode.TESTS_FAILED
    ended.assert_outcomes(passed=1, failed=len(MISTAKES))
    jobs = project.metadata()
    assert jobs["healthy"]["status"] == "passed"
    for job_id, (_, sentence) in MISTAKES.items():
        assert (jobs[job_id]["status"], sentence in jobs[job_id]["reason"]) == ("failed", True), jobs[job_id]["reason"]
    assert "gate of 'a'" in jobs["gates"]["reason"]
    assert "train takes 'x' by position" in jobs["both"]["reason"]
