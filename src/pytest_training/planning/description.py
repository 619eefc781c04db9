"""The plan in words, as `pytest --collect-only` shows it: plain text, aligned, for 100 columns."""

import textwrap
from collections.abc import Iterator
from typing import Any

from pytest_training.jobs.kinds.script.arguments import script_arguments
from pytest_training.jobs.model import Job, Plan, PlannedDataset, PlannedJob
from pytest_training.limits import LIMITS, Limits
from pytest_training.units import duration
from pytest_training.wording import counted, printable

COLUMNS, INDENT, LABEL = 100, 4, 12


def describe_plan(plan: Plan, limits: Limits = LIMITS) -> list[str]:
    """Return the lines that describe the plan: each job, then the order and how long the run takes."""
    if not plan.jobs:
        return ["no training jobs"]
    jobs, workers, threads = counted(len(plan.jobs), "training job"), counted(plan.workers, "slot"), plan.threads
    kind = ", smoke run: no gate is judged" if plan.smoke else ""
    lines = [f"{jobs} on {workers}, {counted(threads, 'thread')} each, seed {plan.seed}{kind}", ""]
    for planned in plan.jobs:
        lines += [*_job(planned, limits), ""]
    number, width = len(str(len(plan.jobs))), max(len(printable(planned.job.id)) for planned in plan.jobs)
    order = (
        f"{'':{INDENT}}{index:{number}}  {printable(planned.job.id):{width}}  {_expected(planned)}"
        for index, planned in enumerate(plan.jobs, 1)
    )
    return [*lines, "order in which they start", *order, "", *_total(plan)]


def _job(planned: PlannedJob, limits: Limits) -> Iterator[str]:
    job, has_options = planned.job, any(each.option for each in planned.job.declared)
    yield from _wrapped(f"{job.id}  ", job.title or job.source, INDENT)
    rows = [
        ("problem", job.problem or planned.unmet or ""),
        ("taken", job.evidence),
        ("command", " ".join(job.command)),
        ("cwd", job.cwd),
        ("interpreter", f"of its own: {job.fresh}" if job.fresh else ""),
        ("parameters", "  ".join(f"{name}={_value(value)}" for name, value in job.parameters.items())),
        ("options", " ".join(script_arguments(job, folder="FOLDER", seed=0) if has_options else ())),
        *(("data", _dataset(dataset)) for dataset in planned.datasets),
        ("expected", _expected(planned)),
        ("gates", ", ".join(f"{gate.metric} {gate.operator} {gate.threshold:g}" for gate in job.gates) or "none"),
        ("limits", ", ".join(_limits(job, limits)) or "none"),
        ("needs", ", ".join(_needed(planned, job_id) for job_id in job.needs) if not job.study else ""),
        ("trials", str(len(job.needs)) if job.study else ""),
        ("tags", ", ".join(job.tags)),
    ]
    for name, text in rows:
        if text:
            yield from _wrapped(f"{'':{INDENT}}{name:{LABEL}}", text, INDENT + LABEL)


def _needed(planned: PlannedJob, job_id: str) -> str:
    return f"{job_id} (of run {planned.needed[job_id].run_id})" if job_id in planned.needed else job_id


def _wrapped(first: str, text: str, indent: int) -> list[str]:
    wrapper = textwrap.TextWrapper(COLUMNS, printable(first), " " * indent, break_on_hyphens=False)
    wrapper.break_long_words = False
    return wrapper.wrap(printable(" ".join(text.splitlines()))) or [first.rstrip()]


def _value(value: Any) -> str:
    text = "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= COLUMNS // 2 else text[: COLUMNS // 2 - 1] + "…"


def _dataset(dataset: PlannedDataset) -> str:
    kind = "real" if dataset.real else "SIMULATED"
    return f"{dataset.name}: {kind}, {'present' if dataset.present else 'MISSING'} ({dataset.source})"


def _expected(planned: PlannedJob) -> str:
    return "unknown" if planned.expected_s is None else f"{duration(planned.expected_s)} ({planned.expected_from})"


def _limits(job: Job, limits: Limits) -> list[str]:
    amounts = ((job.cpus, "CPU"), (job.gpus, "GPU"), (job.retries, "retry", "retries"))
    return [
        *(f"{key} {limit.describe(job.limits[key])}" for key, limit in limits.items() if key in job.limits),
        *(counted(number, *noun) for number, *noun in amounts if number),
        *(["optional"] if job.optional else []),
    ]


def _total(plan: Plan) -> Iterator[str]:
    expected = f"expected duration on {counted(plan.workers, 'slot')}"
    if plan.makespan_s is None:
        unknown = sum(planned.expected_s is None for planned in plan.jobs)
        yield f"{expected}: unknown ({counted(unknown, 'job')} never measured)"
    else:
        yield f"{expected}: {duration(plan.makespan_s)}"
        if plan.lower_bound_s is not None:
            yield f"no order is faster than {duration(plan.lower_bound_s)}"
    if plan.loading_s:
        yield f"before it: imports, {duration(plan.loading_s)} in the last run"
