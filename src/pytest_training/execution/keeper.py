"""The keeper: a small process between the owner and the job server, so that no single SIGKILL leaves a process behind.

It is the server's parent and adopts every orphan below. Killed server: its jobs die with it, what they had started
becomes the keeper's and is killed, and a new server takes over the socket, so that only the jobs that ran are lost.
Killed owner: the lifeline closes, and the keeper kills all. Killed keeper: the server's own lifeline closes, and it
ends every tree.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
from pathlib import Path

from pytest_training.execution import processes

MOST_SERVERS = 5  # a server that dies again and again (a module that crashes when imported) is no use


def become_server(lifeline: int, listening: int) -> int:
    """Fork; return in the child, with the descriptor of its own lifeline. The parent keeps watch and never returns."""
    processes.adopt_orphans()
    for _ in range(MOST_SERVERS):
        reading, writing = os.pipe()
        server = os.fork()
        if server == 0:
            os.close(writing)
            os.set_inheritable(reading, True)
            return reading
        os.close(reading)
        owner_is_gone = _wait_for_either(lifeline, server)
        processes.signal_tree(server, signal.SIGKILL)
        os.waitpid(server, 0)
        processes.kill_orphans(())
        os.close(writing)
        if owner_is_gone:
            break
    shutil.rmtree(Path(socket.socket(fileno=listening).getsockname()).parent, ignore_errors=True)
    os._exit(0)


def _wait_for_either(lifeline: int, server: int) -> bool:
    """Wait until the owner has closed the lifeline (True) or the server has ended (False)."""
    ended = os.pidfd_open(server)
    with selectors.DefaultSelector() as selector:
        selector.register(ended, selectors.EVENT_READ)
        selector.register(lifeline, selectors.EVENT_READ)
        ready = [key.fd for key, _ in selector.select()]
    os.close(ended)
    return lifeline in ready
