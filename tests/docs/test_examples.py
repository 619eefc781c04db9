"""What README.md and docs/jobs-yaml.md show as examples works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from sessions import Project

from pytest_training.jobs.loading import load_jobs

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def test_the_catalogue_in_the_docs_is_valid(tmp_path: Path) -> None:
    (catalogue,) = blocks("docs/jobs-yaml.md", "yaml")
    job = 'def train(run, *, epochs=1, folds=5, token=""):\n    return {}\n'
    files = {"training/train_als.py": job, "tools/fit.py": job, "training/jobs.yaml": catalogue, "configs/a.yaml": ""}
    files["tools/net.py"] = "print()\n"
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    jobs, data = load_jobs(tmp_path / "training", tmp_path)
    assert [job.id for job in jobs] == ["als", "sweep", "theirs", "exported"]
    assert [dataset.name for dataset in data] == ["visits", "panel", "cohort"]


def test_the_job_of_the_readme_trains(tmp_path: Path) -> None:
    (job,) = blocks("README.md", "python")
    project = Project(tmp_path)
    project.write("training/train_mine.py", job)
    assert project.run().ret == 0
    assert project.metadata()["mine"]["metrics"]["r2"] > 0.3


def test_every_option_that_the_readme_names_exists(tmp_path: Path) -> None:
    named = set(re.findall(r"--(?:training-[a-z-]+|epochs|folds|set)\b", (ROOT / "README.md").read_text()))
    project = Project(tmp_path)
    project.jobs("mine")
    helped = project.run("--help").stdout.str()
    assert {option for option in named if option not in helped} == set()
