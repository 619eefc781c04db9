"""`pytest training/train_als.py`: the command line names files or folders of jobs, from anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sessions import Project, text

BOMB = "raise SystemExit('somebody imported me')"
TEST = "test_training_jobs.py"
ORDINARY = "\ndef test_ordinary():\n    pass\n"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project with jobs in two folders, and no test."""
    root = pytester.path / "project"
    project = Project(root, pytester)
    (root / "test_jobs.py").unlink()
    for path in ("train_a.py", "train_b.py", "sub/train_c.py", "sub/deep/train_d.py"):
        project.write(f"training/{path}", f'"""A job."""\ndef train(run):\n    {BOMB}\n')
    project.write("training/jobs.yaml", "jobs: {e: {command: ['true']}}\n")
    project.write("training/helpers.py", BOMB)
    project.write("sub/notes.txt", "")
    (pytester.path / "elsewhere").mkdir()
    monkeypatch.chdir(root)
    return project


def collected(project: Project, *arguments: str) -> list[str]:
    """Return the node ids that a session collects, sorted."""
    result = project.here("--collect-only", "-q", *arguments)
    assert "somebody imported me" not in text(result)
    return sorted(line for line in result.outlines if "::" in line)


def ids(jobs: str, test: str = TEST) -> list[str]:
    return [f"{test}::test_training_job[{job}]" for job in jobs]


@pytest.mark.parametrize(
    ("folder", "arguments", "jobs"),
    [
        (".", ("training",), "abcde"),
        (".", ("training/train_a.py",), "a"),
        (".", ("training/train_b.py", "./training/sub/"), "bcd"),
        (".", ("training/sub/train_c.py::c",), "c"),
        (".", ("training/jobs.yaml",), "abcde"),
        ("training", (), "abcde"),
        ("training/sub", (), "cd"),
        ("training/sub", ("deep/train_d.py", "../train_a.py"), "ad"),
        ("sub", ("../training",), "abcde"),
        ("../elsewhere", ("{root}/training",), "abcde"),
        ("../elsewhere", ("{root}/training/sub/train_c.py",), "c"),
    ],
)
def test_files_and_folders_of_jobs_are_collected(
    project: Project, folder: str, arguments: tuple[str, ...], jobs: str
) -> None:
    os.chdir(project.root / folder)
    assert collected(project, *(word.format(root=project.root) for word in arguments)) == ids(jobs)


def test_files_of_further_folders_are_jobs_too(project: Project) -> None:
    project.write("more/run_f.py", f"import argparse\nif __name__ == '__main__':\n    {BOMB}\n")
    further = ("--training-discover", "more", "--training-include", "run_*.py")
    assert collected(project, *further) == [*ids("abcde"), f"{TEST}::test_training_job[run_f]"]
    assert collected(project, *further, "more/run_f.py") == [f"{TEST}::test_training_job[run_f]"]


def test_no_setting_makes_tests_of_the_files_of_jobs(project: Project) -> None:
    project.write("pytest.ini", "[pytest]\npython_files = *.py\n")
    (project.root / "training/helpers.py").unlink()
    assert collected(project) == []
    assert collected(project, "training", "sub") == ids("abcde")
    os.chdir(project.root / "training/sub")
    assert collected(project) == ids("cd")


def test_a_project_with_a_test_keeps_its_ids_and_trains_no_job_twice(project: Project) -> None:
    project.write("pytest.ini", "[pytest]\n")
    project.write("test_mine.py", f"def test_training_job(training_job):\n    pass\n{ORDINARY}")
    everything = [*ids("abcde", "test_mine.py"), "test_mine.py::test_ordinary"]
    assert collected(project) == sorted(everything)
    assert collected(project, "training/train_a.py") == ids("a", "test_mine.py")
    assert collected(project, "training") == ids("abcde", "test_mine.py")
    assert collected(project, "training/train_a.py", "test_mine.py") == sorted(everything)
    assert collected(project, ".", "training") == sorted(everything)


def test_tests_in_the_training_folder_stay_tests(project: Project) -> None:
    project.write("training/test_helpers.py", ORDINARY)
    assert collected(project, "training/test_helpers.py") == ["training/test_helpers.py::test_ordinary"]
    assert collected(project, "training") == [*ids("abcde"), "training/test_helpers.py::test_ordinary"]
    assert collected(project, "training/test_helpers.py", "training/train_a.py") == [
        *ids("a"),
        "training/test_helpers.py::test_ordinary",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("training/train_a.py::b",), "training/train_a.py: no job has the id 'b': expected one of a"),
        (
            ("training/train_a.py::aa",),
            "training/train_a.py: no job has the id 'aa': did you mean 'a'? Expected one of a",
        ),
        (
            ("training/train_a.py", "test_mine.py::test_training_job[b]"),
            "training/train_a.py and test_mine.py::test_training_job[[]b[]]: expected jobs either by their files or *",
        ),
    ],
)
def test_names_without_a_job_are_mistakes(project: Project, arguments: tuple[str, ...], message: str) -> None:
    project.write("test_mine.py", "def test_training_job(training_job):\n    pass\n")
    result = project.here("--collect-only", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


@pytest.mark.parametrize("arguments", [(), (".",), ("--collect-only",)], ids=" ".join)
def test_where_no_test_asks_for_jobs_a_sentence_says_so(project: Project, arguments: tuple[str, ...]) -> None:
    result = project.here(*arguments)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    said = "no test asks for the jobs in training: pytest training trains them, pytest-training init writes a test *"
    result.stdout.fnmatch_lines([said])


def test_nothing_is_said_where_ordinary_tests_run_or_are_deselected(project: Project) -> None:
    project.write("test_ordinary.py", ORDINARY)
    for arguments in ((), ("-k", "nothing")):
        project.here(*arguments).stdout.no_fnmatch_line("no test asks*")


def test_workers_train_named_files_from_elsewhere_and_reports_are_the_projects(project: Project) -> None:
    project.jobs("a", "b")
    files = [project.root / f"training/train_{name}.py" for name in "ab"]
    result = project.run("-n", "2", *files, cwd=project.root.parent / "elsewhere")
    result.assert_outcomes(passed=2)
    assert project.statuses() == {"a": "passed", "b": "passed"}
    assert list(project.root.parent.glob("elsewhere/*")) == []


def test_a_training_root_elsewhere_imports_no_tests_of_strangers(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = project.root.parent
    for path in (
        "tests/conftest.py",
        "tests/test_training_job.py",
        "work/test_of_a_training_job.py",
        "work/conftest.py",
    ):
        project.write(f"../{path}", f"{BOMB}  # training_job")
    project.write("../conftest.py", "import pathlib\n\nimport pytest_training\n\npathlib.Path('own').touch()\n")
    monkeypatch.chdir(home)
    assert collected(project, "--training-root", str(project.root / "training")) == ids("abcde")
    assert Path(home, "own").exists()
