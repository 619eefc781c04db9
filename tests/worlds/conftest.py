"""What the tests of bad worlds share: a folder with two quick jobs, and file systems of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return a folder with the jobs `one` and `two`."""
    folder = Folder(tmp_path / "project")
    folder.job("one")
    folder.job("two")
    return folder


@pytest.fixture
def mounted() -> Iterator[Callable[..., Path]]:
    """Return a function that mounts a tmpfs of its own over a folder, for root on Linux; else skip."""
    with contextlib.ExitStack() as mounts:

        def mount(path: Path, options: str = "size=4m") -> Path:
            path.mkdir(parents=True, exist_ok=True)
            if os.geteuid() != 0:
                pytest.skip("mounting a file system needs root")
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True, check=False
            )
            if done.returncode:
                pytest.skip(f"cannot mount a tmpfs here: {done.stderr.decode(errors='replace').strip()}")
            mounts.callback(subprocess.run, ["umount", "-lq", str(path)], check=False)  # a test may have done it
            return path

        yield mount


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a library that, preloaded, takes locks or the wall clock's sense away."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and Linux, to change what the C library says")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return str(library)
