"""Jobs that go wrong, each in its own way, and what must become of them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple


class Fault(NamedTuple):
    """A job, and the cause and a part of the sentence that its outcome must give."""

    told: str
    """The fault in words, for the table."""
    cause: str | None
    """None where the job must pass in spite of it."""
    reason: str
    body: str
    top: str = ""
    settings: str = ""
    """What the catalogue says about it."""
    whole: str = ""
    """The whole file, where it is no function job with a body."""
    module: str = ""
    """What has to be installed for it, and is no dependency of the tests: without it the fault is left out."""

    @property
    def can_be(self) -> bool:
        """Whether it can be made here."""
        return not self.module or find_spec(self.module) is not None


HANG = "{timeout: 2s}"

WRITES = "import os\nfrom pathlib import Path\nPath(os.environ['TRAINING_FOLDER'], 'metrics.json').write_text('{}')\n"

FAULTS: dict[str, Fault] = {
    "raises": Fault("an exception", "error", "raised ZeroDivisionError: division by zero", "return {'x': 1 / 0}"),
    "exits": Fault("sys.exit(0) before finishing", "exit", "called sys.exit(0)", "import sys; sys.exit(0)"),
    "os_exit": Fault("os._exit(3)", "exit", "exit status 3", "import os; os._exit(3)"),
    "os_exit_zero": Fault("os._exit(0)", "exit", "before train returned", "import os; os._exit(0)"),
    "segfault": Fault("segmentation fault", "crash", "SIGSEGV", "import ctypes; ctypes.string_at(0)"),
    "abort": Fault("abort", "crash", "SIGABRT", "import os; os.abort()"),
    "overflow": Fault("stack overflow in C", "crash", "SIGSEGV", "import faulthandler; faulthandler._stack_overflow()"),
    "recursion": Fault(
        "endless recursion in Python", "error", "RecursionError", "def f(): return f()\nreturn {'x': f()}"
    ),
    "killed": Fault("SIGKILL", "crash", "SIGKILL", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
    "stopped": Fault(
        "SIGSTOP", "timeout", "time limit", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", settings=HANG
    ),
    "traced": Fault(
        "a stop by ptrace",
        "timeout",
        "time limit",
        "import ctypes, os, signal\nctypes.CDLL(None).ptrace(0, 0, 0, 0)\nos.kill(os.getpid(), signal.SIGSTOP)",
        settings=HANG,
    ),
    "halts": Fault(
        "SIGSTOP to the process that started it",
        None,
        "",
        "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)\nreturn {'x': 1.0}",
    ),
    "zombies": Fault(
        "1,000 children that are never waited for",
        None,
        "",
        "import os\nfor _ in range(1000):\n    if os.fork() == 0: os._exit(0)\nreturn {'x': 1.0}",
    ),
    "hangs": Fault("hang in Python", "timeout", "time limit", "while True: pass", settings=HANG),
    "loads": Fault(
        "a file that takes too long to load",
        "timeout",
        "time limit",
        "return {}",
        top="import time\ntime.sleep(1000)",
        settings=HANG,
    ),
    "hangs_in_c": Fault(
        "hang in C that holds the GIL",
        "timeout",
        "time limit",
        "import ctypes; ctypes.PyDLL(None).sleep(1000)",
        settings=HANG,
    ),
    "deaf": Fault(
        "hang that ignores SIGTERM",
        "timeout",
        "time limit",
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1000)",
        settings=HANG,
    ),
    "grows": Fault(
        "memory that grows",
        "memory",
        "limit is",
        "import time\nkept = []\nwhile True: kept.append(bytearray(20_000_000)); time.sleep(0.02)",
        settings="{memory: 400MB}",
    ),
    "grows_in_memfd": Fault(
        "a file in memory that grows (memfd)",
        "memory",
        "limit is",
        "import os, time\nfile = os.memfd_create('x')\nwhile True: os.write(file, b'x' * 20_000_000); time.sleep(0.02)",
        settings="{memory: 200MB}",
    ),
    "grows_in_shm": Fault(
        "a file in /dev/shm that grows",
        "memory",
        "limit is",
        "import os, time\nfile = os.open(f'/dev/shm/grows-{os.getpid()}', os.O_CREAT | os.O_RDWR)\n"
        "os.unlink(f'/dev/shm/grows-{os.getpid()}')\nwhile True: os.write(file, b'x' * 20_000_000); time.sleep(0.02)",
        settings="{memory: 200MB}",
    ),
    "stalls": Fault("no output and no CPU for long", None, "", "import time; time.sleep(3)\nreturn {'x': 1.0}"),
    "logs_nan": Fault(
        "a logged loss that is NaN",
        None,
        "",
        "for epoch in range(3): run.log(epoch=epoch, loss=float('nan') if epoch else 1.0)\nreturn {'x': 1.0}",
    ),
    "prints_nan": Fault("a printed loss that is NaN", None, "", "", whole="print('epoch 1: loss nan')\n"),
    "greedy": Fault("more memory than the machine has", "memory", "MemoryError", "bytearray(2**55)\nreturn {'x': 1.0}"),
    "greedy_array": Fault(
        "an array larger than the memory", "memory", "Unable to allocate", "import numpy; numpy.empty(2**53)"
    ),
    "greedy_chain": Fault(
        "a MemoryError behind another exception",
        "memory",
        "raised RuntimeError: no batch",
        "try:\n    bytearray(2**55)\nexcept MemoryError as error:\n    raise RuntimeError('no batch') from error",
    ),
    "handled": Fault(
        "an exception while another one is handled",
        "error",
        "raised ValueError: expected 3 columns",
        "try:\n    open('nowhere.json')\nexcept FileNotFoundError:\n    raise ValueError('expected 3 columns')",
    ),
    "handled_script": Fault(
        "a script's exception while another one is handled",
        "exit",
        "ended with exit status 1: ValueError: expected 3 columns",
        "",
        whole="try:\n    open('nowhere.json')\nexcept FileNotFoundError:\n    raise ValueError('expected 3 columns')\n",
    ),
    "reasoned_script": Fault(
        "a script's sys.exit with a reason",
        "exit",
        "ended with exit status 1: bad news",
        "",
        whole="import sys\nprint('memory error rate: 0.5; MemoryError handled')\nsys.exit('bad news')\n",
    ),
    "greedy_script": Fault(
        "a script with more memory than the machine has", "memory", "MemoryError", "", whole="bytearray(2**55)\n"
    ),
    "greedy_gpu": Fault(
        "more memory than the GPU has",
        "memory",
        "out of GPU memory",
        "raise OutOfMemoryError('CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has 14.09 GiB free.')",
        top="class OutOfMemoryError(RuntimeError): __module__ = 'torch'",
    ),
    "full_disk": Fault("a full disk", "disk full", "no space is left", "open('/dev/full', 'w').write('x' * 100_000)"),
    "full_shm": Fault(
        "a full /dev/shm",
        "shared memory full",
        "/dev/shm) is full",
        "raise OSError(28, 'No space left on device', '/dev/shm/batch')",
    ),
    "open_files": Fault(
        "too many open files",
        "open files",
        "too many open files",
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n[open('/dev/null') for _ in range(99)]",
    ),
    "no_file": Fault("a missing file", "missing file", "a file is missing", "open('nowhere.csv')"),
    "no_network": Fault(
        "a server that does not answer",
        "network",
        "Connection refused",
        "import socket; socket.create_connection(('127.0.0.1', 1))",
    ),
    "device_assert": Fault(
        "a CUDA kernel's assertion",
        "device assert",
        "a CUDA kernel refused",
        "raise RuntimeError('CUDA error: device-side assert triggered')",
    ),
    "nccl": Fault(
        "NCCL", "nccl", "GPUs could not talk", "raise RuntimeError('NCCL error in: x.cpp:7, unhandled cuda error')"
    ),
    "nan_loss": Fault(
        "a loss that is NaN", "nan", "a number is not finite", "raise ValueError('loss is nan in epoch 3')"
    ),
    "wordy": Fault(
        "an exception's message of 17 MB", "error", "raised ValueError: xxx", "raise ValueError('x' * 17_000_000)"
    ),
    "swarm": Fault(
        "200 processes left running",
        None,
        "",
        "import subprocess\nfor _ in range(200): subprocess.Popen(['sleep', '1000'])\nreturn {'x': 1.0}",
    ),
    "daemon": Fault(
        "a daemonised grandchild",
        None,
        "",
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        os.execvp('sleep', ['sleep', '1000'])\n"
        "    os._exit(0)\n"
        "os.wait()\nreturn {'x': 1.0}",
    ),
    "returning_fork": Fault("a forked copy that returns too", None, "", "import os; os.fork()\nreturn {'x': 1.0}"),
    "closed": Fault("closed stdout and stderr", None, "", "import os; os.close(1); os.close(2)\nreturn {'x': 1.0}"),
    "talks": Fault(
        "1 GB of output", None, "", "line = 'x' * 999\nfor _ in range(1_000_000): print(line)\nreturn {'x': 1.0}"
    ),
    "one_line": Fault(
        "output without a newline",
        "error",
        "raised ValueError: here",
        "print('x' * 5_000_000, end='')\nraise ValueError('here')",
    ),
    "bytes": Fault(
        "output that is no UTF-8",
        "error",
        "raised ValueError: here",
        r"import os; os.write(1, b'\xff\xfe\x00\x1b[31m' * 100)" + "\nraise ValueError('here')",
    ),
    "nan_of_script": Fault(
        "a script with one metric that is NaN", None, "", "", whole=WRITES.format('{"x": 1.0, "y": NaN}')
    ),
    "nan_with_gate": Fault(
        "the same with a gate on it",
        "result",
        "metric 'y' is nan; expected a finite number; a gate needs it",
        "",
        whole=WRITES.format('{"x": 1.0, "y": NaN}'),
        settings="{gates: {y: '> 0'}}",
    ),
    "nested": Fault(
        "a script with nested metrics and a gate",
        "result",
        "metrics found: none; its metrics are nested: write metrics: {path: test}",
        "",
        whole=WRITES.format('{"test": {"y": 1.0}}'),
        settings="{gates: {y: '> 0'}}",
    ),
    "nan": Fault("a metric that is NaN", "result", "'x' is nan", "return {'x': float('nan')}"),
    "text": Fault("a metric that is text", "result", "expected a finite number", "return {'x': 'high'}"),
    "listed": Fault("a list in place of metrics", "result", "expected a dict", "return [0.9]"),
    "missing": Fault(
        "no such metric for a gate",
        "result",
        "no metric 'auc', which a gate needs",
        "return {'x': 1.0}",
        settings="{gates: {auc: '>= 0.5'}}",
    ),
    "gate": Fault(
        "a failed gate", "gate", "x is 0.4, required >= 0.5", "return {'x': 0.4}", settings="{gates: {x: '>= 0.5'}}"
    ),
    "forged": Fault(
        "a result.json that is no JSON",
        "result",
        "result.json",
        "import os; (run.folder.parent / 'result.json').write_text('{'); os._exit(0)",
    ),
    "huge": Fault(
        "a result.json of 100 MB",
        "result",
        "result.json is larger",
        "import os; (run.folder.parent / 'result.json').write_bytes(b' ' * 100_000_000); os._exit(0)",
    ),
    "twice": Fault(
        "a result.json of its own", None, "", "(run.folder.parent / 'result.json').write_text('{')\nreturn {'x': 1.0}"
    ),
    "deletes": Fault(
        "its folder deleted", None, "", "import shutil; shutil.rmtree(run.folder.parent)\nreturn {'x': 1.0}"
    ),
    "plants": Fault(
        "a link in place of another job's folder",
        None,
        "",
        "import contextlib, os\nother = run.folder.parents[1].with_name('fine_last')\n"
        "with contextlib.suppress(FileExistsError): os.symlink('nowhere', other)\nreturn {'x': 1.0}",
    ),
    "leads_away": Fault(
        "its folder replaced by a link",
        None,
        "",
        "import os\nown, away = run.folder.parent, os.path.abspath('away')\n"
        "os.rename(own, away); os.symlink(away, own)\nreturn {'x': 1.0}",
    ),
    "pipes": Fault(
        "a pipe in place of result.json",
        "result",
        "was replaced by the job",
        "import os; os.mkfifo(run.folder.parent / 'result.json'); os._exit(0)",
    ),
    "links": Fault(
        "a link in place of its checkpoint",
        None,
        "",
        "import os\nplace = run.folder.parents[1] / 'checkpoint'\nos.symlink(os.getcwd(), place)\n"
        "run.checkpoint.save(epoch=1)\nassert not os.path.exists('state.zip')\nreturn {'x': 1.0}",
    ),
    "locks": Fault(
        "folders without permissions",
        None,
        "",
        "import os\nos.chmod(run.folder, 0o400); os.chmod(run.folder.parent, 0)\nreturn {'x': 1.0}",
    ),
    "moves": Fault("another working directory", None, "", "import os; os.chdir('/')\nreturn {'x': 1.0}"),
    "masks": Fault("a changed umask", None, "", "import os; os.umask(0o777)\nreturn {'x': 1.0}"),
    "clears": Fault("a cleared os.environ", None, "", "import os; os.environ.clear()\nreturn {'x': 1.0}"),
    "warns": Fault(
        "warnings as errors",
        "error",
        "raised UserWarning: old",
        "import warnings\nwarnings.simplefilter('error')\nwarnings.warn('old')",
    ),
    "imports": Fault(
        "an import error", "missing module", "No module named 'nowhere'", "return {}", top="import nowhere"
    ),
    "syntax": Fault("a syntax error", "error", "SyntaxError", "", whole="def train(run)\n    return {}\n"),
    "shadowed": Fault(
        "a local module named like a standard one", None, "", "import random; return {'x': random.random()}"
    ),
    "uses_pytest": Fault("a job that imports pytest", None, "", "return {'x': 1.0}", top="import pytest"),
    "loky": Fault(
        "joblib's loky workers",
        None,
        "",
        "from joblib import Parallel, delayed\n"
        "return {'x': float(sum(Parallel(2)(delayed(abs)(-i) for i in range(4))))}",
    ),
    "pool": Fault(
        "multiprocessing",
        None,
        "",
        "import multiprocessing\nwith multiprocessing.get_context('spawn').Pool(2) as pool:\n"
        "    return {'x': float(sum(pool.map(abs, [-1, -2])))}",
    ),
    "loader": Fault(
        "PyTorch's DataLoader with workers (\\*)",
        None,
        "",
        "import torch\nfrom torch.utils.data import DataLoader\n"
        "loader = DataLoader(torch.arange(8.0), batch_size=2, num_workers=2, persistent_workers=True)\n"
        "return {'x': sum(float(batch.sum()) for batch in loader)}",
        module="torch",
    ),
    "threads": Fault(
        "a thread that never ends",
        None,
        "",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\nreturn {'x': 1.0}",
    ),
    "endless": Fault(
        "a function at exit and a `__del__` that never end",
        None,
        "",
        "import atexit, time\natexit.register(time.sleep, 1000)\nreturn {'x': 1.0}",
        top="import time\nclass Endless:\n    def __del__(self): time.sleep(1000)\nendless = Endless()\n",
    ),
    "opened": Fault(
        "files that are still open at its end, and a generator in its `try`",
        None,
        "",
        "table.write('x'); next(running)\nreturn {'x': 1.0}",
        top="import os\ntable = open(os.environ['TRAINING_FOLDER'] + '/table', 'w')\ndef steps():\n    try: yield\n"
        "    finally: table.write('y')\nrunning = steps()\n",
    ),
    "shares": Fault(
        "shared memory that it does not remove, and SIGKILL",
        "crash",
        "SIGKILL",
        "import os, signal\nfrom multiprocessing.shared_memory import SharedMemory\n"
        "memory = SharedMemory(create=True, size=4096)\nos.kill(os.getpid(), signal.SIGKILL)",
    ),
    "reads": Fault("a job that reads stdin", "error", "raised EOFError", "return {'x': float(input())}"),
}
FINE = ("fine_first", "fine_last")
