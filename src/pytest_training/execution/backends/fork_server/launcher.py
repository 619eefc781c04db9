"""How a slot asks the job server: one connection for each attempt, and for each pause between two."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass

import msgspec

from pytest_training.execution.attempt.messages import AttemptRequest, Lost, Reply
from pytest_training.execution.backends.fork_server.messages import PAUSE, STOP

SERVER_DIED = Reply(
    lost=Lost(cause="server died", reason="the job server died while the job ran; see server.log in the run folder")
)


@dataclass(frozen=True)
class ServerLauncher:
    """Asks the job server."""

    address: str

    def launch(self, request: AttemptRequest) -> Reply:
        """Send the request and wait; Ctrl-C here asks the server to end the attempt gently."""
        with socket.socket(socket.AF_UNIX) as link:
            try:
                link.connect(self.address)
                link.sendall(msgspec.json.encode(request) + b"\n")
            except OSError:
                return SERVER_DIED
            try:
                return read_reply(link)
            except KeyboardInterrupt:
                with contextlib.suppress(OSError):
                    link.sendall(STOP + b"\n")
                reply = read_reply(link)
                ending = msgspec.structs.replace(reply.ending, ended_by="interrupted")
                return msgspec.structs.replace(reply, ending=ending, lost=None)

    def pause(self, seconds: float) -> bool:
        """Wait, and listen to the server meanwhile: it hears when the run is interrupted."""
        give_up = time.monotonic() + seconds
        try:
            while (rest_s := give_up - time.monotonic()) > 0:
                with socket.socket(socket.AF_UNIX) as link:
                    link.settimeout(rest_s)
                    link.connect(self.address)
                    link.sendall(PAUSE + b"\n")
                    if link.recv(1):
                        return False
        except KeyboardInterrupt:
            return False
        except OSError:  # the time is over, or there is no server, as the next attempt will say
            pass
        return True


def read_reply(link: socket.socket) -> Reply:
    """Return the server's answer, or that it died."""
    received = b""
    with contextlib.suppress(OSError):
        while not received.endswith(b"\n"):
            chunk = link.recv(65536)
            if not chunk:
                break
            received += chunk
    if not received.endswith(b"\n"):
        return SERVER_DIED
    return msgspec.json.decode(received, type=Reply)
