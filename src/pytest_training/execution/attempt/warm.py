"""Runs a script in the child that the job server forked, as `python script.py` would: as `__main__`, with its argv.

The libraries are loaded already; every trace of that is removed here, or is a reason to give the script an interpreter
of its own (`jobs/source/literals.py`, and `shadowed` below).
"""

import builtins
import contextlib
import importlib.machinery
import os
import sys
import types
from pathlib import Path

from pytest_training.execution.attempt.environment import own_frames, set_loaded_threads
from pytest_training.jobs.kinds.protocol import Command

SERVER_FOLDER = os.getcwd()  # noqa: PTH109  (`python -m` has put it into sys.path in these words)


def shadowed(program: Command) -> str | None:
    """Return a local module that the script would import and that is loaded from elsewhere already."""
    for folder in _import_path(program):
        inside = os.path.realpath(folder) + os.sep
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for name in (entry.name if entry.is_dir() else entry.name.partition(".py")[0] for entry in entries):
                if (loaded := sys.modules.get(name)) is not None:
                    places = filter(None, [getattr(loaded, "__file__", None), *getattr(loaded, "__path__", ())])
                    if not any(os.path.realpath(place).startswith(inside) for place in places):
                        return name
    return None


def _import_path(program: Command) -> list[str]:
    """Return the folders that an interpreter of the script's own would search before its installed modules."""
    extra = program.environment.get("PYTHONPATH", "").split(os.pathsep)
    depth = (program.module or "").count(".")  # of a package, the folder around it
    return list(dict.fromkeys([str(Path(program.argv[1]).parents[depth]), *filter(None, extra)]))


def run_script(program: Command, *, threads: int) -> int:
    """Run the script; return the exit status."""
    sys.argv = list(program.argv[1:])
    sys.orig_argv = [sys.executable, *sys.argv]
    sys.dont_write_bytecode = True  # as PYTHONDONTWRITEBYTECODE does when an interpreter starts
    installed = list(sys.path)
    if SERVER_FOLDER in installed:
        installed.remove(SERVER_FOLDER)
    sys.path[:] = list(dict.fromkeys([*_import_path(program), *installed]))
    set_loaded_threads(threads)
    path, module = program.argv[1], types.ModuleType("__main__")
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    vars(module).update(__file__=path, __loader__=loader, __builtins__=builtins, __cached__=None)
    module.__package__ = (program.module or "").rpartition(".")[0] or None
    sys.modules["__main__"] = module
    try:
        code = compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
        exec(code, vars(module))  # noqa: S102  (running the user's script is the purpose)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        sys.stderr.write(f"{error.code}\n")
        return 1
    except BaseException as error:  # noqa: BLE001  (what a script raises is its end, as in an interpreter of its own)
        frames = own_frames(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(frames), frames)
        return 1
    return 0
