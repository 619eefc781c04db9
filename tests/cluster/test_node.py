"""Tests of what a node says of an attempt that ended together with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.execution.attempt.messages import AttemptRequest, Failure, Reply, Result
from pytest_training.execution.backends.cluster.node import _was_ended
from pytest_training.jobs.kinds.protocol import Call
from pytest_training.jobs.model import Job
from pytest_training.limits.protocol import Ending

STOPPED = Failure(cause="stopped", message="was asked to end")
ERROR = Failure(cause="error", message="ValueError")
STAYS, GOES, WENT = [True], [True, True, False], [False]
CASES: dict[str, tuple[dict[str, Any], Failure | None, list[bool], bool]] = {
    "ended by the node": ({"ended_by": "interrupted"}, None, WENT, True),
    "killed with the node": ({"signal": "SIGTERM"}, None, WENT, True),
    "killed before the node": ({"signal": "SIGTERM"}, None, GOES, True),
    "killed alone": ({"signal": "SIGTERM"}, None, STAYS, False),
    "asked to end before the node": ({"exit_status": 1}, STOPPED, GOES, True),
    "asked to end alone": ({"exit_status": 1}, STOPPED, STAYS, False),
    "failed by itself": ({"exit_status": 1}, ERROR, WENT, False),
    "passed, and then the node went": ({"exit_status": 0}, None, WENT, False),
    "crashed": ({"signal": "SIGSEGV"}, None, WENT, False),
    "too slow": ({"signal": "SIGTERM", "ended_by": "timeout"}, None, WENT, False),
}
"""How an attempt ended, what its result says, whether it is still wanted from look to look, and whether it is lost."""


@pytest.mark.parametrize("case", CASES)
def test_an_attempt_that_ends_with_its_node_is_lost_and_no_other(tmp_path: Path, case: str) -> None:
    ending, failure, looks, is_lost = CASES[case]
    job = Job(id="j", kind="function", path="/p/train_j.py", source="train_j.py", home="/p", root="/p")
    start = Call(path="/p/train_j.py", function="train")
    request = AttemptRequest(job=job, start=start, folder=str(tmp_path), checkpoint=str(tmp_path), seed=0, threads=1)
    request.files.result.write_bytes(msgspec.json.encode(Result(failure=failure)))
    left = list(looks)
    reply = Reply(ending=Ending(**ending))
    assert _was_ended(reply, request, lambda: left.pop(0) if len(left) > 1 else left[0]) == is_lost
