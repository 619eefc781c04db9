"""The examples of docs/run.md, a function each; tests/docs/test_generated.py trains them as a job."""
# ruff: noqa: D103  (the page says what each shows)

from __future__ import annotations

import numpy as np
import pandas as pd

from pytest_training import Run


def data(run: Run) -> None:
    path = run.data("visits")
    table = pd.read_csv(path)
    run.note(f"{len(table)} visits")


def dataset(run: Run) -> None:
    declared = run.dataset("visits")
    run.note(f"{declared.name}: {declared.license}")


def use(run: Run) -> None:
    path, sha256 = run.use("training/visits.csv")
    run.note(f"{path.name} has the hash {sha256[:8]}")


def needed(run: Run) -> None:
    first = run.needed("first")
    settings = (first.folder / "settings.json").read_text()
    run.log(r2_before=first.metrics["r2"], settings=settings)


def checkpoint(run: Run) -> None:
    state = run.checkpoint.load() or {"epoch": 0, "weights": np.zeros(3)}
    for epoch in range(state["epoch"], 10):
        state["weights"] = state["weights"] + 0.1
        run.checkpoint.save(epoch=epoch + 1, weights=state["weights"])


def log(run: Run) -> None:
    for epoch in range(10):
        run.log(epoch=epoch, loss=1 / (epoch + 1))


def progress(run: Run) -> None:
    for fold in range(5):
        run.progress(fold + 1, 5)


def note(run: Run) -> None:
    run.note("3 of 7 columns used")


def save(run: Run) -> None:
    run.save("weights.npy", np.zeros(3))
    run.save("tables/risks.csv", pd.DataFrame({"risk": [0.1, 0.9]}))
    run.save("settings.json", {"folds": 5})


def predictions(run: Run) -> None:
    generator = np.random.default_rng(run.seed)
    ill = generator.integers(0, 2, 200)
    risk = np.clip(0.2 + 0.4 * ill + generator.normal(0, 0.2, 200), 0, 1)
    evaluation = run.predictions(ill, risk, cutoff=0.5)
    run.note(f"the area under the curve is {evaluation.metrics['roc_auc']:.2f}")


def describe(run: Run) -> None:
    table = pd.DataFrame({"age": [71, 64, 58, 80], "weight": [70, 82, 65, 59]})
    run.describe(table, [0, 1, 0, 1], classes=["well", "ill"], units={"age": "years", "weight": "kg"})


def target(run: Run) -> None:
    person = ["a", "a", "b", "c"]
    ill = run.target(np.array([0, 1, 0, 1]), person)
    run.log(ill=ill.sum())


def choice(run: Run) -> None:
    for best in (0.1, 1.0, 0.1):
        run.choice("C", best, among=[0.01, 0.1, 1.0, 10.0])
