"""What this machine has for jobs: the cores and the GPUs that this process may use."""

import os
from pathlib import Path

NVIDIA = Path("/proc/driver/nvidia/gpus")
"""One folder a card; asking nvidia-smi takes a second."""


def machine_cores() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Return the ids of the GPUs that this process may use, an outer CUDA_VISIBLE_DEVICES respected."""
    outer = os.environ.get("CUDA_VISIBLE_DEVICES")
    if outer is not None:
        return [name for name in (part.strip() for part in outer.split(",")) if name not in {"", "-1"}]
    return [str(index) for index, _ in enumerate(NVIDIA.iterdir())] if NVIDIA.is_dir() else []


def gpu_models() -> tuple[str, ...]:
    """Return the models of NVIDIA cards as the driver lists them; asking nvidia-smi takes a second."""
    models = []
    for card in sorted(NVIDIA.glob("*/information")):
        try:
            lines = card.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        models += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return tuple(models)
