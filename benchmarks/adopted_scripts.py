"""Twelve scripts as people have them, with argparse: beside a pool of subprocesses, with pyarrow and without."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measuring import PYTEST, WORKERS, Measurement, check_accounting, measure, medians
from projects import forget_runs, program_project
from tables import Answer

COUNT = 12
QUESTION = f"{COUNT} scripts with argparse that import PyTorch, pandas, scikit-learn and xgboost, {WORKERS} at a time"
REPEATS = 3
TIMES_LESS = 2
NEEDED = ("torch", "pandas", "sklearn", "xgboost")
PYARROW = "pyarrow"
THREADS = max(1, len(os.sched_getaffinity(0)) // WORKERS)
"""What the plugin gives each of them."""

HEAD = """import argparse
import json
import os

import numpy as np
import pandas as pd
{imports}

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--seed", type=int, default={seed})
parser.add_argument("--output-dir", default="result{seed}")


def main():
    args = parser.parse_args()
    random = np.random.default_rng(args.seed)
    frame = pd.DataFrame(random.normal(size=(400, 8)), columns=list("abcdefgh"))
    target = (frame.sum(axis=1) + random.normal(size=400) > 0).astype(int)
    train, test = frame[:300], frame[300:]
"""
TAIL = """
    os.makedirs(args.output_dir, exist_ok=True)
    with open(os.path.join(args.output_dir, "metrics.json"), "w") as file:
        json.dump({"accuracy": accuracy}, file)
    print(f"accuracy: {accuracy:.4f}")


if __name__ == "__main__":
    main()
"""
BODIES = (
    (
        "import torch",
        """    torch.manual_seed(args.seed)
    inputs = torch.tensor(train.values, dtype=torch.float32)
    labels = torch.tensor(target[:300].values, dtype=torch.float32)
    net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    optimiser = torch.optim.SGD(net.parameters(), lr=args.lr)
    for _ in range(args.epochs):
        optimiser.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(inputs).squeeze(), labels)
        loss.backward()
        optimiser.step()
    found = net(torch.tensor(test.values, dtype=torch.float32)).squeeze() > 0
    accuracy = float((found.numpy() == target[300:].values).mean())
""",
    ),
    (
        "from sklearn.linear_model import LogisticRegression\nfrom sklearn.metrics import accuracy_score",
        """    model = LogisticRegression(max_iter=args.epochs * 10, C=1 / args.lr).fit(train, target[:300])
    accuracy = float(accuracy_score(target[300:], model.predict(test)))
""",
    ),
    (
        "from sklearn.ensemble import RandomForestClassifier\nfrom sklearn.model_selection import cross_val_score",
        """    model = RandomForestClassifier(args.epochs, random_state=args.seed, n_jobs=1)
    accuracy = float(cross_val_score(model, train, target[:300], cv=3).mean())
""",
    ),
    (
        "import xgboost as xgb",
        """    settings = {"objective": "binary:logistic", "eta": args.lr, "seed": args.seed, "nthread": 1}
    model = xgb.train(settings, xgb.DMatrix(train, target[:300]), num_boost_round=args.epochs)
    accuracy = float(((model.predict(xgb.DMatrix(test)) > 0.5) == target[300:]).mean())
""",
    ),
)
OURS, POOL = "pytest-training, `--training-root .`", f"a subprocess per script, ThreadPool({WORKERS})"


def answer(folder: Path, repeats: int) -> Answer:
    """Measure both with pyarrow, if it is installed, and where its import fails; compare the results."""
    result = Answer(QUESTION, ["runner", "pyarrow", "s", "CPU s"])
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        result.notes.append(f"Not measured: needs {', '.join(missing)}.")
        return result
    folder.mkdir(parents=True, exist_ok=True)
    check_accounting(folder)
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / f"{PYARROW}.py").write_text("raise ImportError(__name__)\n", encoding="utf-8")
    worlds = {"without": f"PYTHONPATH={hidden}"}
    if importlib.util.find_spec(PYARROW) is not None:
        worlds["with"] = "PYTHONPATH="
    for world, variable in worlds.items():
        _compare(result, folder / world, repeats, world, variable)
    return result


def _compare(result: Answer, folder: Path, repeats: int, world: str, variable: str) -> None:
    sources = [_source(number) for number in range(COUNT)]
    programs, ours = program_project(folder / "programs", sources), folder / "ours"
    ours.mkdir()
    for number, source in enumerate(sources):
        (ours / f"train_{number:04}.py").write_text(source, encoding="utf-8")
    pool = ["env", variable, f"OMP_NUM_THREADS={THREADS}", sys.executable, "pool.py"]
    alternatives: dict[str, Callable[[], Measurement]] = {
        OURS: partial(_train, ours, variable),
        POOL: partial(measure, pool, programs),
    }
    middle = medians(alternatives, repeats)
    for name, each in middle.items():
        result.rows.append([name, world, f"{each.wall_s:.1f}", f"{each.cpu_s:.1f}"])
    what = f"{world} pyarrow, 1/{TIMES_LESS} of the pool"
    result.limit(what, middle[OURS].wall_s, middle[POOL].wall_s / TIMES_LESS)
    theirs = [json.loads((programs / f"result{seed}" / "metrics.json").read_text()) for seed in range(COUNT)]
    report = json.loads((ours / "reports" / "report.json").read_text(encoding="utf-8"))
    jobs = sorted((test["metadata"] for test in report["tests"]), key=lambda job: job["id"])
    found = [{"accuracy": job["metrics"]["accuracy"]} for job in jobs]
    if found != theirs:
        sys.exit(f"{world} pyarrow {OURS} has {found}, {POOL} {theirs}")


def _source(number: int) -> str:
    imports, body = BODIES[number % len(BODIES)]
    return HEAD.format(imports=imports, seed=number) + body + TAIL


def _train(project: Path, variable: str) -> Measurement:
    forget_runs(project)
    seeds = [word for number in range(COUNT) for word in ("--set", f"{number:04}.seed={number}")]
    return measure(["env", variable, *PYTEST, "--training-root", ".", "-n", str(WORKERS), *seeds], project)
