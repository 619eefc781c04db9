"""Accidents that people act on: how each is read from what a job said at its end, its sentence, and what to do."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

LAST_LINES = 10  # of a log without a traceback, the lines that may say why its program ended
TRACEBACK = "Traceback (most recent call last)"
EXPLICIT = "The above exception was the direct cause"
"""What Python prints for `raise … from`. An exception that was merely being handled is no reason."""
WRAPPER = re.compile(r"[\w.]*(ChildFailedError|CalledProcessError|ProcessRaisedException|RayTaskError)\b")
"""Exceptions that only say that another process failed, which has printed its own traceback before."""
FRAMED = re.compile(r"^(\[\w+\]: ?)?([ +]*\| ?(?=\S))?")  # what torchrun and exception groups put before a line
LIKE_ERROR = re.compile(
    r"[\w.]*(Error|Exception)(:|$)|terminate called |memory allocation of \d|\[?[EF]\d{4} |.*\bNCCL WARN "
    r"|([\w./+-]+: )?(?i:\[?(fatal|fatal error|error|critical)[\]:])"
    r"|\S+: .*(No space left on device|Disk quota exceeded|Cannot allocate memory|Too many open files)$"
)  # how a program's error begins, in a log without a traceback; other lines there may only mention one


EMPTY = re.compile(r"[\w.]*(Error|Exception|Warning):\s*$")  # an exception whose message begins in the next line


class Accident(NamedTuple):
    """One kind, as the last lines of a job show it."""

    cause: str  # what the outcome names; `retry_on` may list it
    message: str  # what is wrong and what to do; `…` is what the job said
    pattern: str  # of one line


ACCIDENTS = (
    Accident(
        "memory",
        message="out of GPU memory: …; use a smaller batch or model, or fewer jobs at once",
        pattern=r"(CUDA|HIP|MPS backend|XPU) (error: )?out of memory|\bOutOfMemoryError\b|CUBLAS_STATUS_ALLOC_FAILED"
        r"|RESOURCE_EXHAUSTED: |OOM when allocating|cudaErrorMemoryAllocation",
    ),
    Accident(
        "memory",
        message="out of memory: …; load less at once, or run fewer jobs at once (-n)",
        pattern=r"MemoryError\b|(cannot|can't) allocate (memory|vector)|std::bad_alloc|^Out of memory"
        r"|memory allocation of \d+ bytes failed|Unable to allocate [\d.]+ .?i?B for an array",
    ),
    Accident(
        "open files",
        message="too many open files: …; close files, use fewer workers, or raise the limit (ulimit -n)",
        pattern=r"Too many open files",
    ),
    Accident(
        "shared memory full",
        message="shared memory (/dev/shm) is full: …; make it larger (docker run --shm-size=8g), or use fewer workers",
        pattern=r"No space left on device.*/(dev/shm|psm_|torch_)|/(dev/shm|psm_|torch_).*No space left on device"
        r"|out of shared memory|unable to (allocate|mmap|write|resize).*(shared memory|</torch_)|killed by signal: Bus",
    ),
    Accident(
        "disk full",
        message="no space is left: …; make room there, then pytest --training-resume",
        pattern=r"No space left on device|Disk quota exceeded|PytorchStreamWriter failed writing|disk is full"
        r"|inline_container\.cc.* unexpected pos",
    ),
    Accident(
        "device assert",
        message="a CUDA kernel refused its input: …; an index or label may be too large: train on the CPU to see it",
        pattern=r"device-side assert|Assertion `.*` failed\.?$|CUDA error: an illegal memory access",
    ),
    Accident(
        "nccl",
        message="GPUs could not talk to each other: …; NCCL_DEBUG=INFO says why, retry_on: [nccl] tries again",
        pattern=r"NCCL (error|WARN)|\bnccl[A-Z]\w*Error\b|ProcessGroupNCCL.*(timeout|timed out|abort)|DistBackendError",
    ),
    Accident(
        "nan",
        message="the data have values that are missing or infinite: …; fill them in, or leave these rows out",
        pattern=r"\b(input|data|X|y)\b.*\bcontains? (nan|infinity)\b",
    ),
    Accident(
        "nan",
        message="a number is not finite: …; lower the learning rate, or look for missing values in the data",
        pattern=r"^FloatingPointError|\bloss\b.{0,30}\b(nan|inf|infinite|not finite)\b|\b(nan|(non-?|in)finite) loss\b"
        r"|contains (nan|infinity)\b",
    ),
    Accident(
        "missing module",
        message="a module is missing: …; install it into the environment that runs pytest",
        pattern=r"^ModuleNotFoundError|^\S+: No module named |error while loading shared libraries"
        r"|cannot open shared object file",
    ),
    Accident(
        "missing file",
        message="a file is missing: …; relative paths begin in the job's working directory (cwd: in the catalogue)",
        pattern=r"^(\w+Error|\S+:).*No such file or directory|^FileNotFoundError|can't open file"
        r"|: (command )?not found$",
    ),
    Accident(
        "network",
        message="the network failed: …; retry_on: [network] tries again",
        pattern=r"Temporary failure in name resolution|Name or service not known|Connection refused"
        r"|Network is unreachable|Read timed out|(429|502|503|504) (Client|Server) Error",
    ),
)  # the first that matches a line counts


def find_accident(lines: Iterable[str]) -> tuple[Accident, str] | None:
    """Return the accident that the first telling line shows, with that line, or None if no line shows one."""
    for line in lines:
        for accident in ACCIDENTS:
            if re.search(accident.pattern, line, re.IGNORECASE):
                return accident, line
    return None


def last_words(lines: Sequence[str]) -> list[str]:
    """Return the lines in which a job says why it ended, the last first: of its last exception, else of its output."""
    starts, unframed = _tracebacks(lines), [FRAMED.sub("", line) for line in lines]
    begin = starts.pop() if starts else max(len(lines) - LAST_LINES, 0)
    while starts and (
        any(line.startswith(EXPLICIT) for line in unframed[max(begin - 3, 0) : begin])
        or any(map(WRAPPER.match, lines[begin:]))
    ):
        begin = starts.pop()
    return [line for line in reversed(unframed[begin:]) if line[:1].strip()]


def telling_words(lines: Sequence[str]) -> list[str]:
    """Return the last words that may name an accident: without a traceback the last line, and errors before it."""
    words = last_words(lines)
    return words if _tracebacks(lines) else words[:1] + list(filter(LIKE_ERROR.match, words[1:]))


def last_reason(lines: Sequence[str], *, by_exit: bool) -> str:
    """Return the last exception with its message, else the last line if it is an error or belongs to `sys.exit`.

    The first line of a message that is not empty counts.
    """
    if starts := _tracebacks(lines):
        unframed = [FRAMED.sub("", line) for line in lines[starts[-1] + 1 :]]
        begin = next((number for number, line in enumerate(unframed) if line[:1].strip()), len(unframed))
        said = [line.strip() for line in unframed[begin:] if line.strip()]
        return " ".join(said[: 2 if EMPTY.match(said[0]) else 1]) if said else ""
    return next((line for line in last_words(lines)[:1] if by_exit or LIKE_ERROR.match(line)), "")


def _tracebacks(lines: Sequence[str]) -> list[int]:
    return [number for number, line in enumerate(lines) if TRACEBACK in line]
