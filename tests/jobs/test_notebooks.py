"""Notebooks that are jobs: which ones, their parameters, and how each is executed."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_training.jobs.discovery import discover, left_out
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Command
from pytest_training.jobs.lookup import READING, FileFilter
from pytest_training.jobs.model import Job

from .project import Project

INSTALLED = importlib.util.find_spec("nbclient") is not None and importlib.util.find_spec("ipykernel") is not None


def cell(text: str, *tags: str, kind: str = "code") -> dict[str, Any]:
    """Return a cell as a notebook's file has it."""
    return {"cell_type": kind, "metadata": {"tags": [*tags]} if tags else {}, "source": text.splitlines(keepends=True)}


def write(project: Project, *cells: dict[str, Any], name: str = "x") -> Path:
    """Write a notebook that discovery finds."""
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [*cells]}
    return project.write(f"training/train_{name}.ipynb", json.dumps(notebook))


PARAMETERS = cell(
    "epochs = 3\nrate: float = 1\nnames = ['a', 'b']\ndeep = True\nwhere = make()\nepochs_twice = epochs", "parameters"
)


def test_the_literals_of_the_tagged_cell_are_its_parameters(project: Project) -> None:
    title = cell("# How fast?\n\nmore", kind="markdown")
    code = cell(
        "%matplotlib inline\n!pip install x\nimport numpy as np\nhelp?\nGATES = {'auc': '>= 0.8'}\n"
        "if np:\n    %time 1\nx = [  # why?\n    np,\n]"
    )
    write(project, title, cell("import os"), PARAMETERS, code, cell("%%bash\nls -l | wc"))
    [job] = project.discovered()
    assert (job.kind, job.title, job.imports, job.problem is None) == ("notebook", "How fast?", ("numpy",), INSTALLED)
    assert [(each.name, each.type, each.default) for each in job.declared] == [
        *(("epochs", "int", 3), ("rate", "float", 1), ("names", "list", ["a", "b"]), ("deep", "bool", True)),
    ]
    assert (job.parameters["epochs"], job.cwd, job.gates[0].metric) == (3, "training", "auc")


@pytest.mark.parametrize("cells", [[], [cell("epochs = 3")], [cell("epochs = 3", "other")]])
def test_a_notebook_without_such_a_cell_is_no_job(project: Project, cells: list[dict[str, Any]]) -> None:
    write(project, *cells)
    assert project.discovered() == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "{}",
        '{"cells": [], "metadata": 1}',
        '{"worksheets": []}',
        '{"cells": [1]}',
        '{"cells": [{"source": "", "metadata": {"tags": 1}}]}',
        '{"cells": [{"source": 1}]}',
    ],
)
def test_a_file_that_is_no_notebook_is_a_job_that_says_so(project: Project, text: str) -> None:
    project.write("training/train_x.ipynb", text)
    [job] = project.discovered()
    assert (job.problem or "").startswith("training/train_x.ipynb:1: expected a notebook of version 4: ")


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({}, None),
        ({"kernelspec": {"name": "conda-env-x", "display_name": "X"}}, None),
        ({"kernelspec": {"name": "python3", "language": "python"}, "language_info": {"name": "python"}}, None),
        ({"language_info": {"name": "ipython"}}, None),
        ({"kernelspec": {"name": "ir", "language": "R"}}, "R"),
        ({"kernelspec": {"name": "julia-1.9"}, "language_info": {"name": "julia"}}, "julia"),
        ({"language_info": {"name": "\x1b[31mscala"}}, "\\x1b[31mscala"),
    ],
)
def test_a_notebook_in_another_language_is_not_executed_as_python(
    project: Project, metadata: dict[str, Any], language: str | None
) -> None:
    path = write(project, PARAMETERS, cell("print(epochs)"))  # which many languages read
    path.write_text(json.dumps(json.loads(path.read_text()) | {"metadata": metadata}))
    [job] = project.discovered()
    expected = f"training/train_x.ipynb:1: expected a notebook in Python, found one in {language}" if language else None
    assert (job.problem if INSTALLED or language else None) == expected


def test_where_files_are_read_a_notebook_is_taken_by_its_cell(project: Project) -> None:
    for name, cells in (("fit", [PARAMETERS]), ("look", [cell("print('parameters')")])):
        write(project, *cells).rename(project.training / f"{name}.ipynb")
    read = FileFilter(include=(READING,))
    [job] = discover(project.training, project.root, read)
    assert (job.id, job.evidence) == ("fit", "has a cell with the tag parameters")
    assert [*left_out([project.training], project.root, read, KINDS)] == [
        "left out: look.ipynb: has no cell with the tag parameters"
    ]


def test_only_what_is_set_is_put_into_the_notebook(project: Project) -> None:
    path = write(project, PARAMETERS)
    job = project.load("jobs:\n  x: {parameters: {epochs: 5, names: [c]}}\n")[0][0]
    start = KINDS["notebook"].start(job, folder="/out", seed=3)
    assert isinstance(start, Command)
    program, _, _, *rest = start.argv
    assert (program, rest[:2], json.loads(rest[2])) == (
        sys.executable,
        [str(path), "/out"],
        {"epochs": 5, "names": ["c"]},
    )
    assert not start.is_warm


def test_a_notebook_without_the_extra_fails_with_one_sentence(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, PARAMETERS)
    monkeypatch.setitem(sys.modules, "nbclient", None)
    job: Job = project.discovered()[0]
    assert job.problem == "a notebook needs nbclient: pip install 'pytest-training[notebook]'"
