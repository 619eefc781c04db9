"""Every report names the node and the host of an attempt that another machine has executed."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import make_run, publish
from msgspec.structs import replace

from pytest_training.commands.answers import JobLog
from pytest_training.commands.main import main
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Attempt, Outcome, Status
from pytest_training.execution.slot import read_outcome, save_outcome
from pytest_training.jobs.model import Job
from pytest_training.limits.protocol import Ending
from pytest_training.records.history import History
from pytest_training.records.recorded_run import read_run
from pytest_training.reporters.console import failure_text
from pytest_training.reporters.html.timeline import ROW, timeline
from pytest_training.reporters.junit import junit_properties

FAILED = "job0001"  # the one that failed in a run of two


@pytest.fixture(params=["node17", ""], ids=["another machine", "this machine"])
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(tmp_path: Path, host: str) -> RunFolder:
    """Return the folder of a run whose failed job was lost on one node, and executed again on another."""
    folder = make_run(tmp_path, jobs=2, epochs=1)
    outcome = read_outcome(folder, FAILED)
    assert outcome is not None
    (last,) = outcome.attempts
    first = replace(last, status=Status.FAILED, reason="its node went away", slot="w1", host=host and "node16")
    attempts = (first, replace(last, number=2, slot="w2", host=host))
    save_outcome(folder, replace(outcome, slot="w2", attempts=attempts))
    read = read_run(folder)
    assert read.record is not None
    assert read.provenance is not None
    History(tmp_path / "history.sqlite").add(read.record, read.outcomes, read.provenance)
    return folder


def test_each_report_names_node_and_host_only_where_it_is_another_machine(
    run: RunFolder, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(run)
    assert main(["history", FAILED, "--reports", str(run.reports)]) == 0
    outcome = read_outcome(run, FAILED)
    assert outcome is not None
    places = {
        "page": ("w2 on node17</td>", run.page.read_text(encoding="utf-8")),
        "attempts of the page": ("failed on w1 on node16: its node went away", run.page.read_text(encoding="utf-8")),
        "timeline": (">w2 on node17<", run.page.read_text(encoding="utf-8")),
        "summary": (" (w2 on node17)", run.summary.read_text(encoding="utf-8")),
        "terminal": ("node: w2 on node17", failure_text(outcome)),
        "history": (" on node17 ", capsys.readouterr().out),
        "junit": ("('host', 'node17')", str(junit_properties(outcome))),
    }
    assert {name: words in content for name, (words, content) in places.items()} == dict.fromkeys(places, bool(host))


def test_the_log_says_where_each_attempt_was(run: RunFolder, host: str) -> None:
    for attempt in (read_outcome(run, FAILED) or pytest.fail("no outcome")).attempts:
        files = run.job(FAILED).attempt(attempt.number)
        if attempt.number > 1:
            files.create()
            files.log.write_text("again\n")
        files.started.write_bytes(msgspec.json.encode(attempt))
    said: list[str] = []
    job = Job(id=FAILED, kind="function", source="", home="", root="")
    lines = [*JobLog(run, job, is_followed=False, remark=said.append).lines()]
    assert lines == ["epoch 0: as expected", "… attempt 2 …", "again"]
    assert said == (["attempt 1 is on w1 on node16", "attempt 2 is on w2 on node17"] if host else [])


@settings(max_examples=50)
@given(
    spans=st.lists(
        st.tuples(st.sampled_from(["w1", "w2"]), st.sampled_from(["", "h"]), st.integers(0, 50), st.integers(1, 20)),
        min_size=1,
        max_size=12,
    )
)
def test_no_two_bars_of_a_timeline_lie_over_each_other(spans: list[tuple[str, str, int, int]]) -> None:
    """A node with several cores executes several attempts at once."""
    outcomes = [
        Outcome(
            job_id=f"j{number}",
            kind="function",
            title="",
            status=Status.PASSED,
            attempts=(
                Attempt(
                    number=1,
                    status=Status.PASSED,
                    started=f"2026-01-01T10:00:{begin:02d}+00:00",
                    ending=Ending(wall_s=length),
                    slot=slot,
                    host=host,
                ),
            ),
        )
        for number, (slot, host, begin, length) in enumerate(spans)
    ]
    found = timeline(outcomes)
    assert found is not None
    assert len(found.bars) == len(spans)
    rows = sorted({bar.y for bar in found.bars})
    assert [each.at for each in found.slots] == rows
    assert {b - a for a, b in itertools.pairwise(rows)} <= {ROW}
    labels = {f"{slot} on {host}" if host else slot for slot, host, *_ in spans}
    assert {each.label for each in found.slots} - {""} == labels
    for row in rows:
        bars = sorted((bar.x, bar.x + bar.width) for bar in found.bars if bar.y == row)
        assert all(end <= begin + 1 for (_, end), (begin, _) in itertools.pairwise(bars))
