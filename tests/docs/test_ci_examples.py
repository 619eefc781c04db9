"""The CI examples of docs/ci/: valid, and their pytest command lines select jobs of this repository."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def example(name: str) -> Any:
    return yaml.safe_load((ROOT / "docs/ci" / name).read_text(encoding="utf-8"))


def commands() -> Iterator[str]:
    """Yield each example's pytest command for each of its groups."""
    github = example("github.yml")["jobs"]["train"]
    for step in github["steps"]:
        if step.get("run", "").startswith("pytest"):
            for group in github["strategy"]["matrix"]["group"]:
                yield step["run"].replace("${{ matrix.group }}", group)
    gitlab = example("gitlab.yml")["train"]
    for line in gitlab["script"]:
        if line.startswith("pytest"):
            for group in gitlab["parallel"]["matrix"][0]["GROUP"]:
                yield line.replace("$GROUP", group)


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(set(commands())))
def test_the_command_of_an_example_selects_jobs(command: str) -> None:
    words = shlex.split(command)
    assert words[0] == "pytest"
    done = subprocess.run(
        [sys.executable, "-m", *words, "--collect-only", "-q"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_training_job[" in done.stdout


def test_the_paths_of_the_examples_are_those_that_a_run_writes() -> None:
    gitlab = example("gitlab.yml")["train"]
    assert gitlab["artifacts"]["reports"]["junit"] == "reports/junit.xml"
    assert gitlab["artifacts"]["when"] == "always"
    steps = example("github.yml")["jobs"]["train"]["steps"]
    upload = next(step for step in steps if "upload-artifact" in step.get("uses", ""))
    assert upload["with"]["path"] == "reports"
    assert upload["if"] == "always()"
    caches = [gitlab["cache"]["paths"], *([step["with"]["path"]] for step in steps if "actions/cache" in str(step))]
    assert caches == [["reports/history.sqlite"]] * 2


def test_gitlab_publishes_the_page_of_each_group(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    for name in ("index.html", "junit.xml"):
        (tmp_path / "reports" / name).touch()
    found = example("gitlab.yml")
    groups = found["train"]["parallel"]["matrix"][0]["GROUP"]
    for group in groups:
        run_lines(found["train"]["after_script"], tmp_path, {"GROUP": group})
    run_lines(found["pages"]["script"], tmp_path, {})
    (kept,) = found["pages"]["artifacts"]["paths"]
    assert found["train"]["artifacts"]["paths"] == [kept]
    assert all((tmp_path / kept / group / "index.html").exists() for group in groups)


def run_lines(lines: list[str], folder: Path, more: dict[str, str]) -> None:
    for line in lines:
        subprocess.run(["bash", "-ec", line], cwd=folder, env=os.environ | more, check=True)
