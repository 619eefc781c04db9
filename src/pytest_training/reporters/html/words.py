"""The tool's words as a reader of the page knows them: workers, gates, times."""

import re
from collections.abc import Sequence

from markupsafe import Markup

from pytest_training.execution.outcome import GateResult
from pytest_training.records.run_record import moment as parsed
from pytest_training.reporters.console import unjudged

WORKER = re.compile(r"gw(\d{1,6})(?=\Z| on )")


def worker(place: str) -> str:
    """Return who trained a job: `worker 1` for xdist's `gw0`, `pytest itself` without xdist, else a node's name."""
    if place == "main":
        return "pytest itself"
    return WORKER.sub(lambda match: f"worker {int(match[1]) + 1}", place, count=1)


def gate_words(gates: Sequence[GateResult]) -> str:
    """Return what became of the gates: `met`, `2 met`, `1 of 2 missed`, or that they are not judged."""
    if waived := next(filter(None, map(unjudged, gates)), ""):
        return waived
    missed = sum(each.passed is not True for each in gates)
    several = f"{len(gates)} met" if len(gates) > 1 else "met"
    alone = "missed" if len(gates) == 1 else f"{missed} of {len(gates)} missed"
    return "" if not gates else alone if missed else several


def moment(written: str, kind: str = "moment") -> Markup:
    """Return a time for the page: the script turns it into the reader's words, `17:29 today`, or `3 days ago`."""
    if (time := parsed(written)) is None:
        return Markup()
    shown = f"{time:%Y-%m-%d %H:%M} UTC"
    return Markup(f'<time class="{kind}" datetime="{time.isoformat()}">{shown}</time>')  # noqa: S704  (no text of others)
