"""What only the job knows of its people and its model, as description.json has it; no numpy here: cards read it."""

from __future__ import annotations

import msgspec

DESCRIPTION = "description.json"  # beside result.json
MOST_PREDICTORS = 1000  # that are described one by one
LONGEST = 4000  # characters of a text


class Predictor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column that the model gets; the summaries are in words."""

    name: str
    unit: str = ""
    missing: int = 0  # rows without a value
    overall: str = ""  # `61 (54 to 70)`: median and quartiles; `male 57 %, female 43 %`
    by_class: tuple[str, ...] = ()  # the same for each class of the outcome


class Description(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `run.describe` states; what a job leaves out is empty."""

    rows: int = 0  # that the model was judged on or fitted to
    people: int = 0
    classes: tuple[str, ...] = ()  # of the outcome, the positive one last of two; empty for a number
    counts: tuple[int, ...] = ()  # rows of each class
    outcome: str = ""  # an outcome that is a number: its summary
    unit: str = ""  # of such an outcome
    columns: int = 0  # predictors, also those that are not described one by one
    predictors: tuple[Predictor, ...] = ()
    who: str = ""
    left_out: dict[str, int] = {}  # rows that were left out, by reason
    limits: tuple[str, ...] = ()
    relies_on: dict[str, float] = {}  # how much the headline metric falls without it, largest first
    method: str = ""  # the job's own words, mostly its docstring
    preparation: tuple[str, ...] = ()  # the steps before the model, as scikit-learn writes them
    model: str = ""
