"""Train a portfolio of models as easily as running tests.

`Run` is all that a training job sees. It is given here for type checkers; a job needs no import of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_training.execution.attempt.run import Run

__all__ = ["Run"]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    # Lazy: pytest imports this package at every start, also where nobody trains.
    if name == "Run":
        from pytest_training.execution.attempt.run import Run  # noqa: PLC0415  (see above)

        return Run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
