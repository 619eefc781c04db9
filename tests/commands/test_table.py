"""`pytest-training table STUDY`: on a terminal of 80 columns, as CSV, as JSON, and studies that do not exist."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from made_studies import FAILED, LEFT_OUT, PRUNED, RUN, make_study, trial
from sessions import Project

from pytest_training.commands.main import main
from pytest_training.evaluation import record
from pytest_training.evaluation.judge import evaluate
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Attempt, Outcome, Status
from pytest_training.jobs.plan_file import read_plan, save_plan

SEARCH, SEEDS, PREDICTED = "20260106-100000-abcd", "20260107-100000-abcd", "20260108-100000-abcd"
LONG = "a_parameter_with_a_name_as_long_as_some_frameworks_have"
TRUTH = np.arange(90) % 3 == 0
RANDOM = np.random.default_rng(0)
SCORES = {name: np.clip(TRUTH * gain + RANDOM.normal(size=90) / 3, 0, 1) for name, gain in (("a", 0.4), ("b", 0.3))}


def search() -> list[Outcome]:
    draw = random.Random(0)  # noqa: S311  (values of made-up trials)
    trials = [
        trial(
            f"trial-{index:03d}",
            {"roc_auc": 0.5 + index / 500, "roc_auc_low": 0.4, "mae": 10.0 * index, "depth": 2.0},
            study="wide",
            parameters={LONG: 10 ** draw.uniform(-5, -1), "depth": index, "optimizer": "=adam, “x”" * 9, "flag": True},
        )
        for index in range(200)
    ]
    trials[1] = trial("trial-001", study="wide", parameters={}, **FAILED)
    trials[2] = trial("trial-002", {"roc_auc": 0.99}, study="wide", parameters={"depth": 3}, **PRUNED)
    trials[3] = trial("trial-003", study="wide", parameters={}, **LEFT_OUT)
    return trials


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports = tmp_path_factory.mktemp("studies") / "reports"
    values = {1: (0.60, 0.62), 5: (0.80, 0.84), 9: (0.81, 0.80)}
    crossed = [
        trial(f"trees-{trees}-seed-{seed}", {"auc": several[seed]}, seed=seed, parameters={"trees": trees})
        for trees, several in values.items()
        for seed in (0, 1)
    ]
    make_study(reports, crossed, seeds=(0, 1))
    make_study(reports, search(), run_id=SEARCH, name="wide")
    numbers = [
        trial(f"seed-{seed}", {"auc": 0.7 + seed / 100}, seed=seed, parameters={}, study="als") for seed in (3, 4)
    ]
    make_study(reports, numbers, run_id=SEEDS, name="als", seeds=(3, 4))
    make_study(reports, [predicted(reports, name) for name in SCORES], run_id=PREDICTED, name="paired")
    return reports


def predicted(reports: Path, name: str) -> Outcome:
    """Return a trial that leaves predictions, as a real one does."""
    made = record.make(TRUTH.astype(int), SCORES[name], fold=np.arange(90) % 5)
    folder = RunFolder(reports, PREDICTED).job(f"paired-{name}").attempt(1)
    folder.create()
    record.write(made, folder.path)
    evaluation = evaluate(made)
    (folder.path / "evaluation.json").write_bytes(msgspec.json.encode(evaluation))
    attempts = (Attempt(number=1, status=Status.PASSED),)
    return trial(name, evaluation.metrics, study="paired", parameters={"kind": name}, attempts=attempts)


@pytest.fixture
def ask(reports: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def ask(*words: str, columns: int = 80) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(["table", *words, "--reports", str(reports)]) == 0
        return capsys.readouterr().out

    return ask


def test_combinations_stand_best_first_with_their_difference_to_the_best(ask: Any) -> None:
    assert ask("forest").splitlines() == [
        f"forest in run {RUN}: 6 trials: 6 passed",
        "* best of 3 combinations: auc 0.820 ± 0.028 over 2 seeds (95 %: 0.566 to 1) with trees 5",
        "trial      auc    sd        seeds  to_best                    trees  seconds",
        "* trees-5  0.82   0.02828   2                                 5      4",
        "  trees-9  0.805  0.007071  2      -0.015 (-0.217 to 0.187)   9      4",
        "  trees-1  0.61   0.01414   2      -0.210 (-0.348 to -0.072)  1      4",
        "to_best: less the best, with its 95 % interval: Welch over 2 and 2 seeds",
    ]


def test_trials_alone_do_not_hide_the_whole_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trials = [trial(f"trees-{n}", {"auc": n / 10}) for n in (1, 5)]
    make_study(tmp_path, trials)
    for number in (6, 7):  # as `-k forest-trees-1` leaves them
        folder = make_study(tmp_path, trials[:1], run_id=f"2026010{number}-100000-abcd")
        plan = read_plan(folder.plan)
        save_plan(msgspec.structs.replace(plan, jobs=plan.jobs[:1]), folder.plan)
    assert main(["table", "forest", "--reports", str(tmp_path)]) == 0
    printed, said = capsys.readouterr()
    assert printed.startswith(f"forest in run {RUN}: 2 trials: 2 passed")
    assert "run 20260107-100000-abcd has trials without their study: --run shows them" in said
    assert main(["table", "forest", "--run", "20260106", "--reports", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("forest in run 20260106-100000-abcd: 1 trial: 1 passed")


def test_seeds_have_a_mean_and_no_best(ask: Any) -> None:
    head, mean, names, *rows = ask("als").splitlines()
    assert (head, mean) == (
        f"als in run {SEEDS}: 2 trials: 2 passed",
        "auc 0.735 ± 0.007 over 2 seeds (95 %: 0.671 to 0.799)",
    )
    assert [row.split() for row in (names, *rows)] == [
        ["trial", "auc", "seed", "seconds"],
        ["seed-4", "0.74", "4", "2"],
        ["seed-3", "0.73", "3", "2"],
    ]


def test_what_does_not_fit_a_terminal_is_named(ask: Any) -> None:
    head, best, *table = ask("wide").splitlines()
    assert head == f"wide in run {SEARCH}: 200 trials: 197 passed, 1 pruned, 1 failed, 1 not run"
    assert best.startswith("* best of 198 trials: roc_auc 0.898 with ")
    assert max(map(len, table[:-1])) <= 80
    assert table[1].startswith("* trial-199  passed   0.898 ")
    assert [row.split()[:2] for row in table[-5:-2]] == [
        ["trial-002", "pruned"],
        ["trial-001", "failed"],
        ["trial-003", "not"],
    ]
    assert table[-2:] == [
        "1 failed: raised ValueError: no tree",
        "too narrow for flag, seconds, mae, metric depth: --csv and --json have all",
    ]
    assert len(table) == 203
    everything = ask("wide", columns=1000)
    assert LONG in everything
    assert "too narrow" not in everything


def test_csv_has_every_trial_with_exact_numbers(ask: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(ask("wide", "--csv"))))
    trials = {each.job_id: each for each in search()}
    assert rows[0]["trial"] == "wide-trial-199"
    assert {row["trial"] for row in rows} == set(trials)
    for row in rows:
        outcome = trials[row["trial"]]
        metrics = {"roc_auc": row["roc_auc"], "depth": row["metric depth"], "mae": row["mae"]}
        assert {name: float(text) for name, text in metrics.items() if text} == {
            name: value for name, value in outcome.metrics.items() if name != "roc_auc_low"
        }
        if outcome.status == Status.PASSED:
            own = {LONG: float(row[LONG]), "depth": int(row["parameter depth"]), "optimizer": row["optimizer"]}
            assert own | {"flag": row["flag"] == "true"} == {name: outcome.parameters[name] for name in outcome.varied}
    assert [row["status"] for row in rows[-4:]] == ["passed", "pruned", "failed", "not run"]
    assert rows[-2]["reason"] == "raised ValueError: no tree"


def test_json_has_trials_and_combinations(ask: Any) -> None:
    answer = json.loads(ask("forest", "--json"))
    assert (answer["run_id"], answer["metric"], answer["direction"], answer["best"]) == (
        RUN,
        "auc",
        "higher",
        "forest-trees-5",
    )
    assert [row["id"] for row in answer["rows"]] == ["forest-trees-5", "forest-trees-9", "forest-trees-1"]
    assert answer["rows"][1]["behind"]["value"] == pytest.approx(-0.015)
    assert {row["parameters"]["trees"] for row in answer["trials"]} == {1, 5, 9}


def test_predictions_of_the_same_people_are_compared_in_pairs(ask: Any) -> None:
    best, other = json.loads(ask("paired", "--json"))["rows"]
    assert other["behind"]["value"] == pytest.approx(other["metrics"]["roc_auc"] - best["metrics"]["roc_auc"])
    assert other["behind"]["low"] < other["behind"]["value"] < other["behind"]["high"]
    assert ": paired by people, its variance doubled" in ask("paired", columns=200).splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ["forst"],
            "the 4 runs in {reports}: no study 'forst': did you mean 'forest'? Expected one of forest, paired",
        ),
        (["als", "--run", "20260106"], "run 20260106-100000-abcd: no study 'als': expected one of wide"),
        (["als", "--run", "2026"], "run '2026': expected one of the 4 runs in {reports}/runs"),
        (
            ["als", "--reports", "nowhere"],
            "the 0 runs in {cwd}/nowhere: no study 'als' (`matrix:`, `seeds:` or `search:` in",
        ),
    ],
)
def test_studies_that_do_not_exist_are_mistakes(
    reports: Path, words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["table", "--reports", str(reports), *words]) == 2
    expected = problem.format(reports=reports, cwd=Path.cwd())
    assert capsys.readouterr().err.startswith(f"pytest-training table: error: {expected}")


def test_console_reports_and_commands_say_the_same_of_a_real_study(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.job(
        "forest",
        """
        if trees == 9:
            raise ValueError("nine trees")
        return {"auc": trees / 10 + run.seed / 100, "mae": trees}
    """,
        parameters="trees=1",
    )
    project.write("training/jobs.yaml", "jobs:\n  forest: {matrix: {trees: [1, 5, 9]}, seeds: 2, metric: mae}\n")
    result = project.run("-p", "no:xdist")
    best = "best of 2 combinations: mae 1 ± 0 over 2 seeds (95 %: 1 to 1) with trees 1"
    hint = "all trials: pytest-training table forest"
    result.stdout.fnmatch_lines([f"study forest: {best}; 6 trials: 4 passed, 2 failed", hint])
    table = project.ask("table", "forest").outlines
    assert table[1] == f"* {best}"
    assert [line.split()[:4] for line in table[2:6]] == [
        ["trial", "status", "mae", "sd"],
        ["*", "trees-1", "passed", "1"],
        ["trees-5", "passed", "5", "0"],
        ["trees-9", "failed", "9", table[5].split()[-1]],
    ]
    assert table[-1] == "2 failed: raised ValueError: nine trees"
    assert project.metadata()["forest"]["study"]["best"] == "forest-trees-1-seed-0"
    failures = "**forest\\-trees\\-9\\-seed\\-0** and 1 more of forest: raised ValueError: nine trees"
    assert failures in (project.reports / "summary.md").read_text()
