"""Kinds of job, limits, readers and backends by name: the plugin's own, and those that a project adds."""

from collections.abc import Iterable

from msgspec import Struct, field

from pytest_training.errors import DeclarationError
from pytest_training.execution.backends import BACKENDS
from pytest_training.execution.backends.protocol import Backend
from pytest_training.execution.readers import READERS
from pytest_training.execution.readers.protocol import Reader
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Kind
from pytest_training.limits import LIMITS
from pytest_training.limits.protocol import Limit, refer


class Registry(Struct, frozen=True):
    """What a run can be made of; built once in each pytest process, then only read."""

    kinds: dict[str, Kind] = field(default_factory=lambda: dict(KINDS))  # the last one is the first to look at a file
    limits: dict[str, Limit] = field(default_factory=lambda: dict(LIMITS))
    readers: list[Reader] = field(default_factory=lambda: list(READERS))  # in the order in which they look for metrics
    backends: dict[str, type[Backend]] = field(default_factory=lambda: dict(BACKENDS))

    def add_kind(self, kind: Kind) -> None:
        """Add a kind of job."""
        _refuse_taken(kind.name, self.kinds, "a kind of job")
        self.kinds[kind.name] = kind

    def add_limit(self, limit: Limit) -> None:
        """Add a limit under its key."""
        from pytest_training.jobs.catalogue.declarations import job_keys  # noqa: PLC0415  (the parser of YAML is slow to load)

        _refuse_taken(limit.key, job_keys(self.limits), "a limit or another key of the catalogue")
        refer(limit)
        self.limits[limit.key] = limit

    def add_reader(self, reader: Reader) -> None:
        """Add a reader of metrics, after those that are there."""
        _refuse_taken(reader.name, [each.name for each in self.readers], "a reader")
        self.readers.append(reader)

    def add_backend(self, backend: type[Backend]) -> None:
        """Add a backend's class, to be chosen with `training_start = NAME`."""
        _refuse_taken(backend.name, self.backends, "a backend")
        self.backends[backend.name] = backend


def _refuse_taken(name: str, taken: Iterable[str], what: str) -> None:
    if name in taken:
        raise DeclarationError(f"{what} named {name!r} is registered already: expected another name")
