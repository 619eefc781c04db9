"""Tests of limits/tree.py: what neither prints nor computes is stalled; what does one of both is not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_training.limits.tree import Stillness, stalled

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures in /proc")
WAITING = "import sys; print(flush=True)\nfor line in sys.stdin: sum(range(3_000_000)); print(flush=True)"
"""Computes for each line that it gets."""


@pytest.fixture
def waiting() -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", WAITING], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def test_an_attempt_is_stalled_only_while_it_neither_prints_nor_computes(
    waiting: subprocess.Popen[str], tmp_path: Path
) -> None:
    log = tmp_path / "log.txt"
    still = Stillness((log, tmp_path / "no.file"), after_s=10)
    assert waiting.stdin is not None
    assert waiting.stdout is not None
    told = []
    for moment in range(0, 60, 2):
        if moment == 14:
            log.write_text("epoch 1\n")
        if moment == 40:
            waiting.stdin.write("\n")
            waiting.stdin.flush()
            waiting.stdout.readline()
        still.sample([waiting.pid], moment)
        told.append(still.still_s)
    assert told == [*[0] * 5, 10, 12, *[0] * 5, *range(10, 26, 2), *[0] * 5, *range(10, 20, 2)]
    assert still.longest_s == 24


def test_it_is_measured_only_now_and_then(waiting: subprocess.Popen[str]) -> None:
    still = Stillness(after_s=100)
    for moment in (0, 1, 4.9, 5, 9):
        still.sample([waiting.pid], moment)
    assert still.measured == 5


def test_this_process_which_computes_is_not_stalled() -> None:
    still = Stillness(after_s=1)
    still.sample([os.getpid()], 0)
    sum(range(3_000_000))
    still.sample([os.getpid()], 2)
    assert stalled(still.still_s) == ""
    assert stalled(725) == "stalled: no output and no CPU for 12 min 05 s"
