"""Discovery and catalogue in one step."""

from __future__ import annotations

import subprocess
import sys

from pytest_training.jobs.loading import load_jobs

from .project import Project, message


def test_a_project_without_catalogue_has_the_discovered_jobs(project: Project) -> None:
    project.function("a")
    assert load_jobs(project.training, project.root) == (project.discovered(), [])


def test_a_named_catalogue_is_used_instead_of_the_usual_one(project: Project) -> None:
    project.function("a")
    project.write("training/jobs.yaml", "jobs: {a: {retries: 1}}")
    other = project.write("ci/nightly.yaml", "jobs: {a: {retries: 2}}\ndata: {d: {path: x.csv}}")
    [job], [dataset] = load_jobs(project.training, project.root, other)
    assert job.retries == 2
    assert (dataset.home, dataset.declared) == (str(project.root / "ci"), "ci/nightly.yaml:2")


def test_a_named_catalogue_must_exist(project: Project) -> None:
    missing = project.root / "nothing.yaml"
    assert message(lambda: load_jobs(project.training, project.root, missing)) == (
        f"{missing}: no such catalogue: expected a YAML file like training/jobs.yaml"
    )


def test_loading_imports_nothing_heavy(project: Project) -> None:
    project.write("training/train_a.py", "import numpy, sklearn, yaml\ndef train(run): ...\n")
    program = (
        "import sys; from pathlib import Path; from pytest_training.jobs.loading import load_jobs;"
        f"load_jobs(Path({str(project.training)!r}), Path({str(project.root)!r}));"
        "print(sorted({'numpy', 'sklearn', 'yaml', 'pytest', 'rich', 'pooch', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
