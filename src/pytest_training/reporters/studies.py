"""A study in words and as columns, for terminal, summary and CSV; order and differences are those of its table."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pytest_training.evaluation.noise import Mean
from pytest_training.execution.outcome import Status
from pytest_training.jobs.directions import is_side_number
from pytest_training.records.strict_json import encode
from pytest_training.records.studies import StudyRow, StudyTable
from pytest_training.text import cells, fit, one_line, table
from pytest_training.units import number
from pytest_training.wording import listing

LONGEST, LONGEST_ID, LONGEST_HEAD = 30, 20, 12
"""Terminal columns of a cell, of an id beside its parameters, and of a head above shorter cells."""
MOST_REASONS = 5
LEAST = 16  # terminal columns of a text that is cut
GAP = 2  # between two columns
MOST_STUDIES = 20  # named at the end of a run


def verdict(study: StudyTable) -> str:
    """Return what the trials came to: `auc 0.871 ± 0.012 over 5 seeds`, `best of 6 trials: mae 1.2 with depth 3`."""
    metric, best = one_line(study.metric, 40), study.best
    if study.spread:
        return f"{metric} {_mean(study.spread.value, study.spread)}"
    judged = [row for row in study.rows if best is None or row.is_trained or row.cause == "pruned"]
    lacking = len([row for row in judged if best and study.metric not in row.metrics])
    count, without = len(judged) - lacking, f"; {lacking} more without {metric}" if lacking else ""
    rows = f"{count} {'combination' if any(row.trials for row in study.rows) else 'trial'}{'s' * (count != 1)}"
    if best is None and not study.parameters and any(row.seed is not None for row in study.rows):
        return f"no mean over {rows}: not all have {metric or 'a metric'}"
    if best is None:
        unknown = f"neither a gate nor the name of {metric} says whether more is better"
        why = unknown if metric and not study.direction else f"none passed with {metric or 'a metric'}"
        return f"no best of {rows}: {why}"
    values = [(one_line(name, 40), fit(shown(value) or "null", 40)) for name, value in best.parameters.items()]
    chosen = ", ".join(map(" ".join, values)) or best.id
    return f"best of {rows}: {metric} {_mean(best.metrics[study.metric], best.spread)} with {chosen}{without}"


def closing_lines(studies: Sequence[StudyTable], place: str = "") -> list[str]:
    """Return what each study came to, for the end of a run; `place` is the option that finds it."""
    lines = []
    for study in studies[:MOST_STUDIES]:
        counts = "" if all(row.is_ranked for row in study.trials) else f"; {trial_counts(study)}"
        lines.append(f"study {one_line(study.id, 40)}: {verdict(study)}{counts}")
    return [*lines, f"all trials: pytest-training table {one_line(studies[0].id, 40)}{place}"] if lines else []


def _mean(value: float, spread: Mean | None) -> str:
    if spread is None or spread.number == 1:
        return number(value) + (" with 1 seed" if spread else "")
    interval = f"95 %: {number(spread.low)} to {number(spread.high)}"
    return f"{number(value)} ± {number(spread.sd)} over {spread.number} seeds ({interval})"


def trial_counts(study: StudyTable) -> str:
    """Return the trials by what they came to: `6 trials: 5 passed, 1 pruned`."""
    counts = Counter(_state(row) for row in study.trials)
    words = ", ".join(f"{count} {word}" for word, count in counts.items())
    return ": ".join(filter(None, [f"{len(study.trials)} trial{'s' * (len(study.trials) != 1)}", words]))


def _state(row: StudyRow) -> str:
    return "passed" if row.is_ranked else "pruned" if row.cause == "pruned" else row.shown.word


def record(study: StudyTable, row: StudyRow) -> dict[str, Any]:
    """Return a row's values by column, what matters most first; a name of two columns says what each is."""
    mean, behind = row.spread, row.behind
    sd = mean.sd if mean and mean.number > 1 else None
    values = {name: "null" if value is None else value for name, value in row.parameters.items()}
    named = [
        *(("trial", "", row.id), ("status", "", _state(row)), (study.metric, "metric", row.metrics.get(study.metric))),
        *(("sd", "", sd), ("seeds", "", mean and mean.number), ("to_best", "", behind and behind.value)),
        *(("to_best_low", "", behind and behind.low), ("to_best_high", "", behind and behind.high)),
        *((name, "parameter", values.get(name)) for name in study.parameters),
        *(("seed", "", row.seed), ("seconds", "", row.wall_s or None)),
        *((name, "metric", row.metrics.get(name)) for name in study.metrics if name != study.metric),
        ("reason", "", None if row.is_ranked else row.reason or None),
    ]
    taken = Counter(name for name, _, _ in named)
    return {f"{kind} {name}" if kind and taken[name] > 1 else name: value for name, kind, value in named if name}


def columns(study: StudyTable, rows: Sequence[StudyRow], width: int) -> tuple[list[list[str]], list[str]]:
    """Return the columns that fit, each with its head, and the names of the others; empty ones are in neither."""
    fitting, others = [], []
    texts = [{name: shown(value) for name, value in record(study, row).items()} for row in rows]
    for row, text in zip(rows, texts, strict=True):
        text["trial"] = f"{'*' if row is study.best else ' '} {text['trial'].removeprefix(f'{study.id}-')}"
        if behind := row.behind:
            text["to_best"] = f"{number(behind.value)} ({number(behind.low)} to {number(behind.high)})"
    for name in texts[0] if texts else ():
        is_side = name == "reason" or (is_side_number(name) and name not in study.parameters)
        if is_side or {text[name] for text in texts} <= {"", "passed"}:
            continue
        longest = max(LONGEST_ID if name == "trial" and study.parameters else LONGEST, width // 4)
        most = min(longest, max(LEAST, width - GAP))
        several = [fit(text[name], most) for text in texts]
        column = [fit(one_line(name), max(LONGEST_HEAD, width // 8, *map(cells, several))), *several]
        if (room := width - max(map(cells, column)) - GAP) < 0:
            others.append(name)
        else:
            fitting.append(column)
            width = room
    return fitting, others


def lines(study: StudyTable, *, width: int, most: int) -> list[str]:
    """Return the table for a terminal, and what is left out of it."""
    fitting, others = columns(study, study.rows[:most], width + GAP)
    written = table([column[0] for column in fitting], zip(*(column[1:] for column in fitting), strict=True))
    methods = dict.fromkeys(row.behind.method for row in study.rows if row.behind)
    broken = [row for row in study.trials if row.status in {Status.FAILED, Status.INTERRUPTED}]
    reasons = Counter(f"{_state(row)}: {one_line(row.reason)}" for row in broken)
    left = max(len(study.rows) - most, 0)
    written += [f"to_best: less the best, with its 95 % interval: {method}" for method in methods]
    written += [f"{count} {why}" for why, count in reasons.most_common(MOST_REASONS)]
    written += [f"and {left} more: --csv and --json have all"] if left else []
    return written + ([f"too narrow for {listing('', others)}: --csv and --json have all"] if others else [])


def csv_text(study: StudyTable) -> str:
    """Return the trials as CSV, with exact numbers, and without columns that no trial fills."""
    records = [record(study, row) for row in study.trials]
    names = [name for name in (records[0] if records else ()) if any(each[name] is not None for each in records)]
    writer = csv.writer(file := io.StringIO(), lineterminator="\n")
    writer.writerow(names or ["trial"])
    for each in records:
        writer.writerow(
            "" if v is None else v if isinstance(v, str) else encode(v).decode() for v in map(each.get, names)
        )
    return file.getvalue()


def shown(value: Any) -> str:
    """Return a value as a cell has it."""
    if isinstance(value, float):
        return number(value) if abs(value) >= 1000 else f"{value:.4g}"
    text = "" if value is None else value if value and isinstance(value, str) else encode(value).decode()
    return one_line(text, 200)
