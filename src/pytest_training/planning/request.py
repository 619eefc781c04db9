"""The request for a plan: made of pytest's options in option_values.py, and of the original's flags in run_all/."""

from dataclasses import dataclass, field
from pathlib import Path

from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.model import RunSettings
from pytest_training.jobs.search import Search
from pytest_training.limits import LIMITS, Limits


@dataclass(frozen=True, kw_only=True)
class Request:
    """All that decides which jobs are trained and how, checked as far as possible without the jobs."""

    project: Path
    root: Path
    """The folder with the jobs."""
    reports: Path
    catalogue: Path | None = None
    search: Search = field(default_factory=Search)
    kinds: Kinds = field(default_factory=lambda: KINDS)
    limits: Limits = field(default_factory=lambda: LIMITS)
    seed: int = 0
    epochs: int | None = None
    folds: int | None = None
    settings: tuple[str, ...] = ()
    """Like `als.epochs=80`; of two for a parameter the later counts."""
    default_limits: dict[str, float] = field(default_factory=dict)
    """Of jobs that state none, by the limit's key."""
    resume: str | None = None
    """Run to resume: its id, or `last`."""
    skip_unchanged: bool = False
    compare: str | None = None
    """What the run is compared with: `last`, a run, a branch or a commit."""
    max_regression: tuple[str, ...] = ()
    """Rules like `0.02`, `roc_auc=0.02` or `mae=5%`; of two for a metric the later counts."""
    plan_file: Path | None = None
    """Where the plan is written too."""
    run_settings: RunSettings = field(default_factory=RunSettings)
