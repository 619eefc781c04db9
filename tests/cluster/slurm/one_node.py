"""A Slurm of one node for the tests: Debian's daemons and a munge of their own, on 127.0.0.1, in one folder.

Nothing of the machine is changed: no file in /etc, no service, no root. The node claims more cores and memory than
the machine has, as the page's jobqueue.yaml asks for.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from watching import processes_with

PACKAGES = "slurmctld slurmd slurm-client munge"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
PATIENCE_S = 30
CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=32 RealMemory=128000 State=UNKNOWN
PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """Return the programs that are not installed here."""
    return [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]


class Slurm:
    """The daemons, and what a user asks of them."""

    def __init__(self) -> None:
        self.folder = folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        folder.chmod(0o755)  # munge asks for that
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": PATH}
        self.daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the daemons and wait until the node takes jobs."""
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(64))
        values = {"host": socket.gethostname().split(".")[0], "user": getpass.getuser(), "ports": _free_ports(2)}
        text = CONFIGURATION.format(folder=self.folder, **values)
        (self.folder / "slurm.conf").write_text(text, encoding="utf-8")
        files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid", "seed-file": "munge.seed"}
        self._daemon("munged", "--foreground", *(f"--{option}={self.folder / name}" for option, name in files.items()))
        self._wait((self.folder / "munge.socket").exists, "munged")
        self._daemon("slurmctld", "-D", "-c")
        self._daemon("slurmd", "-D", "-c")
        self._wait(lambda: "idle" in self._ask("sinfo", "--noheader", "--format=%T"), "slurmctld and slurmd")

    def stop(self) -> None:
        """Cancel what is queued, then end the daemons, and what they have started."""
        self._ask("scancel", f"--user={getpass.getuser()}")
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(timeout=PATIENCE_S)
        for pid in processes_with(str(self.folder)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder)

    def queue(self) -> list[str]:
        """Return the ids of the jobs that wait or run."""
        return sorted(self._ask("squeue", "--noheader", "--format=%A", "--states=PENDING,RUNNING").split(), key=int)

    def cancel(self, job: str) -> None:
        """Cancel a job, as its user would."""
        self._ask("scancel", job)

    def _ask(self, *words: str) -> str:
        environment = os.environ | self.environment
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False).stdout

    def _daemon(self, *words: str) -> None:
        with (self.folder / f"{words[0]}.txt").open("wb") as log:
            environment = os.environ | self.environment
            self.daemons.append(subprocess.Popen(words, env=environment, stdout=log, stderr=log))

    def _wait(self, is_up: Callable[[], bool], what: str) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while not is_up():
            logs = {path.name: path.read_text(errors="replace")[-2000:] for path in self.folder.glob("*.txt")}
            assert time.monotonic() < give_up, f"{what} did not start: {logs}"
            assert all(daemon.poll() is None for daemon in self.daemons), f"{what} has ended: {logs}"
            time.sleep(0.05)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < number:
            port = random.randrange(20_000, 32_000)  # noqa: S311  (below those that other tests get from the kernel)
            with contextlib.suppress(OSError):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
                ports.append(port)
        return ports
