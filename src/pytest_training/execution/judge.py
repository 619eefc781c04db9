"""The verdict on an attempt: the one place where a job passes or fails, and where the sentence is written."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from pytest_training.accidents import ACCIDENTS, LAST_LINES, find_accident, last_reason, last_words, telling_words
from pytest_training.errors import ResultError
from pytest_training.evaluation.noise import judged_difference, mean_of_seeds
from pytest_training.execution.attempt.messages import NO_RESULT, AttemptRequest, Failure, Pruned, Reply, Result
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.job_files import artifacts, log_end, log_tail, read_json
from pytest_training.execution.outcome import Attempt, Cause, Differences, GateResult, Status
from pytest_training.execution.readers import READERS
from pytest_training.execution.readers.declared import read_result
from pytest_training.execution.readers.findings import Followed, FoundMetrics, read_metrics
from pytest_training.execution.readers.protocol import EndedAttempt, Reader
from pytest_training.jobs.kinds.protocol import Call, Command
from pytest_training.jobs.model import Gate, Job
from pytest_training.limits import LIMITS, Limits
from pytest_training.limits.ladder import PRUNED
from pytest_training.limits.protocol import Ending
from pytest_training.text import shorten
from pytest_training.wording import label, listing, nearest

LONGEST_MESSAGE = 2000
LONGEST_WORDS = 400  # characters of what a job said that stand before what to do about it
LOG_LINES = 200  # the last lines of a log, which may say why a program ended
MOST_NAMES, ALIKE = 8, 0.6  # of metrics in a message, and how alike a name is that may be meant
SAID_AT_EXIT = 1  # the exit status of `sys.exit("a reason")`, which prints the reason
NAMELESS = frozenset(["error", "exit", "crash"])  # causes that a job's last words may name better
OUT_OF_MEMORY = next(accident for accident in ACCIDENTS if accident.message.startswith("out of memory"))
WORKER_KILLED = re.compile(
    r"signal: Killed|BrokenProcessPool|TerminatedWorkerError|SIGKILL|^Killed$|signal 9\b|(status|code) (-9|137)\b"
)
LITTLE_MB, LITTLE = 256, 0.05
"""MiB, and part of what the job held, below which what is free is so little that a SIGKILL is put down to it."""


class Verdict(Struct, frozen=True):
    """The status of an attempt with its reason and metrics, apart from the job's other attempts."""

    status: Status = Status.PASSED
    cause: Cause | None = None
    reason: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    curves: Sequence[dict[str, float]] = ()  # what foreign places say of the training's course, as `run.log` has it
    gates: tuple[GateResult, ...] = ()
    result: Result = field(default_factory=Result)
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    ended_as: Cause | None = None  # the cause apart from what the job's last words name: `error`, `exit` or `crash`


def judge(
    request: AttemptRequest, reply: Reply, *, since: float, readers: Sequence[Reader] = READERS, limits: Limits = LIMITS
) -> Verdict:
    """Judge an attempt by how its process ended, then by what it left, then by its gates."""
    if reply.refused:
        return _failed("error", reply.refused)
    if reply.lost:
        return _failed(reply.lost.cause, reply.lost.reason)
    folder = AttemptFolder(Path(request.folder))
    try:
        result = read_result(folder.result)
    except ResultError as error:
        ended = _judge_ending(request, reply.ending, None, limits) if _was_ended(request, reply.ending) else None
        return ended or _failed("result", str(error))
    if (verdict := _judge_ending(request, reply.ending, result, limits)) and verdict.cause in NAMELESS:
        verdict = _name_accident(verdict, reply.ending, folder, request.job)
    attempt = EndedAttempt(request.job, folder, since, request.start, result)
    curves: tuple[dict[str, float], ...] = ()
    try:
        followed = Followed(attempt, readers)
        followed.poll()
        curves = tuple(followed.curves())
        verdict = verdict or _judge_metrics(attempt, readers, followed)
    except ResultError as error:
        verdict = verdict or _failed("result", str(error))
    return replace(verdict, curves=curves) if curves else verdict


def findings(verdict: Verdict, attempts: Sequence[Attempt], last: AttemptFolder, run: Path) -> dict[str, Any]:
    """Return the fields of an outcome that attempts, and the files of the last one, decide."""
    passed, failure = verdict.status == Status.PASSED, verdict.result.failure
    notes = (f"passed at attempt {len(attempts)}",) if passed and len(attempts) > 1 else ()
    files, remarks = artifacts(last.artifacts)
    judged = ("status", "cause", "reason", "metrics", "sources", "gates", "remarks")
    return {name: getattr(verdict, name) for name in judged} | {
        **{name: getattr(verdict.result, name) for name in ("interval_method", "differences", "data")},
        "artifacts": tuple(f"{last.artifacts.relative_to(run).as_posix()}/{name}" for name in files),
        "log": last.log.relative_to(run).as_posix() if last.log.exists() else None,
        "traceback": failure.traceback if failure else None,
        "log_tail": () if passed else log_tail(last.log, without=failure),
        "notes": (*verdict.notes, *remarks, *notes),
        "attempts": tuple(attempts),
        "cpu_s": round(sum(attempt.ending.cpu_s for attempt in attempts), 4),
        "peak_memory_mb": max(attempt.ending.peak_memory_mb or 0.0 for attempt in attempts) or None,
    }


def refuse(reason: str) -> tuple[Reply, Verdict]:
    """Return the reply and the verdict of an attempt without a process."""
    return Reply(refused=reason), _failed("error", reason)


def judge_gates(
    gates: tuple[Gate, ...], metrics: dict[str, float], differences: Differences | None = None, seeds: int = 0
) -> tuple[GateResult, ...]:
    """Return each gate with its metric; a missing metric fails its gate.

    A gate that is made of an earlier metric holds within noise: that of `differences` of predictions, or of so many
    seeds that the metrics are means of.
    """
    return tuple(
        _judge_gate(gate, metrics, differences or {}, seeds)
        for gate in gates
        if gate.against is None or gate.metric in metrics  # an earlier metric may have been given up
    )


def judge_numbers(job: Job, metrics: dict[str, float], differences: Differences, seeds: int) -> Verdict:
    """Judge metrics of the best of several trainings, with its differences, or means of so many seeds."""
    gates = judge_gates(job.gates, metrics, differences, seeds)
    status, cause, reason = _judge_gates(job, gates, FoundMetrics(values=metrics), "")
    return unfailed(Verdict(status, cause, reason, metrics, gates=gates))


def _judge_gate(gate: Gate, metrics: dict[str, float], differences: Differences, seeds: int) -> GateResult:
    value, earlier = metrics.get(gate.metric), gate.earlier
    if value is None or earlier is None:
        holds = value is not None and gate.holds(value)
        return GateResult(gate=gate, found=value, passed=None if gate.unjudged else holds)
    now, pair = mean_of_seeds(metrics, gate.metric, seeds), differences.get(earlier.run_id, {}).get(gate.metric)
    difference = judged_difference(value - earlier.value, now=now, before=earlier.spread, pair=pair)
    is_noise = difference is not None and not difference.is_beyond_noise
    return GateResult(gate=gate, found=value, passed=is_noise or gate.holds(value), difference=difference)


def tolerated(gates: Sequence[GateResult]) -> tuple[str, ...]:
    """Return a sentence for each metric that is worse by more than is allowed, but within noise."""
    return tuple(
        f"{each.gate.metric} is {each.found:.4g}, was {each.gate.against}: {each.difference.words}"
        for each in gates
        if each.passed and each.found is not None and each.difference and not each.gate.holds(each.found)
    )


def _failed(cause: Cause, reason: str, result: Result | None = None) -> Verdict:
    return Verdict(Status.FAILED, cause, reason, result=result or Result(), ended_as=cause)


def _judge_ending(  # noqa: PLR0911  (one way to end each)
    request: AttemptRequest, ending: Ending, result: Result | None, limits: Limits
) -> Verdict | None:
    """Judge an attempt that did not end by itself and well; return None if it did."""
    exceeded = ending.ended_by or ""
    if exceeded in limits and exceeded in request.job.limits:
        return _failed(exceeded, limits[exceeded].sentence(ending, request.job.limits[exceeded]))
    if exceeded == PRUNED:
        pruned = read_json(request.files.pruned, Pruned) or Pruned()
        left = replace(result or Result(), failure=None)
        return Verdict(Status.SKIPPED, PRUNED, pruned.reason, pruned.metrics, result=left)
    if ending.ended_by == "interrupted":
        return Verdict(Status.INTERRUPTED, "interrupted", reason=f"interrupted after {ending.wall_s:.1f} s")
    if result and result.failure:
        return _judge_failure(result, result.failure)
    if ending.signal is not None:
        return _failed("crash", f"was killed by {ending.signal} after {ending.wall_s:.1f} s", result)
    if ending.exit_status == NO_RESULT and result is None:
        return _failed("system", "its result could not be written to the run folder (disk full?)")
    if ending.exit_status:
        by = " without an exception (os._exit or a C library)" if isinstance(request.start, Call) else ""
        return _failed("exit", f"ended with exit status {ending.exit_status}{by}", result)
    if isinstance(request.start, Call) and result is None:
        return _failed("exit", f"ended with exit status {ending.exit_status} before {request.start.function} returned")
    return None


def _was_ended(request: AttemptRequest, ending: Ending) -> bool:
    """Return True if the process was ended, or a program failed: what it did to its result is no reason then."""
    return bool(ending.ended_by or ending.signal or (ending.exit_status and isinstance(request.start, Command)))


def _judge_failure(result: Result, failure: Failure) -> Verdict:
    if failure.cause == "stopped":
        return _failed("crash", "was ended by SIGTERM from outside the run", result)
    prefix = "raised " if failure.traceback else ""
    # It is cut here, not where it was raised: of a secret that is cut in two, half would not be masked.
    verdict = _failed(failure.cause, prefix + failure.message[:LONGEST_MESSAGE], result)
    return replace(verdict, metrics=result.metrics)  # of which one was no finite number


def _name_accident(verdict: Verdict, ending: Ending, folder: AttemptFolder, job: Job) -> Verdict:
    """Return the verdict with the cause that the kernel or the job's last words name, and with what to do."""
    failure = verdict.result.failure
    lines = (failure.traceback or failure.message).splitlines() if failure else log_end(folder.log, LOG_LINES)
    said = last_words(lines)
    accident, line = find_accident(telling_words(lines)) or (None, "")
    words = shorten(verdict.reason if failure or not line else f"{verdict.reason}: {line}", LONGEST_WORDS)
    if killer := _killer(ending, said):
        accident, words = OUT_OF_MEMORY, f"{words}, {killer}"
    if accident is None:
        is_program = verdict.reason.endswith(f"exit status {ending.exit_status}")
        reason = last_reason(lines, by_exit=ending.exit_status == SAID_AT_EXIT) if is_program else ""
        return replace(verdict, reason=f"{verdict.reason}: {reason}" if reason else verdict.reason)
    more = _held(ending, failure, killer) if accident.cause == OUT_OF_MEMORY.cause else ""
    more = _place_of(line, job) if accident.cause == "missing file" else more
    return replace(verdict, cause=accident.cause, reason=accident.message.replace("…", words + more))


def _place_of(line: str, job: Job) -> str:
    """Return where a file is that a job expected in its working directory, and the key that helps."""
    root, name = Path(job.root), next(iter(re.findall("'([^'/][^']*)'", line)), "")
    above = (each for each in Path(job.path or root, "x").parents if name and each.is_relative_to(root))
    place = next((label(each, root) for each in above if (each / name).exists()), "")
    return f" (it is there from {place}: write cwd: {place})" if place else ""


def _killer(ending: Ending, said: Sequence[str]) -> str:
    """Say that the kernel, or somebody in its place, killed the job or a worker of it for lack of memory."""
    if ending.signal != "SIGKILL" and not (ending.oom_killer and any(map(WORKER_KILLED.search, said))):
        return ""
    if ending.oom_killer:
        return "by the kernel's out-of-memory killer"
    is_low = ending.free_mb is not None and ending.free_mb < max(LITTLE_MB, LITTLE * (ending.peak_memory_mb or 0))
    return "probably by an out-of-memory killer" if is_low else ""


def _held(ending: Ending, failure: Failure | None, killer: str) -> str:
    free_mb = failure.free_mb if failure and failure.free_mb is not None else ending.free_mb
    if ending.oom_killer and killer:  # there was nothing left; what was measured is from before that, or after
        free_mb = None
    amounts = ((ending.peak_memory_mb, "it held"), (free_mb, "free were"))
    return "".join(f"; {words} {amount:,.0f} MiB" for amount, words in amounts if amount is not None)


def _judge_metrics(attempt: EndedAttempt, readers: Sequence[Reader], followed: Followed) -> Verdict:
    found = read_metrics(attempt, readers, followed)
    metrics, notes = found.values, found.notes
    if not metrics and isinstance(attempt.start, Command):
        notes = ("no metrics found", *notes)
    if isinstance(attempt.start, Command) and (line := _not_finite(attempt.folder)):
        notes = (*notes, f"a number is not finite in the last lines of its log: {line}")
    if attempt.job.data and attempt.result is None:
        notes += ("result.json was deleted by the job: which data it used is in no report",)
    gates = judge_gates(attempt.job.gates, metrics, attempt.result.differences if attempt.result else {})
    notes += tolerated(gates)
    result = attempt.result or Result()
    status, cause, reason = _judge_gates(attempt.job, gates, found, result.interval_method)
    verdict = Verdict(status, cause, reason, metrics, found.sources, gates=gates, result=result, notes=notes)
    return unfailed(verdict)


def unfailed(verdict: Verdict) -> Verdict:
    """Return the verdict; where gates are not judged, what they lack is a remark."""
    if not verdict.reason or all(each.passed is not None for each in verdict.gates):
        return verdict
    return replace(verdict, status=Status.PASSED, cause=None, reason="", remarks=(verdict.reason,))


def _not_finite(folder: AttemptFolder) -> str:
    accident, line = find_accident(reversed(log_end(folder.log, LAST_LINES))) or (None, "")
    return line if accident and accident.cause == "nan" else ""


def _judge_gates(
    job: Job, gates: tuple[GateResult, ...], found: FoundMetrics, method: str
) -> tuple[Status, Cause | None, str]:
    for name in (gate.metric for gate in job.gates if gate.metric in found.choices):
        return Status.FAILED, "result", f"{found.ambiguity(name)}; expected one of these names in the gate"
    missing = [result.gate.metric for result in gates if result.found is None]
    for name in (name for name in missing if name in found.refused):
        return Status.FAILED, "result", f"{found.refused[name]}; a gate needs it"
    if missing:
        returned = listing(missing[0], found.values, limit=MOST_NAMES) if found.values else "none"
        stem = re.escape(re.sub(r"_(low|high)$", "", missing[0]))
        why = f"; intervals: {method}" if re.search(rf"\b{stem}\b", method) else ""
        names = () if why else nearest(missing[0], found.values, cutoff=ALIKE)
        near = "".join(f" (did you mean {name!r}?)" for name in names)
        where = why + (f"; {found.hint}" if found.hint else "")
        reason = f"no metric {missing[0]!r}, which a gate needs{near}; metrics found: {returned}{where}"
        return Status.FAILED, "result", reason
    broken = [_broken(result) for result in gates if result.passed is False]
    return (Status.FAILED, "gate", "; ".join(broken)) if broken else (Status.PASSED, None, "")


def _broken(result: GateResult) -> str:
    gate = result.gate
    if gate.against is not None:
        noise = result.difference.words if result.difference else "not judged against noise"
        return f"{gate.metric} got worse: {result.found:.4g}, was {gate.against}; {noise}"
    return f"{gate.metric} is {result.found:.4g}, required {gate.operator} {gate.threshold:g}"
