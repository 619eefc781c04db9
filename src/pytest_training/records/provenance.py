"""Where a result comes from: the code's commit, interpreter, package versions, machine. Never secrets."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from msgspec.structs import asdict

from pytest_training.git import TIMEOUT_S, ask_git, find_commit
from pytest_training.jobs.model import SCHEMA_VERSION, Value
from pytest_training.machine import gpu_models, machine_cores

ALWAYS = ("pytest", "pytest-xdist", "pytest-json-report", "pytest-training")
DISTRIBUTIONS = {  # where import name and distribution differ; asking all installed ones costs 200 ms
    "PIL": "pillow",
    "cv2": "opencv-python",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
ENVIRONMENT = (
    *("CI", "CI_COMMIT_REF_NAME", "CI_COMMIT_SHA", "CI_JOB_ID", "CI_PIPELINE_ID", "CUDA_VISIBLE_DEVICES"),
    *("GITHUB_ACTIONS", "GITHUB_REF_NAME", "GITHUB_RUN_ATTEMPT", "GITHUB_RUN_ID", "GITHUB_SHA"),
    *("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED"),
)
"""The only environment variables that are ever recorded."""


class Machine(Value, frozen=True, kw_only=True):
    """The hardware as far as it decides how long a training takes; names nobody's computer."""

    id: str
    """Equal on machines that can be expected to be equally fast."""
    system: str
    architecture: str
    processor: str
    cpus: int
    """Cores that this process may use."""
    memory_gib: float | None
    gpus: tuple[str, ...] = ()


class GitState(Value, frozen=True, kw_only=True):
    """The state of the working tree; None outside a Git repository, or without git."""

    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    """True if files differ from the commit, or are neither in it nor ignored."""


class Provenance(GitState, frozen=True, kw_only=True):
    """What one needs to know to get the same result again."""

    python: str
    implementation: str
    platform: str
    machine: Machine
    packages: dict[str, str]
    """Version by distribution: those that the jobs import, pytest's, and this plugin's."""
    environment: dict[str, str]
    schema_version: int = SCHEMA_VERSION


def provenance(root: Path, packages: Iterable[str] = ()) -> Provenance:
    """Describe code, interpreter, packages (given by import name) and machine."""
    return Provenance(
        **asdict(git_state(root)),
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        machine=machine(),
        packages=package_versions(packages),
        environment={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
    )


def machine_id() -> str:
    """Return the same 12 hex digits on machines that can be expected to be equally fast.

    Made of the hardware, not of the host's name: CI runners change theirs, and a name is nobody's business.
    """
    return machine().id


@cache
def machine() -> Machine:
    """Describe this machine."""
    system, architecture, processor = platform.system(), platform.machine(), _processor()
    cpus, gpus = machine_cores(), gpu_models()
    decisive = "\n".join((system, architecture, processor, str(cpus), *gpus))
    return Machine(
        id=hashlib.sha256(decisive.encode("utf-8", "replace")).hexdigest()[:12],
        system=system,
        architecture=architecture,
        processor=processor,
        cpus=cpus,
        memory_gib=_memory_gib(),
        gpus=gpus,
    )


def git_state(root: Path, timeout_s: float = TIMEOUT_S) -> GitState:
    """Ask git once for commit, branch and dirtiness; what it cannot tell in time is None."""
    written = ask_git(root, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", timeout_s=timeout_s)
    if written is None:  # a huge tree: the commit alone is cheap
        return GitState(commit=find_commit(root, "HEAD"))
    lines = written.splitlines()
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch.") and " " in line[2:])
    commit, branch = heads.get("branch.oid"), heads.get("branch.head")
    return GitState(
        commit=None if commit == "(initial)" else commit,
        branch=None if branch == "(detached)" else branch,
        dirty=any(not line.startswith("#") for line in lines),
    )


def package_versions(imports: Iterable[str]) -> dict[str, str]:
    """Return the version of each distribution that the imported names belong to, and of pytest's own."""
    names = {name.partition(".")[0] for name in imports} - set(sys.stdlib_module_names)
    versions = {name: version for name in ALWAYS if (version := _version(name))}
    unknown = set()
    for name in names:
        distribution = DISTRIBUTIONS.get(name, name.replace("_", "-"))
        if version := _version(distribution):
            versions[distribution] = version
        else:
            unknown.add(name)
    return dict(sorted({**versions, **_search(frozenset(unknown))}.items()))


@cache
def _version(distribution: str) -> str | None:
    from importlib import metadata  # noqa: PLC0415  (slow to import, and the history needs no versions)

    try:
        return metadata.version(distribution)
    except (metadata.PackageNotFoundError, ValueError):
        return None


@cache
def _search(names: frozenset[str]) -> dict[str, str]:
    """Look through the file lists of all distributions for names that no distribution bears."""
    from importlib import metadata  # noqa: PLC0415  (slow to import, and the history needs no versions)

    versions: dict[str, str] = {}
    missing = set(names)
    for distribution in metadata.distributions() if names else ():
        if not missing:
            break
        files = "\n" + (distribution.read_text("RECORD") or "")
        owned = {name for name in missing if f"\n{name}/" in files or f"\n{name}.py," in files}
        if owned:
            versions[distribution.metadata["Name"]] = distribution.version
            missing -= owned
    return versions


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None
