"""Shared imports with pyarrow installed, which pandas and scikit-learn then import: it starts a thread."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path

import shared_imports
from shared_imports import COUNT
from tables import Answer

QUESTION = f"{COUNT} jobs that import scikit-learn and pandas, 4 at a time, with pyarrow installed"
REPEATS = 3
TIMES_LESS = 3


def answer(folder: Path, repeats: int) -> Answer:
    """Measure if pyarrow is there."""
    if importlib.util.find_spec("pyarrow") is None:
        return Answer(QUESTION, ["not measured"], notes=["Not measured: needs `pip install pyarrow`."])
    result = shared_imports.compare(folder, repeats, QUESTION, TIMES_LESS)
    result.notes.append(f"pyarrow {metadata.version('pyarrow')}.")
    return result
