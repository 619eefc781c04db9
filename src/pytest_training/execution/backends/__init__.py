"""Where attempts are executed, one file or folder each, listed here once."""

import sys
from collections.abc import Mapping

from pytest_training.execution.backends.fork_server.backend import ForkServer
from pytest_training.execution.backends.in_process import InProcess
from pytest_training.execution.backends.protocol import Backend
from pytest_training.execution.backends.subprocess import Subprocess

Backends = Mapping[str, type[Backend]]  # by name

BACKENDS: Backends = {backend.name: backend for backend in (ForkServer, Subprocess, InProcess)}


def default_backend() -> str:
    """Return the job server's name where fork is safe: Linux. macOS libraries break after a fork, Windows has none."""
    return ForkServer.name if sys.platform == "linux" else Subprocess.name
