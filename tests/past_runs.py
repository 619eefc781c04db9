"""Run folders and a history as many runs have left them, and `pytest-training` asked in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.atomic import write_atomically
from pytest_training.commands.main import main
from pytest_training.execution.equipment import Machine
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Attempt, GateResult, Outcome, Status
from pytest_training.execution.slot import save_outcome
from pytest_training.jobs.model import Gate, Job, Plan, PlannedJob
from pytest_training.jobs.plan_file import save_plan
from pytest_training.records.history import History
from pytest_training.records.run_record import BegunRun, Provenance, RunRecord
from pytest_training.records.strict_json import encode

MACHINE = Machine(id="m", system="Linux", architecture="", processor="", cpus=1, memory_gib=None)


def outcome(job_id: str, status: Status = Status.PASSED, *, gate: str = "", **fields: Any) -> Outcome:
    """Return an outcome; `gate` is like `auc >=`, and holds."""
    has_begun = status in {Status.PASSED, Status.FAILED, Status.INTERRUPTED}
    attempt = Attempt(number=1, status=status, folder=f"jobs/{job_id}/attempt-1")
    metric, _, operator = gate.partition(" ")
    stated = {"metric": metric, "operator": operator or ">=", "threshold": 0.0}
    gates = (GateResult(gate=msgspec.convert(stated, Gate), found=1.0, passed=True),)
    shared: dict[str, Any] = {
        "kind": "function",
        "title": "",
        "attempts": (attempt,) if has_begun else (),
        "gates": gates if gate else (),
    }
    return Outcome(job_id=job_id, status=status, **shared | fields)


class Pasts:
    """A project with many runs."""

    def __init__(self, root: Path, answer: Callable[..., tuple[int, str, str]]) -> None:
        self.root, self.reports, self.answer = root, root / "reports", answer
        self.count = 0

    @property
    def history(self) -> History:
        """The project's history."""
        return History(self.reports / "history.sqlite", machine="m")

    @property
    def names(self) -> list[str]:
        """The entries of reports/runs."""
        return sorted(path.name for path in (self.reports / "runs").iterdir())

    def __call__(
        self,
        *outcomes: Outcome,
        run_id: str = "",
        begun: bool = True,
        finished: bool = True,
        recorded: bool = True,
        resumed: tuple[str, ...] = (),
        arguments: tuple[str, ...] = (),
        planned: Mapping[str, Any] | None = None,
        smoke: bool = False,
        **git: Any,
    ) -> str:
        """Leave a run with these outcomes; return its id. `planned` has further fields of each planned job."""
        self.count += 1
        run_id = run_id or f"202601{self.count:02d}-100000-abcd"
        folder = RunFolder(self.reports, run_id)
        jobs = [
            PlannedJob(
                job=Job(id=each.job_id, kind="function", source="", home="", root="", trial_of=each.trial_of),
                expected_s=None,
                expected_from="unknown",
                **planned or {},
            )
            for each in outcomes
        ]
        save_plan(Plan(run_id=run_id, seed=0, workers=1, threads=1, jobs=tuple(jobs), smoke=smoke), folder.plan)
        source = Provenance(
            python="3.11",
            implementation="",
            platform="",
            machine=MACHINE,
            packages={"numpy": f"2.{self.count}"},
            environment={},
            **git,
        )
        write_atomically(folder.provenance, encode(source))
        for each in outcomes:
            save_outcome(folder, each)
            for attempt in each.attempts:
                (folder.path / attempt.folder / "artifacts").mkdir(parents=True)
                (folder.path / attempt.folder / "artifacts" / "model.bin").write_bytes(b"m" * 1000)
        if begun:
            start = BegunRun(run_id=run_id, started="", pid=1, pid_started=0.0, resumed=resumed, arguments=arguments)
            write_atomically(folder.begun, encode(start))
        record = RunRecord(run_id=run_id, started="2026-01-05T10:00:00+00:00", ended="", seed=0, workers=1, exit_code=0)
        if finished:
            write_atomically(folder.record, encode(record))
        if finished and recorded:
            self.history.add(record, [each for each in outcomes if each], source)
        return run_id

    def folder(self, run_id: str) -> Path:
        """Return a run's folder."""
        return self.reports / "runs" / run_id

    def json(self, *words: str) -> Any:
        """Return the answer to a question as a program reads it."""
        code, printed, said = self.answer(*words, "--json")
        assert code == 0, said
        return json.loads(printed)


@pytest.fixture
def pasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pasts:
    """Return a project without runs."""
    monkeypatch.chdir(tmp_path)

    def answer(*words: str) -> tuple[int, str, str]:
        code, printed = main(words), capsys.readouterr()
        return code, printed.out, printed.err

    return Pasts(tmp_path, answer)
