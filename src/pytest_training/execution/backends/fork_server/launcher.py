"""How a slot asks the job server: one connection for each attempt, and for each pause between two."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass

import msgspec

from pytest_training.execution.attempt.messages import AttemptRequest, Lost, Reply

STOP = b"stop"
"""Line that asks for the gentle end of the connection's attempt."""
STOP_ALL = b"stop all"
"""Line that asks for the gentle end of every attempt: the run is interrupted."""
PAUSE = b"pause"
"""Line that asks for an answer as soon as the run is interrupted, and for none otherwise."""
SERVER_DIED = Reply(
    lost=Lost(cause="server died", reason="the job server died while the job ran; see server.log in the run folder")
)


@dataclass(frozen=True)
class ServerLauncher:
    """Asks the job server."""

    address: str

    def launch(self, request: AttemptRequest) -> Reply:
        """Send the request and wait; on Ctrl-C ask the server to end the attempt gently."""
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
        """Wait that long, or until the server answers that the run is interrupted."""
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
    with contextlib.suppress(OSError), link.makefile("rb") as answer:
        if (line := answer.readline()).endswith(b"\n"):
            return msgspec.json.decode(line, type=Reply)
    return SERVER_DIED
