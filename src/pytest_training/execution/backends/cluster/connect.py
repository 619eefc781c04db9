"""From what stands after `--training-cluster` to a connected client, and back to nothing at the end."""

import asyncio
import contextlib
import importlib
import importlib.util
import inspect
import logging
import math
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msgspec import Struct

from pytest_training.errors import FROM_OTHERS, DeclarationError
from pytest_training.execution.backends.cluster import lifeline
from pytest_training.execution.backends.cluster.answers import scheduler_of
from pytest_training.execution.backends.cluster.heir import with_heir
from pytest_training.execution.backends.cluster.pool import Pool
from pytest_training.execution.backends.cluster.scaling import Scaling
from pytest_training.execution.backends.cluster.where import QUEUES, Where, is_open
from pytest_training.execution.backends.protocol import Opening
from pytest_training.text import one_line
from pytest_training.wording import one_of, safe_repr

PACKAGES = {**dict.fromkeys(QUEUES, "dask_jobqueue"), "ssh": "asyncssh"}  # that a form needs beside the others
SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,  # who tries again is the job's own declaration
    "distributed.scheduler.worker-ttl": "1h",  # the pool decides who is silent; this counts a pause of pytest
    "distributed.admin.tick.limit": "30s",
    "distributed.deploy.lost-worker-timeout": "5s",
    "distributed.comm.timeouts.connect": "15s",
    "distributed.scheduler.http.routes": [],  # HTTP always listens, and is not encrypted: it serves nothing
    "distributed.worker.http.routes": [],
}
TLS = "distributed.comm.tls"  # in Dask's configuration
HIDDEN = "127.0.0.1:0"  # where HTTP listens
PRIVATE = {"dashboard": False, "dashboard_address": HIDDEN}  # of a scheduler
REACH_S, CLOSE_S = 15, 10
LONGEST = 300  # characters of an error


class Connection(Struct):
    """A cluster that this session uses."""

    client: Any
    cluster: Any | None  # what the session has started
    most_nodes: int | None  # that it may have; None if the work decides
    ending: ExitStack

    def slots(self, most: int | None) -> int | None:
        """Return how many attempts the cluster takes at once, at most so many."""
        workers = scheduler_of(self.client, REACH_S)["workers"].values()
        threads = sum(each["nthreads"] for each in workers)
        grows = hasattr(self.cluster, "worker_spec") and self.most_nodes is None
        return most if grows or not threads else min(threads, most or threads)

    def attend(self, pool: Pool, report: Callable[[str], None]) -> None:
        """Report what a pool's nodes say; a cluster of this session grows and shrinks with the work of the pool."""
        addresses = (self.client.scheduler.address, scheduler_of(self.client, REACH_S)["address"])
        pool.open_address = next(filter(is_open, addresses), "")
        pool.answers.report = report
        if hasattr(self.cluster, "worker_spec"):
            scaling = Scaling(self.cluster, pool, self.most_nodes, report)
            scaling.begin()
            pool.each_look = scaling.look

    def close(self) -> None:
        """Disconnect, and end what the session has started."""
        self.ending.close()

    def last_words(self) -> str:
        """Return what a node has printed last, or an empty string."""
        job = getattr(self.cluster, "_dummy_job", None)  # of dask-jobqueue
        folder = Path(getattr(job, "log_directory", None) or os.devnull)
        with contextlib.suppress(OSError):
            files = [each for each in folder.glob("*") if each.stat().st_size]
            newest = max(files, key=lambda each: each.stat().st_mtime, default=None)
            lines = newest.read_text(encoding="utf-8", errors="replace").split("\n") if newest else []
            if lines := [line for line in map(one_line, lines) if line]:
                return f"a node ended with {lines[-1]!r} ({newest})"
        return ""


def check(where: Where) -> None:
    """Raise DeclarationError if a package or a setting is missing; nothing is reached or started."""
    for name in ("distributed", "cryptography", PACKAGES.get(where.kind, "dask")):
        if importlib.util.find_spec(name) is None:
            package, extra = name.replace("_", "-"), "pip install 'pytest-training[cluster]'"
            raise DeclarationError(f"--training-cluster {where.typed} needs {package}, of the extra cluster: {extra}")
    dask_config = _loaded("dask.config", where)
    for key in ("cores", "memory") if where.kind in QUEUES else ():
        if not dask_config.get(f"jobqueue.{where.kind}.{key}", None):
            file = Path(dask_config.PATH, "jobqueue.yaml")
            raise DeclarationError(
                f"--training-cluster {where.typed}: expected the {key} of a node as jobqueue.{where.kind}.{key} in "
                f"Dask's configuration, like {file}; it has none"
            )
    for key in ("ca-file", "client.cert") if where.address.startswith("tls://") else ():
        path = dask_config.get(f"{TLS}.{key}", None)
        if not path or ("\n" not in path and not Path(path).is_file()):
            raise DeclarationError(
                f"--training-cluster {where.typed}: tls:// needs certificates: expected a file as {TLS}.{key} in "
                f"Dask's configuration, found {path or 'none'}"
            )


def _loaded(name: str, where: Where) -> Any:
    """Import a module of Dask's; raise DeclarationError if a file of the project has its name, or it is broken."""
    try:
        return importlib.import_module(name)
    except FROM_OTHERS as error:
        spec = importlib.util.find_spec(package := name.partition(".")[0])
        source = f"{package} from {spec.origin if spec else 'nowhere'}"
        raise DeclarationError(f"--training-cluster {where.typed}: cannot import {source}: {_why(error)}") from None


def _why(error: BaseException) -> str:
    """Return an error and the first one that led to it: Dask's own often say no more than `failed to start`."""
    first = error
    while first.__cause__ is not None:
        first = first.__cause__
    causes = dict.fromkeys(f"{type(each).__name__}: {each}" for each in (error, first))
    return one_line("; ".join(text[:LONGEST] for text in causes))


def connect(where: Where, opening: Opening) -> Connection:
    """Connect to a cluster, or start one; raise DeclarationError if that fails."""
    dask_config, distributed = _loaded("dask.config", where), _loaded("distributed.client", where)
    with ExitStack() as ending:
        logger = logging.getLogger("distributed")
        ending.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL)  # this plugin says itself what became of a connection
        ending.enter_context(dask_config.set(SETTINGS))
        interrupt = signal.getsignal(signal.SIGINT)
        try:
            cluster: Any = None if where.address else START.get(where.kind, _queue)(where, opening, ending)
            if cluster is not None:
                ending.callback(_quietly, cluster.close, timeout=CLOSE_S)
            address, security = where.address or cluster.scheduler_address, getattr(cluster, "security", None)
            client = distributed.Client(address, security=security, set_as_default=False, timeout=REACH_S)
        except DeclarationError:
            raise
        except FROM_OTHERS as error:
            why = _why(error) + "; the scheduler of that file may have ended" * (where.kind == "file")
            raise DeclarationError(f"--training-cluster {where.typed}: cannot {where.does}: {why}") from None
        finally:
            signal.signal(signal.SIGINT, interrupt)  # dask-jobqueue takes it when it is imported, to exit
        ending.callback(_quietly, client.close, timeout=5)
        return Connection(client, cluster, where.nodes or _most_nodes(cluster), ending.pop_all())


def _most_nodes(cluster: Any) -> int | None:
    """Return how many nodes the user's own function allows, or None if it leaves that open."""
    if (adaptive := getattr(cluster, "_adaptive", None)) is None:
        return len(getattr(cluster, "worker_spec", ())) or None
    adaptive.stop()  # it would end every node: it sees nothing that waits
    return None if math.isinf(adaptive.maximum) else adaptive.maximum


def _quietly(function: Any, **arguments: Any) -> None:
    with contextlib.suppress(Exception):  # what is gone cannot be closed
        function(**arguments)


def _local(where: Where, opening: Opening, _: ExitStack) -> Any:
    from distributed import LocalCluster, Security  # noqa: PLC0415  (the extra `cluster`)

    return LocalCluster(
        n_workers=min(where.nodes or 1, opening.most or where.nodes or 1),
        threads_per_worker=where.cores,
        host="127.0.0.1",
        security=Security.temporary(),  # other users of this machine reach its ports too
        dashboard_address=None,
        scheduler_kwargs=PRIVATE,
        memory_limit=0,
        silence_logs=logging.CRITICAL,  # also of the worker, which prints what it makes of its end
    )


def _queue(where: Where, opening: Opening, ending: ExitStack) -> Any:
    import dask  # noqa: PLC0415  (the extra `cluster`)
    from distributed import Security  # noqa: PLC0415  (as above)

    settings = dask.config.get(f"jobqueue.{where.kind}")
    shared = Path(os.path.expandvars(settings.get("shared-temp-directory") or opening.reports)).expanduser()
    shared.mkdir(parents=True, exist_ok=True)
    keys = ending.enter_context(tempfile.TemporaryDirectory(prefix=".cluster-", dir=shared))  # of mode 0700
    make = with_heir(getattr(importlib.import_module("dask_jobqueue"), QUEUES[where.kind]), keys, ending)
    logs = Path(opening.reports, "cluster", time.strftime("%Y%m%d-%H%M%S"))
    has_own = dask.config.get(f"{TLS}.scheduler.cert", None)
    cluster = make(
        security=Security(require_encryption=True) if has_own else Security.temporary(),
        protocol="tls://",
        shared_temp_directory=keys,
        log_directory=settings.get("log-directory") or str(logs),
        scheduler_options={**PRIVATE, **settings.get("scheduler-options", {})},
        worker_extra_args=["--no-dashboard", "--dashboard-address", HIDDEN, *settings.get("worker-extra-args", ())],
    )
    for name in ("ca_file", "cert", "key"):  # what dask-jobqueue has written for the nodes
        if (file := getattr(cluster, f"_job_{name}", None)) is not None:
            ending.callback(_quietly, file.close)
    return cluster


def _ssh(where: Where, _: Opening, ending: ExitStack) -> Any:
    import dask  # noqa: PLC0415  (the extra `cluster`)
    from distributed import Security, SSHCluster  # noqa: PLC0415  (as above)

    security, path = Security.temporary(), f"/tmp/.cluster-{secrets.token_hex(16)}.pem"  # noqa: S108  (of mode 0600)
    hosts = [host.strip("[]") for _, host, _ in where.hosts]
    patience = {"connect_timeout": REACH_S}
    logins = [{**patience, "username": user or (), "port": int(port) if port else ()} for user, _, port in where.hosts]
    ending.callback(_quietly, _on_each, hosts=hosts, logins=logins, command=f"rm -f {path}")
    keys = f"{security.tls_worker_key}{security.tls_worker_cert}"
    _on_each(hosts, logins, f"umask 077; set -C; cat > {path}", keys)
    files = {f"{TLS}.{name}": path for name in ("ca-file", "scheduler.cert", "worker.cert")}
    ending.enter_context(dask.config.set({"distributed.comm.require-encryption": True, **files}))  # crosses to them
    return SSHCluster(
        [hosts[0], *hosts],
        connect_options=[logins[0], *logins],
        scheduler_options={"protocol": "tls://", "port": 0, **PRIVATE},
        worker_options={"dashboard_address": HIDDEN},
        remote_python=f"{sys.executable} -m {lifeline.__name__} {path}",
        security=security,
    )


def _on_each(hosts: list[str], logins: list[dict[str, Any]], command: str, sent: str = "") -> None:
    import asyncssh  # noqa: PLC0415  (the extra `cluster`)

    async def execute(host: str, login: dict[str, Any]) -> None:
        async with asyncssh.connect(host, **login) as connection:
            await connection.run(command, input=sent, check=True)

    async def everywhere() -> None:
        await asyncio.gather(*map(execute, hosts, logins))

    asyncio.run(everywhere())


def _function(where: Where, _: Opening, ending: ExitStack) -> Any:
    from distributed.utils import LoopRunner, sync  # noqa: PLC0415  (the extra `cluster`)

    module, _colon, name = where.label.partition(":")
    names = vars(importlib.import_module(module))
    if not callable(function := names.get(name)):
        callables = sorted(each for each, value in names.items() if callable(value) and each[0] != "_")
        what = f"no function {name!r} in module {module!r}: {one_of(name, callables)}"
        raise DeclarationError(f"--training-cluster {where.typed}: {what}")
    cluster = function()
    if inspect.isawaitable(cluster):
        runner, awaitable = LoopRunner(), cluster
        runner.start()
        ending.callback(_quietly, runner.stop)
        cluster = sync(runner.loop, lambda: awaitable)
    if not isinstance(getattr(cluster, "scheduler_address", None), str):
        raise TypeError(f"expected a Dask cluster, like SLURMCluster(), found {safe_repr(cluster)}")
    return cluster


START = {"local": _local, "ssh": _ssh, "function": _function}
