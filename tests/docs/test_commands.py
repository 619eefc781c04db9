"""Every command that a page shows in a console block runs and ends well, in the order of the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from adopting.repository import Repository
from command_line.miniature import Miniature, surroundings

TOP = Path(__file__).parents[2]
NOT_RUN = ("pip install",)
"""What would change the interpreter that runs the tests; the same commands are what CI begins with."""


def pages() -> list[str]:
    """Return the pages that show commands."""
    found = [*TOP.glob("*.md"), *(TOP / "docs").glob("*.md")]
    return sorted(path.relative_to(TOP).as_posix() for path in found if commands(path.read_text(encoding="utf-8")))


def commands(text: str) -> list[str]:
    """Return the commands of a page: in console blocks behind `$`, and in table cells that hold nothing else."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    typed = [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    cells = re.findall(r"\| `(pytest [^`]+)` \|$", text, re.MULTILINE)
    return [command for command in (*typed, *cells) if not command.startswith(NOT_RUN)]


def workplace(page: str, folder: Path) -> Path:
    """Return the folder in which a page's reader is, with the files that the page shows."""
    if page == "docs/adopting.md":
        repository = Repository(folder)
        repository.write("models/train_broken.py", "print('mended')\n")
        return repository.root
    miniature = Miniature(folder / "project")
    miniature.write("more/train_other.py", "print('other')\n")
    miniature.write("tests/command_line/test_selection.py", "def test_it():\n    pass\n")
    miniature.write("jobs.yaml", "jobs:\n  - {id: quick, name: Quick, script: training/train_als.py, args: []}\n")
    text = (TOP / page).read_text(encoding="utf-8")
    for name, content in re.findall(r"```(?:python|yaml)\n# (\S+\.(?:py|yaml))\n(.*?)```", text, re.DOTALL):
        miniature.write(name, content)
    if page == "docs/writing-a-job.md":
        return miniature.root
    for job_id in ("diabetes", "stroke", "diabetes_progression", "head_injury"):  # long enough to overlap
        slow = (
            f"import time\n\ndef train(run, *, epochs=1, folds=2):\n    time.sleep(0.5)\n    return {{}}  # {job_id}\n"
        )
        miniature.write(f"training/train_{job_id}.py", slow)
    return miniature.root


def test_pages_show_commands() -> None:
    expected = {"README.md", "RUN_ALL_GUIDE.md", "TRAINING_USAGE.md", "docs/adopting.md", "docs/writing-a-job.md"}
    assert expected <= set(pages())


@pytest.mark.parametrize("page", pages())
def test_every_command_of_a_page_runs(page: str, tmp_path: Path) -> None:
    here = workplace(page, tmp_path)
    environment = surroundings() | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    failed = []
    for command in commands((TOP / page).read_text(encoding="utf-8")):
        begun = time.monotonic()
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=here,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=170,
            check=False,
        )
        print(f"{time.monotonic() - begun:5.1f} s  {command}")  # noqa: T201  (shown when the test fails)
        if ended.returncode not in allowed(command):
            failed.append(f"$ {command}\nexit code {ended.returncode}\n{ended.stdout[-3000:]}{ended.stderr[-2000:]}")
    assert not failed, "\n".join(failed)


def allowed(command: str) -> set[int]:
    """Return the exit codes that are good: 5 of pytest where the command selects what went wrong, and nothing did."""
    return {0, 5} if "--training-resume" in command else {0}
