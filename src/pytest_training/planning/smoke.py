"""A smoke run: every job with the values of its `smoke:`, else with few epochs and folds; no gate is judged."""

import contextlib
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.jobs.kinds.protocol import Kind
from pytest_training.jobs.model import Job, Study
from pytest_training.jobs.trials import varied_by
from pytest_training.jobs.values import convert_text, meant, with_value

MOST = {"epochs": 2, "folds": 2}  # the second epoch may do what the first does not: restore, schedule, stop early
TRIALS = 2  # of a search: the second one reads what the first has left
UNJUDGED = "smoke run"


def brief(job: Job, kind: Kind) -> Job:
    """Return the job as a smoke run trains it."""
    gates = tuple(replace(gate, unjudged=UNJUDGED) for gate in job.gates)
    study = _smaller(job.study) if job.study else None
    varied = varied_by(study) if study else ()
    values = {name: value for name, value in {**dict(_fewer(job, kind)), **job.smoke}.items() if name not in varied}
    is_whole = not (job.problem or job.smoke or any(meant(job.declared, name) for name in MOST))
    notes = ("trained whole: no epochs, folds or smoke:",) if is_whole else ()
    for name, value in values.items():
        job = with_value(job, name, value, kind)
    return replace(job, gates=gates, study=study, notes=(*job.notes, *notes))


def _smaller(study: Study) -> Study:
    """Return the study with each combination of its matrix, one seed, and few trials of its search."""
    search = study.search and replace(study.search, trials=min(study.search.trials, TRIALS), pruner="")
    return replace(study, seeds=study.seeds[:1], seed_count=min(study.seed_count, 1), search=search)


def _fewer(job: Job, kind: Kind) -> Iterator[tuple[str, Any]]:
    """Yield the parameters for epochs and folds that are larger than a smoke run needs, or unknown."""
    for name, most in MOST.items():
        if (parameter := meant(job.declared, name)) and not parameter.variable:
            with contextlib.suppress(DeclarationError, TypeError, ValueError):  # not one of its choices, or no number
                if float(job.parameters.get(parameter.name, most + 1)) > most:
                    yield parameter.name, convert_text(parameter, str(most), "", kind)
