"""A study on the page: folded in lists and timeline, its table, its pictures; whatever its values are."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import make_run, publish
from made_studies import FAILED, PRUNED, make_study, study_job, trial
from markupsafe import escape

from pytest_training.evaluation.noise import Mean
from pytest_training.execution.outcome import Attempt, Outcome, Status
from pytest_training.jobs.model import Gate
from pytest_training.limits.protocol import Ending
from pytest_training.records.studies import study_table
from pytest_training.reporters.html import predictions
from pytest_training.reporters.html.axes import axis
from pytest_training.reporters.html.importances import MISSING, importances
from pytest_training.reporters.html.studies import BOTTOM, MOST_COURSES, MOST_WAYS, TOP, WIDTH, StudyView
from pytest_training.reporters.html.timeline import timeline

HIGHER = Gate(metric="auc", operator=">=", threshold=0.5)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers()))
numbers = st.floats(allow_nan=False, allow_infinity=False)


def view(trials: list[Outcome], run: Path = Path()) -> StudyView:
    table = study_table("forest", trials, job=study_job(HIGHER, metric="auc"))
    return StudyView(table, run, {each.job_id: each for each in trials}, most_rows=100)


def coordinates(points: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+(?:e[-+]?\d+)?),(-?[\d.]+(?:e[-+]?\d+)?)", points)]


@settings(max_examples=50, deadline=None)
@given(st.lists(scalars, max_size=30))
def test_every_value_and_every_mark_has_its_place_between_the_ends_of_its_axis(values: list[Any]) -> None:
    drawn = axis("any", values)
    places = [place for place in drawn.places if place is not None]
    assert len(drawn.places) == len(values)
    assert [place is None for place in drawn.places] == [value is None for value in values]
    slack = 1e-9 * max(1.0, drawn.high - drawn.low)  # to which marks are round
    for place in (*places, *(place for place, _ in drawn.marks)):
        assert drawn.low - slack <= place <= drawn.high + slack


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ([1, 2, 3], ["1", "1.5", "2", "2.5", "3"]),
        ([1e-5, 0.1], ["1e-05", "0.0001", "0.001", "0.01", "0.1"]),
        ([0, 1000], ["0", "200", "400", "600", "800", "1000"]),
        (["sgd", "adam", "sgd"], ["adam", "sgd"]),
        ([True, False], ["false", "true"]),
        ([7, 7], ["7"]),
        ([math.inf, 1], ["1", "inf"]),
    ],
    ids=["linear", "logarithmic", "from zero", "words", "yes or no", "one value", "no number"],
)
def test_the_marks_of_an_axis_are_round_numbers_or_its_values(values: list[Any], marks: list[str]) -> None:
    assert [label for _, label in axis("any", values).marks] == marks


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(scalars, scalars, numbers), max_size=12))
def test_every_dot_and_line_of_a_study_is_inside_its_drawing(rows: list[tuple[Any, Any, float]]) -> None:
    trials = [
        trial(f"n-{number}", {"auc": value}, parameters={"a": a, "b": b}) for number, (a, b, value) in enumerate(rows)
    ]
    shown = view(trials)
    for chart in (shown.scatter(each, shown.axes[-1]) for each in shown.axes[:-1]):
        for x, y in (point for bars in chart.bars for point in coordinates(bars.points)):
            assert 0 <= x <= predictions.WIDTH
            assert 0 <= y <= predictions.HEIGHT
    for way in shown.parallel[1] if shown.parallel else ():
        for x, y in coordinates(way):
            assert 0 <= x <= WIDTH
            assert TOP <= y <= BOTTOM


def test_pruned_and_failed_trials_are_in_no_picture_of_parameters() -> None:
    trials = [trial(f"depth-{depth}", {"auc": depth / 10}, parameters={"depth": depth}) for depth in (1, 2, 3)]
    trials += [trial("depth-8", {"auc": 0.99}, parameters={"depth": 8}, **PRUNED)]
    trials += [trial("depth-9", parameters={"depth": 9}, **FAILED)]
    chart = view(trials).scatter(*view(trials).axes)
    spread, dots, best = chart.bars
    assert (chart.caption, spread.points) == ("auc by depth", "")
    assert len(coordinates(dots.points)) == 3
    assert coordinates(best.points) == [max(coordinates(dots.points))]
    assert view(trials).parallel is None  # a single parameter


def test_a_combination_is_drawn_with_the_interval_over_its_seeds() -> None:
    trials = [
        trial(f"depth-{depth}-seed-{seed}", {"auc": depth / 10 + seed / 100}, seed=seed, parameters={"depth": depth})
        for depth in (1, 2)
        for seed in range(3)
    ]
    shown = view(trials)
    chart = shown.scatter(*shown.axes)
    assert chart.bars[0].points.count("V") == 2
    assert isinstance(shown.ranked[0].spread, Mean)
    assert "to_best" in shown.columns


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=5), st.sampled_from([0.001, 0.1, 1]))
def test_the_interval_of_a_combination_is_drawn_around_its_mean(means: list[float], spread: float) -> None:
    trials = [
        trial(f"depth-{depth}-seed-{seed}", {"auc": mean * (1 + spread * seed)}, seed=seed, parameters={"depth": depth})
        for depth, mean in enumerate(means)
        for seed in range(3)
    ]
    shown = view(trials)
    spreads, dots, _ = shown.scatter(*shown.axes).bars
    ends = re.findall(r"M([\d.]+),([\d.]+)V([\d.]+)", spreads.points)
    assert len(ends) == len(means)
    for (x, low, high), dot in zip(ends, coordinates(dots.points), strict=True):
        assert dot[0] == float(x)
        assert float(high) <= dot[1] <= float(low)


def test_of_very_many_trials_some_of_each_rank_are_drawn() -> None:
    parameters = [{"a": number % 7, "b": number} for number in range(2 * MOST_WAYS)]
    shown = view([trial(f"n-{n}", {"auc": n}, parameters=each) for n, each in enumerate(parameters)])
    assert shown.parallel
    assert sum(ways.count("M") for ways in shown.parallel[1]) == MOST_WAYS
    assert len(shown.records) == shown.most_rows


def test_the_learning_curves_of_all_trials_are_in_one_chart_with_the_best_in_front(tmp_path: Path) -> None:
    trials = [
        trial(f"n-{n}", {"auc": n}, attempts=(Attempt(number=1, status=Status.PASSED, folder=f"{n}"),))
        for n in range(MOST_COURSES + 30)
    ]
    for n in range(len(trials)):
        (tmp_path / f"{n}").mkdir()
        events = [{"log": {"epoch": epoch, "auc": n + epoch, "fold": fold}} for fold in (0, 1) for epoch in range(4)]
        (tmp_path / f"{n}/events.jsonl").write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in events))
    (chart,) = view(trials, tmp_path).curves
    assert chart.caption == f"{MOST_COURSES} of {len(trials)} trials, bold: the best, forest-n-{len(trials) - 1}"
    assert len(chart.lines) == MOST_COURSES  # one for each, though each has two folds
    assert chart.mean == chart.lines[0]


def test_trials_of_a_study_that_follow_each_other_on_a_slot_are_one_bar() -> None:
    def ran(outcome: Outcome, second: int, slot: str) -> Outcome:
        started, ending = f"2026-01-01T10:00:{second:02d}+00:00", Ending(wall_s=2)
        attempt = Attempt(number=1, status=outcome.status, started=started, ending=ending, slot=slot)
        return msgspec.structs.replace(outcome, attempts=(attempt,), slot=slot)

    trials = [ran(trial(f"n-{n}"), 3 * n, "gw0") for n in range(3)] + [ran(trial("n-9", **FAILED), 3, "gw1")]
    other = ran(Outcome(job_id="als", kind="function", title="", status=Status.PASSED), 9, "gw0")
    last = ran(trial("n-8", **PRUNED), 12, "gw0")
    study = Outcome(job_id="forest", kind="study", title="", status=Status.PASSED)
    drawn = timeline([*trials, other, last, study])
    assert drawn
    bars = [(bar.job_id, bar.status) for bar in drawn.bars]
    assert bars == [
        ("forest", "passed"),
        ("als", "passed"),
        ("forest-n-8", "skipped"),
        ("forest-n-9", "failed"),
    ]
    assert drawn.bars[0].title == "forest: 3 trials: passed, 8.0 s, worker 1"
    alone = timeline(trials)  # without the study itself
    assert alone
    assert [bar.job_id for bar in alone.bars] == ["forest-n-0", "forest-n-1", "forest-n-2", "forest-n-9"]


def test_the_page_folds_trials_in_the_list_of_jobs_and_shows_them_in_the_section_of_their_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)  # what Python takes for a package that is not installed
    publish(make_run(tmp_path, jobs=2, epochs=3, trials=60))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    listed, rest = page.split('class="plain trials"')
    assert re.findall(r'<tr role="row" data-job="([^"]+)"', listed) == ["job-job0001", "job-job0000", "job-forest"]
    assert "<title>2 of 3 passed" in page
    assert "✗ 3 failed" in page  # with the two failed trials
    table, below = rest.split("</table>", 1)
    ids = re.findall(r'scope="row" data-value="([^"]+)"', table)
    assert len(ids) == 60
    assert table.count("★") == table.count("class=this") == 1
    assert "ValueError: loss is NaN" in table
    sections = re.findall(r'id="job-(forest-trial-\d+)"', below)
    assert set(sections) < set(ids)
    assert sections[:3] == [*ids[-2:], ids[0]]  # those that failed, then the best
    assert "nothing failed" not in page
    assert f'<a href="{"runs/20260105-100000-abcd"}/jobs/{ids[30]}/attempt-1/log.txt">' in table
    assert below.count('class="chart"') == 4
    assert escape(MISSING) in below
    assert page.count("Run it again") == 3  # no trial's: a search has drawn its parameters


def test_too_few_trials_and_a_missing_optuna_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = [axis(name, range(12)) for name in ("depth", "rate", "auc")]
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert importances(axes, "higher") == ({}, MISSING)
    assert "need 10 whole trainings, here are 2" in importances([*axes[:2], axis("auc", [1, 2])], "higher")[1]
    assert importances(axes[:2], "higher") == ({}, "")
    assert importances(axes, "") == ({}, "")


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_importances_are_optunas(direction: str) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    depths, rates = [number % 10 for number in range(60)], [10.0 ** -(number % 7) for number in range(60)]
    axes = [axis("depth", depths), axis("rate", rates), axis("same", [1] * 60), axis("auc", depths)]
    shares, why_not = importances(axes, direction)
    study = optuna.create_study(direction="maximize" if direction == "higher" else "minimize")
    ranges = {
        "depth": optuna.distributions.FloatDistribution(0, 9),
        "rate": optuna.distributions.FloatDistribution(1e-6, 1, log=True),
    }
    for depth, rate in zip(depths, rates, strict=True):
        parameters = {"depth": depth, "rate": rate}
        study.add_trial(optuna.create_trial(params=parameters, distributions=ranges, value=float(depth)))
    assert why_not == ""
    assert shares == pytest.approx(optuna.importance.get_param_importances(study))
    assert [*shares] == ["depth", "rate"]


HOSTILE = "<script>alert(1)</script>"
ODD: dict[str, list[Outcome]] = {
    "a single trial": [trial("depth-1", {"auc": 0.5})],
    "no metrics": [trial("depth-1"), trial("depth-2")],
    "all failed": [trial("depth-1", **FAILED), trial("depth-2", **FAILED)],
    "all pruned": [trial("depth-1", {"auc": 0.4}, **PRUNED), trial("depth-2", {"auc": 0.5}, **PRUNED)],
    "nobody says which is better": [trial("depth-1", {"size": 1}), trial("depth-2", {"size": 2})],
    "values that are no numbers": [
        trial(f"n-{n}", {"auc": n}, parameters={"layers": layers, "on": n > 1, "none": None})
        for n, layers in enumerate(([64, 32], {"a": 1}, "wide", 3, 10**400))
    ],
    "other parameters each": [trial("depth-1", {"auc": 0.5}), trial("width-2", {"auc": 0.6})],
    "diverged": [trial(f"depth-{n}", {"auc": 10.0 ** (300 * n)}) for n in (-1, 0, 1)],
    "seeds alone": [trial(f"seed-{n}", {"auc": n / 7}, seed=n, parameters={}) for n in range(3)],
    "hostile": [trial(f"n-{n}", {HOSTILE: n}, parameters={HOSTILE: HOSTILE + str(n), "b": n}) for n in (1, 2)],
}


@pytest.mark.parametrize("trials", ODD.values(), ids=ODD)
def test_a_study_in_any_state_has_a_page_with_all_its_trials(tmp_path: Path, trials: list[Outcome]) -> None:
    publish(make_study(tmp_path, trials))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count(HOSTILE) == 0
    assert page.count('scope="row" data-value="forest-') == len(trials)
    assert page.count('<tr role="row" data-job=') == 1
    assert not re.search(r'[" ,M](nan|inf|-inf)[",hVL]', page)
