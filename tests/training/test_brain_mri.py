"""Tests of the brain MRI job: what is simulated, what a user's folder may look like, and that nothing leaks."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
import train_brain_mri
from cohorts import Cohort, brain_mri
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits
from validation import cross_validate

from pytest_training.execution.attempt.run import Run
from pytest_training.execution.data import sha256_of

from .samples import cards, train

pytestmark = pytest.mark.slow

PEOPLE = 60


@pytest.fixture(scope="module")
def template() -> brain_mri.Anatomy:
    return brain_mri.anatomy()


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulate fewer people than the job does."""
    path = tmp_path_factory.mktemp("mri") / "cohort"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(brain_mri, "PEOPLE", PEOPLE)
        brain_mri.simulate(path, seed=0)
    return path


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_brain_mri, "uses_network", lambda _: False)


def bids(folder: Path, group: dict[str, str], volumes: dict[str, nibabel.Nifti1Image]) -> Path:
    """Write a small BIDS folder: participants.tsv and volumes by their path inside it."""
    folder.mkdir()
    table = pd.DataFrame({"participant_id": list(group), "group": list(group.values())})
    table.to_csv(folder / "participants.tsv", sep="\t", index=False)
    for name, image in volumes.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image.to_filename(folder / name)
    return folder


def grey(template: brain_mri.Anatomy, factor: float = 1.0) -> nibabel.Nifti1Image:
    return nibabel.Nifti1Image(template.grey * factor, template.affine)


def name(person: str, kind: str = "space-MNI152NLin2009cAsym_label-GM_probseg") -> str:
    return f"{person}/anat/{person}_{kind}.nii.gz"


def test_template_is_real_anatomy_at_the_working_resolution(template: brain_mri.Anatomy) -> None:
    assert np.diag(template.affine).tolist() == [6, 6, 6, 1]
    assert 0 <= template.grey.min() <= template.grey.max() <= 1
    litres = template.brain.sum() * 6**3 / 1e6
    assert 1.4 < litres < 2.1, "an adult brain"
    middle = template.place_mm(template.brain).mean(axis=0)
    assert np.abs(middle - [0, -20, 8]).max() < 12, "in MNI space"


def test_simulation_is_a_bids_folder_that_depends_on_its_seed_alone(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = pd.read_csv(simulated / "participants.tsv", sep="\t")
    assert list(people) == ["participant_id", "age", "sex", "group"]
    assert people["group"].value_counts().to_dict() == {"patient": PEOPLE // 2, "control": PEOPLE // 2}
    monkeypatch.setattr(brain_mri, "PEOPLE", 2)
    for folder, seed in (("first", 0), ("again", 0), ("other", 1)):
        brain_mri.simulate(tmp_path / folder, seed=seed)
    first, again, other = (
        next((tmp_path / each).rglob("*.nii.gz")).read_bytes() for each in ("first", "again", "other")
    )
    assert first == again
    assert first != other


def test_patients_have_less_grey_matter_at_the_hippocampi_and_age_tells_nothing(
    simulated: Path, template: brain_mri.Anatomy
) -> None:
    cohort = brain_mri.load(simulated, template)
    hippocampi = cohort.features[cohort.blocks["hippocampus"]].mean(axis=1)
    cerebellum = cohort.features[cohort.blocks["cerebellum"]].mean(axis=1)
    assert roc_auc_score(cohort.target, -hippocampi) > 0.6
    assert roc_auc_score(cohort.target, cerebellum / hippocampi) < 0.95, "nobody finds an honest disease that easily"
    age = pd.read_csv(simulated / "participants.tsv", sep="\t")["age"]
    assert 0.3 < roc_auc_score(cohort.target, age) < 0.7


def test_every_analysed_voxel_belongs_to_one_region(simulated: Path, template: brain_mri.Anatomy) -> None:
    cohort = brain_mri.load(simulated, template)
    columns: list[Any] = [column for voxels in cohort.blocks.values() for column in voxels]
    assert sorted(columns) == list(cohort.features)
    assert {"hippocampus", "left cortex", "right cortex"} <= set(cohort.blocks)


def test_grey_matter_maps_are_read_with_their_groups(tmp_path: Path, template: brain_mri.Anatomy) -> None:
    people = {"sub-01": "control", "sub-02": "patient", "sub-03": "control"}
    volumes = {name("sub-01"): grey(template), name("sub-02"): grey(template, 0.5), name("sub-09"): grey(template)}
    volumes[name("sub-01", "T1w")] = grey(template, 900)  # a head beside the map is not taken
    cohort = brain_mri.load(bids(tmp_path / "study", people, volumes), template)
    assert cohort.classes == ("control", "patient")
    assert cohort.target.tolist() == [0, 1]
    assert cohort.person is None
    assert dict(cohort.dropped) == {"volumes of nobody in participants.tsv": 1, "participants without a volume": 1}
    np.testing.assert_allclose(cohort.features.loc[1], cohort.features.loc[0] * 0.5, rtol=1e-4)


def test_finer_volumes_are_brought_to_the_template(tmp_path: Path, template: brain_mri.Anatomy) -> None:
    fine = np.repeat(np.repeat(np.repeat(template.grey, 2, 0), 2, 1), 2, 2)[..., None]
    affine = template.affine @ np.diag([0.5, 0.5, 0.5, 1])
    affine[:3, 3] -= 1.5
    people = {"sub-01": "CN", "sub-02": "AD"}
    volumes = {name("sub-01"): grey(template), name("sub-02"): nibabel.Nifti1Image(fine, affine)}
    cohort = brain_mri.load(bids(tmp_path / "study", people, volumes), template)
    assert cohort.classes == ("CN", "AD")
    assert np.corrcoef(cohort.features)[0, 1] > 0.9


def test_several_volumes_of_a_person_make_it_a_group(tmp_path: Path, template: brain_mri.Anatomy) -> None:
    people = {"sub-01": "control", "sub-02": "patient"}
    volumes = {
        f"{person}/ses-{visit}/anat/{person}_ses-{visit}_space-MNI_label-GM_probseg.nii.gz": grey(template)
        for person in people
        for visit in (1, 2)
    }
    cohort = brain_mri.load(bids(tmp_path / "study", people, volumes), template)
    assert cohort.person is not None
    assert cohort.person.tolist() == ["sub-01", "sub-01", "sub-02", "sub-02"]


def test_heads_are_scaled_and_the_limits_say_what_they_are(tmp_path: Path, template: brain_mri.Anatomy) -> None:
    people = {"sub-01": "control", "sub-02": "patient"}
    volumes = {name("sub-01", "T1w"): grey(template, 100), name("sub-02", "T1w"): grey(template, 7000)}
    cohort = brain_mri.load(bids(tmp_path / "study", people, volumes), template)
    np.testing.assert_allclose(cohort.features.loc[0], cohort.features.loc[1], rtol=1e-3)
    assert "normalise and segment" in " ".join(cohort.limits)


def test_a_folder_that_cannot_be_used_says_what_was_expected(tmp_path: Path, template: brain_mri.Anatomy) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"participants\.tsv"):
        brain_mri.load(tmp_path / "empty", template)

    two, one = {"sub-01": "control", "sub-02": "patient"}, {name("sub-01"): grey(template)}
    four_dimensions = nibabel.Nifti1Image(np.zeros((5, 5, 5, 7)), np.eye(4))
    cases = [
        ({"sub-01": "A", "sub-02": "B"}, one, r"expected two groups, one of them named like .* found \['A', 'B'\]"),
        ({"sub-01": "control"}, one, r"expected two groups"),
        (two, {}, r"expected volumes named like .*label-GM_probseg.* found none"),
        (two, {name("sub-77"): grey(template)}, r"no volume \(sub-77\) is in its participants\.tsv"),
        (two, {name("sub-01"): four_dimensions}, r"found the shape \(5, 5, 5, 7\)"),
        (two, {name("sub-01", "T1w"): grey(template, 0)}, r"no signal where the brain should be"),
    ]
    for number, (people, volumes, message) in enumerate(cases):
        folder = bids(tmp_path / str(number), people, volumes)
        with pytest.raises(ValueError, match=message):
            brain_mri.load(folder, template)


def test_a_person_in_two_groups_is_refused(tmp_path: Path, template: brain_mri.Anatomy) -> None:
    folder = bids(tmp_path / "study", {"sub-01": "control"}, {name("sub-01"): grey(template)})
    with (folder / "participants.tsv").open("a") as file:
        file.write("sub-01\tpatient\n")
    with pytest.raises(ValueError, match="sub-01 is in two groups"):
        brain_mri.load(folder, template)


@pytest.mark.usefixtures("without_torch")
@pytest.mark.filterwarnings("error")
def test_the_job_finds_the_disease_and_where_it_is(make_run: Callable[..., Run]) -> None:
    run = make_run()
    metrics = train("brain_mri", run, epochs=10, folds=2)
    assert 0.70 < metrics["roc_auc"] < 0.95
    assert metrics["brier"] < metrics["baseline_brier"] - 0.03
    assert "hippocampus" in (run.folder / "importance.svg").read_text()


@pytest.mark.usefixtures("without_torch")
def test_a_users_folder_is_trained_on_and_not_called_simulated(make_run: Callable[..., Run], simulated: Path) -> None:
    run = make_run(seed=3)
    metrics = train("brain_mri", run, epochs=3, folds=2, data=str(simulated))
    assert metrics == train("brain_mri", make_run(seed=3, name="again"), epochs=3, folds=2, data=str(simulated))
    card, _ = cards(run, "brain_mri", metrics)
    assert "The data are simulated" not in card
    (used,) = run.used
    assert (used.name, used.real, used.sha256) == (simulated.name, True, sha256_of(simulated))


def test_the_number_of_threads_changes_no_digit(make_run: Callable[..., Run]) -> None:
    features = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 1500)).astype(np.float32))
    cohort = Cohort(features=features, target=np.arange(120) % 2, classes=("well", "ill"))
    risks = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            fit = partial(train_brain_mri.fit_components, epochs=2)
            risks.append(cross_validate(make_run(name=str(threads)), cohort, fit, folds=2, importance=False))
    assert np.array_equal(risks[0].predicted, risks[1].predicted)


def test_unknown_models_are_refused_and_the_network_needs_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="expected auto, linear or network, found 'cnn'"):
        train_brain_mri.uses_network("cnn")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match="pip install torch"):
        train_brain_mri.uses_network("network")
    assert not train_brain_mri.uses_network("auto")


def test_the_network_trains_and_its_weights_can_be_read(make_run: Callable[..., Run], simulated: Path) -> None:
    torch = pytest.importorskip("torch")
    state = torch.random.get_rng_state()
    runs = [make_run(name=each) for each in ("first", "again")]
    first, again = (train("brain_mri", run, epochs=2, folds=2, model="network", data=str(simulated)) for run in runs)
    assert first == again
    assert torch.equal(torch.random.get_rng_state(), state), "the process keeps its own random state"
    with np.load(io.BytesIO((runs[0].folder / "network.npz").read_bytes()), allow_pickle=False) as weights:
        assert {"mask", "mean", "spread", "0.weight"} <= set(weights)
    assert "convolutional network" in cards(runs[0], "brain_mri", first)[0]
