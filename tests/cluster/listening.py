"""What a session's processes listen on, and whether who connects there finds TLS."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Iterator
from typing import Any

import psutil

PATIENCE_S = 10


def descendants(pids: Iterable[int]) -> list[psutil.Process]:
    """Return these processes, and all that they have started."""
    roots = [psutil.Process(pid) for pid in pids]
    return [*roots, *(each for root in roots for each in root.children(recursive=True))]


def words_of(process: psutil.Process) -> list[str]:
    """Return a process's command line, which is empty once it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def processes(pids: Iterable[int]) -> Iterator[psutil.Process]:
    """Yield those of the processes that have not ended."""
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield psutil.Process(pid)


def listeners(processes: Iterable[psutil.Process]) -> set[tuple[str, int]]:
    """Return the addresses and ports on which the processes listen."""
    return {tuple(each.laddr) for process in processes for each in _sockets(process) if each.status == "LISTEN"}


def _sockets(process: psutil.Process) -> Iterator[Any]:
    with contextlib.suppress(psutil.NoSuchProcess):
        yield from process.net_connections("inet")


def is_encrypted(port: int, host: str) -> bool:
    """Return True if who connects is answered in TLS alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), timeout=PATIENCE_S) as link:
        try:
            context.wrap_socket(link).close()
        except (ssl.SSLError, TimeoutError, ConnectionError):
            return False
    return True


def answer_to_http(port: int, host: str) -> bytes:
    """Return the first line of the answer to a question for the workers of a Dask scheduler."""
    with socket.create_connection((host, port), timeout=PATIENCE_S) as link:
        link.sendall(b"GET /info/main/workers.html HTTP/1.0\r\n\r\n")
        return link.recv(1000).partition(b"\r\n")[0]


def assert_private(processes: Iterable[psutil.Process]) -> None:
    """Assert that nothing is open to others: it is encrypted, or on this machine alone and says nothing."""
    encrypted = []
    for host, port in listeners(processes):
        here = "127.0.0.1" if ipaddress.ip_address(host).is_unspecified else host
        if is_encrypted(port, here):
            encrypted.append(port)
        else:
            assert ipaddress.ip_address(host).is_loopback, (host, port)
            assert b"404" in answer_to_http(port, here), (host, port)
    assert encrypted
