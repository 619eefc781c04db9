"""What a session that is killed leaves to a queueing system: its jobs are cancelled, and the cluster's keys removed.

Jobs that train end by themselves. Those that wait would start some time, and look for their scheduler in vain.
"""

import contextlib
import shlex
import subprocess
from contextlib import ExitStack
from typing import Any

SCRIPT = 'trap "" INT TERM HUP; while read -r id; do ids="$ids $id"; done; test -z "$ids" || "$@" $ids; rm -rf "$0"'
"""Read ids until nobody can write any more; cancel these jobs, of which most have ended, and remove the keys."""
PATIENCE_S = 10.0


def with_heir(cluster: Any, keys: str, ending: ExitStack) -> Any:
    """Return a subclass of dask-jobqueue's class whose jobs and folder of keys do not outlive this process."""
    words = ["sh", "-c", SCRIPT, keys, *shlex.split(cluster.job_cls.cancel_command)]
    silent: Any = dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL)
    heir = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True, text=True, bufsize=1, **silent)
    ending.callback(_part, heir)

    async def start(job: Any) -> None:
        await cluster.job_cls.start(job)
        with contextlib.suppress(OSError):  # somebody has killed it
            print(job.job_id, file=heir.stdin)

    job_class = type(cluster.job_cls.__name__, (cluster.job_cls,), {"start": start})
    return type(cluster.__name__, (cluster,), {"job_cls": job_class})


def _part(heir: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        heir.communicate(timeout=PATIENCE_S)
