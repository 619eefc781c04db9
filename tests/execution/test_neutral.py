"""What another job's library changes for the whole interpreter when it is imported, a job does not have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from pytest_training.execution.backends.fork_server.backend import ServerHandle, ServerLauncher, start_server
from pytest_training.execution.folder import AttemptFolder
from pytest_training.jobs.model import Job

from .workplace import Workplace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the job server needs Linux")


class Change(NamedTuple):
    """What a library does when it is imported, and an expression that shows it."""

    code: str
    shows: str


CHANGES = {
    "root handler": Change("logging.basicConfig()", "[type(each).__name__ for each in logging.root.handlers]"),
    "root level": Change("logging.root.setLevel(50)", "logging.getLogger('any').isEnabledFor(40)"),
    "disabled logging": Change("logging.disable(20)", "logging.root.manager.disable"),
    "record factory": Change("logging.setLogRecordFactory(dict)", "logging.getLogRecordFactory().__name__"),
    "captured warnings": Change("logging.captureWarnings(True)", "warnings.showwarning.__module__"),
    "warnings filter": Change("warnings.filterwarnings('error', 'mine')", "'mine' in str(warnings.filters)"),
    "warnings ignored": Change(
        "warnings.simplefilter('ignore')", "('ignore', None, Warning, None, 0) in warnings.filters"
    ),
    "excepthook": Change("sys.excepthook = print", "sys.excepthook.__name__"),
    "displayhook": Change("sys.displayhook = print", "sys.displayhook.__name__"),
    "thread hook": Change("threading.excepthook = print", "threading.excepthook.__name__"),
    "recursion limit": Change("sys.setrecursionlimit(5000)", "sys.getrecursionlimit()"),
    "digits": Change("sys.set_int_max_str_digits(0)", "sys.get_int_max_str_digits()"),
    "garbage": Change("gc.set_threshold(10, 2, 2)", "gc.get_threshold()"),
    "signal": Change("signal.signal(signal.SIGWINCH, print)", "str(signal.getsignal(signal.SIGWINCH))"),
    "locale": Change("locale.setlocale(locale.LC_ALL, 'C.UTF-8')", "locale.setlocale(locale.LC_ALL)"),
    "umask": Change("os.umask(0o77)", "os.umask(0o77)"),
    "new variable": Change("os.environ['MADE_BY_IT'] = '1'", "os.environ.get('MADE_BY_IT')"),
    "other variable": Change("os.environ['WAS_THERE'] = '2'", "os.environ['WAS_THERE']"),
    "import path": Change("sys.path.append('/added')", "'/added' in sys.path"),
    "start method": Change("multiprocessing.set_start_method('spawn')", "multiprocessing.get_start_method()"),
}
PRINTING = "def end(name):\n    print(name, 'ends', flush=True)\natexit.register(end, __name__)\n"
"""Another change of each library: a function at exit."""
IMPORTS = "import atexit, gc, json, locale, logging, multiprocessing, os, signal, sys, threading, warnings\n"
NAMES = [f"library_{number}" for number in range(len(CHANGES))]
SHOW = f"""
with open(os.environ["TRAINING_FOLDER"] + "/shown.json", "w") as file:
    json.dump([{", ".join(change.shows for change in CHANGES.values())}], file)
"""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder of libraries that each change one thing, and of one that uses them."""
    folder = tmp_path_factory.mktemp("libraries")
    for name, change in zip(NAMES, CHANGES.values(), strict=True):
        (folder / f"{name}.py").write_text(IMPORTS + PRINTING + change.code)
    (folder / "user.py").write_text(f"import {', '.join(NAMES)}\n")
    (folder / "other_user.py").write_text(f"import {', '.join(NAMES)}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        patch.setenv("WAS_THERE", "1")
        yield folder


@pytest.fixture(scope="module")
def changed(libraries: Path) -> Iterator[ServerHandle]:
    """Return a job server that has loaded them all."""
    handle = start_server(["user", *NAMES, "other_user"], log=libraries / "server.log", seed=0)
    yield handle
    handle.close()


def shown(launcher: ServerLauncher, workplace: Workplace, job: Job) -> dict[str, Any]:
    """Return what a job saw of each change."""
    request = workplace.request(job)
    reply = launcher.launch(request)
    folder = AttemptFolder(Path(request.folder))
    assert reply.ending.exit_status == 0, folder.log.read_text()
    return dict(zip(CHANGES, json.loads((folder.artifacts / "shown.json").read_bytes()), strict=True))


def in_plain_python(folder: Path, *imports: str) -> dict[str, Any]:
    text = "".join(f"import {name}\n" for name in imports) + IMPORTS + SHOW
    subprocess.run([sys.executable, "-c", text], env=os.environ | {"TRAINING_FOLDER": str(folder)}, check=True)
    return dict(zip(CHANGES, json.loads((folder / "shown.json").read_bytes()), strict=True))


def test_a_job_has_the_changes_of_what_it_imports_and_no_others(
    workplace: Workplace, changed: ServerHandle, tmp_path: Path
) -> None:
    launcher = ServerLauncher(changed.address)
    fresh, used = in_plain_python(tmp_path), in_plain_python(tmp_path, "user")
    assert [name for name in CHANGES if fresh[name] == used[name]] == []
    for job in (workplace.function("return {}", top=IMPORTS + SHOW), workplace.script(IMPORTS + SHOW)):
        assert shown(launcher, workplace, job) == fresh
        for imports in (("user",), ("other_user",), tuple(NAMES)):
            assert shown(launcher, workplace, msgspec.structs.replace(job, imports=imports)) == used
    for number, name in enumerate(CHANGES):
        alone = shown(launcher, workplace, workplace.script(IMPORTS + SHOW, imports=(NAMES[number],)))
        assert alone == fresh | {name: alone[name]}
        assert alone[name] != fresh[name]


def test_the_log_of_a_script_is_its_own(workplace: Workplace, changed: ServerHandle) -> None:
    job = workplace.script("import logging\nlogging.basicConfig(level='INFO')\nlogging.info('mine')\n")
    request = workplace.request(job)
    ServerLauncher(changed.address).launch(request)
    assert AttemptFolder(Path(request.folder)).log.read_text() == "INFO:root:mine\n"


@pytest.mark.parametrize(("imports", "ends"), [((), []), (("library_1",), [1]), (("user",), range(len(CHANGES)))])
def test_the_functions_at_exit_are_those_of_what_a_job_imports(
    workplace: Workplace, changed: ServerHandle, imports: tuple[str, ...], ends: Sequence[int]
) -> None:
    job = workplace.script("import tempfile\nfolder = tempfile.TemporaryDirectory()\n", imports=imports)
    request = workplace.request(job)
    ServerLauncher(changed.address).launch(request)
    lines = AttemptFolder(Path(request.folder)).log.read_text().splitlines()
    assert lines == [f"library_{number} ends" for number in reversed(ends)]
