"""Where a result comes from: the code's commit, interpreter, package versions, machine. Never secrets."""

import hashlib
import os
import platform
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import psutil
from msgspec.structs import asdict

from pytest_training.git import TIMEOUT_S, ask_git, find_commit
from pytest_training.jobs.model import SCHEMA_VERSION, Value
from pytest_training.machine import gpu_models, machine_cores

ALWAYS = ("pytest", "pytest-xdist", "pytest-json-report", "pytest-training")
DISTRIBUTIONS = {"PIL": "pillow", "cv2": "opencv-python", "skimage": "scikit-image", "sklearn": "scikit-learn"}
DISTRIBUTIONS |= {"yaml": "pyyaml"}
"""Distributions by import name where these differ; a search through all installed ones takes 200 ms."""
ENVIRONMENT = (
    *("CI", "CI_COMMIT_REF_NAME", "CI_COMMIT_SHA", "CI_JOB_ID", "CI_PIPELINE_ID", "CUDA_VISIBLE_DEVICES"),
    *("GITHUB_ACTIONS", "GITHUB_REF_NAME", "GITHUB_RUN_ATTEMPT", "GITHUB_RUN_ID", "GITHUB_SHA"),
    *("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED"),
)
"""The only environment variables that are ever recorded."""


class Machine(Value, frozen=True, kw_only=True):
    """The hardware that decides how long a training takes."""

    id: str
    """Equal on equally fast machines: made of the hardware, as CI runners change their names and names are private."""
    system: str
    architecture: str
    processor: str
    cpus: int  # cores that this process may use
    memory_gib: float | None
    gpus: tuple[str, ...] = ()


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
    schema_version: int = SCHEMA_VERSION


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


@cache
def this_machine() -> Machine:
    """Describe this machine."""
    hardware = {"system": platform.system(), "architecture": platform.machine(), "processor": _processor()}
    cpus, gpus = machine_cores(), gpu_models()
    decisive = "\n".join((*hardware.values(), str(cpus), *gpus))
    digest = hashlib.sha256(decisive.encode("utf-8", "replace")).hexdigest()[:12]
    memory_gib = round(psutil.virtual_memory().total / 2**30, 1)
    return Machine(id=digest, **hardware, cpus=cpus, memory_gib=memory_gib, gpus=gpus)


def git_state(root: Path, timeout_s: float = TIMEOUT_S) -> GitState:
    """Ask git once for commit, branch and dirtiness; in a huge tree for the commit alone, which is cheap."""
    status = ask_git(root, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", timeout_s=timeout_s)
    if status is None:
        return GitState(commit=find_commit(root, "HEAD"))
    lines = status.splitlines()
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch.") and " " in line[2:])
    commit, branch = heads.get("branch.oid"), heads.get("branch.head")
    return GitState(
        commit=None if commit == "(initial)" else commit,
        branch=None if branch == "(detached)" else branch,
        dirty=any(not line.startswith("#") for line in lines),
    )


def package_versions(imports: Iterable[str]) -> dict[str, str]:
    """Return the version of each distribution that the imported names belong to, and of pytest's own."""
    names = {name.partition(".")[0] for name in imports} - sys.stdlib_module_names
    distributions = {name: DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in names}
    unknown = frozenset(name for name, distribution in distributions.items() if _version(distribution) is None)
    versions = {name: version for name in (*ALWAYS, *distributions.values()) if (version := _version(name))}
    return dict(sorted({**versions, **_search(unknown)}.items()))


@cache
def _version(distribution: str) -> str | None:
    from importlib import metadata  # noqa: PLC0415  (slow to import, and the history needs no versions)

    try:
        return metadata.version(distribution)
    except (metadata.PackageNotFoundError, ValueError):
        return None


@cache
def _search(names: frozenset[str]) -> dict[str, str]:
    """Return the version of each distribution that has one of the names among its files."""
    from importlib import metadata  # noqa: PLC0415  (slow to import, and the history needs no versions)

    versions: dict[str, str] = {}
    for distribution in metadata.distributions() if names else ():
        files = "\n" + (distribution.read_text("RECORD") or "")
        if any(f"\n{name}/" in files or f"\n{name}.py," in files for name in names):
            versions[distribution.metadata["Name"]] = distribution.version
    return versions


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
