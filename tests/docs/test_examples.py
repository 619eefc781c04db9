"""What README.md and docs/jobs-yaml.md show as examples works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from sessions import Project

from pytest_training.jobs.catalogue import sections
from pytest_training.jobs.catalogue.declarations import job_keys
from pytest_training.jobs.loading import load_jobs
from pytest_training.limits import LIMITS

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def test_the_catalogue_in_the_docs_is_valid(tmp_path: Path) -> None:
    catalogue, _ = blocks("docs/jobs-yaml.md", "yaml")
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


def test_every_key_of_a_job_and_of_a_dataset_is_on_the_page() -> None:
    page = (ROOT / "docs/jobs-yaml.md").read_text(encoding="utf-8")
    keys = {*job_keys(LIMITS), *sections._READERS}
    assert {key for key in keys if not re.search(rf"\b{key}:", page)} == set()


def test_the_example_of_layers_trains_with_the_values_of_its_table(tmp_path: Path) -> None:
    page = (ROOT / "docs/jobs-yaml.md").read_text(encoding="utf-8").partition("## What overrides what")[2]
    project = Project(tmp_path)
    for name, content in re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", page, re.DOTALL):
        project.write(name, content)
    (command,) = re.findall(r"^\$ pytest (.*)", page, re.MULTILINE)
    assert project.run(*shlex.split(command)).ret == 0
    trained = [each["parameters"] for each in project.metadata().values() if each["trial_of"]]
    table = page.partition("| trained with |")[2].partition("\n\n")[0]
    rows = (row.strip("|").split("|") for row in table.splitlines()[2:])
    said = {cells[0].strip(" `"): cells[-1].strip() for cells in rows}
    assert {name: ", ".join(sorted({str(each[name]) for each in trained})) for name in said} == said
    assert len(said) == len(trained[0])


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
