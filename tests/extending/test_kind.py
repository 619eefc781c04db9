"""A kind of job from outside, as docs/extending.md shows it, does all that the plugin's own kinds do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from sessions import Project, text

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## A kind of job\n")[2].partition("\n## ")[0]
FILES = dict(re.findall(r"```(?:python|sh)\n# (\S+)\n(.*?)```", SECTION, re.DOTALL))
LONGEST = 40
"""Lines of a kind from outside."""
SCORES = """\
# Scores as told
: ${SCORE:=90}
echo "{\\"accuracy\\": 0.$SCORE, \\"name\\": \\"x\\"}" > "$TRAINING_FOLDER/metrics.json"
"""
CATALOGUE = """
defaults: {gates: {accuracy: ">= 0.8"}}
jobs:
  good: {tags: [quick], needs: [slope]}
  poor: {parameters: {score: 20}}
  endless: {timeout: 1s}
  slope: {gates: {accuracy: null, r2: ">= 0.8"}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    for name, content in FILES.items():
        project.write(name, content)
    project.write("training/train_good.sh", SCORES)
    project.write("training/train_poor.sh", SCORES)
    project.write("training/train_broken.sh", "echo about to fail\nexit 3\n")
    project.write("training/train_endless.sh", "while :; do sleep 1; done\n")
    project.write("training/jobs.yaml", CATALOGUE)
    return project


def test_the_kind_is_short() -> None:
    assert len(FILES["conftest.py"].splitlines()) <= LONGEST
    ast.parse(FILES["conftest.py"])


@pytest.mark.parametrize(
    "options", [("-n", "0"), ("-n", "2"), ("--training-in-process",), ("-o", "training_start=subprocess")]
)
def test_jobs_of_the_kind_pass_fail_and_are_ended_like_any_others(project: Project, options: tuple[str, ...]) -> None:
    ended = project.run(*options)
    ended.assert_outcomes(passed=2, failed=3)
    jobs = project.metadata()
    assert {job["kind"] for job in jobs.values()} == {"shell"}
    assert {job_id: (job["status"], job["cause"]) for job_id, job in jobs.items()} == {
        "good": ("passed", None),
        "slope": ("passed", None),
        "poor": ("failed", "gate"),
        "broken": ("failed", "exit"),
        "endless": ("failed", "timeout"),
    }
    assert jobs["good"]["metrics"] == {"accuracy": 0.9}
    assert jobs["poor"]["reason"] == "accuracy is 0.2, required >= 0.8"
    assert jobs["broken"]["reason"] == "ended with exit status 3"
    ended.stdout.fnmatch_lines(["*about to fail"])
    assert jobs["good"]["title"] == "Scores as told"


def test_parameters_of_the_kind_are_set_and_selected_like_any_others(project: Project) -> None:
    ended = project.run("-k", "slope or good", "--epochs", "7", "--set", "good.score=95")
    ended.assert_outcomes(passed=2, deselected=3)
    jobs = project.metadata()
    assert jobs["slope"]["parameters"] == {"epochs": 7, "folds": 5}
    assert jobs["good"]["metrics"] == {"accuracy": 0.95}
    log = next(project.root.glob("reports/runs/*/jobs/slope/attempt-1/log.txt"))
    assert log.read_text() == "7 epochs, 5 folds, seed 0\n"


def test_a_value_of_the_wrong_type_is_a_usage_error(project: Project) -> None:
    ended = project.run("--set", "good.score=high")
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines(["*--set good.score: expected a whole number, found 'high'*"])


def test_a_kind_that_cannot_start_a_job_fails_that_job_alone(project: Project) -> None:
    project.write(
        "conftest.py", FILES["conftest.py"].replace('"""Return the shell,', 'job.path / "a"; """Return the shell,')
    )
    project.write("training/train_python.py", "print(1)")
    project.write("training/jobs.yaml", "")
    ended = project.run()
    jobs = project.metadata()
    assert jobs["python"]["status"] == "passed", text(ended)
    assert jobs["good"]["reason"].startswith("kind 'shell' cannot start it: TypeError: unsupported operand")
