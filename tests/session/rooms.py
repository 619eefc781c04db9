"""A backend with rooms of local threads, as text of a conftest.py: the loop of a cluster without a cluster."""

from __future__ import annotations

ROOMS = """
import threading

from pytest_training.execution.backends.fork_server.backend import ForkServer

NOTES = []


class Room:
    name = "room"

    def __init__(self, job):
        self.job = job


class Threads(ForkServer):
    name, has_rooms, count, most_cpus = "threads", True, 2, 4
    lost, tell = "", None

    def open(self, opening):
        return self.count

    def start(self, run):
        self.leases, self.rooms = set(), self
        self.connection = super().start(run)
        return self.connection

    def launcher(self, connection, seat):
        self.seat = seat
        return super().launcher(connection, seat)

    def launcher_at(self, lease):
        if lease.job.id == "thrown":
            raise RuntimeError("no way there")
        return super().launcher(self.connection, self.seat)

    def try_lease(self, job):
        if self.unfit(job) or len(self.leases) >= self.count:
            return None
        self.leases.add(lease := Room(job))
        return lease

    def release(self, lease):
        self.leases.discard(lease)
        self.tell()

    def unfit(self, job):
        return f"needs {job.cpus} cores" if (job.cpus or 1) > self.most_cpus else None

    def note_work(self, *, waiting, running):
        NOTES.append((waiting, running))


def pytest_training_register(registry):
    registry.add_backend(Threads)
"""
