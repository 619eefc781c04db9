"""Copies of what a run left, for `--base-output-dir` and `--logs-dir`: the run folder keeps the originals."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_training.jobs.model import Job


def copy_results(
    summary: dict[str, Any], selected: Sequence[Job], *, outputs: Path | None, logs: Path | None
) -> Iterator[str]:
    """Copy artifacts and logs of every job that has some; yield a sentence for each that cannot be."""
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
