"""The surroundings of a job in its process: thread variables, seeds, import path, the frames above its own."""

import contextlib
import hashlib
import os
import random  # noqa: F401  (the standard one, which is seeded, before a file of that name in the folder of a job)
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from pytest_training.execution.attempt.startup import sitecustomize
from pytest_training.execution.attempt.startup.sitecustomize import PRINTED, VARIABLE, Seeder
from pytest_training.jobs.kinds.protocol import Command
from pytest_training.jobs.model import Job, NeededOutcome
from pytest_training.wording import in_utf8

PACKAGE = str(Path(__file__).resolve().parents[2])
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"),
    *("NUMBA_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "LOKY_MAX_CPU_COUNT"),
)
LOADED = (
    *(("torch", "set_num_threads"), ("torch", "set_num_interop_threads"), ("numexpr", "set_num_threads")),
    *(("pyarrow", "set_cpu_count"), ("pyarrow", "set_io_thread_count"), ("cv2", "setNumThreads")),
)  # functions of libraries that read the variables, or the number of cores, when they were loaded
WAITING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""OpenMP's threads spin while they wait: one job on a busy machine of two cores took 319 s instead of 18."""
SHOWING = {"MPLBACKEND": "Agg"}  # where there is a screen, `plt.show()` waits until somebody closes the window
MLFLOW = "MLFLOW_TRACKING_URI"
TRACKERS = {"WANDB_DIR": "", "PL_TRAINER_DEFAULT_ROOT_DIR": "", MLFLOW: "/mlruns"}
"""Where Weights & Biases, Lightning and MLflow write, below the job's folder; else the working directory."""
TRACKED = {"MLFLOW_ALLOW_FILE_STORE": "true"}  # newer versions of MLflow write no files without it
SIZE = ("COLUMNS", "LINES")
SEED_LIMIT = 2**32  # numpy's and Python's hash seed take 32 bits
STARTUP = str(Path(sitecustomize.__file__).parent)


def numeric_environment(*, seed: int, threads: int) -> dict[str, str]:
    """Return the variables that numeric libraries read when they are loaded, and the seed of Python's hashes."""
    number = dict.fromkeys(THREAD_VARIABLES, str(threads))
    return {**unless_set(WAITING), **number, "PYTHONHASHSEED": str(seed % SEED_LIMIT)}


def unless_set(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the user has not set, not even to an empty text."""
    return {name: value for name, value in variables.items() if name not in os.environ}


def session_environment() -> dict[str, str]:
    """Return the variables of this process that its jobs may have."""
    return {name: value for name, value in os.environ.items() if _may_have(name, value)}


def inherited_environment() -> dict[str, str]:
    """Return the variables of this process without pytest's own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def changes_since(before: Mapping[str, str]) -> dict[str, str | None]:
    """Return the variables that have changed since then; None for one that is gone."""
    now = dict(os.environ)
    changed = {name: value for name, value in now.items() if before.get(name) != value and _may_have(name, value)}
    return changed | dict.fromkeys(before.keys() - now.keys())


def changed(before: Mapping[str, str], changes: Mapping[str, str | None] | None) -> Mapping[str, str]:
    """Return the variables after the changes, or those of this process if `changes` is None."""
    if changes is None:
        return os.environ
    return {name: value for name, value in {**before, **changes}.items() if value is not None}


def _may_have(name: str, value: str) -> bool:
    """Return False for pytest's own variables, which differ from test to test, and for what JSON cannot hold.

    Neither counts the terminal's size: readline changes it below Python, so that only workers have the new one.
    """
    return not name.startswith("PYTEST_") and name not in SIZE and in_utf8(name + value) == name + value


def change_environment(changes: Mapping[str, str | None]) -> None:
    """Set variables; remove a variable whose new value is None."""
    for name, value in changes.items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
    if "TZ" in changes and hasattr(time, "tzset"):
        time.tzset()


def set_loaded_threads(threads: int) -> None:
    """Set how many threads the libraries may use that are loaded already, which read no variables."""
    if "threadpoolctl" in sys.modules or "numpy" in sys.modules:
        import threadpoolctl  # noqa: PLC0415  (a job without numeric libraries does not need it)

        threadpoolctl.threadpool_limits(threads)
    for library, function in LOADED:
        if module := sys.modules.get(library):
            with contextlib.suppress(Exception):  # half loaded, or at work: torch takes the second number but once
                getattr(module, function)(threads)
    parallel: Any = sys.modules.get("numba.np.ufunc.parallel")
    with contextlib.suppress(Exception):  # not loaded, at work, or another version
        # Numba starts them when it needs them; its own function would start them now, and a fork end it.
        parallel.config.reload_config()  # reads NUMBA_NUM_THREADS
        parallel.NUM_THREADS = threads
        parallel.snt_check = check = parallel.gen_snt_check()
        parallel.overload(check)(lambda n: check)  # noqa: ARG005  (numba goes by the name)


def seed_generators(job: Job, seed: int) -> Seeder:
    """Return what seeds the global generators; not all jobs draw the same names from them: the id is in the seed."""
    name = job.trial_of or job.twin_of or job.id  # trials of a study differ in what it varies alone
    return Seeder(int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8]) if job.seeded else None)


def prepare_program(job: Job, seed: int, program: Command, printed: Path) -> None:
    """Have a script's own interpreter seed the generators when it starts, and note in a file what it prints."""
    number = seed_generators(job, seed).seed
    if program.argv[0] == sys.executable:
        os.environ |= {PRINTED: str(printed)} | ({} if number is None else {VARIABLE: str(number)})
        os.environ["PYTHONPATH"] = os.pathsep.join([STARTUP, os.environ.get("PYTHONPATH", "")])


def extend_import_path(job: Job) -> None:
    """Make local modules importable as if the user had run `python training/train_x.py` in the root."""
    folders = [str(Path(job.path).parent)] if job.path else []
    for folder in (*folders, job.home, job.root):
        if folder not in sys.path:
            sys.path.insert(len(folders) if folder == job.root else 0, folder)


def job_environment(job: Job, folder: str, *, seed: int, threads: int) -> dict[str, str]:
    """Return the environment variables of a job beyond the session's own."""
    trackers = unless_set({name: folder + below for name, below in TRACKERS.items()} | TRACKED | SHOWING)
    if MLFLOW in trackers and (job.imports or job.command):
        trackers[MLFLOW] = _beside(folder) + TRACKERS[MLFLOW]
    own = {"TRAINING_JOB": job.twin_of or job.id, "TRAINING_FOLDER": folder}
    own |= {"TRAINING_SEED": str(seed), "TRAINING_THREADS": str(threads)}
    return numeric_environment(seed=seed, threads=threads) | trackers | own


def _beside(folder: str) -> str:
    """Return a link to a folder, without its name: MLflow takes no run below a folder called `artifacts`."""
    link = Path(folder).with_name("tracked")
    with contextlib.suppress(OSError):  # it is there already, or the system has no links
        link.symlink_to(Path(folder).name, target_is_directory=True)
    return str(link) if link.is_symlink() else folder


def needed_variables(needed: Mapping[str, NeededOutcome], file: Path) -> dict[str, str]:
    """Return the environment variables for the jobs that a job needs: a file with all, and the folder of each."""
    folders = {re.sub("[^0-9A-Za-z]", "_", job_id).upper(): each.path for job_id, each in needed.items()}
    variables = {f"TRAINING_NEEDED_{name}": folder for name, folder in folders.items()}
    return {**variables, "TRAINING_NEEDED": str(file)} if needed else {}


def own_frames(frames: TracebackType | None) -> TracebackType | None:
    """Leave out the plugin's frames, and the import machinery's, above the job's own."""
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith((PACKAGE, "<frozen importlib")):
        frames = frames.tb_next
    return frames
