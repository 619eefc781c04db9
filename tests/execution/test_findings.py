"""Tests of execution/readers/findings.py: what several readers find is one set of metrics, each with its source."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_training.errors import ResultError
from pytest_training.execution.attempt.messages import Reply
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.judge import Verdict, judge
from pytest_training.execution.readers.findings import MOST_KINDS, MOST_POINTS, Followed, add_curves, read_metrics
from pytest_training.execution.readers.protocol import EndedAttempt, Measured, Point, Reader, RunningAttempt
from pytest_training.jobs.kinds.protocol import Command
from pytest_training.jobs.model import Gate, Job
from pytest_training.limits.protocol import Ending
from pytest_training.records.events import read_events

from .workplace import Workplace

Found = Sequence[tuple[str, Any, str]]
STDOUT, FILE = "stdout line 214", "eval/all_results.json"


class Places(Reader):
    """Finds what a test says, as a foreign place or a declared one."""

    def __init__(
        self,
        *found: tuple[str, Any, str],
        points: Iterable[Point] = (),
        name: str = "places",
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.is_declared, self.found, self.points, self.given = name, False, found, points, metrics

    def read(self, _: EndedAttempt) -> Mapping[str, Any] | None:
        return self.given

    def follow(self, _: RunningAttempt) -> Places:
        return self

    def poll(self) -> Iterable[Point]:
        return self.points

    def metrics(self) -> Iterable[tuple[str, Measured]]:
        return [(name, Measured(value, source)) for name, value, source in self.found]


class Declared(Places):
    """Finds what a test says, where it was declared."""

    def __init__(self, metrics: Mapping[str, Any] | None) -> None:
        super().__init__(name="declared", metrics=metrics)
        self.is_declared = True


@pytest.fixture
def job(workplace: Workplace) -> Job:
    return workplace.script("")


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    folder = AttemptFolder(tmp_path / "attempt-1")
    folder.create()
    return folder


@pytest.fixture
def attempt(job: Job, folder: AttemptFolder) -> EndedAttempt:
    return EndedAttempt(job, folder, 0.0, Command(argv=("true",)))


def curves(attempt: EndedAttempt, *points: Point) -> list[dict[str, float]]:
    followed = Followed(attempt, [Places(points=points)])
    followed.poll()
    return [*followed.curves()]


def union(attempt: EndedAttempt, *readers: Reader) -> tuple[dict[str, float], dict[str, str]]:
    followed = Followed(attempt, readers)
    followed.poll()
    found = read_metrics(attempt, readers, followed)
    assert found.sources.keys() <= found.values.keys()
    return found.values, found.sources


@pytest.mark.parametrize(
    ("found", "value", "source"),
    [
        ([("auc", 0.91, STDOUT)], 0.91, STDOUT),
        ([("auc", Decimal("0.93"), STDOUT), ("auc", 0.9312, FILE)], 0.9312, FILE),
        ([("auc", 0.9312, FILE), ("auc", Decimal("0.93"), STDOUT)], 0.9312, FILE),
        ([("auc", Decimal("0.70"), STDOUT), ("auc", 0.705, FILE)], 0.705, FILE),
        ([("auc", Decimal("0.70"), STDOUT), ("auc", Decimal("0.7049"), FILE)], 0.7049, FILE),
        ([("auc", Decimal("822.5"), STDOUT), ("auc", 822.4731, FILE)], 822.4731, FILE),
        ([("auc", 0.93, FILE), ("auc", 0.9300000071525574, "runs/a")], 0.93, FILE),
        ([("auc", 3, FILE), ("auc", 3.0, "runs/a")], 3.0, FILE),
        ([("auc", Decimal("4e-05"), STDOUT), ("auc", 4.0e-05, FILE)], 4e-05, FILE),
        ([("auc", Decimal("0.93"), STDOUT), ("auc", 0.9312, FILE), ("auc", 0.93120001, "b.csv")], 0.9312, FILE),
        ([("auc", 0.5, FILE), ("auc", float("nan"), STDOUT)], 0.5, FILE),
    ],
)
def test_values_that_agree_are_one_metric_the_most_exact(
    attempt: EndedAttempt, found: Found, value: float, source: str
) -> None:
    assert union(attempt, Places(*found)) == ({"auc": value}, {"auc": source})
    assert union(attempt, *(Places(each) for each in found)) == ({"auc": value}, {"auc": source})


@pytest.mark.parametrize(
    ("found", "values"),
    [
        ([("auc", 0.91, STDOUT), ("auc", 0.93, FILE)], {"auc@stdout": 0.91, "auc@all_results.json": 0.93}),
        ([("auc", Decimal("1.0"), STDOUT), ("auc", 0.96, FILE)], {"auc@stdout": 1.0, "auc@all_results.json": 0.96}),
        ([("auc", 1, STDOUT), ("auc", 0.96, FILE)], {"auc@stdout": 1.0, "auc@all_results.json": 0.96}),
        (
            [("auc", Decimal("0.92"), STDOUT), ("auc", 0.9312, FILE)],
            {"auc@stdout": 0.92, "auc@all_results.json": 0.9312},
        ),
        ([("n", 1.0, "a/m.csv"), ("n", 2.0, "b/m.csv")], {"n@a/m.csv": 1.0, "n@b/m.csv": 2.0}),
        ([("n", 1.0, "stdout line 1"), ("n", 2.0, "stdout line 2")], {"n@stdout line 1": 1.0, "n@stdout line 2": 2.0}),
        ([("n", 1.0, "m.csv"), ("n", 2.0, "m.csv")], {"n@m.csv": 2.0}),
        (
            [("n", 1.0, STDOUT), ("n", 2.0, FILE), ("n", Decimal("2.00"), "c.csv"), ("n", 3, "d.csv")],
            {"n@stdout": 1.0, "n@all_results.json": 2.0, "n@d.csv": 3.0},
        ),
        ([("n", 1.0, STDOUT), ("n", 2.0, "a\x1b[2J\n.csv")], {"n@stdout": 1.0, "n@a\\x1b[2J\\n.csv": 2.0}),
    ],
)
def test_values_that_differ_are_kept_under_names_of_their_own(
    attempt: EndedAttempt, found: Found, values: dict[str, float]
) -> None:
    assert union(attempt, Places(*found))[0] == values


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.decimals(), min_size=1, max_size=5))
def test_each_finite_value_is_kept_itself_or_as_one_that_it_rounds_to(values: list[Any]) -> None:
    attempt = EndedAttempt(
        msgspec.json.decode(b'{"id":"a","kind":"script","source":"","home":"","root":""}', type=Job),
        AttemptFolder(Path("none")),
        0.0,
        Command(argv=()),
    )
    metrics, _ = union(attempt, Places(*(("n", value, f"{index}.csv") for index, value in enumerate(values))))
    for value in values:
        if not Decimal(value).is_finite() or abs(Decimal(value)) > Decimal("1e308"):
            continue
        unit = 10.0 ** int(value.as_tuple().exponent) if isinstance(value, Decimal) else 0.0
        assert any(abs(float(value) - each) <= unit / 2 + 1e-5 * abs(each) for each in metrics.values())


def test_a_declared_reader_that_finds_metrics_counts_alone(attempt: EndedAttempt) -> None:
    foreign = Places(("auc", 0.5, STDOUT))
    assert union(attempt, foreign, Declared({"r2": 0.1})) == ({"r2": 0.1}, {})
    assert union(attempt, foreign, Declared({"r2": Measured(0.1, "metrics.json")})) == (
        {"r2": 0.1},
        {"r2": "metrics.json"},
    )
    assert union(attempt, foreign, Declared(None)) == ({"auc": 0.5}, {"auc": STDOUT})
    assert union(attempt, foreign, Declared({"names": {"a": "b"}})) == ({"auc": 0.5}, {"auc": STDOUT})


def test_metrics_of_a_test_stand_before_those_of_training(attempt: EndedAttempt) -> None:
    names = ("train_loss", "loss", "val_loss", "auc", "test/acc", "eval_loss")
    values, _ = union(attempt, Places(*((name, 1.0, STDOUT) for name in names)))
    assert [*values] == ["test/acc", "val_loss", "eval_loss", "loss", "auc", "train_loss"]


def test_a_reader_that_only_reads_counts_with_the_others(attempt: EndedAttempt) -> None:
    class Old:
        name = "old"

        def read(self, _: EndedAttempt) -> dict[str, Any]:
            return {"mae": 2, "auc": 0.5}

    found = union(attempt, Places(("auc", 0.5, STDOUT)), Old())  # type: ignore[arg-type]  # one from before `follow`
    assert found == ({"mae": 2.0, "auc": 0.5}, {"mae": "old", "auc": "old"})


@pytest.mark.parametrize("method", ["read", "follow", "poll", "metrics"])
def test_a_reader_that_raises_is_named(attempt: EndedAttempt, method: str) -> None:
    class Raising(Places):
        pass

    def fail(*_: object) -> None:
        raise LookupError("no such column")

    setattr(Raising, method, fail)
    with pytest.raises(ResultError, match="reader 'places' raised LookupError: no such column"):
        union(attempt, Raising())


def judged(workplace: Workplace, gates: tuple[Gate, ...], *readers: Reader, status: int = 0) -> Verdict:
    request = workplace.request(msgspec.structs.replace(workplace.script(""), gates=gates))
    request = msgspec.structs.replace(request, start=Command(argv=("true",)))
    return judge(request, Reply(ending=Ending(exit_status=status)), since=0, readers=readers)


@pytest.mark.parametrize("against", [None, "0.9 in run 1"])
def test_a_gate_on_an_ambiguous_name_fails_with_the_choice(workplace: Workplace, against: str | None) -> None:
    gate = Gate(metric="auc", operator=">=", threshold=0.1, against=against)
    readers = Places(("auc", 0.91, STDOUT)), Places(("auc", 0.93, FILE))
    both = "'auc' differs by its source: auc@stdout is 0.91 (stdout line 214), auc@all_results.json is 0.93 ({})"
    verdict = judged(workplace, (gate,), *readers)
    assert (verdict.status, verdict.cause) == ("failed", "result")
    assert verdict.reason == f"{both.format(FILE)}; expected one of these names in the gate"
    for name in ("auc@stdout", "auc@all_results.json"):
        verdict = judged(workplace, (Gate(metric=name, operator=">=", threshold=0.1),), *readers)
        assert (verdict.status, verdict.notes) == ("passed", (both.format(FILE),))


def test_a_number_that_is_not_finite_is_named_with_its_source(workplace: Workplace) -> None:
    readers = Places(("loss", float("nan"), STDOUT), ("auc", 0.5, FILE))
    verdict = judged(workplace, (), readers)
    assert (verdict.metrics, verdict.sources) == ({"auc": 0.5}, {"auc": FILE})
    assert verdict.notes == ("metric 'loss' is nan; expected a finite number (stdout line 214)",)
    verdict = judged(workplace, (Gate(metric="loss", operator="<=", threshold=1.0),), readers)
    assert (verdict.cause, verdict.reason[:21]) == ("result", "metric 'loss' is nan;")


@pytest.mark.parametrize(("names", "words"), [("a", "a"), ("abcd", "a, b, c and 1 more")])
def test_names_whose_numbers_stand_below_several_titles_are_in_a_note(
    workplace: Workplace, names: str, words: str
) -> None:
    class Log(Places):
        def metrics(self) -> Iterable[tuple[str, Measured]]:
            return [(name, Measured(0.5, STDOUT, is_last=True)) for name in names]

    verdict = judged(workplace, (), Log())
    assert verdict.notes == (f"several numbers are called {words}; the last of each counts",)


def test_the_accuracy_of_a_report_stands_before_those_of_its_classes_and_a_best_value(attempt: EndedAttempt) -> None:
    names = (
        "best_value",
        "0_precision",
        "0_recall",
        "0_f1_score",
        "accuracy",
        "macro_avg_f1_score",
        "test_0_f1_score",
        "test_accuracy",
    )
    values, _ = union(attempt, Places(*((name, 0.5, STDOUT) for name in names)))
    assert [*values][:3] == ["test_accuracy", "test_0_f1_score", "accuracy"]


# curves


def test_points_are_kept_in_order_and_each_name_is_of_the_place_with_the_most(attempt: EndedAttempt) -> None:
    points = [
        Point("stdout", {"epoch": 1, "loss": 0.9}),
        Point("log.csv", {"epoch": 1, "loss": 0.91, "auc": 0.5}),
        Point("stdout", {"epoch": 2, "loss": 0.8, "auc": 0.6}),
        Point("stdout", {"epoch": 3}),
        Point("log.csv", {"epoch": 2, "auc": 0.6}),
    ]
    assert curves(attempt, *points) == [
        {"epoch": 1, "loss": 0.9},
        {"epoch": 1, "auc": 0.5},
        {"epoch": 2, "loss": 0.8},
        {"epoch": 2, "auc": 0.6},
    ]


@pytest.mark.parametrize(("count", "most"), [(1, 1), (500, 500), (501, 501), (2_000, 1_001), (20_000, 2_000)])
def test_long_curves_are_thinned_and_reach_their_end(attempt: EndedAttempt, count: int, most: int) -> None:
    points = (Point("stdout", {"step": step, "loss": 1.0}) for step in range(count))
    steps = [each["step"] for each in curves(attempt, *points)]
    assert steps[: len(steps[:MOST_POINTS])] == [*range(min(count, MOST_POINTS))]
    assert len(steps) <= most
    assert steps[-1] >= count * 0.99 - 1


def test_kinds_of_points_are_bounded(attempt: EndedAttempt) -> None:
    assert len(curves(attempt, *(Point("stdout", {f"loss{i}": 1.0}) for i in range(10 * MOST_KINDS)))) == MOST_KINDS


def test_a_failed_program_keeps_its_curves(workplace: Workplace) -> None:
    verdict = judged(workplace, (), Places(("loss", 0.5, STDOUT), points=[Point("stdout", {"loss": 0.5})]), status=1)
    assert (verdict.status, verdict.metrics, verdict.curves) == ("failed", {}, ({"loss": 0.5},))


def test_curves_are_events_after_those_of_the_job(folder: AttemptFolder) -> None:
    folder.events.write_bytes(b'{"t":0.0,"pid":7}\n{"t":1.0,"lo')  # torn
    add_curves(folder, [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4}], 3.0)
    pids, *logged = read_events(folder.events, largest=1000)
    assert (pids.pid, [(each.t, each.log) for each in logged]) == (
        7,
        [(3.0, {"epoch": 1, "loss": 0.5}), (3.0, {"epoch": 2, "loss": 0.4})],
    )


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("elsewhere")])
def test_no_curve_goes_where_a_job_put_something_else(folder: AttemptFolder, make: Any) -> None:
    make(folder.events)
    add_curves(folder, [{"loss": 0.5}], 3.0)
    assert not (folder.path / "elsewhere").exists()
