"""A search whose pytest is killed again and again: no trial is lost, none is told twice, all are as drawn first."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sessions import PATIENCE_S, Project
from watching import eventually, processes_with

optuna = pytest.importorskip("optuna")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
KILLS = 20 * int(os.environ.get("TRAINING_ENDURANCE", "1"))
TRIALS = 2 * KILLS
MOST_LINES = 14  # of the journal between two kills; a trial has about six
BODY = """
time.sleep(0.05)
run.log(epoch=1, loss=rate)
return {"loss": rate}
"""
CATALOGUE = f"""
jobs:
  a: {{search: {{trials: {TRIALS}, metric: loss, parameters: {{rate: {{low: 0.0, high: 1.0}}}}, pruner: median}}}}
"""


def journals(project: Project) -> list[bytes]:
    """Return the journals of all runs; each begins with the one before."""
    return [path.read_bytes() for path in sorted(project.reports.glob("runs/*/optuna.journal"))]


def lines(project: Project) -> int:
    return max((content.count(b"\n") for content in journals(project)), default=0)


def newest(project: Project) -> dict[str, dict[str, Any]]:
    """Return the last outcome of each trial."""
    files = sorted(project.reports.glob("runs/*/jobs/a-trial-*/outcome.json"))
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in files}


def test_killed_again_and_again_a_search_loses_and_repeats_no_trial(tmp_path: Path, mark: str) -> None:
    project, moments = Project(tmp_path), random.Random(5)  # noqa: S311  (no secret)
    project.job("a", BODY, top="import time", parameters="rate=0.1")
    project.write("training/jobs.yaml", CATALOGUE)
    for number in range(KILLS):
        enough = lines(project) + moments.randrange(1, MOST_LINES)
        process = project.start("-n", str(number % 3), *(["--training-resume"] if number else []))
        eventually(lambda: lines(project) >= enough or process.poll() is not None)  # noqa: B023  (waited for at once)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
        eventually(lambda: not processes_with(mark))
    project.run("-n", "2", "--training-resume")
    trials = newest(project)
    assert len(trials) == TRIALS
    assert {each["status"] for each in trials.values()} <= {"passed", "skipped"}
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(max(project.reports.glob("runs/*/optuna.journal"))))
    )
    told = optuna.load_study(study_name="a", storage=storage).trials
    assert Counter(each.user_attrs["job"] for each in told) == dict.fromkeys(trials, 1)
    assert {each.state.name for each in told} <= {"COMPLETE", "PRUNED"}
    assert {each.user_attrs["job"]: each.params["rate"] for each in told} == {
        job_id: each["parameters"]["rate"] for job_id, each in trials.items()
    }
    drawn: dict[str, set[float]] = {}
    for content in journals(project):
        for entry in map(json.loads, content[: content.rfind(b"\n") + 1].splitlines()):
            if entry["op_code"] == 5:  # a parameter of a trial
                drawn.setdefault(entry["trial_id"], set()).add(entry["param_value_internal"])
    assert {len(values) for values in drawn.values()} == {1}


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ('journal.write_bytes(b"rubbish\\n" * 3)', "its search cannot go on: JSONDecodeError: "),
        ('journal.write_bytes(b"")', "its search cannot go on: JSONDecodeError: "),
        ("journal.unlink()", "cannot be trained or recorded: No such file or directory"),
        ("journal.unlink(), journal.mkdir()", "cannot be trained or recorded: Is a directory"),
        ("journal.open('ab').write(b'{\"half')", None),
    ],
    ids=["rubbish", "empty", "gone", "folder", "half-a-line"],
)
def test_what_a_job_does_to_the_journal_fails_trials_with_a_sentence(
    tmp_path: Path, deed: str, reason: str | None
) -> None:
    project = Project(tmp_path)
    body = f'journal = run.folder.parents[3] / "optuna.journal"\nif "trial-002" in str(run.folder): {deed}\n'
    project.job("a", f'{body}return {{"loss": rate}}', parameters="rate=0.1")
    project.write("training/jobs.yaml", CATALOGUE.replace(f"trials: {TRIALS}", "trials: 4"))
    project.run()
    trials = newest(project)
    assert [each["status"] for each in trials.values()] == ["passed"] * 2 + ["failed" if reason else "passed"] * 2
    assert all(each["reason"].startswith(reason or "") for each in list(trials.values())[2:])
