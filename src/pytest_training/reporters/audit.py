"""audit.md and audit.json: what `--training-audit` has found, and what it could not check."""

from collections.abc import Iterator

from pytest_training.atomic import write_atomically
from pytest_training.evaluation.finding import CHECKS, OF_COLUMNS
from pytest_training.records.audit import Audit, JobAudit
from pytest_training.records.recorded_run import TrainingRun
from pytest_training.records.strict_json import encode
from pytest_training.reporters.console import Line
from pytest_training.reporters.markdown import plain
from pytest_training.text import one_line
from pytest_training.wording import counted

MOST_FINDINGS = 40  # lines on the terminal
MOST_CODES = 8  # that a line names
PAGE = "docs/audit.md"


def pytest_training_run_end(run: TrainingRun) -> None:
    """Write the audit, and say on the terminal what it has found."""
    if run.audit is None or run.record is None:
        return
    run.closing.extend(closing_lines(run.audit))
    contents = {
        run.folder.audit: audit_page(run.audit).encode("utf-8", "replace"),
        run.folder.audit_json: encode(run.audit, indent=1),
    }
    for path, content in contents.items():
        for place in (path, run.folder.stable.copy_of(path)):
            with run.noting_failure(f"{place}"):
                write_atomically(place, content)


def closing_lines(audit: Audit) -> Iterator[Line]:
    """Yield the lines of the terminal: the findings, then how many checks could not be made."""
    findings, missing = audit.findings, sum(len(job.unchecked) for job in audit.jobs)
    if not audit.jobs:
        yield "audit: no job is selected, only further trainings", {"yellow": True}
        return
    found = counted(len(findings), "finding") if findings else "nothing found"
    known = sum(len(job.known) for job in audit.jobs)
    found += f", {counted(known, 'column')} not suspected, as train states" if known else ""
    found += f", {counted(missing, 'check')} not made" if missing else ""
    colour = "red" if findings else "yellow" if missing else "green"
    yield f"audit of {counted(len(audit.jobs), 'job')}: {found}", {colour: True}
    for job_id, finding in findings[:MOST_FINDINGS]:
        yield f"  {finding.code} {one_line(job_id, 40)}: {one_line(finding.sentence)}", {"red": True}
    if len(findings) > MOST_FINDINGS:
        yield f"  and {len(findings) - MOST_FINDINGS} more: see audit.md", {"red": True}
    for job in (each for each in audit.jobs if each.unchecked):
        count = len(job.unchecked)
        codes = ", ".join(job.unchecked) if count <= MOST_CODES else f"{count} of {len(CHECKS)}"
        yield f"  not checked in {one_line(job.job_id, 40)}: {codes}: see audit.md", {"yellow": True}


def audit_page(audit: Audit) -> str:
    """Return audit.md."""
    blocks = [
        f"# Audit of run `{audit.run_id}`",
        f"{counted(len(audit.findings), 'finding')}. Each check is explained in {PAGE}.",
    ]
    for job in audit.jobs:
        blocks += [f"## {plain(job.job_id)}", *_of_job(job)]
    return "\n\n".join(blocks) + "\n"


def _of_job(job: JobAudit) -> Iterator[str]:
    rows = [("❌", each.code, plain(each.sentence, 1000)) for each in job.findings]
    rows += [("○", code, f"not checked: {plain(reason, 500)}") for code, reason in job.unchecked.items()]
    others = f"nothing found in other columns than {plain(', '.join(map(repr, job.known)))}, known as train states"
    rows += [("✓", code, others if job.known and code in OF_COLUMNS else "nothing found") for code in job.passed]
    lines = [f"| {sign} | {code} | {CHECKS[code]} | {said} |" for sign, code, said in rows]
    yield "\n".join(["| | check | finds | result |", "|---|---|---|---|", *lines])
    if job.facts:
        yield "\n".join(f"- {plain(fact, 500)}" for fact in job.facts)
