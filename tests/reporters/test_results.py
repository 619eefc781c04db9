"""The top of the page: the plot of results, the latest state of jobs that this run did not train, the first lines."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from sessions import Project

from pytest_training.execution.outcome import GateResult, Outcome, Status
from pytest_training.jobs.model import Gate
from pytest_training.reporters.html.forest import MOST_ROWS, forest
from pytest_training.reporters.html.results import Result, by_metric
from pytest_training.reporters.html.words import gate_words, moment, worker

JOBS = {
    "training/train_weak.py": """
        GATES = {"auc": ">= 0.5"}
        def train(run, *, value=0.9, epochs=1):
            return {"auc": value}
        """,
    "training/train_strong.py": """
        GATES = {"auc_low": ">= 0.6"}
        def train(run, *, value=0.8):
            return {"auc": value, "auc_low": value - 0.1, "auc_high": value + 0.1, "baseline_auc": 0.5}
        """,
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project of two jobs that were trained."""
    project = Project(tmp_path)
    for name, text in JOBS.items():
        project.write(name, text)
    assert project.run().ret == 0
    return project


def result(job_id: str, operator: str = ">=", threshold: float = 0.7, **metrics: float) -> Result:
    gate = Gate(metric=next(iter(metrics)), operator=operator, threshold=threshold)  # type: ignore[arg-type]  # a test's
    found = next(iter(metrics.values()))
    gates = (GateResult(gate=gate, found=found, passed=gate.holds(found)),)
    outcome = Outcome(job_id=job_id, kind="function", title="", status=Status.PASSED, metrics=metrics, gates=gates)
    return Result(outcome)


def runs(project: Project) -> list[str]:
    return sorted(path.name for path in (project.reports / "runs").iterdir())


def page(project: Project) -> str:
    return (project.reports / "index.html").read_text(encoding="utf-8")


def part(project: Project, name: str) -> str:
    """Return the text of a section of the page."""
    (found,) = re.findall(rf'<section id="{name}".*?</section>', page(project), re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found)).split())


def test_each_metric_has_an_axis_and_its_best_job_comes_first() -> None:
    listed = [
        *(result("a", auc=0.8), result("b", auc=0.9), result("c", "<=", 9.0, mae=4.0)),
        *(result("d", "<=", 9.0, mae=2.0), result("e", auc=0.85)),
    ]
    groups = forest(listed)
    assert [(group.metric, group.better) for group in groups] == [("auc", "higher"), ("mae", "lower")]
    assert [[row.result.outcome.job_id for row in group.rows] for group in groups] == [["b", "e", "a"], ["d", "c"]]
    places = [row.value for row in groups[0].rows]
    assert places == sorted(places, reverse=True)
    assert all(0 < place < 100 for place in places)


def test_a_row_has_interval_dummy_and_its_gate_with_the_side_that_fails() -> None:
    (group,) = forest([result("a", auc=0.8, auc_low=0.7, auc_high=0.9, baseline_auc=0.5)])
    (row,) = group.rows
    (gate,) = row.gates
    assert row.span
    assert row.dummy
    assert row.dummy < row.span[0] == gate[0] < row.value < row.span[1]
    assert gate[1] == "right"
    assert row.words == "auc 0.800, interval 0.700 to 0.900, gate ≥ 0.700, dummy 0.500"


@pytest.mark.parametrize("value", [1e308, -1e308, 0.0, 5e-324, 7.0])
def test_values_of_any_size_are_drawn_within_the_picture(value: float) -> None:
    for group in forest([result("a", auc=value), result("b", auc=0.5), result("c", mae=value)]):
        for row in group.rows:
            assert all(0 <= place <= 100 for place in (row.value, *(at for at, _ in row.gates)))


def test_a_value_far_from_all_others_stands_at_the_edge_and_the_others_stay_readable() -> None:
    wide = result("wide", r2=0.75, r2_low=-1e5, r2_high=0.85)
    (group,) = forest([result("a", r2=0.9), result("b", r2=0.8), result("c", r2=-1e6), wide])
    places = {row.result.outcome.job_id: row.value for row in group.rows}
    assert places["c"] == 0
    assert places["a"] - places["b"] > 10
    assert [row.span and row.span[0] for row in group.rows] == [None, None, 0, None]


def test_a_value_far_above_all_others_does_not_flatten_them_either() -> None:
    listed = [result(name, "<=", 1.0, mae=value) for name, value in (("a", 0.8), ("b", 0.9), ("c", 1e6))]
    (group,) = forest(listed)
    places = {row.result.outcome.job_id: row.value for row in group.rows}
    assert places["c"] == 100
    assert places["b"] - places["a"] > 10


def test_a_dummy_is_not_far_however_narrow_the_intervals_are() -> None:
    near = [result(f"j{n}", auc=0.87 + n / 1000, auc_low=0.869, auc_high=0.875, baseline_auc=0.5) for n in range(4)]
    assert all(row.dummy and 0 < row.dummy < 10 for row in forest(near)[0].rows)


def test_values_over_many_powers_of_ten_share_an_axis() -> None:
    (group,) = forest([result(f"j{power}", "<=", 1.0, loss=10.0**power) for power in range(-4, 5)])
    assert all(0 < row.value < 100 for row in group.rows)


def test_of_many_jobs_of_a_metric_the_best_are_drawn_and_the_others_counted() -> None:
    (group,) = forest([result(f"j{number}", auc=number / 1000) for number in range(100)])
    assert (len(group.rows), group.left_out) == (MOST_ROWS, 100 - MOST_ROWS)
    assert group.rows[0].result.outcome.job_id == "j99"


def test_a_metric_without_a_direction_keeps_the_order_of_the_jobs() -> None:
    several = [result(name, "==", value, cutoff=value) for name, value in (("a", 1.0), ("b", 3.0), ("c", 2.0))]
    assert [each.outcome.job_id for each in by_metric(several)["cutoff"]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("passed", "words"),
    [([True], "met"), ([True, True], "2 met"), ([False], "missed"), ([True, False], "1 of 2 missed"), ([], "")],
)
def test_gates_in_words(passed: list[bool], words: str) -> None:
    gate = Gate(metric="auc", operator=">=", threshold=0.5)
    assert gate_words([GateResult(gate=gate, found=0.4, passed=each) for each in passed]) == words


def test_workers_and_times_have_a_readers_words() -> None:
    places = ("gw0", "gw12 on node3", "main", "w3 on node17", "gwen", "")
    assert [worker(each) for each in places] == [
        *("worker 1", "worker 13 on node3", "pytest itself", "w3 on node17", "gwen", "")
    ]
    assert moment("2026-01-05T10:00:00+01:00") == (
        '<time class="moment" datetime="2026-01-05T10:00:00+01:00">2026-01-05 10:00 UTC</time>'
    )
    assert moment("<never>") == ""


def test_a_run_of_one_job_shows_the_latest_state_of_the_others(project: Project) -> None:
    (first,) = runs(project)
    assert project.run("-k", "weak").ret == 0
    way = f'href="runs/{runs(project)[-1]}/../{first}/index.html#job-strong"'
    assert page(project).count(way) >= 2  # in the plot and in the list
    assert "strong not in this run:" in part(project, "list")
    assert "1 of 1 job passed" in page(project)


@pytest.mark.slow
def test_a_job_that_is_no_more_is_not_shown(project: Project) -> None:
    (project.root / "training" / "train_strong.py").unlink()
    for option, reports in (("-q", project.reports), ("--training-smoke", project.reports / "smoke")):
        assert project.run("-k", "weak", option).ret == 0
        assert "job-strong" not in (reports / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_first_lines_name_what_failed_what_got_worse_and_the_best(project: Project) -> None:
    assert "Needs attention Nothing: every gate is met." in part(project, "overview")
    assert "weak best auc of 2 jobs: 0.900; next strong 0.800" in part(project, "overview")
    assert project.run("--set", "strong.value=0.75", "--set", "weak.value=0.8").ret == 0
    attention, changed = part(project, "overview").split("What changed")
    assert "weak auc ▼ 0.900 → 0.800 (-0.1): worse, not judged against noise" in changed
    assert "Nothing: every gate is met." in attention
    assert project.run("--set", "strong.value=0.75", "--epochs", "3", "--set", "weak.value=0.8").ret == 0
    assert "weak other parameters: epochs; no metric changed" in part(project, "overview")
    assert "weak no metric changed other parameters: epochs" in part(project, "changes")
    assert project.run("--set", "strong.value=0.65", "--set", "weak.value=0.95").ret == 1
    first = part(project, "overview")
    assert "✗ failed strong auc_low is 0.55, required >= 0.6" in first
    assert "▼" not in first  # a job is named once
    assert "weak auc ▲ 0.800 → 0.950" in first
    assert project.run("-k", "weak").ret == 0
    assert "strong not trained in this run; before: auc_low is 0.55" in part(project, "overview")


@pytest.mark.slow
def test_a_job_that_ended_before_its_gates_were_judged_shows_them(project: Project) -> None:
    project.write(
        "training/train_weak.py", JOBS["training/train_weak.py"].replace("return", "raise ValueError; return")
    )
    assert project.run("-k", "weak").ret == 1
    assert "not judged: no result" in part(project, "list")
    assert "auc >= 0.5 nothing ○ not judged: no result" in part(project, "sections")


def test_an_earlier_value_beneath_the_dot_is_not_drawn() -> None:
    (group,) = forest([result("a", auc=0.8), result("b", auc=0.9)])
    row = group.rows[0]
    assert [row._replace(before=before).is_elsewhere for before in (None, row.value, row.value - 5)] == [
        False,
        False,
        True,
    ]


def test_a_result_that_is_taken_over_has_a_section(project: Project) -> None:
    project.write("training/train_a.py", "def train(run):\n    return {'auc': 0.8}\n")
    assert project.run().ret == 0
    assert project.run("--training-skip-unchanged").ret == 0
    assert 'href="#job-a"' in page(project)
    assert 'id="job-a"' in page(project)
