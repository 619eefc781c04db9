"""ALS: visits of people with amyotrophic lateral sclerosis, simulated, or read from a file of the user's.

What the simulation takes from the literature:
  [A] Atassi 2014, Neurology 83:1719 (PRO-ACT, 8,600 people in trials): ALSFRS-R falls by 1.02 points a month,
      vital capacity by 2.24 % of predicted a month.
  [R] Raymond 2019, ALS FTD 20:413 (US registry): 60.9 % men, 22.1 % bulbar onset, about a year to diagnosis.
  [K] Küffner 2015, Nat Biotechnol 33:51 (DREAM challenge): months 0 to 3 predict months 3 to 12; age, onset site,
      delay, vital capacity and the slope so far carry information.
  [C] Efron & Hastie, Computer Age Statistical Inference, §17: 1,822 of these people, test R² about 0.15 to 0.2.
  [M] Miller 2012, Cochrane CD001447: riluzole prolongs life by 2 to 3 months (hazard about 0.84).
  [W] Wolf 2014, BMC Neurology 14:197: age, a short delay and a low score predict death within a year.
Every constant without a letter is an assumption, chosen so that the distributions look plausible and R² falls
about where [C] found it. What a model finds here is what was put in; it is no evidence about the disease.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from arrays import Mask

from cohorts import Cohort, require

PATIENTS = 900
MONTH_D = 30.44
WINDOW_D = 91  # of the features: the first three months
HORIZON_D = 380  # of the target: the nine months after them; a visit of month 12 may be two weeks late
SHORTEST_SPAN_MONTHS = 3.0  # between the first and last visit that the target's slope rests on
FULL_SCORE = 48  # of the ALSFRS-R
OLD_FULL_SCORE = 40  # of the ALSFRS, without the three breathing items

AGE_YEARS = (57.0, 11.0)  # mean and standard deviation
MALE = 0.61  # [R]
BULBAR = 0.22  # [R]
RILUZOLE = 0.70
DELAY_MONTHS = (np.log(12.0), 0.6)  # median [R] and spread of its logarithm
WAIT_MONTHS = 5.0  # from diagnosis to trial entry, mean of an exponential
VISIT_WEEKS = (0, 4, 8, 12, 18, 26, 34, 42, 52)
VISIT_JITTER_D = 4.0
VISIT_MISSED = 0.08

DECLINE = 0.85  # median decline in points a month; the long tail brings the mean to about 1 [A]
DECLINE_SPREAD = 0.60  # of its logarithm, beyond what the covariates explain: the heavy left tail
BULBAR_FASTER = 0.22  # effects on the logarithm of the decline; directions from [K] and [W], sizes assumed
DECADE_FASTER = 0.10
CAPACITY_FASTER = 0.12  # per 20 % of predicted vital capacity below 85 %
DELAY_SLOWER = 0.35  # per unit of the logarithm of the delay
CHANGE_SPREAD = 0.45  # decline after month 3 against before it: disease is no straight line
SCORE_ERROR = 1.6  # points, between raters and days

CAPACITY = (85.0, 18.0)  # % of predicted at entry
CAPACITY_PER_POINT = 2.2  # % of predicted lost per point of score: 2.24 a month [A]
CAPACITY_ERROR = 5.0
ENTRY_SCORE = 20  # trials take those who are not yet too ill
ENTRY_CAPACITY = 50.0

LOST = 0.012  # a month: withdrawal
DEATH = 0.004  # a month, for somebody with a score of 40
DEATH_PER_POINT = 0.10  # of its logarithm, for each point below
RILUZOLE_HAZARD = 0.84  # [M]

COVARIATES = {"Age": "age_years", "Male": "male", "Bulbar_Onset": "bulbar_onset", "Riluzole": "riluzole"}
"""Columns that a table of visits may have besides, constant in a person, and their names as features."""


def simulate(path: Path, seed: int) -> None:
    """Write the simulated visits as a table in the form of PRO-ACT's ALSFRS export."""
    random = np.random.default_rng(seed)
    _follow(random, _enrol(random)).to_csv(path, index=False)


def _enrol(random: np.random.Generator) -> pd.DataFrame:
    """Draw people until enough of them meet the entry criteria."""
    size = PATIENTS * 4
    people = pd.DataFrame(
        {
            "age": random.normal(*AGE_YEARS, size).clip(20, 85).round(),
            "male": random.random(size) < MALE,
            "bulbar": random.random(size) < BULBAR,
            "delay": random.lognormal(*DELAY_MONTHS, size).clip(1, 60),
            "wait": random.exponential(WAIT_MONTHS, size).clip(0.5, 24),
            "riluzole": random.random(size) < RILUZOLE,
            "capacity": random.normal(*CAPACITY, size).clip(20, 130),
        }
    )
    faster = (
        BULBAR_FASTER * people["bulbar"]
        + DECADE_FASTER * (people["age"] - AGE_YEARS[0]) / 10
        + CAPACITY_FASTER * (CAPACITY[0] - people["capacity"]) / 20
        - DELAY_SLOWER * (np.log(people["delay"]) - DELAY_MONTHS[0])
    )
    people["decline"] = DECLINE * np.exp(faster + random.normal(0, DECLINE_SPREAD, size))
    people["earlier_decline"] = people["decline"] * random.lognormal(0, CHANGE_SPREAD, size)
    people["later_decline"] = people["decline"] * random.lognormal(0, CHANGE_SPREAD, size)
    people["score"] = FULL_SCORE - people["earlier_decline"] * (people["delay"] + people["wait"])
    eligible = (people["score"] >= ENTRY_SCORE) & (people["capacity"] >= ENTRY_CAPACITY)
    return people[eligible].head(PATIENTS).reset_index(drop=True)


def _follow(random: np.random.Generator, people: pd.DataFrame) -> pd.DataFrame:
    """Simulate everybody's visits until month 12, death or loss; one row per visit that took place."""
    months = np.array(VISIT_WEEKS) * 7 / MONTH_D
    shape = (len(people), len(months))
    column = {name: people[name].to_numpy(float)[:, None] for name in people}

    lost = column["decline"] * months.clip(max=3) + column["later_decline"] * (months - 3).clip(min=0)
    score = (column["score"] - lost).clip(0, FULL_SCORE)
    death = DEATH * np.exp(DEATH_PER_POINT * (40 - score)) * RILUZOLE_HAZARD ** column["riluzole"]
    leaves = random.random(shape) < 1 - np.exp(-(LOST + death) * np.diff(months, prepend=0))
    seen = ~np.logical_or.accumulate(leaves, axis=1) & (random.random(shape) >= VISIT_MISSED)
    seen[:, 0] = True

    days = months * MONTH_D + random.normal(0, VISIT_JITTER_D, shape).clip(-7, 6) * (months > 0)
    measured = score + random.normal(0, SCORE_ERROR, shape)
    capacity = column["capacity"] - CAPACITY_PER_POINT * lost + random.normal(0, CAPACITY_ERROR, shape)
    person = np.nonzero(seen)[0]
    static = people.iloc[person].reset_index(drop=True)
    return pd.DataFrame(
        {
            "subject_id": person + 1,
            "ALSFRS_Delta": days[seen].round().astype(int),
            "ALSFRS_R_Total": measured[seen].round().clip(0, FULL_SCORE).astype(int),
            "Vital_Capacity": capacity[seen].round().clip(10, 140).astype(int),
            "Onset_Delta": -((static["delay"] + static["wait"]) * MONTH_D).round().astype(int),
            "Diagnosis_Delta": -(static["wait"] * MONTH_D).round().astype(int),
            "Age": static["age"].astype(int),
            "Male": static["male"].astype(int),
            "Bulbar_Onset": static["bulbar"].astype(int),
            "Riluzole": static["riluzole"].astype(int),
        }
    )


def load(path: Path) -> tuple[Cohort, Mask | None]:
    """Read visits (simulated, or an ALSFRS export of PRO-ACT) or the table of [C].

    Return the cohort and, for [C], which of its rows the authors held out as a test set.
    """
    table = _read(path)
    if "dFRS" in table:
        return _published(table, path)
    table = table.rename(columns={"SubjectID": "subject_id", "feature_delta": "ALSFRS_Delta"})
    require(table, ["subject_id", "ALSFRS_Delta"], path)
    return _from_visits(table, path), None


def _read(path: Path) -> pd.DataFrame:
    """Read a text table whatever its separator."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
        return pd.read_csv(path, sep=max(",;\t ", key=header.count), encoding="utf-8-sig", low_memory=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        message = f"{path}: expected a text table with a header, one row per visit or person: {error}"
        raise ValueError(message) from error


def _from_visits(table: pd.DataFrame, path: Path) -> Cohort:
    visits, dropped = clean_visits(table, path)
    target = later_slope(visits)
    features = first_three_months(visits)
    people = features.index.intersection(target.index)
    if people.empty:
        message = (
            f"{path}: expected people with visits in months 0 to 3 (ALSFRS_Delta, in days) and at least two, three "
            f"months apart, in months 3 to 12; found nobody among {table['subject_id'].nunique()}"
        )
        raise ValueError(message)
    dropped |= {
        "people without a visit in months 0 to 3": visits["person"].nunique() - len(features),
        "people seen too briefly in months 3 to 12 for a slope": len(features) - len(people),
    }
    return Cohort(
        features=features.loc[people].reset_index(drop=True),
        target=target.loc[people].to_numpy(float),
        unit="points a month",
        who="People with ALSFRS scores in the first three months and at least two in the nine months after.",
        limits=(
            "Whoever died or left before a slope could be measured is not in it: the fastest courses are missing.",
            "A slope is a summary: months of rest and of rapid decline both occur within nine months.",
            "People who enter trials are younger and decline more slowly than those whom a clinic sees.",
        ),
        dropped={reason: count for reason, count in dropped.items() if count},
    )


def clean_visits(table: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return one row per person and day (`person`, `month`, `score`, other columns), and counts of dropped visits."""
    scores = [name for name in ("ALSFRS_R_Total", "ALSFRS_Total") if name in table and table[name].notna().any()]
    if not scores:
        message = f"{path}: expected scores in ALSFRS_R_Total or ALSFRS_Total, found {list(table.columns)!r}"
        raise ValueError(message)
    full = FULL_SCORE if scores[0] == "ALSFRS_R_Total" else OLD_FULL_SCORE  # never both: the scales differ
    visits = table.rename(columns={"subject_id": "person"}).assign(
        month=pd.to_numeric(table["ALSFRS_Delta"], errors="coerce") / MONTH_D,
        score=pd.to_numeric(table[scores[0]], errors="coerce"),
        full_score=full,
    )
    if (visits["score"] > full).any():
        message = f"{path}: {scores[0]} goes from 0 to {full}, found {visits['score'].max():g}"
        raise ValueError(message)
    incomplete = visits[["month", "score"]].isna().any(axis=1)
    before = visits["month"] < 0
    repeated = visits.duplicated(["person", "month"])
    kept = visits[~(incomplete | before | repeated)].sort_values(["person", "month"], ignore_index=True)
    return kept, {
        f"visits without day or {scores[0]}": int(incomplete.sum()),
        "visits before the first day": int(before.sum()),
        "second visits on a day": int((repeated & ~incomplete & ~before).sum()),
    }


def first_three_months(visits: pd.DataFrame) -> pd.DataFrame:
    """Return each person's features, from the visits of months 0 to 3 alone."""
    early = visits[visits["month"] <= WINDOW_D / MONTH_D]
    by_person = early.groupby("person")
    first, last = by_person.nth(0).set_index("person"), by_person.nth(-1).set_index("person")
    features = pd.DataFrame(
        {
            "first_score": first["score"],
            "last_score": last["score"],
            "mean_score": by_person["score"].mean(),
            "slope_so_far": slopes(early),  # points a month
        }
    )
    if "Onset_Delta" in early:
        features["months_since_onset"] = -first["Onset_Delta"] / MONTH_D
        # as if the score had been full at onset: the strongest single predictor in clinics (Kimura 2006)
        features["slope_before"] = (first["score"] - first["full_score"]) / features["months_since_onset"]
        if "Diagnosis_Delta" in early:
            features["diagnostic_delay_months"] = (first["Diagnosis_Delta"] - first["Onset_Delta"]) / MONTH_D
    if "Vital_Capacity" in early:
        features["vital_capacity_percent"] = first["Vital_Capacity"]
        features["vital_capacity_change"] = last["Vital_Capacity"] - first["Vital_Capacity"]
    for column, name in COVARIATES.items():
        if column in early:
            features[name] = first[column]
    return features.astype(float)


def later_slope(visits: pd.DataFrame) -> pd.Series:
    """Return points a month in months 3 to 12, for people seen at least twice, three months apart.

    No visit counts both here and among the features: its error of measurement would tie the two together.
    """
    later = visits[visits["month"].between(WINDOW_D / MONTH_D, HORIZON_D / MONTH_D, inclusive="right")]
    span = later.groupby("person")["month"].agg(lambda months: months.max() - months.min())
    return slopes(later)[span >= SHORTEST_SPAN_MONTHS]


def slopes(visits: pd.DataFrame) -> pd.Series:
    """Fit a straight line to each person's scores; NaN if all visits are on one day."""
    by_person = visits.groupby("person")
    month = visits["month"] - by_person["month"].transform("mean")
    score = visits["score"] - by_person["score"].transform("mean")
    spread = (month**2).groupby(visits["person"]).sum()
    return (month * score).groupby(visits["person"]).sum() / spread.where(spread > 0)


def _published(table: pd.DataFrame, path: Path) -> tuple[Cohort, Mask | None]:
    """Take the table of [C] as it is: one row per person, `dFRS` the slope, the rest from the first three months."""
    held_out = None
    if "testset" in table:
        held_out = table["testset"].astype(str).str.lower().isin({"true", "1", "t"}).to_numpy()
    has_target = table["dFRS"].notna().to_numpy()
    features = table.drop(columns=["dFRS", "testset"], errors="ignore").select_dtypes("number").astype(float)
    cohort = Cohort(
        features=features[has_target].reset_index(drop=True),
        target=table["dFRS"][has_target].to_numpy(float),
        unit="points a month",
        who=f"People in ALS trials, from the user's file {path.name}.",
        limits=("Its columns are taken on trust to be from the first three months alone.",),
        dropped={"people without dFRS": int((~has_target).sum())} if not has_target.all() else {},
    )
    return cohort, None if held_out is None else held_out[has_target]
