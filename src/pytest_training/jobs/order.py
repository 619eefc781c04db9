"""The order in which jobs start, and how long the run takes: list scheduling on a number of slots."""

import graphlib
import heapq
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

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
    """Return the ids as they start: for one worker as declared, else those unknown, then the longest chains first."""
    inside = _inside(ids, needs)
    declared = {job_id: index for index, job_id in enumerate(ids)}
    remaining = _remaining(ids, expected, inside) if workers > 1 else dict.fromkeys(ids, 0.0)
    ends = _ends(inside, dict.fromkeys(ids, 0.0), lambda job_id: (-remaining[job_id], declared[job_id]), workers=1)
    return [job_id for _, job_id in ends]


def _inside(ids: Sequence[str], needs: Needs) -> dict[str, list[str]]:
    """Return the needs among these jobs: jobs wait only for selected ones."""
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


def simulate(order: Sequence[str], expected: Mapping[str, float], needs: Needs, *, workers: int) -> float:
    """Return when the last job ends if each free slot takes the first job in order that waits for no other."""
    position = {job_id: (0.0, index) for index, job_id in enumerate(order)}
    ends = _ends(_inside(order, needs), expected, position.__getitem__, workers=workers)
    return max((end for end, _ in ends), default=0.0)


def _ends(
    needs: Needs, seconds: Mapping[str, float], priority: Callable[[str], tuple[float, int]], *, workers: int
) -> Iterator[tuple[float, str]]:
    """Yield when each job ends if each free slot takes the job of least priority that waits for no other."""
    sorter = graphlib.TopologicalSorter(needs)
    sorter.prepare()
    ready: list[tuple[tuple[float, int], str]] = []
    running: list[tuple[float, tuple[float, int], str]] = []
    now = 0.0
    while sorter.is_active():
        for job_id in sorter.get_ready():
            heapq.heappush(ready, (priority(job_id), job_id))
        while ready and len(running) < workers:
            rank, job_id = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[job_id], rank, job_id))
        now, _, job_id = heapq.heappop(running)
        sorter.done(job_id)
        yield now, job_id
