"""From what stands after `--training-cluster` to a connected client, and back to nothing at the end."""

import importlib
import logging
import math
import sys
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from pytest_training.errors import DeclarationError

QUEUES = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "htcondor": "HTCondorCluster",
}
"""Classes of dask-jobqueue."""
SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,  # who tries again is the job's own declaration
    "distributed.admin.tick.limit": "30s",
    "distributed.deploy.lost-worker-timeout": "5s",
    "distributed.comm.timeouts.connect": "15s",
}


class Connection(Struct):
    """A cluster that this session uses."""

    client: Any
    cluster: Any | None  # what the session has started, and ends

    def close(self) -> None:
        """Disconnect, and end what the session has started."""
        self.client.close(timeout=5)
        if self.cluster is not None:
            self.cluster.close(timeout=10)


def connect(where: str, *, most: int | None, project: str) -> Connection:
    """Connect to a cluster, or start one; raise DeclarationError if that fails."""
    try:
        import dask  # noqa: PLC0415  (the extra `cluster`)
        from distributed import Client  # noqa: PLC0415  (as above)
    except ImportError:
        raise DeclarationError(
            "--training-cluster needs the extra cluster: pip install 'pytest-training[cluster]'"
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it says of lost connections is told by us
    dask.config.set(SETTINGS)
    if project not in sys.path:
        sys.path.insert(0, project)
    cluster = _start(where, most)
    if cluster is not None:
        return Connection(Client(cluster, set_as_default=False), cluster)
    if where.startswith("file:"):
        return Connection(Client(scheduler_file=where.removeprefix("file:"), set_as_default=False, timeout=15), None)
    return Connection(Client(where, set_as_default=False, timeout=15), None)


def _start(where: str, most: int | None) -> Any | None:
    kind, _, rest = where.partition(":")
    if kind == "local":
        from distributed import LocalCluster  # noqa: PLC0415  (the extra `cluster`)

        return LocalCluster(
            n_workers=int(rest or most or 2),
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
        )
    if where in QUEUES:
        import dask  # noqa: PLC0415  (the extra `cluster`)

        cluster = getattr(importlib.import_module("dask_jobqueue"), QUEUES[where])()
        cores = dask.config.get(f"jobqueue.{where}.cores")  # `scale(cores=…)` does not read that file
        cluster.scale(jobs=math.ceil((most or 1) / cores))
        return cluster
    if "://" not in where and rest and kind != "file":
        make: Callable[[], Any] = getattr(importlib.import_module(kind), rest)
        return make()
    return None
