"""Where attempts are executed, one file or folder each, listed here once."""

import sys
from collections.abc import Mapping

from pytest_training.execution.backends import in_process, protocol, subprocess
from pytest_training.execution.backends.cluster.backend import Cluster
from pytest_training.execution.backends.fork_server.backend import ForkServer

Backends = Mapping[str, type[protocol.Backend]]  # by name
BACKENDS: Backends = {
    backend.name: backend for backend in (ForkServer, subprocess.Subprocess, in_process.InProcess, Cluster)
}


def default_backend() -> str:
    """Return the job server's name where fork is safe: Linux. macOS libraries break after a fork, Windows has none."""
    return ForkServer.name if sys.platform == "linux" else subprocess.Subprocess.name
