"""What a job says at its end names the cause: of a function, a script and a command, whatever stands around it."""

from __future__ import annotations

from pathlib import Path
from traceback import format_exception, format_exception_only
from typing import Any

import msgspec
import pytest

from pytest_training.accidents import ACCIDENTS, last_words
from pytest_training.execution.attempt.messages import Failure, Reply, Result
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.judge import Verdict, judge
from pytest_training.limits.protocol import Ending

from .workplace import Workplace

SAID = {
    "memory": [
        "MemoryError",
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array with shape (1000000000,)",
        "pyarrow.lib.ArrowMemoryError: malloc of size 8589934592 failed",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has 14.09 GiB free.",
        "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB.",
        "RuntimeError: CUDA out of memory. Tried to allocate 20.00 GiB.",
        "RuntimeError: CUDA error: out of memory",
        "RuntimeError: MPS backend out of memory (MPS allocated: 8.00 GB, max allowed: 9.07 GB).",
        "torch.OutOfMemoryError: HIP out of memory. Tried to allocate 20.00 GiB.",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: 40000 bytes",
        "cupy.cuda.memory.OutOfMemoryError: Out of memory allocating 8,000,000,000 bytes (allocated so far: 0 bytes).",
        "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 3435 bytes.",
        "tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating tensor with shape[9,9]",
        "OSError: [Errno 12] Cannot allocate memory",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "memory allocation of 8589934592 bytes failed",
        "Error: cannot allocate vector of size 74.5 Gb",
    ],
    "open files": [
        "OSError: [Errno 24] Too many open files: 'data.csv'",
        "RuntimeError: unable to open shared memory object </torch_12_34> in read/write mode: Too many open files (24)",
    ],
    "shared memory full": [
        "OSError: [Errno 28] No space left on device: '/dev/shm/batch'",
        "OSError: [Errno 28] No space left on device: '/psm_1a2b3c4d'",
        "RuntimeError: unable to write to file </torch_12_34>: No space left on device (28)",
        "RuntimeError: DataLoader worker (pid 9) is killed by signal: Bus error. Workers may be out of shared memory.",
    ],
    "disk full": [
        "OSError: [Errno 28] No space left on device: 'model.pt'",
        "OSError: [Errno 122] Disk quota exceeded",
        "RuntimeError: [enforce fail at inline_container.cc:603] . unexpected pos 64 vs 0",
        "RuntimeError: [enforce fail at inline_container.cc:595] . PytorchStreamWriter failed writing file data/0",
        "sqlite3.OperationalError: database or disk is full",
    ],
    "device assert": ["RuntimeError: CUDA error: device-side assert triggered"],
    "nccl": [
        "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1691, unhandled system error",
        "RuntimeError: NCCL error in: /pytorch/torch/lib/c10d/ProcessGroupNCCL.cpp:784, unhandled cuda error",
        "[rank0]: ncclInternalError: Internal check failed.",
    ],
    "nan": [
        "ValueError: Loss is NaN at step 17",
        "FloatingPointError: divide by zero encountered in divide",
        "ValueError: Input X contains NaN.",
        "RuntimeError: Detected non-finite loss",
    ],
    "missing module": [
        "ModuleNotFoundError: No module named 'nowhere'",
        "/usr/bin/python3: No module named nowhere",
        "ImportError: libcudart.so.12: cannot open shared object file: No such file or directory",
    ],
    "missing file": [
        "FileNotFoundError: [Errno 2] No such file or directory: 'data/nowhere.csv'",
        "python: can't open file '/work/nowhere.py': [Errno 2] No such file or directory",
        "cat: nowhere: No such file or directory",
        "sh: 1: nowhere: not found",
    ],
    "network": [
        "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
        "ConnectionRefusedError: [Errno 111] Connection refused",
        "requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: https://example.org",
    ],
}
EXITED, ABORTED = Ending(exit_status=1), Ending(signal="SIGABRT", wall_s=1.0)


def traceback(line: str, *above: str) -> str:
    return "\n".join(
        [*above, "Traceback (most recent call last):", '  File "a.py", line 3, in <module>', "    f()", line]
    )


def judged(workplace: Workplace, ending: Ending, *, log: str | None = None, failure: Failure | None = None) -> Verdict:
    """Judge an attempt that left this log, or this failure of a function."""
    request = workplace.request(workplace.command("tool") if failure is None else workplace.function("return {}"))
    folder = AttemptFolder(Path(request.folder))
    if log is not None:
        folder.log.write_text(log, encoding="utf-8")
    if failure is not None:
        folder.result.write_bytes(msgspec.json.encode(Result(failure=failure)))
    return judge(request, Reply(ending=ending), since=0)


@pytest.mark.parametrize(
    ("name", "cwd", "place"),
    [
        ("data/x.csv", "", "training"),
        ("y.csv", "training", "."),
        ("data", "", "training"),
        ("nowhere.csv", "", None),
        ("/etc/hosts", "", None),
        ("../training/data/x.csv", "", None),
    ],
)
def test_a_missing_relative_path_names_the_key_that_helps(
    workplace: Workplace, name: str, cwd: str, place: str | None
) -> None:
    (workplace.training / "data").mkdir()
    for path in (workplace.training / "data" / "x.csv", workplace.root / "y.csv"):
        path.touch()
    request = workplace.request(workplace.script("", cwd=cwd))
    AttemptFolder(Path(request.folder)).log.write_text(
        traceback(f"FileNotFoundError: [Errno 2] No such file or directory: {name!r}"), encoding="utf-8"
    )
    reason = judge(request, Reply(ending=EXITED), since=0).reason
    assert "relative paths begin in the job's working directory (cwd: in the catalogue)" in reason
    assert (f"(it is there from {place}: write cwd: {place})" in reason) == (place is not None), reason


def test_every_cause_has_examples() -> None:
    assert set(SAID) == {accident.cause for accident in ACCIDENTS}


@pytest.mark.parametrize("cause", SAID)
def test_what_was_said_last_names_the_cause_in_every_kind_of_job(workplace: Workplace, cause: str) -> None:
    beginnings = tuple(each.message.partition("…")[0] for each in ACCIDENTS if each.cause == cause)
    for line in SAID[cause]:
        for verdict in judged_everywhere(workplace, line):
            assert (verdict.status, verdict.cause) == ("failed", cause), line
            assert line.removeprefix("[rank0]: ")[:60] in verdict.reason
            assert verdict.reason.startswith(beginnings)


def judged_everywhere(workplace: Workplace, line: str) -> list[Verdict]:
    """Judge attempts that ended with this line: a function, scripts whatever stands around it, a crash."""
    raised = Failure(cause="error", message=line, traceback=traceback(line))
    cause = "The above exception was the direct cause of the following exception:"
    chained = traceback("RuntimeError: no model", traceback(line), "", cause, "")
    wrapped = traceback("torch.distributed.elastic.multiprocessing.errors.ChildFailedError:", traceback(line), "W1 …")
    return [
        judged(workplace, EXITED, failure=raised),
        judged(workplace, EXITED, log=f"epoch 1\n{traceback(line)}\n"),
        judged(workplace, EXITED, log=f"{chained}\nwandb: synced 5 files\n"),
        judged(workplace, EXITED, log=wrapped),
        judged(workplace, EXITED, log=f" 40%|####      | 4/10\r 50%|#####     | 5/10{traceback(line)}\n"),
        judged(workplace, ABORTED, log=f"epoch 1\n{line}\n"),
    ]


@pytest.mark.parametrize("cause", SAID)
def test_what_was_said_before_another_end_names_nothing(workplace: Workplace, cause: str) -> None:
    for line in SAID[cause]:
        mended = f"{traceback(line)}\nthat was mended\n{traceback('ValueError: other')}\n"
        verdict = judged(workplace, EXITED, log=mended)
        assert (verdict.cause, verdict.reason) == ("exit", "ended with exit status 1: ValueError: other")
        handled = f"{traceback(line)}\n\nDuring handling of the above exception, another exception occurred:\n\n"
        verdict = judged(workplace, EXITED, log=handled + traceback("ValueError: other"))
        assert (verdict.cause, verdict.reason) == ("exit", "ended with exit status 1: ValueError: other")
        assert judged(workplace, EXITED, log=line + "\n" + "epoch\n" * 20).cause == "exit"
        verdict = judged(workplace, EXITED, log=f"epoch 1\nit handled {line}; all well\nbad news\n")
        assert (verdict.cause, verdict.reason) == ("exit", "ended with exit status 1: bad news")
        assert judged(workplace, Ending(exit_status=0), log=line).status == "passed"


@pytest.mark.parametrize(
    ("first", "then", "cause", "said"),
    [
        ("open('nowhere.json')", "int('three')", None, "ValueError: invalid literal"),
        ("open('nowhere.json')", "raise ValueError('expected 3 columns') from None", None, "ValueError: expected 3"),
        ("open('nowhere.json')", "raise ValueError('no cache') from error", "missing file", ""),
        ("import nowhere_at_all", "[0, 1] @ [0]", None, "TypeError: unsupported operand"),
        ("import nowhere_at_all", "raise ValueError('no module') from error", "missing module", ""),
        ("raise MemoryError", "{}['batch']", None, "KeyError: 'batch'"),
        ("raise MemoryError", "raise RuntimeError('no batch') from error", "memory", ""),
        ("raise KeyError(1)", "open('nowhere.json')", "missing file", "FileNotFoundError: "),
    ],
)
def test_an_exception_that_was_being_handled_is_no_reason_unless_raise_from_names_it(
    workplace: Workplace, first: str, then: str, cause: str | None, said: str
) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011  (of any kind)
        exec(f"try: {first}\nexcept Exception as error: {then}")  # noqa: S102  (Python's own words are wanted)
    frames = "".join(format_exception(raised.value))
    message = "".join(format_exception_only(raised.value)).strip()
    function = judged(workplace, EXITED, failure=Failure(cause="error", message=message, traceback=frames))
    script = judged(workplace, EXITED, log=f"epoch 1\n{frames}wandb: synced\n")
    assert (function.cause, script.cause) == (cause or "error", cause or "exit")
    assert f"raised {message}" in function.reason
    assert said in script.reason


@pytest.mark.parametrize(
    ("log", "cause", "reason"),
    [
        ("bad news", "exit", "ended with exit status 1: bad news"),
        ("memory error rate: 0.5; MemoryError handled\nbad news", "exit", "ended with exit status 1: bad news"),
        ("loss was nan once\nConnection refused, tried again\n\nbad news\n\n", "exit", "exit status 1: bad news"),
        ("rm: cannot remove 'old': No such file or directory\nbad news", "exit", "exit status 1: bad news"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried …\nwandb: synced", "memory", "torch.OutOfMemoryError: "),
        ("RuntimeError: CUDA error: out of memory\nbye", "memory", "RuntimeError: CUDA error"),
        ("terminate called after throwing an instance of 'std::bad_alloc'\nAborted", "memory", "std::bad_alloc"),
        ("bash: line 1: model.pt: No space left on device\nbye", "disk full", "model.pt: No space left on device"),
        ("Error: cannot allocate vector of size 74.5 Gb\nExecution halted", "memory", "74.5 Gb"),
        ("ERROR: CUDA out of memory\nbye", "memory", "ERROR: CUDA out of memory"),
    ],
)
def test_without_a_traceback_the_last_line_and_errors_say_why(
    workplace: Workplace, log: str, cause: str, reason: str
) -> None:
    verdict = judged(workplace, EXITED, log=log)
    assert verdict.cause == cause
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("about to fail", "ended with exit status 2"),
        ("fit.py: error: unrecognized arguments: --x", "ended with exit status 2: fit.py: error: unrecognized …"),
    ],
)
def test_of_another_exit_status_the_last_line_is_said_if_it_is_an_error(
    workplace: Workplace, log: str, reason: str
) -> None:
    assert judged(workplace, Ending(exit_status=2), log=log).reason.startswith(reason.removesuffix("…"))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("\nload_boston is gone.\n\nUse another one.", "ImportError: load_boston is gone."),
        ("\n\n    Two things are wrong:\n    this and that", "ImportError: Two things are wrong:"),
        ("   \n\tno backend", "ImportError: no backend"),
        ("", "ImportError"),
        ("no name:\n  x", "ImportError: no name:"),
    ],
)
def test_of_a_message_the_first_line_that_says_something_is_the_reason(
    workplace: Workplace, message: str, said: str
) -> None:
    frames = "".join(format_exception(ImportError(message)))
    for text in (traceback(frames), f"{traceback(frames)}\nwandb: synced\n"):
        reason = judged(workplace, EXITED, log=text).reason
        assert reason.removeprefix("ended with exit status 1: ") == said


def test_of_a_failure_for_lack_of_memory_the_amounts_are_said(workplace: Workplace) -> None:
    failure = Failure(cause="error", message="MemoryError", traceback=traceback("MemoryError"), free_mb=2048)
    ending = Ending(exit_status=1, peak_memory_mb=512, free_mb=9000)
    assert judged(workplace, ending, failure=failure).reason == (
        "out of memory: raised MemoryError; it held 512 MiB; free were 2,048 MiB; "
        "load less at once, or run fewer jobs at once (-n)"
    )


@pytest.mark.parametrize(
    ("fields", "log", "cause"),
    [
        ({"signal": "SIGKILL", "oom_killer": True, "free_mb": 9000}, "", "memory"),
        ({"signal": "SIGKILL", "free_mb": 20, "peak_memory_mb": 9000}, "", "memory"),
        ({"signal": "SIGKILL", "free_mb": 9000}, "", "crash"),
        ({"signal": "SIGKILL"}, "", "crash"),
        ({"signal": "SIGSEGV", "oom_killer": True, "free_mb": 20}, "", "crash"),
        ({"exit_status": 1, "oom_killer": True}, traceback("ValueError: no"), "exit"),
        ({"exit_status": 137, "oom_killer": True}, "Killed", "memory"),
        *(
            ({"exit_status": 1, "oom_killer": killer}, traceback(line), cause)
            for line in (
                "RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed. ",
                "concurrent.futures.process.BrokenProcessPool: A process in the process pool was terminated abruptly",
                "joblib.externals.loky.process_executor.TerminatedWorkerError: A worker process was killed.",
                "subprocess.CalledProcessError: Command 'x' died with <Signals.SIGKILL: 9>.",
            )
            for killer, cause in ((True, "memory"), (False, "exit"))
        ),
    ],
)
def test_the_out_of_memory_killer_is_told_from_other_killers(
    workplace: Workplace, fields: dict[str, Any], log: str, cause: str
) -> None:
    verdict = judged(workplace, Ending(**fields), log=log)
    assert verdict.cause == cause
    assert ("out-of-memory killer" in verdict.reason) == (cause == "memory")


@pytest.mark.parametrize("before", ["", "[rank0]: ", "    | "])
def test_lines_of_torchrun_and_of_exception_groups_are_read_too(before: str) -> None:
    lines = ["Traceback (most recent call last):", '  File "a.py", line 3', "MemoryError"]
    assert last_words([f"{before}{line}" for line in lines])[0] == "MemoryError"
