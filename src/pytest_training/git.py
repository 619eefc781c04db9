"""Asks git about the project, and changes nothing there."""

import os
import subprocess
from pathlib import Path

GIT_S = 2.0  # longest wait for an answer


def ask_git(folder: Path, *arguments: str, timeout_s: float = GIT_S) -> str | None:
    """Return the output of git, or None if it fails, takes too long or is not installed."""
    command = ("git", "-c", "core.fsmonitor=false", *arguments)  # fsmonitor may name any program: not ours to start
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # status must not write the index while the user works
    try:
        ended = subprocess.run(
            command, cwd=folder, env=environment, input=b"", capture_output=True, timeout=timeout_s, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError):  # ValueError: a name with a NUL
        return None
    return ended.stdout.decode("utf-8", "replace")


def find_commit(folder: Path, name: str) -> str | None:
    """Return the commit that a branch, tag or other name stands for, or None."""
    if name.startswith("-"):
        return None
    commit = ask_git(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    return commit and commit.strip()
