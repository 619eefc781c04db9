"""A run as a whole: its record at start and end, how near it came to the best duration, and where it comes from.

That is the code's commit, interpreter, package versions and machine; never secrets.
"""

import math
import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Self

from msgspec.structs import asdict, replace

from pytest_training.execution.equipment import Machine, NodeRecord, package_versions, this_machine
from pytest_training.execution.folder import utc_now
from pytest_training.execution.outcome import Attempt, Outcome
from pytest_training.git import GIT_S, ask_git, find_commit
from pytest_training.jobs.model import SCHEMA_VERSION, Value

ENVIRONMENT = (
    *("CI", "CI_COMMIT_REF_NAME", "CI_COMMIT_SHA", "CI_JOB_ID", "CI_PIPELINE_ID", "CUDA_VISIBLE_DEVICES"),
    *("GITHUB_ACTIONS", "GITHUB_REF_NAME", "GITHUB_RUN_ATTEMPT", "GITHUB_RUN_ID", "GITHUB_SHA"),
    *("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED"),
)
"""The only environment variables that are ever recorded."""


class RunRecord(Value, frozen=True, kw_only=True):
    """One pytest session that trained."""

    run_id: str
    started: str  # UTC, ISO 8601
    ended: str
    seed: int
    workers: int  # slots: xdist workers, or 1 without xdist; on a cluster the most that the run had at once
    exit_code: int
    place: str = ""  # where the jobs ran, if not on this machine: `slurm: 12 nodes`
    smoke: bool = False  # True for a smoke run, which judges no gate
    arguments: tuple[str, ...] = ()  # the command line
    folder: str = ""  # the run folder, relative to the reports folder: `runs/<run id>`
    loading: dict[str, float] = {}  # seconds that the job server took to import each package, once for all jobs
    problems: tuple[str, ...] = ()  # what went wrong around the jobs, in sentences: with the history, for one
    schema_version: int = SCHEMA_VERSION


class BegunRun(Value, frozen=True, kw_only=True):
    """A run at its start."""

    run_id: str
    started: str
    pid: int
    pid_started: float  # when that process began, seconds since 1970: a pid alone may be another's by now
    arguments: tuple[str, ...] = ()
    nodes: dict[str, str] = {}  # job id by node id
    resumed: tuple[str, ...] = ()
    """Id of the run that this one resumes, then of the run that that one resumed, and so on."""
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def now(cls, run_id: str, arguments: Iterable[object], nodes: dict[str, str], resumed: tuple[str, ...]) -> Self:
        """Return what is true of a run that begins in this process."""
        import psutil  # noqa: PLC0415  (workers do without)

        process = psutil.Process()
        return cls(
            run_id=run_id,
            started=utc_now(),
            pid=process.pid,
            pid_started=process.create_time(),
            arguments=tuple(map(str, arguments)),
            nodes=nodes,
            resumed=resumed,
        )

    def typed(self, names: tuple[str, ...]) -> list[str]:
        """Return the options of the command line that begin so, with their values."""
        pairs = [pair for pair in pairwise([*self.arguments, ""]) if pair[0].startswith(names)]
        return [word for pair in pairs for word in pair[: 1 + ("=" not in pair[0])]]


class Timing(Value, frozen=True, kw_only=True):
    """How long the trainings of a run took, and the least that they could take."""

    work_s: float  # sum of the jobs' own times: what one after another takes
    waiting_s: float  # sum of what jobs waited for in their slots: imports, GPUs, pauses before another attempt
    makespan_s: float | None  # from the start of the first job to the end of the last; None when no job started
    lower_bound_s: float  # max(work_s / workers, longest job): no order can be faster
    efficiency: float | None  # lower_bound_s / makespan_s, at most 1.0; waiting lowers it too


def timing(outcomes: Iterable[Outcome], workers: int) -> Timing:
    """Measure a run by the outcomes of its jobs that started."""
    ran = [outcome for outcome in outcomes if outcome.attempts or outcome.wall_s > 0]
    walls = [outcome.wall_s for outcome in ran if math.isfinite(outcome.wall_s)]
    work_s = math.fsum(walls)
    lower_bound_s = max(work_s / max(workers, 1), max(walls, default=0.0))
    starts = [start for outcome in ran if (start := moment(outcome.started))]
    ends = [end for outcome in ran if (end := moment(outcome.ended))]
    # A clock that jumps back while jobs run must not give a negative duration.
    makespan_s = max((max(ends) - min(starts)).total_seconds(), 0.0) if starts and ends else None
    return Timing(
        work_s=work_s,
        waiting_s=math.fsum(outcome.waiting_s for outcome in ran if math.isfinite(outcome.waiting_s)),
        makespan_s=makespan_s,
        lower_bound_s=lower_bound_s,
        efficiency=min(lower_bound_s / makespan_s, 1.0) if makespan_s else None,
    )


def moment(written: str) -> datetime | None:
    """Return a time of an outcome, or None if it is empty or unreadable."""
    with suppress(ValueError):
        time = datetime.fromisoformat(written)
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    return None


class GitState(Value, frozen=True, kw_only=True):
    """The state of the working tree, None where git gives none."""

    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None  # True if files differ from the commit, or are new and not ignored


class Provenance(GitState, frozen=True, kw_only=True):
    """What it takes to get the same result again."""

    python: str
    implementation: str
    platform: str
    machine: Machine
    packages: dict[str, str]  # version by distribution: those that the jobs import, pytest's, and this plugin's
    environment: dict[str, str]
    nodes: tuple[NodeRecord, ...] = ()  # of a cluster: all that ever came
    schema_version: int = SCHEMA_VERSION

    def at(self, attempt: Attempt) -> "Provenance":
        """Return it with the interpreter and the packages of the node that executed the attempt, if one did."""
        for node in reversed(self.nodes):
            if (node.name, node.host) == (attempt.slot, attempt.host) and not node.refused:
                packages = {name: version for name, version in (self.packages | node.packages).items() if version}
                return replace(self, python=node.python, packages=packages)
        return self


def provenance(root: Path, packages: Iterable[str] = ()) -> Provenance:
    """Describe code, interpreter, packages (by import name) and machine."""
    return Provenance(
        **asdict(git_state(root)),
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        machine=this_machine(),
        packages=package_versions(packages),
        environment={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
    )


def git_state(root: Path, timeout_s: float = GIT_S) -> GitState:
    """Ask git once for commit, branch and dirtiness; in a huge tree for the commit alone, which is cheap."""
    status = ask_git(root, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", timeout_s=timeout_s)
    if status is None:
        return GitState(commit=find_commit(root, "HEAD"))
    lines = status.splitlines()
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch.") and " " in line[2:])
    named = {"commit": heads.get("branch.oid"), "branch": heads.get("branch.head")}
    named = {name: None if value in {"(initial)", "(detached)"} else value for name, value in named.items()}
    return GitState(**named, dirty=any(not line.startswith("#") for line in lines))
