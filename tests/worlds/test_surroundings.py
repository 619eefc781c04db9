"""Where a run is: clocks, descriptors, home, temporary folders, Git, and names of folders."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .folder import Folder

pytestmark = pytest.mark.slow

Mount = Callable[..., Path]


def git(*arguments: str, where: Path) -> None:
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=where, check=True, capture_output=True)


def training(folder: Folder) -> dict[str, Any]:
    block: dict[str, Any] = folder.report()["training"]
    return block


def test_a_clock_that_runs_backwards_changes_no_duration(folder: Folder, shim: str) -> None:
    folder.job("one", "import time\n\n\ndef train(run):\n    time.sleep(0.5)\n    return {'score': 1.0}\n")
    world: dict[str, str | None] = {"LD_PRELOAD": shim, "WORLD_CLOCK": str(time.monotonic())}
    folder.run("-n2", environment=world).counted(passed=2)
    (one,) = (test["metadata"] for test in folder.report()["tests"] if test["metadata"]["id"] == "one")
    assert one["ended"] < one["started"]
    assert 0.5 <= one["wall_s"] < 10
    block = training(folder)
    assert block["ended"] < block["started"]
    assert block["work_s"] >= 0.5
    assert (block["makespan_s"] or 0) >= 0


def test_sixty_four_descriptors_are_enough_for_four_slots(folder: Folder) -> None:
    for name in ("three", "four"):
        folder.job(name)
    run = folder.begin("-n4", before=("prlimit", "--nofile=64:64"))
    folder.end(run).counted(passed=4)


@pytest.mark.parametrize(("workers", "limit"), [("0", 12), ("4", 20)])
def test_too_few_descriptors_stop_the_run_with_a_sentence(folder: Folder, workers: str, limit: int) -> None:
    for name in ("three", "four"):
        folder.job(name)
    ended = folder.end(folder.begin("-n", workers, before=("prlimit", f"--nofile={limit}:{limit}")))
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: cannot " in ended.text
    assert ": Too many open files; " in ended.text


@pytest.mark.parametrize("home", [None, "/dev/null/nobody"])
def test_a_missing_home_matters_only_to_data_that_need_a_cache(folder: Folder, home: str | None) -> None:
    folder.write("training/made.py", "def make(path, seed):\n    path.write_text('1')\n")
    folder.job("two", "def train(run):\n    return {'size': float(len(run.data('made').read_text()))}\n")
    folder.write("training/jobs.yaml", "data: {made: {simulated: 'made:make'}, own: {path: ~/none}}\n")
    ended = folder.run(environment={"HOME": home, "XDG_CACHE_HOME": None})
    assert "PASSED  one" in ended.text
    if home:
        ended.counted(passed=1, failed=1)
        assert "cannot write to the cache folder /dev/null/nobody" in ended.text
        assert "set XDG_CACHE_HOME" in ended.text


def test_a_folder_that_is_no_repository_has_no_commit(folder: Folder) -> None:
    folder.run(environment={"GIT_CEILING_DIRECTORIES": str(folder.root.parent)}).counted(passed=2)
    assert training(folder)["commit"] is None


def test_inside_a_worktree_the_commit_is_the_worktrees(tmp_path: Path) -> None:
    main = Folder(tmp_path / "main")
    main.job("one")
    main.write(".gitignore", "reports\n__pycache__\n")
    git("init", "-b", "trunk", where=main.root)
    git("add", ".", where=main.root)
    git("commit", "-m", "one", where=main.root)
    git("worktree", "add", "-b", "side", "../side", where=main.root)
    side = Folder(tmp_path / "side")
    side.run("-n0").counted(passed=1)
    block = training(side)
    assert (block["branch"], block["dirty"]) == ("side", False)
    assert len(block["commit"]) == 40


def test_without_git_there_is_no_commit_and_the_run_goes_on(folder: Folder, tmp_path: Path) -> None:
    git("init", where=folder.root)
    (tmp_path / "empty").mkdir()
    folder.run(environment={"PATH": str(tmp_path / "empty")}).counted(passed=2)
    assert training(folder)["commit"] is None


@pytest.mark.parametrize("name", ["mit Leerzeichen und Öl", "'quoted' \"twice\" $HOME;%s 模型 🧠", "new\nline"])
def test_any_name_of_a_folder_will_do(tmp_path: Path, name: str) -> None:
    folder = Folder(tmp_path / name)
    folder.job("one")
    folder.job("größe")
    folder.job("script", "import json\njson.dump({'score': 1}, open('metrics.json', 'w'))\n")
    folder.run("-n2").counted(passed=3)
    assert (folder.root / "reports" / "junit.xml").exists()


def test_a_folder_whose_name_is_no_utf8_stops_the_run_with_a_sentence(tmp_path: Path) -> None:
    folder = Folder(tmp_path / os.fsdecode(b"latin-\xf6"))
    folder.job("one")
    ended = folder.run("-n0")
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert "expected a path that UTF-8 can hold" in ended.text
    ended = folder.run("-n0", "--training-reports", str(tmp_path / "reports"))
    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert "expected names, texts and paths that UTF-8 can hold" in ended.text


def test_a_temporary_folder_with_a_long_path_is_avoided(folder: Folder, tmp_path: Path) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    folder.run("-n2", environment={"TMPDIR": str(long)}).counted(passed=2)
    assert training(folder)["problems"] == []


def test_a_temporary_folder_that_is_missing_is_avoided(folder: Folder) -> None:
    folder.run("-n2", environment={"TMPDIR": "/dev/null/none"}).counted(passed=2)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts for one process are Linux's")
def test_where_no_socket_can_be_made_each_job_imports_for_itself(folder: Folder, mounted: Mount) -> None:
    mounted(folder.root / "probe")  # skips where nothing can be mounted
    frozen = "for each in /tmp /var/tmp /dev/shm; do mount --bind $each $each; mount -o remount,ro,bind $each; done"
    own = f'mount --bind "{folder.root}" "{folder.root}" && mount -o remount,rw,bind "{folder.root}"'
    before = ("unshare", "-m", "sh", "-c", f'{frozen}; {own} && cd "{folder.root}" && exec "$@"', "run")
    environment = {"TMPDIR": str(folder.root / ("long" * 30)), "XDG_RUNTIME_DIR": None}
    (folder.root / ("long" * 30)).mkdir()
    ended = folder.end(folder.begin("-n2", before=before, environment=environment))
    ended.counted(passed=2)
    assert "each job imports for itself: no folder for the job server's socket" in ended.text
