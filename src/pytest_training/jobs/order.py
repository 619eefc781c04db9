"""In which order jobs start, and how long the run takes then: list scheduling on a number of slots."""

from __future__ import annotations

import graphlib
import heapq
import math
from collections.abc import Callable, Mapping, Sequence

Seconds = Mapping[str, float | None]
Needs = Mapping[str, Sequence[str]]


def find_circle(needs: Needs) -> list[str]:
    """Return the ids of jobs that need each other in a circle, the first one again at the end."""
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []


def start_order(ids: Sequence[str], expected: Seconds, needs: Needs, *, workers: int) -> list[str]:
    """Return the ids in the order in which they start.

    One worker keeps the declared order. Several take unknown durations first, then the longest chain of jobs
    that wait for each other: without `needs` the longest job. What a job needs always comes before it.
    """
    inside = _inside(ids, needs)
    declared = {job_id: index for index, job_id in enumerate(ids)}
    remaining = _remaining(ids, expected, inside) if workers > 1 else dict.fromkeys(ids, 0.0)
    return _sorted_by(inside, lambda job_id: (-remaining[job_id], declared[job_id]))


def _inside(ids: Sequence[str], needs: Needs) -> dict[str, list[str]]:
    """Return the needs among the given jobs: one that is not selected keeps nobody waiting."""
    selected = set(ids)
    return {job_id: [other for other in needs.get(job_id, ()) if other in selected] for job_id in ids}


def _remaining(ids: Sequence[str], expected: Seconds, needs: Needs) -> dict[str, float]:
    """Return the seconds from a job's start to the end of the longest chain that waits for it."""
    own = {job_id: math.inf if (seconds := expected.get(job_id)) is None else seconds for job_id in ids}
    total = dict(own)
    for job_id in reversed(list(graphlib.TopologicalSorter(needs).static_order())):
        for other in needs[job_id]:
            total[other] = max(total[other], own[other] + total[job_id])
    return total


def _sorted_by(needs: Needs, priority: Callable[[str], tuple[float, int]]) -> list[str]:
    sorter = graphlib.TopologicalSorter(needs)
    sorter.prepare()
    ready: list[tuple[tuple[float, int], str]] = []
    order: list[str] = []
    while sorter.is_active():
        for job_id in sorter.get_ready():
            heapq.heappush(ready, (priority(job_id), job_id))
        _, job_id = heapq.heappop(ready)
        order.append(job_id)
        sorter.done(job_id)
    return order


def simulate(order: Sequence[str], expected: Mapping[str, float], needs: Needs, *, workers: int) -> float:
    """Return when the last job ends if each free slot takes the first job in order that waits for nothing."""
    position = {job_id: index for index, job_id in enumerate(order)}
    sorter = graphlib.TopologicalSorter(_inside(order, needs))
    sorter.prepare()
    ready = [position[job_id] for job_id in sorter.get_ready()]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            index = heapq.heappop(ready)
            heapq.heappush(running, (now + expected[order[index]], index))
        now, index = heapq.heappop(running)
        sorter.done(order[index])
        for job_id in sorter.get_ready():
            heapq.heappush(ready, position[job_id])
    return now
