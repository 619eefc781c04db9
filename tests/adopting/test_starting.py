"""A repository whose scripts expect their own folder, leave files where they stand, and whose tests nobody may load."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .repository import Repository

READS = "import os, pathlib\nprint('cwd', os.getcwd())\nprint(pathlib.Path('data/x.csv').read_text())\n"
FILES = {
    "README.md": "Train with `cd apart && python train_told.py`, or `python apart/train_root.py`.\n",
    "conftest.py": "raise SystemExit('a conftest.py was loaded')\n",
    "test_theirs.py": "raise SystemExit('a test was loaded')\n",
    "tests/conftest.py": "raise SystemExit('a conftest.py of tests was loaded')\n",
    "tests/test_more.py": "raise SystemExit('another test was loaded')\n",
    "apart/data/x.csv": "1,2\n",
    "apart/train_reads.py": READS,
    "apart/train_told.py": "import os\nprint('cwd', os.getcwd())\n",
    "apart/train_root.py": "import os\nprint('cwd', os.getcwd())\n",
    "unnamed/data/x.csv": "1,2\n",
    "unnamed/train_wrong.py": "import sys\nopen('da' + 'ta/x.csv')\n",
    "apart/train_leaves.py": """
        import os, pathlib
        os.makedirs("runs/1")
        for name in ("runs/1/events", "runs/1/net.pt", "result.txt"):
            pathlib.Path(name).write_text("x")
        pathlib.Path(os.environ["TRAINING_FOLDER"], "metrics.json").write_text('{"auc": 0.9}')
        """,
    "apart/train_own.py": "import sys\nprint(sys.executable)\n",
}


def git(folder: Path, *words: str) -> str:
    """Return what git says in a folder, whatever the user's settings."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent)}
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("settings", ["", "[tool.pytest.ini_options]\ntestpaths = ['tests']\n"])
def test_scripts_start_in_their_folder_and_no_test_of_the_repository_is_loaded(
    repository: Repository, settings: str
) -> None:
    for name, text in (FILES | {"pyproject.toml": settings, ".gitignore": ".pytest_cache/\n"}).items():
        repository.write(name, text)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        git(repository.root, *words)
    jobs = ("--training-root", ".", "-k", "reads or told or root or wrong or leaves")
    reports = ("--training-reports", str(repository.user / "reports"))
    ended = repository.pytest(*jobs, *reports, *(() if settings else ("-n", "2")), cwd=repository.root)
    found = repository.outcomes()
    assert {job_id for job_id, each in found.items() if each["status"] != "passed"} == {"wrong"}, ended.stdout
    assert "(it is there from unnamed: write cwd: unnamed)" in found["wrong"]["reason"]
    for job_id, folder in (("reads", "apart"), ("told", "apart"), ("root", "")):
        assert repository.log(job_id).startswith(f"cwd {repository.root / folder}\n"), job_id
    [note] = [note for note in found["leaves"]["notes"] if note.startswith("files of the repository")]
    assert {*note.partition(": ")[2].split(", ")} == {"apart/result.txt", "apart/runs/ (2 files)"}
    assert git(repository.root, "status", "--porcelain") == "?? apart/result.txt\n?? apart/runs/\n"


def test_the_plan_shows_where_a_script_starts_and_what_forces_a_fresh_interpreter(repository: Repository) -> None:
    for name, text in FILES.items():
        repository.write(name, text)
    arguments = ("--training-root", str(repository.root), "--collect-only", "-k", "told or own")
    said = repository.pytest(*arguments).stdout
    assert "\n    cwd         apart\n" in said
    assert "\n    interpreter of its own: apart/train_own.py:2: reads sys.executable\n" in said
