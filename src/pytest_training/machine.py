"""What this machine has for jobs: the cores and the GPUs that this process may use."""

import contextlib
import math
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

NVIDIA = Path("/proc/driver/nvidia/gpus")  # one folder a card; asking nvidia-smi takes a second
SMI = ("nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader")


def machine_cores() -> int:
    """Return how many CPUs this process may use; a container's quota counts, rounded up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, math.ceil(cpu_quota() or cores or 1)))


def cpu_quota(system: Path = Path("/")) -> float | None:
    """Return how many CPUs the control groups of this process, version 1 or 2, may use together, or None."""
    return min(filter(None, (_quota(group) for _, group in control_groups(system, "cpu"))), default=None)


def control_groups(root: Path, controller: str) -> Iterator[tuple[bool, Path]]:
    """Yield the folders of this process's control groups, the innermost first, each with True for version 1."""
    with contextlib.suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or controller in controllers.split(","):
                hierarchy = root / "sys/fs/cgroup" / controllers
                inside = hierarchy / path.strip("/")
                # A container may see the host's name of its group, and its own files at the root.
                for group in (inside, *inside.parents[: len(inside.parts) - len(hierarchy.parts)]):
                    yield bool(controllers), group


def _quota(group: Path) -> float | None:
    """Return the quota of a control group: that of `1.5` CPUs is 150 of 100 ms."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = map(int, (group / "cpu.max").read_text().split())  # `max` without a quota
        return quota / period
    with contextlib.suppress(OSError, ValueError):
        quota, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return quota / period if quota > 0 else None
    return None


def other_host(name: str) -> str:
    """Return a host's name, or nothing if it is this machine's."""
    return "" if name == socket.gethostname() else name


def visible_gpus() -> list[str]:
    """Return the ids of the GPUs that this process may use, an outer CUDA_VISIBLE_DEVICES respected."""
    if (outer := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in (part.strip() for part in outer.split(",")) if name not in {"", "-1"}]
    return [str(index) for index, _ in enumerate(NVIDIA.iterdir())] if NVIDIA.is_dir() else []


def gpus_on_host() -> dict[str, str]:
    """Return the GPUs that this process may use, by id, each with its name on the host if nvidia-smi knows it.

    In a container or in a job of Slurm the ids of every process may begin at 0.
    """
    ids, lines = visible_gpus(), ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        lines = subprocess.run(SMI, capture_output=True, text=True, check=True, timeout=20).stdout if ids else ""
    own = dict(line.split(", ", 1) for line in lines.splitlines() if ", " in line)
    return {card: own.get(card, card).strip() for card in ids}


def gpu_models() -> tuple[str, ...]:
    """Return the models of NVIDIA cards as the driver lists them; asking nvidia-smi takes a second."""
    models: list[str] = []
    for card in sorted(NVIDIA.glob("*/information")):
        with contextlib.suppress(OSError):
            lines = card.read_text(encoding="utf-8", errors="replace").splitlines()
            models += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return tuple(models)
