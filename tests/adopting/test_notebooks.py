"""Notebooks, executed: their parameters, what they print, their files, their copy, and how they fail."""

from __future__ import annotations

import json

import pytest

from .repository import Repository

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

FITS = """
import json, os, random
import numpy as np
from helper import SCALE
print('cwd', os.getcwd(), 'epochs', epochs, 'seeded', random.random(), np.random.rand())
for epoch in range(epochs):
    print(f'Epoch {epoch + 1}/{epochs} - val_auc: {0.5 + epoch / 10 * SCALE:.3f}')
"""
LEAVES = """
import os, pathlib
pathlib.Path(os.environ['TRAINING_FOLDER'], 'metrics.json').write_text('{"auc": 0.75}')
"""
NOTEBOOKS = {
    "nets/fits": [("epochs = 3", "parameters"), (FITS, ""), ("{'rows': 5}", "")],
    "nets/raises": [("epochs = 3", "parameters"), ("x = 1", ""), ("def fit():\n    open('gone.csv')\nfit()", "")],
    "nets/leaves": [("epochs = 3", "parameters"), (LEAVES, "")],
    "nets/dies": [("epochs = 3", "parameters"), ("import os\nos.kill(os.getpid(), 9)", "")],
    "nets/ended": [
        *(("epochs = 3", "parameters"), ("print('so far')", "")),
        ("import os, time\nos.kill(os.getppid(), 15)\ntime.sleep(600)", ""),
    ],
    "nets/plain": [("print('no parameters')", "")],
}


@pytest.mark.slow
def test_notebooks_are_jobs(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, cells in NOTEBOOKS.items():
        listed: list[dict[str, object]] = [
            {
                "cell_type": "code",
                "metadata": {"tags": [tag]} if tag else {},
                "source": text,
                "outputs": [],
                "execution_count": None,
            }
            for text, tag in cells
        ]
        folder, _, stem = name.rpartition("/")
        content = {"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": {"name": "theirs"}}, "cells": listed}
        repository.write(f"{folder}/train_{stem}.ipynb", json.dumps(content))
    repository.write("nets/helper.py", "SCALE = 1\n")
    other = repository.user / "kernels" / "python3" / "kernel.json"  # as `ipykernel install --user` leaves one behind
    other.parent.mkdir(parents=True)
    other.write_text('{"argv": ["false"], "display_name": "Python of another environment", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(repository.user))
    words = ("--training-root", str(repository.root), "-n", "2", "--set", "fits.epochs=4", "-k")
    ended = repository.pytest(*words, "fits or raises or leaves or dies or ended or plain and not models")
    found = repository.outcomes()
    assert {job_id: (each["status"], each["cause"]) for job_id, each in found.items()} == {
        "fits": ("passed", None),
        "raises": ("failed", "missing file"),
        "leaves": ("passed", None),
        "dies": ("failed", "exit"),
        "ended": ("failed", "exit"),
        "plain": ("passed", None),  # the script of that name
    }, ended.stdout
    log = repository.log("fits")
    assert log.startswith(f"cwd {repository.root / 'nets'} epochs 4 seeded ")
    assert "Epoch 4/4 - val_auc: 0.800\n{'rows': 5}\n" in log
    assert found["leaves"]["metrics"] == {"auc": 0.75}
    assert (
        "FileNotFoundError: [Errno 2] No such file or directory: 'gone.csv' (cell 3: def fit():)"
        in found["raises"]["reason"]
    )
    assert "so far" in repository.log("ended")
    for job_id in ("fits", "raises", "ended"):
        [copy] = [name for name in found[job_id]["artifacts"] if name.endswith(f"train_{job_id}.ipynb")]
        cells = json.loads((repository.user / "reports" / copy).read_text())["cells"]
        assert any(each["outputs"] for each in cells), job_id
        assert cells[0]["source"][-1] == f"epochs = {4 if job_id == 'fits' else 3}"
    again = repository.pytest(*words, "fits")
    assert again.returncode == 0
    assert repository.log("fits") == log  # the same seed draws the same numbers
