"""Jobs in words for the terminal: a line per finished job, the text of a failure, counts and durations."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from pytest_training.execution.outcome import GateResult, Outcome, Shown, Status, Tolerated
from pytest_training.records.measures import headline
from pytest_training.records.run_record import Timing
from pytest_training.text import cells, clean_lines, fit, one_line, pad, table
from pytest_training.units import distinct, duration, number
from pytest_training.wording import counted

Markup = dict[str, bool]
Line = tuple[str, Markup]
ROOM_FOR_COUNT = 72  # columns; below it the metric needs the place
WORTH_SAYING_S = 1.0  # shortest waiting that the console names
MOST_METHODS = 4  # of intervals, that are explained
NARROWEST = 40  # columns; a narrower terminal wraps
SHORTER = (
    (r"^ended after [^:]+: it used (.+) of memory, its limit is (.+)$", r"memory \1, limit \2"),
    (r"^ended after [^:]+: (its )?", ""),
    (r"^(a \w+) is missing: .*?(no module named|no such file or directory:) ('[^']+').*", r"\1 is missing: \3"),
    (r"^cannot be trained or recorded: |^its (?=result could not)", ""),
    (r"(^|: )ended with exit status \d+: (?=\w)", r"\1raised "),
    (r"(^|: )raised (?:\w+\.)*(?=\w)", r"\1"),
    (r"^(\D*?)(?:[\w.~-]*/)+(?=[\w.-]+(:\d+: |'))", r"\1"),
)
"""What a reason without room leaves out, so that its telling word stays: patterns with what takes their place."""
EXCESS = {">=": "short by", ">": "short by", "<=": "over by", "<": "over by", "==": "off by"}


def finished_line(outcome: Outcome, *, width: int, done: int, total: int, id_width: int = 12) -> tuple[str, Markup]:
    """Return the line of a finished job: status, id, main metric or reason, duration, how many are done."""
    end = f"  {duration(outcome.took_s):>8}"
    if width >= ROOM_FOR_COUNT:
        end += f"  [{done:>{len(str(total))}}/{total}]"
    longest_id = max(width, NARROWEST) // 3
    job_id = pad(fit(one_line(outcome.job_id), longest_id), min(id_width, longest_id))
    start = f"{status_word(outcome):<7} {job_id}  "
    room = max(width, NARROWEST) - 1 - cells(start) - cells(end)
    return start + pad(_detail(outcome, room), room) + end, markup(outcome)


def word(outcome: Outcome) -> str:
    """Return the verbose word that pytest -v shows: `PASSED roc_auc 0.871, 3.2 s`."""
    simulated = "simulated" if outcome.is_simulated else ""
    main = sentence(outcome).removeprefix("pruned ") if outcome.cause == "pruned" else main_metric(outcome)
    details = [main, duration(outcome.took_s), waiting(outcome.waiting_s), simulated]
    return f"{status_word(outcome)} " + ", ".join(detail for detail in details if detail)


def status_word(outcome: Outcome) -> str:
    """Return the status in capitals, or PRUNED; an optional job that fails is what pytest calls XFAIL."""
    word = "pruned" if outcome.cause == "pruned" else outcome.status
    return "XFAIL" if outcome.shown is Tolerated.FAILED else word.upper()


def markup(outcome: Outcome) -> Markup:
    """Return the colour of an outcome for pytest's terminal writer."""
    colours: dict[Shown, str] = {Status.PASSED: "green", Status.FAILED: "red"}
    return {colours.get(outcome.shown, "yellow"): True}


def main_metric(outcome: Outcome, *, interval: bool = True) -> str:
    """Return the headline, its interval if it has one, and the digits that show how it misses its gate; or nothing."""
    if (main := headline(outcome)) is None:
        return ""
    value = number(main.value)
    broken = (each.gate for each in outcome.gates if each.passed is False)
    for missed in (gate.threshold for gate in broken if gate.metric == main.name):
        value = distinct(missed, main.value)[1] if value == number(missed) else value
    return f"{one_line(main.name, 40)} {value}" + (f" ({main.interval})" if interval and main.interval else "")


def sentence(outcome: Outcome) -> str:
    """Return why the job did not pass, in one clean line."""
    return one_line(outcome.reason) or f"the job is {outcome.status}"


def brief(reason: str) -> str:
    """Return a reason without what says least: the module of an exception, the folder of a file."""
    for pattern, short in SHORTER:
        reason = re.sub(pattern, short, reason, count=1, flags=re.IGNORECASE)
    return reason


def failure_text(outcome: Outcome, *, folder: str = "") -> str:
    """Return what pytest shows of a failed job; `folder` is the run folder as the reader would type it."""
    lines = [sentence(outcome)]
    if outcome.cause == "gate" or any(result.passed is False for result in outcome.gates):
        lines += ["", *gate_table(outcome.gates)]
    if outcome.remarks:
        lines += ["", *map(one_line, outcome.remarks)]
    if outcome.traceback:
        lines += ["", *clean_lines(outcome.traceback.rstrip("\n"))]
    if outcome.cause != "gate" and (tail := clean_lines(outcome.log_tail)):
        lines += ["", "The last lines of its log:", *(f"  {line}".rstrip() for line in tail)]
    if outcome.host:
        lines += ["", f"node: {one_line(outcome.place)}"]
    if outcome.log:
        path = f"{folder.rstrip('/')}/{outcome.log}" if folder else outcome.log
        lines += ["", f"log: {one_line(path)}"]
    return "\n".join(lines)


def gate_table(gates: Sequence[GateResult]) -> list[str]:
    """Return the gates as lines: metric, required, found, by how much."""
    return table(("metric", "required", "found", ""), [gate_row(result) for result in gates])


def interval_lines(outcomes: Sequence[Outcome]) -> list[str]:
    """Return how the jobs' intervals come about, a line for each method; the number of people is in each job's own."""
    jobs: dict[str, dict[str, None]] = {}
    for outcome in outcomes:
        methods = re.sub(r"over \d+ people", "over people", one_line(outcome.interval_method, 2000))
        for method in filter(None, methods.split("; ")):  # one for each evaluation
            jobs.setdefault(method, {})[one_line(outcome.trial_of or outcome.job_id, 40)] = None
    return [f"intervals of {fit(', '.join(ids), 200)}: {method}" for method, ids in [*jobs.items()][:MOST_METHODS]]


def counts(outcomes: Sequence[Outcome]) -> str:
    """Return jobs by status in words, trials of studies apart: `2 passed; 3 trials: 2 passed, 1 failed`."""
    words = ("pruned" if each.cause == "pruned" else each.shown.word for each in outcomes)
    return state_counts({each.job_id: (each.trial_of, word) for each, word in zip(outcomes, words, strict=True)})


def state_counts(states: Mapping[str, tuple[str | None, str]]) -> str:
    """Return jobs by state in words; `states` has of each job the study that it is a trial of, and its state."""
    words = [(study in states, word) for study, word in states.values()]
    both = [Counter(word for is_trial, word in words if is_trial is wanted) for wanted in (False, True)]
    jobs, trials = (", ".join(f"{count} {word}" for word, count in each.items()) for each in both)
    return f"{jobs}; {counted(both[1].total(), 'trial')}: {trials}" if trials else jobs


def time_line(measured: Timing, workers: int) -> str:
    """Return how long jobs and run took, and the longest job if no run could be shorter; nothing if no job ran."""
    if not measured.makespan_s:
        return ""
    took = f"{duration(measured.work_s)} of training in {duration(measured.makespan_s)}"
    is_one_job = measured.lower_bound_s > measured.work_s / max(workers, 1)
    longest = f"; the longest job alone takes {duration(measured.lower_bound_s)}" if is_one_job else ""
    return f"{took}, {workers} jobs at a time{longest}" if workers > 1 else took


def waiting(seconds: float) -> str:
    """Return how long jobs waited, or nothing if that is not worth a word: `waited 3.6 s`."""
    return f"waited {duration(seconds)}" if seconds >= WORTH_SAYING_S else ""


def waiting_line(measured: Timing, place: str) -> str:
    """Return how long the jobs of a run waited, and for what, or nothing if that is not worth a line."""
    waited = waiting(measured.waiting_s)
    nodes = ", nodes that others use" if place else ""
    return waited and f"jobs {waited} for imports, GPUs{nodes} or another attempt"


def _detail(outcome: Outcome, room: int) -> str:
    """Return the fullest of the details that fit; that data is simulated is never cut off."""
    simulated = ", simulated" if outcome.is_simulated else ""
    if outcome.status.is_good and outcome.cause != "pruned":
        variants = [main_metric(outcome), main_metric(outcome, interval=False)]
    else:
        why = sentence(outcome).removeprefix("pruned ")  # the status says it
        variants = [why, brief(why)]
    details = list(filter(None, [variants[0], *map(one_line, outcome.notes), waiting(outcome.waiting_s)]))
    fuller = [", ".join(details[:number]) for number in range(len(details), 0, -1)]
    if outcome.cause == "unchanged":  # that its metric is an earlier run's is never cut off
        fuller, variants = fuller[:1], list(map(one_line, outcome.notes)) or variants
    room -= len(simulated)
    chosen = next((text for text in (*fuller, *variants) if cells(text) <= room), variants[-1])
    return (fit(chosen, room) + simulated).removeprefix(", ")


def gate_row(result: GateResult) -> tuple[str, str, str, str]:
    """Return a gate in words: metric, required, found, by how much it holds or not."""
    gate, metric = result.gate, one_line(result.gate.metric, 60)
    if result.found is None:
        required = f"{gate.operator} {gate.threshold:.9g}"
        return metric, required, "nothing", unjudged(result) or "there is no such metric"
    required, value = distinct(gate.threshold, result.found)
    excess = f"{EXCESS[gate.operator]} {abs(result.found - gate.threshold):.3g}"
    holds = "holds" if gate.holds(result.found) else f"{excess}, within noise"
    return metric, f"{gate.operator} {required}", value, unjudged(result) or (holds if result.passed else excess)


def unjudged(result: GateResult) -> str:
    """Return `not judged: smoke run`, or nothing for a gate that is judged."""
    return f"not judged: {result.gate.unjudged}" if result.passed is None else ""


def held_gates(gates: Sequence[GateResult]) -> str:
    """Return how many gates hold, that they are not judged, or nothing without gates: `2 of 3`."""
    waived = next(filter(None, map(unjudged, gates)), "")
    return waived or (f"{sum(each.passed is True for each in gates)} of {len(gates)}" if gates else "")
