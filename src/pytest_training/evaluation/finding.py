"""What an audit finds, as plain values: pytest's own process needs no more of it. docs/audit.md explains each check."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

T = TypeVar("T")
CHECKS = {
    "A01": "one person on both sides of a split",
    "A02": "one person by the data on both sides of a split",
    "A03": "equal rows on both sides of a split",
    "A04": "one column tells the target",
    "A05": "two columns together tell the target",
    "A06": "missing values tell the target",
    "A07": "a running number tells the target",
    "A08": "worse than the dummy",
    "A09": "no better than with a shuffled target",
    "A10": "a shuffled target is predicted too",
    "A11": "the people of the fit are predicted far better than others",
    "A12": "folds differ more than chance lets them",
    "A13": "a choice at the edge of its grid",
    "A14": "too few events",
    "A15": "two trainings with one seed differ",
    "A16": "rows without a prediction",
}
"""Each check of an audit by its code: what it finds."""
OF_COLUMNS = ("A02", "A04", "A05", "A06", "A07")  # checks that leave out the columns that a job states as known


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that makes a metric doubtful."""

    code: str  # a key of CHECKS
    sentence: str


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What checks have come to: findings, checks that could not be made with the reason, facts beside them."""

    findings: tuple[Finding, ...] = ()
    unchecked: dict[str, str] = {}
    facts: tuple[str, ...] = ()
    known: tuple[str, ...] = ()  # columns that are no suspects, as the job states


class LackingError(Exception):
    """What a check needs is not there; the message says what, and what would provide it."""


def make_checks(checks: Mapping[str, Callable[[T], str | None]], subject: T) -> Examined:
    """Make each check; one that raises could not be made."""
    findings, unchecked = [], {}
    for code, check in checks.items():
        try:
            if sentence := check(subject):
                findings.append(Finding(code=code, sentence=sentence))
        except LackingError as why:
            unchecked[code] = str(why)
        except Exception as error:  # noqa: BLE001  (a table may be of any kind; the other checks are still worth having)
            unchecked[code] = f"the check failed: {type(error).__name__}: {error}"
    return Examined(findings=tuple(findings), unchecked=unchecked)
