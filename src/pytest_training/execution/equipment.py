"""What executes jobs: a machine, an interpreter, and versions of packages."""

import hashlib
import platform
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from pytest_training.jobs.model import Value
from pytest_training.machine import gpu_models, machine_cores

ALWAYS = ("pytest", "pytest-xdist", "pytest-json-report", "pytest-training")
DISTRIBUTIONS = {"PIL": "pillow", "cv2": "opencv-python", "skimage": "scikit-image", "sklearn": "scikit-learn"}
DISTRIBUTIONS |= {"yaml": "pyyaml"}
"""Distributions by import name where these differ; a search through all installed ones takes 200 ms."""
ON_NODES = ("pytest-training", "distributed", "dask", "msgspec")  # those without which a node executes nothing


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


class Equipment(Value, frozen=True, kw_only=True):
    """What a node has."""

    python: str = ""
    packages: dict[str, str] = {}  # version by distribution: those that the jobs import, and those of the nodes
    machine: Machine | None = None


class NodeRecord(Equipment, frozen=True, kw_only=True):
    """A node that a run had."""

    name: str
    host: str = ""
    refused: str = ""  # why it executed nothing


def equipment(imports: Iterable[str]) -> Equipment:
    """Describe this process: interpreter, machine, and the packages that jobs with these imports need."""
    versions = package_versions(imports, ON_NODES)
    return Equipment(python=platform.python_version(), packages=versions, machine=this_machine())


@cache
def this_machine() -> Machine:
    """Describe this machine."""
    import psutil  # noqa: PLC0415  (workers do without)

    hardware = {"system": platform.system(), "architecture": platform.machine(), "processor": _processor()}
    cpus, gpus = machine_cores(), gpu_models()
    decisive = "\n".join((*hardware.values(), str(cpus), *gpus))
    digest = hashlib.sha256(decisive.encode("utf-8", "replace")).hexdigest()[:12]
    memory_gib = round(psutil.virtual_memory().total / 2**30, 1)
    return Machine(id=digest, **hardware, cpus=cpus, memory_gib=memory_gib, gpus=gpus)


def package_versions(imports: Iterable[str], always: Iterable[str] = ALWAYS) -> dict[str, str]:
    """Return the version of each distribution that the imported names belong to, and of some others."""
    names = {name.partition(".")[0] for name in imports} - sys.stdlib_module_names
    distributions = {name: DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in names}
    unknown = frozenset(name for name, distribution in distributions.items() if _version(distribution) is None)
    versions = {name: version for name in (*always, *distributions.values()) if (version := _version(name))}
    return dict(sorted({**versions, **_search(unknown)}.items()))


@cache
def _version(distribution: str) -> str | None:
    from importlib import metadata  # noqa: PLC0415  (slow to import, and the history needs no versions)

    with suppress(metadata.PackageNotFoundError, ValueError):
        return metadata.version(distribution)
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
