"""Tests of train_model.py in a session: what is said where, and how much memory large tables take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sessions import Project

from .conftest import ROOT

JOB = "return train_model.train(run, data={data!r}, target='y', epochs=3, folds=2)"
TOP = f"import sys\n\nsys.path.insert(0, {str(ROOT / 'training')!r})\nimport train_model\n"


def table(rows: int, columns: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(rows, columns)).round(3)).rename(columns="m{}".format)
    return frame.assign(y=(frame["m0"] + random.normal(size=rows) > 0).astype(int))


@pytest.mark.slow
def test_a_leak_fails_its_job_and_is_said_everywhere_and_large_tables_take_little_memory(tmp_path: Path) -> None:
    project = Project(tmp_path)
    leaky = table(120, 4).assign(
        stay=lambda frame: 9 * frame["y"] + frame["m1"], note=[f"text {n}" for n in range(120)]
    )
    tables = {"leaky": leaky, "wide": table(60, 3000), "long": table(60_000, 20)}
    for name, frame in tables.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        project.job(name, JOB.format(data=str(tmp_path / f"{name}.csv")), top=TOP)
    jobs = "{gates: {leak_suspects: '== 0'}, memory: 1000 MB}"
    project.write("training/jobs.yaml", "jobs:\n" + "".join(f"  {name}: {jobs}\n" for name in tables))
    printed = project.run("-n", "2").stdout.str()
    assert project.statuses() == {"leaky": "failed", "wide": "passed", "long": "passed"}
    assert project.metadata()["leaky"]["cause"] == "gate"
    texts = [printed, *((project.reports / name).read_text() for name in ("summary.md", "index.html", "report.json"))]
    for text in texts:
        plain = text.replace("\\", "").replace("&#39;", "'")
        assert "leak suspect: 'stay' alone predicts the target (ROC AUC 1.000" in plain
        assert "drop=stay leaves it out; known=stay says that it was measured before" in plain
        assert "5 of 6 columns used; left out: 'note' (free text, 120 different values)" in plain
