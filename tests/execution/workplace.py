"""A folder with jobs in it, and attempts at them that real launchers execute."""

from __future__ import annotations

import itertools
import textwrap
import time
from pathlib import Path
from typing import Any

from pytest_training.execution.attempt.messages import AttemptRequest
from pytest_training.execution.backends.protocol import Launcher
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.judge import Verdict, judge
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.model import Job, PlannedJob, RunSettings


def planned(job: Job, **fields: Any) -> PlannedJob:
    """Return the job as a plan has it."""
    return PlannedJob(**{"job": job, "expected_s": None, "expected_from": "unknown", **fields})


class Workplace:
    """Makes jobs and requests below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.training = root / "training"
        self.training.mkdir()
        self.numbers = itertools.count(1)

    def function(self, body: str, *, top: str = "", **fields: Any) -> Job:
        """Return a function job with this body of `train` and these lines at the top of its file."""
        number = next(self.numbers)
        text = f"{textwrap.dedent(top)}\ndef train(run):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
        return self._job("function", f"train_job_{number}.py", text, **fields)

    def script(self, text: str, **fields: Any) -> Job:
        """Return a script job with this text."""
        return self._job("script", f"train_job_{next(self.numbers)}.py", textwrap.dedent(text), **fields)

    def command(self, *command: str, **fields: Any) -> Job:
        """Return a command job."""
        return self._fields("command", f"job_{next(self.numbers)}", command=command, **fields)

    def _job(self, kind: str, name: str, text: str, **fields: Any) -> Job:
        path = self.training / name
        path.write_text(text, encoding="utf-8")
        return self._fields(kind, path.stem.removeprefix("train_"), path=str(path), **fields)

    def _fields(self, kind: Any, job_id: str, **fields: Any) -> Job:
        place = {"source": "training/jobs.yaml:1", "home": str(self.training), "root": str(self.root)}
        return Job(**{"id": job_id, "kind": kind, **place, **fields})

    def request(self, job: Job, **fields: Any) -> AttemptRequest:
        """Return a request for an attempt at the job, in a new folder."""
        folder = AttemptFolder(self.root / "runs" / f"{job.id}-{next(self.numbers)}")
        folder.create()
        return AttemptRequest(
            **{
                "job": job,
                "start": KINDS[job.kind].start(job, folder=str(folder.artifacts), seed=fields.get("seed", 0)),
                "folder": str(folder.path),
                "checkpoint": str(folder.path / "checkpoint"),
                "seed": 0,
                "threads": 1,
                "settings": RunSettings(grace_s=0.3),
                **fields,
            }
        )

    def verdict(self, launcher: Launcher, job: Job, **fields: Any) -> Verdict:
        """Have an attempt executed and judged."""
        request, since = self.request(job, **fields), time.time()
        return judge(request, launcher.launch(request), since=since)
