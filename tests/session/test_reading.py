"""`pytest --training-root .`: what a session says of the files that it reads to find those that train."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sessions import Project, text

BOMB = "raise SystemExit('somebody imported me')\n"
FILES = {
    "mnist/main.py": f"{BOMB}model.fit(x, y)\n",
    "mnist/net.py": "def fit(m):\n    m.fit(1, 2)\nif __name__ == '__main__':\n    print(1)\n",
    "config/train_small.py": "batch = 8\n",
}


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a repository without settings, tests and a training folder."""
    project = Project(pytester.path / "theirs", pytester)
    (project.root / "test_jobs.py").unlink()
    for name, content in FILES.items():
        project.write(name, content)
    monkeypatch.chdir(project.root)
    return project


def test_a_dry_run_says_why_a_file_was_taken_and_lists_with_v_what_was_left_out(project: Project) -> None:
    dry = text(project.here("--training-root", ".", "--collect-only", "-v"))
    assert "mnist  mnist/main.py\n    taken       mnist/main.py:2: calls model.fit\n" in dry
    left = [line for line in dry.splitlines() if line.startswith("left out: ")]
    assert left == [
        "left out: config/train_small.py: only defines or assigns",
        "left out: mnist/net.py: nothing that it runs trains",
    ]
    brief = text(project.here("--training-root", ".", "--collect-only"))
    assert "left out" not in brief


def test_a_dry_run_counts_files_that_cannot_be_read(project: Project) -> None:
    for name in ("old", "older"):
        project.write(f"{name}/solve.py", "for x, y in batches:\n    print 'loss', model.fit(x, y)\n")
    project.write("mnist/latin.py", "").write_bytes(b"x = '\xe4'\nmodel.fit(x)\n")
    brief = text(project.here("--training-root", ".", "--collect-only"))
    assert "3 files left out that Python cannot read: -v names each" in brief
    assert "Python cannot read" not in text(project.here("--training-root", ".", "--collect-only", "-v"))
    assert "Python cannot read" not in text(project.here("--training-root", ".", "--collect-only", "-qq"))


def test_a_dry_run_counts_notebooks_that_lack_the_tag(project: Project) -> None:
    project.write("notes/fit.ipynb", '{"nbformat": 4, "metadata": {}, "cells": []}')
    message = "1 notebook left out without a cell that has the tag parameters: -v names each"
    assert message in text(project.here("--training-root", ".", "--collect-only"))
    listed = text(project.here("--training-root", ".", "--collect-only", "-v"))
    assert "left out: notes/fit.ipynb: has no cell with the tag parameters" in listed
    assert message not in listed


@pytest.mark.parametrize(
    ("settings", "job"),
    [
        ("training_root = .\n", "mnist"),
        ("training_root = mnist\n", "main"),
        ("training_root = .\ntraining_include = m*.py\n", "mnist"),
    ],
)
def test_settings_that_name_a_folder_or_files_need_no_file_train(project: Project, settings: str, job: str) -> None:
    project.write("pytest.ini", f"[pytest]\n{settings}")
    project.write("test_jobs.py", "def test_training_job(training_job):\n    training_job.train()\n")
    result = project.here("--collect-only", "-q")
    assert [line for line in result.outlines if "::" in line] == [f"test_jobs.py::test_training_job[{job}]"]


@pytest.mark.parametrize("words", [(), ("mnist/main.py",), ("mnist/main.py::mnist",)], ids=str)
def test_a_file_that_trains_is_a_job_and_never_a_test(project: Project, words: tuple[str, ...]) -> None:
    project.write("pytest.ini", "[pytest]\npython_files = *.py\ntraining_root = .\ntraining_include = auto\n")
    project.write("jobs.yaml", "defaults: {timeout: 1m}\n")
    project.write("test_jobs.py", "def test_training_job(training_job):\n    training_job.train()\n")
    result = project.here("--collect-only", "-q", *words)
    assert "somebody imported me" not in text(result)
    assert [line for line in result.outlines if "::" in line] == ["test_jobs.py::test_training_job[mnist]"]


@pytest.mark.parametrize("setting", ["python_files = tests/*", "python_functions = check_*"])
def test_what_a_repository_calls_its_tests_hides_no_job(project: Project, setting: str) -> None:
    project.write("setup.cfg", f"[tool:pytest]\n{setting}\n")
    lines = project.here("--training-root", ".", "--collect-only", "-q").outlines
    assert [line for line in lines if "::" in line] == ["test_training_jobs.py::test_training_job[mnist]"]


NOTHING = {
    "a training folder without files of its pattern": (
        {"training/main.py": "model.fit(x, y)\n", "training/jobs.yaml": "jobs: {}\n"},
        ("training",),
        (
            "no training jobs: expected files like train_als.py in {root}/training; "
            "--training-include auto takes what trains: main.py"
        ),
    ),
    "other patterns": (
        {},
        ("--training-root", ".", "--training-include", "fit_*.py", "--training-include", "*.sh"),
        (
            "no training jobs: expected files named fit_*.py, *.sh in {root}; "
            "--training-include auto takes what trains: mnist/main.py"
        ),
    ),
    "nothing that trains": (
        {"mnist/main.py": "print(1)\n"},
        ("--training-root", "."),
        (
            "no training jobs: expected files that train when they are run in {root}; --training-include takes a file "
            "by its name: config/train_small.py (only defines or assigns), mnist/net.py (nothing that it runs trains)"
        ),
    ),
}


@pytest.mark.parametrize(("files", "words", "sentence"), NOTHING.values(), ids=NOTHING)
def test_where_nothing_trains_the_message_names_what_is_nearest_and_the_option_that_takes_it(
    project: Project, files: dict[str, str], words: tuple[str, ...], sentence: str
) -> None:
    for name, content in files.items():
        project.write(name, content)
    assert f"ERROR: {sentence.format(root=project.root)}" in text(project.here(*words)).splitlines()


def test_a_test_without_a_training_folder_names_the_root_that_has_trainings(project: Project) -> None:
    project.write("test_jobs.py", "def test_training_job(training_job):\n    training_job.train()\n")
    os.chdir(project.root)
    root = Path(project.root, "training")
    reason = f"no training jobs: expected files like train_als.py in {root}"
    assert f"{reason}; --training-root . takes what trains: mnist/main.py" in text(project.here("test_jobs.py"))


def test_a_further_folder_leaves_the_roots_own_jobs_as_they_are(project: Project) -> None:
    project.write("../more/main.py", "model.fit(x, y)\n")
    result = project.here("--training-root", ".", "--training-discover", "../more", "--collect-only", "-q")
    jobs = [line.partition("[")[2] for line in result.outlines if "::" in line]
    assert jobs == ["mnist]", "main]"]
