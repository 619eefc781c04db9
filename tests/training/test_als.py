"""Tests of the ALS job: what is simulated, what a user's file may look like, and that nothing leaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import train_als
from cohorts import als

from pytest_training.errors import DataError
from pytest_training.execution.attempt.run import Run
from pytest_training.execution.data import sha256_of

from .samples import cards, train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("als") / "visits.csv"
    als.simulate(path, seed=0)
    return path


def visits_of(rows: list[tuple[str, float, float]], score: str = "ALSFRS_R_Total") -> pd.DataFrame:
    """Return an export of PRO-ACT with one row per (person, day, score)."""
    return pd.DataFrame(rows, columns=["subject_id", "ALSFRS_Delta", score])


def line(
    person: str, slope: float, start: float = 40.0, days: tuple[int, ...] = (0, 30, 60, 90, 180, 270, 360)
) -> list[tuple[str, float, float]]:
    return [(person, day, start + slope * day / als.MONTH_D) for day in days]


def test_simulation_depends_on_its_seed_alone(simulated: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        als.simulate(tmp_path / str(seed), seed=seed)
    assert (tmp_path / "0").read_bytes() == simulated.read_bytes()
    assert (tmp_path / "1").read_bytes() != simulated.read_bytes()


def test_simulated_people_resemble_those_of_trials(simulated: Path) -> None:
    visits = pd.read_csv(simulated)
    people = visits.groupby("subject_id").first()
    assert len(people) == als.PATIENTS
    assert visits["ALSFRS_R_Total"].between(0, 48).all()
    assert 33 < people["ALSFRS_R_Total"].mean() < 40
    assert 0.17 < people["Bulbar_Onset"].mean() < 0.27
    assert 0.55 < people["Male"].mean() < 0.67
    last = visits.groupby("subject_id")["ALSFRS_Delta"].max()
    assert 0.1 < (last < 330).mean() < 0.45, "some die or are lost within the year"


def test_simulated_decline_is_about_a_point_a_month_with_a_heavy_left_tail(simulated: Path) -> None:
    cohort, published = als.load(simulated)
    slope = cohort.target
    assert published is None
    assert len(cohort) >= 600
    assert -1.2 < slope.mean() < -0.8
    assert float(np.mean(((slope - slope.mean()) / slope.std()) ** 3)) < -0.8


def test_who_declines_faster_is_as_the_literature_says(simulated: Path) -> None:
    cohort, _ = als.load(simulated)
    relation = cohort.features.corrwith(pd.Series(cohort.target))
    assert (
        relation[["slope_so_far", "slope_before", "diagnostic_delay_months", "vital_capacity_percent"]] > 0.05
    ).all()
    assert (relation[["age_years", "bulbar_onset"]] < 0).all()


def test_features_come_from_the_first_three_months_alone(simulated: Path) -> None:
    visits, _ = als.clean_visits(pd.read_csv(simulated), simulated)
    later = visits["month"] > als.WINDOW_D / als.MONTH_D
    changed = visits.copy()
    numbers = changed.select_dtypes("number").columns.drop(["person", "month"])
    changed[numbers] = changed[numbers].astype(float)
    changed.loc[later, numbers] = -999.0
    pd.testing.assert_frame_equal(als.first_three_months(changed), als.first_three_months(visits))
    pd.testing.assert_frame_equal(als.first_three_months(visits[~later]), als.first_three_months(visits))


def test_the_target_comes_from_later_visits_alone(simulated: Path) -> None:
    visits, _ = als.clean_visits(pd.read_csv(simulated), simulated)
    early = visits["month"] <= als.WINDOW_D / als.MONTH_D
    changed = visits.assign(score=visits["score"].where(~early, 0))
    pd.testing.assert_series_equal(als.later_slope(changed), als.later_slope(visits))


def test_slopes_are_points_a_month() -> None:
    visits, _ = als.clean_visits(visits_of(line("A", -1.5) + line("B", 0.25)), Path("x.csv"))
    assert als.later_slope(visits).round(6).to_dict() == {"A": -1.5, "B": 0.25}
    assert als.first_three_months(visits)["slope_so_far"].round(6).to_dict() == {"A": -1.5, "B": 0.25}


def test_an_export_of_proact_is_read(tmp_path: Path) -> None:
    table = visits_of(line("10", -1.0) + line("20", -0.5))
    table["ALSFRS_Total"] = 99.0  # the older scale is not mixed in
    table["Q1_Speech"] = 4
    table.to_csv(tmp_path / "PROACT_ALSFRS.csv", index=False)
    cohort, _ = als.load(tmp_path / "PROACT_ALSFRS.csv")
    assert cohort.target.round(6).tolist() == [-1.0, -0.5]
    assert {"first_score", "slope_so_far"} <= set(cohort.features)
    assert cohort.dropped == {}


def test_an_export_with_the_older_scale_alone_is_read(tmp_path: Path) -> None:
    visits_of(line("10", -1.0, start=38), "ALSFRS_Total").to_csv(tmp_path / "old.csv", index=False)
    cohort, _ = als.load(tmp_path / "old.csv")
    assert cohort.target.round(6).tolist() == [-1.0]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    rows = [
        *line("stays", -1.0),
        *line("leaves early", -1.0, days=(0, 30, 120)),
        *line("comes late", -1.0, days=(120, 240, 330)),
        ("stays", -20, 41.0),
        ("stays", 45, np.nan),
        ("stays", 30, 12.0),
    ]
    visits_of(rows).to_csv(tmp_path / "visits.csv", index=False)
    cohort, _ = als.load(tmp_path / "visits.csv")
    assert cohort.target.round(6).tolist() == [-1.0]
    assert dict(cohort.dropped) == {
        "visits without day or ALSFRS_R_Total": 1,
        "visits before the first day": 1,
        "second visits on a day": 1,
        "people without a visit in months 0 to 3": 1,
        "people seen too briefly in months 3 to 12 for a slope": 1,
    }


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_the_table_of_efron_and_hastie_is_read_with_its_test_set(tmp_path: Path, separator: str) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"testset": [False, True] * 40, "dFRS": random.normal(-0.7, 0.6, 80)})
    table["Onset.Delta"] = random.normal(-500, 100, 80)
    table.to_csv(tmp_path / "ALS.txt", sep=separator, index=False)
    cohort, published = als.load(tmp_path / "ALS.txt")
    assert published is not None
    assert published.tolist() == [False, True] * 40
    assert list(cohort.features) == ["Onset.Delta"]
    np.testing.assert_allclose(cohort.target, table["dFRS"])


def test_a_published_test_set_is_judged_apart(tmp_path: Path, make_run: Callable[..., Run]) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"testset": [False, True] * 60, "slope.now": random.normal(size=120)})
    table["dFRS"] = table["slope.now"] + random.normal(size=120)
    table.to_csv(tmp_path / "ALS.csv", index=False)
    run = make_run()
    metrics = train("als", run, epochs=20, folds=2, data=str(tmp_path / "ALS.csv"))
    assert {"r2", "published_r2", "published_r2_low"} <= set(metrics)
    card, _ = cards(run, "als", metrics)
    assert "ALS.csv" in card
    assert "The data are simulated" not in card
    (used,) = run.used
    assert (used.name, used.real, used.sha256) == ("ALS.csv", True, sha256_of(tmp_path / "ALS.csv"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("age,sex\n61,M\n", r"expected columns \['subject_id', 'ALSFRS_Delta'\]"),
        ("subject_id,ALSFRS_Delta\n1,0\n", "expected scores in ALSFRS_R_Total or ALSFRS_Total"),
        ("subject_id,ALSFRS_Delta,ALSFRS_R_Total\n1,0,480\n", "goes from 0 to 48, found 480"),
        ("subject_id,ALSFRS_Delta,ALSFRS_R_Total\n1,0,40\n", "found nobody among 1"),
        ("", "expected a text table"),
        ("a\n1,2,3\n1,2,3,4\n", "expected a text table"),
    ],
)
def test_a_file_that_is_neither_says_what_was_expected(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "wrong.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        als.load(tmp_path / "wrong.csv")


def test_a_file_that_is_not_there_is_named(make_run: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a file or folder at .*nowhere\.csv.*found none"):
        train_als.train(make_run(), data=str(tmp_path / "nowhere.csv"))


@pytest.mark.filterwarnings("error")
def test_the_job_is_modest_and_beats_the_dummy(make_run: Callable[..., Run]) -> None:
    run = make_run()
    metrics = train("als", run, epochs=60, folds=3)
    assert 0.10 < metrics["r2"] < 0.35, "more would mean that the simulation leaks"
    assert metrics["mae"] < metrics["baseline_mae"] - 0.02
    assert [used.real for used in run.used] == [False]
