"""Which files are jobs, and under which id."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from deep_folders import deep

from pytest_training.execution.folder import RunFolder
from pytest_training.jobs.discovery import discover
from pytest_training.options import _job_names

from .project import Project, message


def ids(project: Project) -> list[str]:
    return [job.id for job in project.discovered()]


def test_every_train_file_is_a_job_sorted_by_path(project: Project) -> None:
    for name in (
        "train_b.py",
        "train_a.py",
        "deep/er/train_c.py",
        "helper.py",
        "train.py",
        "train_x.txt",
        "train_.py",
    ):
        project.write(f"training/{name}", "x = 1\n")
    assert ids(project) == ["c", "a", "b"]


def test_two_files_with_one_stem_get_ids_with_their_folder(project: Project) -> None:
    for name in ("d1/train_a.py", "d2/train_a.py", "train_b.py", "d-3/train_c.py"):
        project.write(f"training/{name}", "x = 1\n")
    assert ids(project) == ["c", "d1/a", "d2/a", "b"]


def test_hidden_virtual_and_build_folders_are_skipped(project: Project) -> None:
    folders = (
        ".git",
        ".hidden",
        "__pycache__",
        "build",
        "dist",
        "node_modules",
        "site-packages",
        "x.egg-info",
        "env",
    )
    for folder in folders:
        project.write(f"training/{folder}/train_no.py", "x = 1\n")
    project.write("training/env/pyvenv.cfg")
    project.write("training/yes/train_yes.py", "x = 1\n")
    assert ids(project) == ["yes"]


def test_what_a_run_has_left_is_skipped(project: Project) -> None:
    folder = RunFolder(project.root / "reports", "20261130-120000")
    project.write("train_a.py", "x = 1\n")
    for path in (folder.begun, folder.job("a").path / "attempt-1" / "artifacts" / "train_a.py"):
        project.write(path.relative_to(project.root).as_posix(), "x = 1\n")
    assert [job.id for job in discover(project.root, project.root)] == ["a"]


def test_a_training_root_that_is_hidden_itself_is_read(tmp_path: Path) -> None:
    root = tmp_path / ".hidden"
    root.mkdir()
    (root / "train_a.py").write_text("x = 1\n")
    assert [job.id for job in discover(root, tmp_path)] == ["a"]


def test_links_make_no_loop_and_no_second_job(project: Project, tmp_path: Path) -> None:
    project.write("training/z/train_a.py", "x = 1\n")
    (project.training / "a_link").symlink_to("z")
    (project.training / "z/up").symlink_to(project.training)
    (project.training / "z/above").symlink_to(tmp_path)
    (project.training / "train_other.py").symlink_to("z/train_a.py")
    project.write("elsewhere/train_b.py", "x = 1\n")
    (project.training / "linked").symlink_to(tmp_path / "elsewhere")
    found = project.discovered()
    assert [(job.id, job.source) for job in found] == [
        ("b", "training/linked/train_b.py"),
        ("a", "training/z/train_a.py"),
    ]


def test_a_missing_training_root_has_no_jobs(tmp_path: Path) -> None:
    assert discover(tmp_path / "nothing", tmp_path) == []


def test_a_training_root_that_is_a_file_is_an_error(project: Project, tmp_path: Path) -> None:
    file = project.write("file.py")
    assert message(lambda: discover(file, tmp_path)) == f"{file}: expected a folder of training files: Not a directory"


def test_collecting_a_file_never_executes_it(project: Project) -> None:
    witness = project.root / "witness"
    project.write("training/helper.py", f"open({str(witness)!r}, 'w')\n")
    job = project.job(
        f"""
        import helper
        open({str(witness)!r}, "w")
        raise SystemExit(3)
        def train(run, *, epochs=open({str(witness)!r}, "w")):
            pass
        """
    )
    assert job.kind == "function"
    assert not witness.exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"x = 1\n\ny = = 2\n", "training/train_x.py:3: SyntaxError: invalid syntax"),
        (
            b"x = '\xff'\n",
            "training/train_x.py:1: SyntaxError: (unicode error) 'utf-8' codec can't decode byte 0xff",
        ),
        (b"x = 1\0\n", "training/train_x.py:1: "),
        (b"x = " + b"(" * 5000, "training/train_x.py:1: SyntaxError: too many nested parentheses"),
        (b"x = " + b"-" * 100_000 + b"1", "training/train_x.py:1: "),
        (b"def f():\n    pass\n", "training/train_x.py:1: defines no train(run, *, …), and does nothing"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_job_with_a_problem(project: Project, content: bytes, problem: str) -> None:
    (project.training / "train_x.py").write_bytes(content)
    project.function("sound")
    broken = project.jobs()["x"]
    assert broken.problem is not None
    assert broken.problem.startswith(problem)
    assert project.jobs()["sound"].problem is None


LINKS = ("loop", "sub/loop", "helper.py", "pyvenv.cfg", "train_x/loop", "train_loop.txt")


@pytest.mark.parametrize("name", [*LINKS, "train_loop.py", "sub/train_loop.py"])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_link_that_leads_to_itself_harms_no_other_job(project: Project, name: str, length: int) -> None:
    project.write("training/train_a.py", "import helper\n\ndef train(run):\n    return {}\n")
    first = project.training / name
    links = [first, *(first.with_name(f"{number}.link") for number in range(1, length))]
    links[0].parent.mkdir(exist_ok=True)
    for link, target in zip(links, [*links[1:], links[0]], strict=True):
        link.symlink_to(target)
    problems = {job_id: job.problem for job_id, job in project.jobs().items()}
    assert problems.pop("a") is None
    assert list(problems) == ([] if name in LINKS else ["loop"])
    assert not problems or "Too many levels of symbolic links" in str(problems["loop"])


@pytest.mark.parametrize("depth", [99, 150, 1100, 3000])
def test_folders_of_any_depth_are_searched_in_bounds(memory: Path, depth: int) -> None:
    project = Project(memory)
    project.write("training/train_a.py", "def train(run):\n    return {}\n")
    deep(project.training, depth, "train_b.py", "def train(run):\n    return {}\n")
    assert list(project.jobs()) == (["b", "a"] if depth == 99 else ["a"])
    assert next(_job_names(project.training, ".py")) == "train_a.py"
    assert len(list(_job_names(project.training, ".py"))) == (2 if depth == 99 else 1)


@pytest.mark.parametrize("target", ["jobs.yaml", "nowhere.yaml"])
def test_a_catalogue_that_is_a_broken_link_is_a_mistake(project: Project, target: str) -> None:
    (project.training / "jobs.yaml").symlink_to(target)
    assert "jobs.yaml: no such catalogue" in project.mistake()


def test_a_broken_link_is_a_job_with_a_problem(project: Project) -> None:
    (project.training / "train_x.py").symlink_to("nowhere.py")
    [job] = project.discovered()
    assert (job.kind, job.title) == ("function", "cannot be read")
    assert job.problem == "training/train_x.py: FileNotFoundError: No such file or directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_a_job_with_a_problem(project: Project) -> None:
    project.write("training/train_x.py", "x = 1\n").chmod(0)
    assert project.jobs()["x"].problem == "training/train_x.py: PermissionError: Permission denied"


def test_a_fifo_is_no_job_and_does_not_hang(project: Project) -> None:
    os.mkfifo(project.training / "train_x.py")
    assert ids(project) == []


def test_a_thousand_long_elifs_are_a_problem_not_a_crash(project: Project) -> None:
    branches = "".join(f"elif x == {number}:\n    y = 1\n" for number in range(3000))
    (project.training / "train_x.py").write_text(f"x = 1\nif x == -1:\n    y = 0\n{branches}")
    [job] = project.discovered()
    assert job.kind in {"script", "function"}


def test_warnings_of_a_job_file_are_not_shown(project: Project, recwarn: pytest.WarningsRecorder) -> None:
    project.job('x = "\\d" is "a"\nprint(x)\n')
    assert not recwarn.list


def test_paths_of_a_job_are_absolute_and_its_source_relative(project: Project) -> None:
    project.function("a")
    [job] = project.discovered()
    assert job.source == "training/train_a.py"
    assert job.path == str(project.training / "train_a.py")
    assert (job.home, job.root) == (str(project.training), str(project.root))


def test_a_thousand_small_files_take_no_minute(project: Project) -> None:
    for number in range(1000):
        project.function(f"j{number}", "epochs=5, folds=3")
    started = time.process_time()
    assert len(project.discovered()) == 1000
    assert time.process_time() - started < 10  # 0.2 s here; the benchmark has the real number
