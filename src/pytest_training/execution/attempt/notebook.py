"""Executes a notebook in a kernel of its own: `python -m … PATH FOLDER VALUES`. Prints what its cells show.

The folder gets the executed copy, also of a notebook that fails or is ended.
"""

import json
import os
import re
import signal
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from pytest_training.execution.attempt.environment import STARTUP
from pytest_training.execution.attempt.startup.sitecustomize import VARIABLE
from pytest_training.jobs.kinds.notebook import TAG


class PrintingClient(NotebookClient):  # type: ignore[misc]  # the package is Any to mypy, with and without the extra
    """Prints the output of cells as it comes."""

    failed = 0  # index of the cell that raised last

    def create_kernel_manager(self) -> Any:
        """Return what starts a kernel of this interpreter: a user's kernel `python3` may be of another environment."""
        manager = super().create_kernel_manager()
        manager.kernel_spec_manager = KernelSpecManager(kernel_dirs=[])
        return manager

    def output(self, outs: Any, msg: Any, display_id: Any, cell_index: int) -> Any:
        """Print an output, and keep it in its cell."""
        content, kind = msg["content"], msg["msg_type"]
        text = content.get("text") or content.get("data", {}).get("text/plain", "")
        print(text, end="\n" if text and kind != "stream" else "", flush=True)  # noqa: T201  (the job's log)
        self.failed = cell_index if kind == "error" else self.failed
        return super().output(outs, msg, display_id, cell_index)


def main(path: str, folder: str, values: str) -> None:
    """Execute a notebook with other values for some of its parameters."""
    warnings.simplefilter("ignore")  # that a notebook is of an older format is no concern of its log
    notebook = nbformat.read(path, as_version=4)
    keep = partial(nbformat.write, notebook, Path(folder, Path(path).name))
    signal.signal(signal.SIGTERM, lambda *_: (keep(), os._exit(128 + signal.SIGTERM)))
    tagged = next(cell for cell in notebook.cells if TAG in cell.metadata.get("tags", ()))
    tagged.source += "".join(f"\n{name} = {value!r}" for name, value in json.loads(values).items())
    os.environ.pop("MPLBACKEND", None)  # a kernel has one of its own, which draws into the notebook
    seeds = (getattr(each, "seed", None) for each in sys.meta_path)  # this process's own, which its kernel gets too
    seed = next((each for each in seeds if isinstance(each, int)), None)
    path_with_startup = os.pathsep.join([STARTUP, os.environ.get("PYTHONPATH", "")])
    seeding = {} if seed is None else {VARIABLE: str(seed), "PYTHONPATH": path_with_startup}
    client = PrintingClient(notebook, timeout=None, kernel_name="python3", extra_arguments=["--log-level=ERROR"])
    if seed is not None:  # a kernel draws from `random` while it starts, now more, now less
        client.on_notebook_start = lambda **_: client.kc.execute(f"import random; random.seed({seed})", silent=True)
    try:
        client.execute(env=os.environ | seeding)
    except CellExecutionError as error:
        sys.exit(_explain(error, client.failed, notebook.cells[client.failed].source))
    finally:
        keep()


def _explain(error: Any, index: int, source: str) -> str:
    """Return what a cell raised as Python prints it, with the number of the cell and its first line."""
    frames = re.sub(r"\x1b\[[\d;]*m", "", error.traceback).splitlines()
    first, *more = f"{error.ename}: {error.evalue}".splitlines()
    said = f"{first} (cell {index + 1}: {source.strip().partition(os.linesep)[0]})"
    return "\n  ".join(["Traceback (most recent call last):", *frames]) + "\n" + "\n  ".join([said, *more])


if __name__ == "__main__":
    main(*sys.argv[1:])
