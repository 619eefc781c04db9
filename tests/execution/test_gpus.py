"""Tests of execution/gpus.py: whoever starts an attempt, no card is given to two at once."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_training.execution.attempt.messages import Lost, Place
from pytest_training.execution.backends.fork_server.backend import ServerLauncher, start_server
from pytest_training.execution.backends.in_process import InProcessLauncher
from pytest_training.execution.backends.protocol import Launcher, Seat
from pytest_training.execution.backends.subprocess import SubprocessLauncher
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.gpus import Cards, cards_for

from .workplace import Workplace

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="the job server needs Linux"),
]
HOLDING = """
cards = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
taken = [run.folder.parents[1] / f"card-{card}" for card in cards]
for path in taken:
    path.touch(exist_ok=False)
time.sleep(0.1)
for path in taken:
    path.unlink()
return {"cards": len(cards), "sum": sum(map(int, cards))}
"""
"""Fails if another job has one of its cards."""


@pytest.fixture
def launchers(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Launcher]]:
    """Return launchers of one run that has the cards 3 and 5, with a job server and without."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    seat = Seat(folder=RunFolder(workplace.root, f"{os.getpid()}"))
    with contextlib.closing(start_server([], log=seat.folder.server_log, seed=0)) as server:
        yield [ServerLauncher(server.address, seat), SubprocessLauncher(seat), InProcessLauncher(seat)]


def test_cards_are_handed_out_once_by_all_launchers_of_a_run(workplace: Workplace, launchers: list[Launcher]) -> None:
    isolated = launchers[:2]
    jobs = [
        (isolated[n % 2], workplace.function(HOLDING, top="import os, time", gpus=1 + n % 3 // 2)) for n in range(6)
    ]
    jobs.append((isolated[0], workplace.function("return {'cards': 0}")))
    with ThreadPoolExecutor(len(jobs)) as slots:
        verdicts = list(slots.map(lambda each: workplace.verdict(*each), jobs))
    assert [verdict.reason for verdict in verdicts] == [""] * len(jobs)
    assert [verdict.metrics["cards"] for verdict in verdicts] == [job.gpus for _, job in jobs]
    assert {verdict.metrics["sum"] for verdict in verdicts[:6]} <= {3, 5, 8}
    in_process = workplace.verdict(launchers[2], workplace.function(HOLDING, top="import os, time", gpus=2))
    assert in_process.metrics == {"cards": 2, "sum": 8}


def test_more_cards_than_there_are_is_a_refusal_of_every_launcher(
    workplace: Workplace, launchers: list[Launcher]
) -> None:
    for each in launchers:
        verdict = workplace.verdict(each, workplace.function("return {}", gpus=3))
        assert (verdict.status, verdict.reason) == ("failed", "needs 3 GPUs; this machine shows 2")


def test_on_a_node_an_attempt_sees_the_cards_of_its_lease_and_without_cards_none(
    workplace: Workplace, launchers: list[Launcher]
) -> None:
    """The ids of a node need not be the host's: in a container both nodes may call their card 0."""
    seen = "return {'seen': int(os.environ['CUDA_VISIBLE_DEVICES'] or -1)}"
    for each in launchers[:2]:
        for gpus, cards, number in ((1, {"5": "GPU-b"}, 5), (1, {"0": "GPU-a"}, 0), (0, {}, -1)):
            place = Place(node="w1", host="h", threads=1, cards=cards)
            verdict = workplace.verdict(each, workplace.function(seen, top="import os", gpus=gpus), place=place)
            assert (verdict.reason, verdict.metrics) == ("", {"seen": number})


@pytest.mark.parametrize(
    ("cards", "run_id", "is_free"),
    [
        ({"0": "GPU-a"}, "r", False),
        ({"3": "GPU-a"}, "r", False),
        ({"0": "GPU-b"}, "r", True),
        ({"0": "GPU-b", "1": "GPU-a"}, "r", False),
        ({"0": "GPU-a"}, "another", True),
    ],
    ids=["the same card", "by another name", "another card of that name", "one of two", "another run"],
)
def test_two_nodes_of_a_host_never_use_a_card_at_once_even_if_one_was_given_up(
    workplace: Workplace, cards: dict[str, str], run_id: str, *, is_free: bool
) -> None:
    own, other = (
        RunFolder(workplace.root, f"r{os.getpid()}"),
        RunFolder(workplace.root / "other", f"{run_id}{os.getpid()}"),
    )
    given_up = cards_for(Place(node="w1", host="h", threads=1, cards={"0": "GPU-a"}), own)
    held = given_up.take(1)
    assert held is not None
    launcher = SubprocessLauncher(Seat(folder=other))
    request = workplace.request(
        workplace.command("true", gpus=len(cards)), place=Place(node="w2", host="h", threads=1, cards=cards)
    )
    reply = launcher.launch(request)
    reason = f"GPU {', '.join(cards)} of h is still in use by an attempt that was given up"
    assert reply.lost == (None if is_free else Lost(cause="worker died", reason=reason))
    held.close()
    assert launcher.launch(request).ending.exit_status == 0


def test_who_waits_first_is_served_first_and_an_interrupted_run_waits_no_longer(
    workplace: Workplace,
) -> None:
    cards = [Cards(workplace.root / "gpus", ids=("GPU-1", "MIG-2/1")) for _ in range(3)]
    one, other = cards[0].take(1), cards[0].take(1)
    assert one is not None
    assert other is not None
    assert cards[1].take(1) is None
    turns = iter([True] * 3 + [False])
    assert cards[1].wait(2, lambda: next(turns)) is None
    other.close()
    with ThreadPoolExecutor(1) as slot:
        both = slot.submit(cards[1].wait, 2, lambda: True)
        while (early := cards[2].wait(1, iter([True, False]).__next__)) is not None:
            early.close()  # the one that needs two does not stand first yet
        one.close()
        held = both.result()
    assert held is not None
    assert held.cards == ("GPU-1", "MIG-2/1")
    held.close()
