"""What programs print, in the manner of a hundred and sixty of them, and the metrics that are read from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_training.execution.readers.printed import Printed

CORPUS = Path(__file__).parent / "corpus"
SIGNS = str.maketrans({"␛": "\x1b", "␍": "\r", "␈": "\b"})


def snippets(name: str) -> Iterator[tuple[str, list[str], dict[str, float]]]:
    """Yield title, lines and metrics of each snippet."""
    for snippet in (CORPUS / name).read_text(encoding="utf-8").split("\n## ")[1:]:
        title, *lines = snippet.split("\n")
        last = max(number for number, line in enumerate(lines) if line.startswith("=> "))
        pairs = [] if lines[last] == "=> none" else [pair.split(" ") for pair in lines[last][3:].split(", ")]
        yield title, [line.translate(SIGNS) for line in lines[:last]], {name: float(value) for name, value in pairs}


def read(lines: list[str]) -> dict[str, float]:
    """Return the final metrics of a log."""
    printed = Printed()
    for line in lines:
        printed.feed(line)
    return {name: final.value for name, final in printed.finals.items()}


@pytest.mark.parametrize("name", ["printed.txt", "printed_held_back.txt"])
def test_no_metric_is_wrong_and_few_are_missing(name: str) -> None:
    wrong, missing, total = [], [], 0
    for title, lines, expected in snippets(name):
        metrics = read(lines)
        total += len(expected)
        wrong += [f"{title}: {name} {value}" for name, value in metrics.items() if expected.get(name) != pytest.approx(value)]
        missing += [f"{title}: {name} {value}" for name, value in expected.items() if name not in metrics]
    assert wrong == []
    assert len(missing) <= 0.05 * total, missing
