"""What changes a fingerprint: the code of a job, and the files that it and the catalogue name."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from jobs.project import Project, message

from pytest_training.jobs.source.paths import named_paths
from pytest_training.planning.fingerprint import fingerprints

READS = {
    "open": 'open("config.yaml")',
    "Path": 'from pathlib import Path\nPath("config.yaml").read_text()',
    "a constant": 'CONFIG = "config.yaml"\nopen(CONFIG)',
    "an argument": 'import pandas as pd\npd.read_csv(filepath_or_buffer="config.yaml")',
    "a default": "def load(path='config.yaml'): ...\nload()",
    "beside the job": 'from pathlib import Path\nHERE = Path(__file__).parent\nopen(HERE / "beside.json")',
    "a folder and a name": 'from pathlib import Path\nopen(Path("configs") / "deep.yaml")',
    "a folder's constant": 'from pathlib import Path\nROOT = Path("configs")\nopen(ROOT / "deep.yaml")',
    "join": 'import os\nopen(os.path.join(os.path.dirname(__file__), "..", "configs", "deep.yaml"))',
    "joinpath": 'from pathlib import Path\nPath.cwd().joinpath("configs", "deep.yaml")',
    "above the job": 'from pathlib import Path\nopen(Path(__file__).parent.parent / "configs" / "deep.yaml")',
    "an f-string": 'import os\nopen(f"{os.getcwd()}/configs/deep.yaml")',
    "a nested config": 'SETTINGS = {"model": {"config": "config.yaml"}}',
    "a local module": "import helper",
    "read and written": 'open("config.yaml")\nopen("config.yaml", "w")',
    "no suffix": 'open("vocabulary")',
    "a module": 'import subprocess, sys\nsubprocess.run([sys.executable, "-m", "scripts.stage"], check=True)',
}
WRITES = {
    "open": 'open("config.yaml", "w")',
    "open, mode": 'open("config.yaml", mode="ab")',
    "write_text": 'from pathlib import Path\nPath("config.yaml").write_text("a: 3")',
    "a constant": 'OUT = "config.yaml"\nopen(OUT, "w")',
    "to_csv": 'frame.to_csv("config.yaml")',
    "save": 'torch.save(model, "config.yaml")',
    "a log": 'logging.basicConfig(filename="config.yaml")',
    "an unknown folder between": 'open(Path("configs") / name / "config2.yaml")',
    "a sentence": 'print("see config.yaml")',
}
FILES = (
    "config.yaml",
    "configs/deep.yaml",
    "training/beside.json",
    "vocabulary",
    "configs/config2.yaml",
    "scripts/stage.py",
)


@pytest.fixture
def files(project: Project) -> list[Path]:
    project.write("training/helper.py", 'DATA = open("config.yaml")\n')
    return [project.write(name, "a: 1") for name in FILES]


def digest(project: Project, catalogue: str | None = None) -> str:
    jobs = {job.id: job for job in project.load(catalogue)[0]}
    return fingerprints(jobs, ["x"], (), seed=0)["x"]


def changes(project: Project, files: list[Path]) -> bool:
    """Return True if a change of any of these files is a change of the job."""
    before = digest(project)
    for file in files:
        file.write_text("a: 2")
    return digest(project) != before


@pytest.mark.parametrize("way", READS)
def test_a_file_that_the_source_names_belongs_to_the_job(project: Project, files: list[Path], way: str) -> None:
    project.write("training/train_x.py", READS[way])
    before = digest(project)
    assert before == digest(project)
    assert changes(project, files)


@pytest.mark.parametrize("way", WRITES)
def test_a_file_that_the_source_only_writes_does_not(project: Project, files: list[Path], way: str) -> None:
    project.write("training/train_x.py", WRITES[way])
    assert not changes(project, files)


@pytest.mark.parametrize("pattern", ["config.yaml", "configs/*.yaml", "configs", "**/deep.yaml"])
def test_files_that_the_catalogue_lists_belong_to_the_job(project: Project, files: list[Path], pattern: str) -> None:
    project.write("training/train_x.py", "print()")
    project.write("training/jobs.yaml", f"jobs:\n  x: {{files: ['{pattern}']}}\n")
    assert changes(project, files)


def test_a_new_file_in_a_listed_folder_is_a_change(project: Project, files: list[Path]) -> None:
    project.write("training/train_x.py", "print()")
    before = digest(project, "defaults: {files: [configs]}\n")
    project.write("configs/new.yaml", "a: 1")
    assert files
    assert digest(project) != before


def test_a_file_that_a_parameter_names_belongs_to_the_job(project: Project, files: list[Path]) -> None:
    project.write("training/train_x.py", "def train(run, *, config='none.yaml'): ...")
    project.write("training/jobs.yaml", "jobs:\n  x: {parameters: {config: config.yaml}}\n")
    assert changes(project, files)


@pytest.mark.parametrize("size", [2**21, 2**29])
def test_a_large_file_is_not_read_into_memory(project: Project, size: int) -> None:
    project.write("training/train_x.py", "open('table.bin')")
    table = project.write("table.bin", "")
    with table.open("wb") as file:
        file.truncate(size)
    before = digest(project)
    with table.open("wb") as file:
        file.truncate(size + 1)
    assert digest(project) != before


@pytest.mark.parametrize("pattern", ["confg.yaml", "configs/*.json", "**x"])
def test_a_pattern_without_files_is_a_mistake(project: Project, files: list[Path], pattern: str) -> None:
    assert files
    project.write("training/train_x.py", "print()")
    assert project.mistake(f"jobs:\n  x: {{files: ['{pattern}']}}\n").endswith(
        f"files: expected files relative to the project's root, found none for '{pattern}'"
    )
    assert "a file or pattern relative to the project's root" in message(
        lambda: project.load("jobs:\n  x: {files: [/etc/hosts]}\n")
    )


@pytest.mark.parametrize(
    "content",
    [
        b"open('a\\s')",
        b"def f(:",
        b"\xff",
        b"x = x / 'a'",
        b"a = b\nb = a\nopen(a)",
        b"open('\\0', 'r')",
        b"(" * 500 + b")" * 500,
    ],
)
def test_any_source_has_paths_or_none(content: bytes) -> None:
    with warnings.catch_warnings(action="error"):
        assert {part for path in named_paths(content) for part in path.split("/")} <= {"a", "r", "a\\s"}
