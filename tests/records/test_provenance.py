"""Tests of records/run_record.py: real repositories, the installed packages, this machine."""

from __future__ import annotations

import subprocess
import time
from importlib import metadata
from pathlib import Path

import pytest

from pytest_training.execution.equipment import package_versions, this_machine
from pytest_training.records.run_record import GitState, git_state, provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main")
    command = ("git", *identity, *arguments)
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "ein Ordner mit ü"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "train.py").write_text("1\n")
    (folder / ".gitignore").write_text("reports\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


def test_a_clean_tree_gives_commit_and_branch(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert git_state(repository) == GitState(commit=commit, branch="main", dirty=False)


def test_changed_and_new_files_make_a_tree_dirty_and_ignored_ones_do_not(repository: Path) -> None:
    (repository / "reports").touch()
    assert git_state(repository).dirty is False
    (repository / "new.py").touch()
    assert git_state(repository).dirty is True
    (repository / "new.py").unlink()
    (repository / "train.py").write_text("2\n")
    assert git_state(repository).dirty is True


def test_a_worktree_and_a_detached_head_are_understood(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    commit = git(repository, "rev-parse", "HEAD")
    assert git_state(tmp_path / "tree") == GitState(commit=commit, branch=None, dirty=False)


def test_a_repository_without_commits_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert git_state(tmp_path) == GitState(commit=None, branch="main", dirty=False)


def test_outside_a_repository_nothing_is_known(tmp_path: Path) -> None:
    assert git_state(tmp_path) == GitState()


def test_without_git_nothing_is_known(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state(repository) == GitState()


def test_a_git_that_hangs_is_not_waited_for(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent))
    begun = time.monotonic()
    assert git_state(repository, timeout_s=0.1) == GitState()
    assert time.monotonic() - begun < 30


def test_a_repository_cannot_make_us_start_its_programs(repository: Path, tmp_path: Path) -> None:
    started = tmp_path / "started"
    hook = tmp_path / "monitor"
    hook.write_text(f"#!/bin/sh\ntouch '{started}'\n")
    hook.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(hook))
    assert git_state(repository).dirty is False
    assert not started.exists()


def test_versions_are_those_of_the_imported_packages_and_of_pytest() -> None:
    found = package_versions(["sklearn.linear_model", "numpy", "_pytest", "json", "no_such_module"])
    assert found == {
        "numpy": metadata.version("numpy"),
        "pytest": metadata.version("pytest"),
        "pytest-json-report": metadata.version("pytest-json-report"),
        "pytest-training": metadata.version("pytest-training"),
        "pytest-xdist": metadata.version("pytest-xdist"),
        "scikit-learn": metadata.version("scikit-learn"),
    }


def test_a_package_whose_distribution_has_another_name_is_found() -> None:
    assert package_versions(["dateutil"])["python-dateutil"] == metadata.version("python-dateutil")


def test_only_allowed_environment_variables_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "secret-1")
    monkeypatch.setenv("GITHUB_TOKEN", "secret-2")
    monkeypatch.setenv("GITHUB_SHA", "c0ffee")
    found = provenance(tmp_path)
    assert found.environment["GITHUB_SHA"] == "c0ffee"
    assert "secret" not in str(found)


def test_a_machine_keeps_its_id_and_does_not_tell_its_name() -> None:
    machine = this_machine()
    assert len(machine.id) == 12
    assert this_machine.__wrapped__().id == machine.id
    assert machine.cpus >= 1


def test_provenance_is_cheap_once_packages_are_known(repository: Path) -> None:
    provenance(repository, ["numpy"])
    begun = time.process_time()
    provenance(repository, ["numpy"])
    assert time.process_time() - begun < 0.1, "processor time of this process: a busy machine does not count"
