"""Searches in a pytest session: parameters are drawn in the slot, trials are compared and pruned while they train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sessions import Project

optuna = pytest.importorskip("optuna")

WAITS = """
import json, os, time
from pathlib import Path

def is_bad(folder):
    name, _, number = Path(folder).parts[-3].rpartition("-trial-")
    await_trials(name, 6 if int(number) > 6 else int(number) > 2)
    return int(number) > 6  # trial-007 and later ones, of which each is pruned

def await_trials(name, count):
    \"\"\"Wait until so many trials have ended: nodes begin one before the search has learned of those before it.\"\"\"
    (journal,) = Path("REPORTS", "runs").glob("*/optuna.journal")
    give_up = time.monotonic() + 60
    while True:
        lines = [json.loads(line) for line in journal.read_text().splitlines(keepends=True) if line.endswith("\\n")]
        begun = [line["user_attrs"]["job"] for line in lines if line["op_code"] == 4]
        ended = [line["trial_id"] for line in lines if line["op_code"] == 6 and line["state"] in (1, 2)]
        if sum(begun[each].startswith(name + "-trial-") for each in ended) >= count:
            return
        assert time.monotonic() < give_up, f"{count} trials of {name} never ended"
        time.sleep(0.01)
"""
EPOCHS = """
worse = 5 if is_bad({folder}) else 0
for epoch in range(1, epochs + 1):
    {say}
if worse:
    time.sleep(100)  # until it is pruned
"""
LOGS = EPOCHS.format(folder="run.folder", say="run.log(epoch=epoch, loss=rate + worse)")
PRINTS = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--epochs", type=int, default=50)
arguments = parser.parse_args()
rate, epochs = arguments.lr, arguments.epochs
""" + EPOCHS.format(
    folder='os.environ["TRAINING_FOLDER"]', say='print(f"epoch {epoch} val_loss {rate + worse:.2f}", flush=True)'
)
SPACE = "{low: 0.1, high: 0.4}"
CATALOGUE = f"""
jobs:
  logs:
    search: {{trials: 8, metric: loss, parameters: {{rate: {SPACE}, depth: {{low: 2, high: 8}}}}, pruner: median}}
  prints: {{search: {{trials: 8, metric: val_loss, parameters: {{lr: {SPACE}}}, pruner: asha}}}}
  tool:
    command: [python, training/tool.py, --lr, "{{lr}}"]
    search: {{trials: 8, metric: val_loss, parameters: {{lr: {SPACE}}}, pruner: hyperband}}
  silent: {{search: {{trials: 2, metric: loss, parameters: {{rate: {SPACE}}}, pruner: asha}}}}
  fails: {{search: {{trials: 3, metric: loss, parameters: {{layers: [[8], [8, 8]]}}, sampler: random}}}}
  misnamed: {{search: {{trials: 2, metric: los, parameters: {{rate: {SPACE}}}}}, gates: {{los: "< 1"}}}}
  late: {{search: {{trials: 3, metric: loss, parameters: {{rate: {SPACE}}}, time: 1s}}}}
"""


def searches(project: Project) -> Project:
    project.write("training/jobs.yaml", CATALOGUE)
    waits = WAITS.replace("REPORTS", str(project.reports))
    returns = 'return {"loss": rate}'
    project.job("logs", LOGS + returns, top=waits, parameters="rate=0.1, depth=3, epochs=50")
    project.write("training/train_prints.py", waits + PRINTS)
    project.write("training/tool.py", waits + PRINTS)
    project.job("silent", 'run.log(epoch=1, los=rate)\nreturn {"loss": rate}', parameters="rate=0.1")
    project.job(
        "fails",
        'if run.folder.parts[-3].endswith("2"): raise OSError("no")\nreturn {"loss": len(layers)}',
        parameters="layers=None",
    )
    project.job("misnamed", returns, parameters="rate=0.1")
    project.job("late", "import time\ntime.sleep(1)\n" + returns, parameters="rate=0.1")
    return project


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The outcomes of all searches, by job id."""
    project = searches(Project(tmp_path_factory.mktemp("searches")))
    project.run("-n", "2", "-p", "no:cacheprovider", "-W", "error")
    files = project.reports.glob("runs/*/jobs/*/outcome.json")
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in files}


@pytest.mark.parametrize(
    ("job_id", "words"),
    [
        ("logs", "pruned at epoch 1 of 50: 5."),
        ("prints", "pruned at epoch 1 of 50: 5."),
        ("tool", "pruned at epoch "),
    ],
)
def test_trials_are_pruned_by_what_they_log_or_print(job_id: str, words: str, outcomes: dict[str, Any]) -> None:
    for number in range(1, 9):
        trial = outcomes[f"{job_id}-trial-00{number}"]
        if number > 6:
            assert trial["cause"] == "pruned"
            assert trial["reason"].startswith(words)
            assert ", above the median 0." in trial["reason"]
            assert min(trial["metrics"].values()) > 5
            assert trial["attempts"][0]["ending"]["ended_by"] == "pruned"
        elif job_id != "prints":  # its pruner takes the best quarter alone further
            assert trial["status"] == "passed"
    assert outcomes[job_id]["status"] == "passed"
    assert outcomes[job_id]["study"]["pruned"] >= 2
    assert max(outcomes[job_id]["metrics"].values()) < 0.4


def test_what_was_drawn_is_what_was_trained(outcomes: dict[str, Any]) -> None:
    for number in range(1, 7):
        trial = outcomes[f"logs-trial-00{number}"]
        assert trial["metrics"] == {"loss": trial["parameters"]["rate"]}
        assert trial["varied"] == ["rate", "depth"]
        assert 0.1 <= trial["parameters"]["rate"] <= 0.4
        assert isinstance(trial["parameters"]["depth"], int)
        assert trial["parameters"]["epochs"] == 50
    assert len({outcomes[f"logs-trial-00{number}"]["parameters"]["rate"] for number in range(1, 9)}) == 8
    assert {str(outcomes[f"fails-trial-00{number}"]["parameters"]["layers"]) for number in range(1, 4)} <= {
        "[8]",
        "[8, 8]",
    }


def test_a_trial_that_logs_no_value_of_the_metric_says_so(outcomes: dict[str, Any]) -> None:
    note = "never compared with other trials: it logged no 'loss' while it trained"
    assert outcomes["silent-trial-001"]["notes"] == [note]
    assert "notes" not in outcomes["logs-trial-001"] or not outcomes["logs-trial-001"]["notes"]


def test_a_trial_that_fails_leaves_the_others(outcomes: dict[str, Any]) -> None:
    assert outcomes["fails-trial-002"]["status"] == "failed"
    assert outcomes["fails"]["status"] == "passed"
    assert outcomes["fails"]["study"] | {"passed": 2, "trials": 3} == outcomes["fails"]["study"]


def test_a_trial_without_the_searchs_metric_fails(outcomes: dict[str, Any]) -> None:
    trial = outcomes["misnamed-trial-001"]
    assert (trial["status"], trial["cause"]) == ("failed", "result")
    assert trial["reason"] == (
        "no metric 'los', by which the search ranks its trials (did you mean 'loss'?); metrics found: loss"
    )
    assert outcomes["misnamed"]["status"] == "failed"


def test_no_trial_starts_once_the_time_of_its_search_is_over(outcomes: dict[str, Any]) -> None:
    trials = [outcomes[f"late-trial-00{number}"] for number in range(1, 4)]
    late = [trial for trial in trials if trial["cause"]]
    assert late  # the third, and on a busy machine the second slot's first
    assert {(trial["status"], trial["cause"]) for trial in late} == {("skipped", "time")}
    assert {trial["reason"] for trial in late} == {"not started: the search has taken its time of 1.0 s"}
    assert all("rate" not in trial["parameters"] for trial in late)
    assert outcomes["late"]["status"] == "passed"


def test_the_journal_is_optunas_own(outcomes: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    (journal,) = tmp_path_factory.getbasetemp().glob("searches0/reports/runs/*/optuna.journal")
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
    states = {
        summary.study_name: [
            each.state.name for each in optuna.load_study(study_name=summary.study_name, storage=storage).trials
        ]
        for summary in optuna.get_all_study_summaries(storage)
    }
    assert states["logs"] == ["COMPLETE"] * 6 + ["PRUNED"] * 2
    trials = optuna.load_study(study_name="logs", storage=storage).trials
    assert [[*each.intermediate_values] for each in trials] == [[*range(1, 51)]] * 6 + [[1]] * 2  # not what came later
    assert sorted(states["fails"]) == ["COMPLETE", "COMPLETE", "FAIL"]
    assert states["misnamed"] == ["FAIL"] * 2
    assert {name: len(each) for name, each in states.items()} == {
        **dict.fromkeys(("logs", "prints", "tool"), 8),
        "silent": 2,
        "fails": 3,
        "misnamed": 2,
        "late": sum(outcomes[f"late-trial-00{number}"]["cause"] is None for number in range(1, 4)),
    }


@pytest.mark.slow
def test_one_slot_trains_the_same_trials_again(tmp_path: Path) -> None:
    project, drawn = Project(tmp_path), []
    body = 'time.sleep(int(run.folder.parts[-3][-1]) / 20)\nreturn {"loss": rate}'  # the last ones take longest
    project.job("again", body, top="import time", parameters="rate=0.1")
    project.write(
        "training/jobs.yaml", f"jobs: {{again: {{search: {{trials: 4, metric: loss, parameters: {{rate: {SPACE}}}}}}}}}"
    )
    for _ in range(2):
        project.run()
        outcome_of = {path.parent.name: path for path in sorted(project.reports.glob("runs/*/jobs/*/outcome.json"))}
        read = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in outcome_of.items()}
        drawn.append({name: each["parameters"] for name, each in read.items()})
    assert drawn[0] == drawn[1]
    assert len({each["rate"] for name, each in drawn[0].items() if name != "again"}) == 4
