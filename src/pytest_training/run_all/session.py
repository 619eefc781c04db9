"""A pytest session in this process, which trains or only collects; its summary, and copies of artifacts and logs.

pytest is imported when a session runs, so that Ctrl-C while it loads is noted too.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy
from msgspec import Struct, field

from pytest_training.atomic import write_atomically
from pytest_training.errors import DeclarationError
from pytest_training.execution.folder import RunFolder, new_run_id, seconds_between, utc_now
from pytest_training.execution.job_files import read_json
from pytest_training.execution.outcome import Status
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.model import Job
from pytest_training.run_all.arguments import Arguments
from pytest_training.run_all.selection import FOLDER, Selection, command_of

if TYPE_CHECKING:
    import pytest

    from pytest_training.records.recorded_run import TrainingRun

QUIET = ("-W", "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning")
"""The plugin is loaded before pytest here, which pytest would warn of: nothing in it needs rewriting."""
PIPELINE = "pytest-training"
WORDS = {Status.PASSED: "SUCCESS", Status.FAILED: "FAILED", Status.INTERRUPTED: "INTERRUPTED"}
WORDS |= {Status.SKIPPED: "SKIPPED", Status.NOT_RUN: "SKIPPED"}
"""The original's words."""
last = pluggy.HookimplMarker("pytest")(trylast=True)


class Session(Struct, eq=False):
    """A plugin that notes its session's jobs, run and end."""

    started: str = field(default_factory=utc_now)
    ended: str = ""
    status: int | None = None  # pytest's exit code; None until it has ended by itself
    is_interrupted: bool = False
    folder: RunFolder | None = None  # None if no run began
    jobs: list[Job] | None = None  # all jobs, before any is selected; None until they are collected
    kinds: Kinds = field(default_factory=lambda: KINDS)

    def run(self, arguments: list[str]) -> None:
        """Run pytest to its end, or until Ctrl-C."""
        try:
            import pytest  # noqa: PLC0415  (see the module's docstring)

            self.status = int(pytest.main([*QUIET, *arguments], plugins=[self]))
        except KeyboardInterrupt:
            self.is_interrupted = True
        self.ended = utc_now()

    @last
    def pytest_training_jobs(self, config: pytest.Config, jobs: list[Job]) -> None:
        """Note all jobs, after other hooks have changed them."""
        from pytest_training.options import REGISTRY  # noqa: PLC0415  (it imports pytest)

        self.jobs, self.kinds = list(jobs), config.stash[REGISTRY].kinds

    def pytest_training_run_start(self, run: TrainingRun) -> None:
        """Note the folder of the run."""
        self.folder = run.folder

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note Ctrl-C."""
        self.is_interrupted |= excinfo.errisinstance(KeyboardInterrupt)


def collect_jobs(arguments: list[str]) -> tuple[list[Job], Kinds]:
    """Return all jobs that pytest collects with these arguments, and the kinds of job that its plugins register."""
    session, printed = Session(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        session.run([*arguments, "--collect-only", "-qq"])
    if session.is_interrupted:
        raise KeyboardInterrupt
    if session.jobs is None:
        raise DeclarationError(printed.getvalue().strip().removeprefix("ERROR: "))
    return session.jobs, session.kinds


def summarise(arguments: Arguments, selection: Selection, session: Session) -> dict[str, Any]:
    """Return the summary."""
    report = (read_json(session.folder.report, dict[str, Any]) if session.folder else None) or {}
    run: dict[str, Any] = report.get("training") or {}
    start, end = run.get("started") or session.started, run.get("ended") or session.ended
    gpus = list((run.get("machine") or {}).get("gpus") or ())
    tests = [test.get("metadata") or {} for test in report.get("tests") or ()]
    by_id = {metadata["id"]: metadata for metadata in tests if "id" in metadata}
    jobs = [_job(job, selection, by_id.get(job.id, {}), session) for job in selection.selected]
    return {
        "pipeline": PIPELINE,
        "run_id": run.get("run_id"),
        "start_time_utc": start,
        "end_time_utc": end,
        "duration_s": round(seconds_between(start, end), 3),
        "git_commit": run.get("commit"),
        "python": run.get("python") or platform.python_version(),
        "working_directory": os.getcwd(),  # noqa: PTH109  (as the user sees it)
        "gpu_info": {"available": bool(gpus), "devices": gpus},
        "arguments": list(arguments.words),
        "totals": {status: sum(job["status"] == status for job in jobs) for status in dict.fromkeys(WORDS.values())},
        "jobs": jobs,
    }


def _job(job: Job, selection: Selection, metadata: dict[str, Any], session: Session) -> dict[str, Any]:
    attempts, log = metadata.get("attempts") or [], metadata.get("log")
    last, seed = attempts[-1] if attempts else {}, int(metadata.get("seed") or 0)
    folder = str(session.folder.reports / last["folder"] / "artifacts") if session.folder and last else FOLDER
    return {
        "id": job.id,
        "name": job.title or job.id,
        "status": WORDS.get(metadata.get("status", ""), "INTERRUPTED" if session.is_interrupted else "SKIPPED"),
        "attempts": len(attempts),
        "start_time_utc": metadata.get("started") or None,
        "end_time_utc": metadata.get("ended") or None,
        "duration_s": metadata.get("wall_s", 0.0),
        "optional": job.optional,
        "command": command_of(job, selection.request.kinds, folder=folder, seed=seed),
        "error": metadata.get("reason") or None,
        "metrics": metadata.get("metrics", {}),
        "gates": metadata.get("gates", []),
        "data": metadata.get("datasets", []),
        "seed": seed,
        "exit_status": (last.get("ending") or {}).get("exit_status"),
        "log": str(session.folder.reports / log) if session.folder and log else None,
        "output": folder if last else None,
    }


def write_summary(summary: dict[str, Any], folder: Path) -> Path:
    """Write the summary under a name of its own, and return its path."""
    path = folder / f"run_all_training_{summary['run_id'] or new_run_id()}.json"
    write_atomically(path, json.dumps(summary, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    return path


def copy_results(summary: Any, selected: Sequence[Job], outputs: Path | None, logs: Path | None) -> Iterator[str]:
    """Copy the jobs' artifacts and logs; yield a sentence for each job with some that cannot be copied."""
    names = {job.id: job.output or job.id for job in selected}
    for job in summary["jobs"]:
        try:
            if outputs is not None and job["output"] and Path(job["output"]).is_dir():
                shutil.copytree(job["output"], _inside(outputs, names[job["id"]]), dirs_exist_ok=True, symlinks=True)
            if logs is not None and job["log"] and Path(job["log"]).is_file():
                target = _inside(logs, f"{job['id']}.log")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(job["log"], target, follow_symlinks=False)
        except (OSError, shutil.Error, ValueError) as error:
            yield f"cannot copy what {job['id']} left: {error}"


def _inside(folder: Path, name: str) -> Path:
    target = folder / name
    if not target.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} leads out of {folder}")
    return target
