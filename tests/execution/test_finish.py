"""Tests of execution/attempt/finish.py: the end of a job's process is that of an interpreter."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_training.execution.attempt.messages import AttemptRequest
from pytest_training.execution.backends.fork_server.backend import ServerLauncher
from pytest_training.execution.backends.protocol import Launcher
from pytest_training.execution.backends.subprocess import SubprocessLauncher
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.judge import judge
from pytest_training.jobs.model import RunSettings
from pytest_training.limits.protocol import Ending

from .workplace import Workplace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the job server needs Linux")

START = """
import os
folder = os.environ["TRAINING_FOLDER"] + "/"
def note(name, text, os=os, folder=folder):
    handle = os.open(folder + name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, text.encode())
    os.close(handle)
"""
WAYS: dict[str, str] = {
    "text": "text = open(folder + 'text', 'w'); text.write('x' * 7890)",
    "bytes": "raw = open(folder + 'bytes', 'wb'); raw.write(b'x' * 7890)",
    "both": "both = open(folder + 'both', 'w+'); both.write('x' * 7890)",
    "table": "import csv\ntable = csv.writer(open(folder + 'table', 'w')); table.writerow([1, 2])",
    "gzip": "import gzip\npacked = gzip.open(folder + 'gzip.gz', 'wt'); packed.write('x' * 7890)",
    "bzip": "import bz2\nbzip = bz2.open(folder + 'bzip.bz2', 'wt'); bzip.write('x' * 7890)",
    "lzma": "import lzma\nxz = lzma.open(folder + 'lzma.xz', 'wb'); xz.write(b'x' * 7890)",
    "zip": "import zipfile\narchive = zipfile.ZipFile(folder + 'zip.zip', 'w'); archive.writestr('a', 'b' * 99)",
    "cycle": """
        class Recorder:
            def __init__(self): self.me, self.file = self, open(folder + 'cycle', 'w')
        Recorder().file.write('x' * 99)
        """,
    "global": """
        def opened():
            global later
            later = open(folder + 'global', 'w')
            later.write('x' * 99)
        opened()
        """,
    "class": "class Holder:\n    file = open(folder + 'class', 'w')\nHolder.file.write('x' * 99)",
    "library": "import json\njson.table = open(folder + 'library', 'w'); json.table.write('x' * 99)",
    "registry": """
        import logging
        class Listed:
            def __del__(self): note('registry', 'ended')
        logging.listed = [Listed()]
        """,
    "own end": """
        class Model:
            def __init__(self, name): self.name = name
            def __del__(self): note('own end', self.name)
        first, second, both = Model('first'), Model('second'), []
        """,
    "generator": """
        def steps():
            try: yield 1
            finally: note('generator', 'closed')
        running = steps(); next(running)
        """,
    "at exit": "import atexit\natexit.register(note, 'at exit', '1')\natexit.register(note, 'at exit', '2')",
    "finalize": "import weakref\nclass A: pass\na = A(); weakref.finalize(a, note, 'finalize', 'done')",
    "logging": """
        import logging, logging.handlers
        target = logging.FileHandler(folder + 'logging', delay=True)
        logging.getLogger('mine').addHandler(logging.handlers.MemoryHandler(99, target=target))
        logging.getLogger('mine').error('kept in memory')
        """,
    "thread": "import threading\nthreading.Timer(0.1, note, ['thread', 'done']).start()",
    "executor": """
        import concurrent.futures, time
        pool = concurrent.futures.ThreadPoolExecutor(1)
        pool.submit(time.sleep, 0.05); pool.submit(note, 'executor', 'done')
        """,
    "process": """
        import multiprocessing
        multiprocessing.get_context('fork').Process(target=note, args=('process', 'done')).start()
        """,
    "temporary": """
        import tempfile
        kept = tempfile.NamedTemporaryFile(), tempfile.TemporaryDirectory()
        note('temporary', ' '.join([kept[0].name, kept[1].name]))
        """,
    "shelf": "import shelve, dbm.dumb\nshelf = shelve.Shelf(dbm.dumb.open(folder + 'shelf')); shelf['a'] = 1",
}
"""Code of a job's file that leaves the rest to its end; each writes files that begin with its name."""
PRINTS = """
import ctypes, sys
sys.stdout.write('no newline')
sys.stdout.flush()
ctypes.CDLL(None).printf(b' from C')
"""


class Left(NamedTuple):
    """What a job has left."""

    files: dict[str, object]
    printed: str


def content(path: Path) -> object:
    """Return what a file holds; of what was temporary, whether it is still there."""
    unpack: dict[str, Callable[[bytes], object]] = {
        ".gz": gzip.decompress,
        ".bz2": bz2.decompress,
        ".xz": lzma.decompress,
        ".zip": lambda packed: zipfile.ZipFile(io.BytesIO(packed)).read("a"),
    }
    if path.name == "temporary":
        return [Path(name).exists() for name in path.read_text().split()]
    return unpack.get(path.suffix, bytes)(path.read_bytes())


def left(folder: Path, printed: str) -> Left:
    return Left({path.name: content(path) for path in sorted(folder.iterdir())}, printed)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Return the files that each way leaves in an interpreter of its own."""
    folder = tmp_path_factory.mktemp("plain")
    running = []
    for number, way in enumerate(WAYS.values()):
        (folder / f"{number}.py").write_text(START + textwrap.dedent(way))
        command = [sys.executable, "-S", f"{number}.py"]
        running.append(subprocess.Popen(command, cwd=folder, env={"TRAINING_FOLDER": str(out(folder))}))
    assert [process.wait() for process in running] == [0] * len(WAYS)
    return left(out(folder), "").files


def out(folder: Path) -> Path:
    (folder / "out").mkdir(exist_ok=True)
    return folder / "out"


def attempt(launcher: Launcher, request: AttemptRequest) -> tuple[Left, Ending]:
    ending = launcher.launch(request).ending
    folder = AttemptFolder(Path(request.folder))
    return left(folder.artifacts, folder.log.read_text()), ending


@pytest.mark.parametrize("mode", ["function in a fork", "script in a fork", "function in a subprocess"])
def test_what_a_normal_end_does_is_done(
    workplace: Workplace, launcher: ServerLauncher, plain: dict[str, object], mode: str
) -> None:
    assert [way for way in WAYS if not any(name.startswith(way) for name in plain)] == []
    text = START + "\n".join(map(textwrap.dedent, WAYS.values())) + PRINTS
    job = workplace.script(text) if mode.startswith("script") else workplace.function("return {}", top=text)
    ours, ending = attempt(
        SubprocessLauncher() if mode.endswith("subprocess") else launcher,
        workplace.request(job, settings=RunSettings(grace_s=30)),
    )
    assert ours.files == plain
    assert (ending.exit_status, ours.printed) == (0, "no newline from C")


ENDLESS = """
import atexit, threading, time
class Endless:
    def __del__(self): time.sleep(1000)
table = open(folder + 'table', 'w'); table.write('x' * 99)
endless = Endless()
atexit.register(note, 'at exit', 'done')
atexit.register(time.sleep, 1000)
atexit.register(time.sleep, 1001)
threading.Thread(target=time.sleep, args=(1000,), name='sleeper').start()
"""


@pytest.mark.parametrize("mode", ["fork", "subprocess"])
def test_what_never_ends_is_left_and_the_rest_is_done(
    workplace: Workplace, launcher: ServerLauncher, mode: str
) -> None:
    request = workplace.request(workplace.function("return {'x': 1.0}", top=START + ENDLESS))
    reply = (SubprocessLauncher() if mode == "subprocess" else launcher).launch(request)
    folder = AttemptFolder(Path(request.folder))
    ours = left(folder.artifacts, folder.log.read_text())
    assert ours.files == {"table": b"x" * 99, "at exit": b"done"}
    assert reply.ending.exit_status == 0
    line = "its end took more than 0.3 s, and goes on without what does not end; threads that do not end: sleeper"
    assert ours.printed.splitlines() == [line] * 4
    assert judge(request, reply, since=0.0).result.notes == (line,)


def test_the_status_of_a_script_stays_whatever_its_end_raises(workplace: Workplace, launcher: ServerLauncher) -> None:
    text = START + "import atexit, sys\ntext = open(folder + 'text', 'w'); text.write('x')\natexit.register(int, 'x')\n"
    ours, ending = attempt(launcher, workplace.request(workplace.script(text + "sys.exit(3)\n")))
    assert (ours.files, ending.exit_status) == ({"text": b"x"}, 3)
    assert "invalid literal for int" in ours.printed


def test_whatever_a_script_does_to_the_modules_its_files_are_whole(
    workplace: Workplace, launcher: ServerLauncher
) -> None:
    tricks = {
        "no main": "del sys.modules['__main__']",
        "no modules": "sys.modules.clear()",
        "an object": "sys.modules['object'] = object()\nsys.modules['none'] = None",
        "no names": "globals().clear()",
        "renamed": "sys.modules['other'] = sys.modules.pop('__main__')",
        "a raising end": "class A:\n    def __del__(self): raise ValueError\na = A()",
        "frozen": "import gc\ngc.disable(); gc.freeze()",
    }
    for name, trick in tricks.items():
        script = workplace.script(f"{START}import sys\ntext = open(folder + 'text', 'w'); text.write('x')\n{trick}\n")
        ours, ending = attempt(launcher, workplace.request(script))
        assert (ours.files, ending.exit_status) == ({"text": b"x"}, 0), name


GROWS_AT_ITS_END = """
def grow(result):
    while not result.exists(): time.sleep(0.01)
    fat = bytearray(b"x") * (300 * 2**20)
    time.sleep(1000)
"""


def test_a_job_that_is_stopped_at_its_end_still_ends_its_files(workplace: Workplace, launcher: ServerLauncher) -> None:
    top = START + "import threading, time\ntext = open(folder + 'text', 'w'); text.write('x')\n"
    body = "threading.Thread(target=grow, args=(run.folder.with_name('result.json'),)).start()\nreturn {}"
    request = workplace.request(
        workplace.function(body, top=top + GROWS_AT_ITS_END, limits={"memory": 200.0}), settings=RunSettings(grace_s=60)
    )
    ours, ending = attempt(launcher, request)
    assert (ours.files, ending.ended_by) == ({"text": b"x"}, "memory")
    assert "Traceback" not in ours.printed
