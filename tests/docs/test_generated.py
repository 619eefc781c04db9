"""The pages that are made from the code are as the code says."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from sessions import Project

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
import make_failures
import make_options
import make_run
import run_examples

from pytest_training import Run


@pytest.mark.parametrize("maker", [make_failures, make_options, make_run], ids=lambda maker: str(maker.__name__))
def test_a_page_shows_what_the_code_says(maker: ModuleType) -> None:
    written = maker.PAGE.read_text(encoding="utf-8")
    assert written == maker.page(written), "run: python docs/make_all.py"


def test_every_option_and_setting_of_pytests_help_is_on_the_page(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.jobs("mine")
    helped = set(
        re.findall(r"^ +(--training-[a-z-]+|training_[a-z_]+)", project.run("--help").stdout.str(), re.MULTILINE)
    )
    assert {"--training-resume", "training_heartbeat"} <= helped
    page = make_options.PAGE.read_text(encoding="utf-8")
    assert {name for name in helped if not re.search(rf"`{name}[` ]", page)} == set()


def test_every_name_of_a_group_is_an_option() -> None:
    names = [name for group in make_options.GROUPS.values() for name in group]
    assert set(names) <= make_options.rows().keys()
    assert len(names) == len(set(names))


def test_every_public_part_of_run_is_on_its_page(tmp_path: Path) -> None:
    run = Run(folder=tmp_path)
    parts = {name for name in dir(run) if not name.startswith("_")}
    shown = {*make_run.VALUES, *(name for names in make_run.PARTS.values() for name in names)}
    assert parts - make_run.INTERNAL == shown
    assert parts >= make_run.INTERNAL


@pytest.mark.slow
def test_every_example_of_run_trains(tmp_path: Path) -> None:
    project = Project(tmp_path)
    names = [name for names in make_run.PARTS.values() for name in names]
    examples = inspect.getsource(run_examples)
    calls = "".join(f"    {name}(run)\n" for name in names)
    project.write("training/train_examples.py", f"{examples}\n\ndef train(run):\n{calls}")
    project.job("first", 'run.save("settings.json", {})\nreturn {"r2": 0.5}')
    project.write("training/visits.csv", "age,ill\n71,1\n64,0\n")
    catalogue = "jobs: {examples: {needs: [first]}}\ndata: {visits: {path: visits.csv, license: CC0, real: true}}\n"
    project.write("training/jobs.yaml", catalogue)
    assert project.run().ret == 0
    trained = project.metadata()["examples"]
    assert trained["metrics"]["roc_auc"] > 0.8
    assert {"2 visits", "visits: CC0", "3 of 7 columns used"} <= set(trained["remarks"])
