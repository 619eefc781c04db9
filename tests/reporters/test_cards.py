"""The model card and the TRIPOD+AI checklist say what is recorded and what is stated, and nothing else."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pytest_training.evaluation.description import Description, Predictor
from pytest_training.evaluation.drawing import Drawing, Line
from pytest_training.evaluation.result import Evaluation, Subgroup
from pytest_training.evaluation.sample_size import minimum_people
from pytest_training.evaluation.tripod import items, statement_keys
from pytest_training.execution.equipment import Machine
from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Attempt, DataUsed, GateResult, Outcome, Status
from pytest_training.jobs.model import Dataset, Gate, Job
from pytest_training.records.run_record import Provenance
from pytest_training.reporters.cards.record import JobRecord
from pytest_training.reporters.cards.writing import answer, checklist, model_card, with_cards

JOB = Job(id="als", kind="function", source="training/train_als.py", home="/training", root="/")
METRICS = {"roc_auc": 0.846, "roc_auc_low": 0.786, "roc_auc_high": 0.899, "baseline_roc_auc": 0.512, "brier": 0.125}
ATTEMPT = Attempt(number=1, status=Status.PASSED, folder="jobs/als/attempt-1")
BARE = Outcome(job_id="als", kind="function", title="", status=Status.PASSED, metrics=METRICS, attempts=(ATTEMPT,))
DATA = Dataset(
    name="visits",
    real=True,
    path="visits.csv",
    license="CC BY 4.0",
    citation="Smith 1988",
    sha256="ab" * 32,
    target="died",
    title="Visits",
)
DESCRIPTION = Description(
    rows=252,
    people=126,
    classes=("well", "ill"),
    counts=(64, 188),
    columns=2,
    predictors=(
        Predictor(
            name="age", unit="years", missing=3, overall="61 (54 to 70)", by_class=("60 (50 to 70)", "63 (55 to 71)")
        ),
        Predictor(name="sex", overall="male 57%", by_class=("male 36%", "male 64%")),
    ),
    who="Patients of one clinic.",
    left_out={"no outcome": 7},
    limits=("One microphone in one room.",),
    relies_on={"age": 0.125},
    method="What is asked\nData: these.",
    preparation=("StandardScaler()",),
    model="LogisticRegression()",
)
SMOOTH = Line(points=((0.1, 0.2), (0.9, 0.8)), band=((0.1, 0.1, 0.3), (0.9, 0.7, 0.9)))
EVALUATION = Evaluation(
    question="binary",
    classes=("well", "ill"),
    rows=252,
    people=126,
    events=188,
    repeats=5,
    folds=5,
    cutoff=0.75,
    method="95 %: DeLong over people",
    metrics=METRICS,
    drawings=(
        Drawing(kind="roc", lines=(Line(points=((0.0, 0.0), (0.2, 0.7), (1.0, 1.0))),), points=((0.2, 0.7),)),
        Drawing(
            kind="calibration", lines=(Line(points=((0.1, 0.2), (0.9, 0.8)), band=((0.1, 0.1, 0.3), (0.9, 0.7, 0.9))),)
        ),
        Drawing(kind="decision", lines=(Line(label="model <b>", points=((0.1, 0.2), (0.9, 0.0))),)),
    ),
    subgroups=(Subgroup(column="sex", value="female", rows=90, people=45, events=60, metrics={"roc_auc": 0.812}),),
)
MACHINE = Machine(id="x", system="Linux", architecture="x86_64", processor="cpu", cpus=2, memory_gib=8.0)
PROVENANCE = Provenance(
    commit="c0ffee" * 6,
    branch="main",
    dirty=True,
    python="3.11.9",
    implementation="CPython",
    platform="Linux",
    machine=MACHINE,
    packages={"scikit-learn": "1.6.1"},
    environment={},
)


def bare(tmp_path: Path) -> JobRecord:
    run = RunFolder(tmp_path, "20260101-run")
    (run.path / ATTEMPT.folder / "artifacts").mkdir(parents=True, exist_ok=True)
    return JobRecord(JOB, BARE, run)


def whole(tmp_path: Path, **fields: Any) -> JobRecord:
    record = bare(tmp_path)
    (record.run.path / ATTEMPT.folder / "artifacts/model.skops").write_bytes(b"model")
    gate = GateResult(gate=Gate(metric="roc_auc", operator=">=", threshold=0.8), found=0.846, passed=True)
    outcome = replace(
        BARE,
        interval_method=EVALUATION.method,
        gates=(gate,),
        data=(DataUsed(name="visits", real=True, sha256="ab" * 32, path="visits.csv"),),
        artifacts=(f"{ATTEMPT.folder}/artifacts/model.skops",),
        parameters={"epochs": 50},
    )
    job = replace(JOB, title="ALS: who declines?")
    parts: dict[str, Any] = {"description": DESCRIPTION, "evaluations": (EVALUATION,), "provenance": PROVENANCE}
    return replace(record, **{"job": job, "outcome": outcome, "datasets": (DATA,), **parts, **fields})


def filled(record: JobRecord) -> set[str]:
    return {item.number for item in items() if answer(record, item).words}


def test_of_a_job_without_a_record_nothing_is_answered_and_every_key_is_named(tmp_path: Path) -> None:
    record = bare(tmp_path)
    text = checklist(record)
    assert filled(record) == set()
    assert "0 of 52 sub-items are answered" in text
    assert [key for key in statement_keys() if f"`card: {{{key}: …}}`" not in text] == []


@pytest.mark.parametrize("key", statement_keys())
def test_a_statement_answers_its_items_and_no_other(tmp_path: Path, key: str) -> None:
    job = replace(JOB, statements={key: "As | stated."})
    own = {item.number for item in items() if key in item.keys}
    assert filled(replace(bare(tmp_path), job=job)) == own
    of_data = replace(Dataset(name="visits", real=True), statements={key: "As | stated."})
    record = replace(bare(tmp_path), datasets=(of_data, replace(of_data, name="panel")))
    (first, *_) = own
    item = next(item for item in items() if item.number == first)
    words = answer(record, item)
    assert words.origin.endswith("stated")
    assert "visits: As \\| stated. panel: As \\| stated." in words.words
    assert "As | stated." in model_card(record) or key in {"intended_use", "limitations"}


def test_a_whole_record_answers_what_it_can(tmp_path: Path) -> None:
    numbers = filled(whole(tmp_path))
    assert numbers >= {"1", "2", "4", "5a", "6b", "7", "8a", "9b", "10", "11", "12a", "12b", "12c", "12d", "12e", "12g"}
    assert numbers >= {"15", "16", "18e", "18f", "20a", "20b", "20c", "21", "22", "23a", "23b", "26"}
    assert numbers.isdisjoint({"3a", "3b", "3c", "5b", "6a", "8b", "8c", "17", "18a", "18b", "18c", "18d", "19", "25"})


PARTS = {"description": Description(), "evaluations": (), "provenance": None, "datasets": ()}


@settings(max_examples=16)
@given(missing=st.sets(st.sampled_from(sorted(PARTS))))
def test_what_is_not_recorded_is_not_answered(tmp_path_factory: pytest.TempPathFactory, missing: set[str]) -> None:
    """Each number in an answer is one of the record, and with less record there are never more answers."""
    folder = tmp_path_factory.mktemp("record")
    record = whole(folder, **{part: PARTS[part] for part in missing})
    assert filled(record) <= filled(whole(folder))
    known = (record.job, record.outcome, record.description, record.evaluations, record.provenance, record.datasets)
    texts = [msgspec.json.encode(each).decode() for each in known]
    computed = [str(value) for value in (record.minimum or (0, {}, 0.0))[1].values()] if record.minimum else []
    texts += [*computed, "Riley et al. (2019)", f"{record.minimum.explained:.2f}" if record.minimum else ""]
    texts += ["25% 75%", "about 101 people", str(record.run.path), record.models[0][1]]
    allowed = set(re.findall(r"[0-9a-f]+", " ".join(texts)))
    for item in items():
        words = answer(record, item).words.replace(",", "")
        assert [number for number in re.findall(r"\b[0-9a-f]*\d[0-9a-f]*\b", words) if number not in allowed] == [], (
            words
        )


COUNTED = {"people_sex_female": 45.0, "events_sex_female": 60.0, "roc_auc_sex_female": 0.812}


@pytest.mark.parametrize("name", ["", "external"])
def test_lists_of_metrics_have_no_counts_of_subgroups(tmp_path: Path, name: str) -> None:
    metrics = {f"{name}_{key}" if name else key: value for key, value in {**METRICS, **COUNTED}.items()}
    record = whole(tmp_path, evaluations=(replace(EVALUATION, name=name, metrics=metrics),))
    record = replace(record, outcome=replace(record.outcome, metrics=metrics))
    for item in (item for item in items() if {"summary", "measures", "performance"} & {*item.facts}):
        assert "roc\\_auc\\_sex\\_female" in (words := answer(record, item).words)
        assert "people\\_" not in words
        assert "events\\_" not in words


def test_people_and_events_of_several_rows_are_those_of_the_evaluation(tmp_path: Path) -> None:
    evaluation = replace(EVALUATION, rows=360, people=120, events=30)
    described = replace(DESCRIPTION, rows=360, people=120, counts=(180, 180))
    record = whole(tmp_path, description=described, evaluations=(evaluation,))
    text = model_card(record)
    assert "30 of 120 people have the event in one row or more" in text
    assert "120 people for 2 candidate predictors" in text
    assert record.minimum == minimum_people(2, [90.0, 30.0])
    others = replace(record, evaluations=(replace(evaluation, rows=100, people=50),))
    assert others.minimum == minimum_people(2, [180.0, 180.0])


def test_predictors_that_are_not_named_are_counted(tmp_path: Path) -> None:
    described = replace(DESCRIPTION, columns=5000, predictors=tuple(Predictor(name=f"x{each}") for each in range(12)))
    item = next(item for item in items() if "predictors" in item.facts)
    assert "x10, x11 and 4,988 more; those of" in answer(whole(tmp_path, description=described), item).words


FILES = {
    **dict.fromkeys(("model.npz", "network.npz", "best_weights.h5", "clf.joblib", "a.skops", "b.ONNX"), True),
    **dict.fromkeys(("raw.npz", "pictures.h5", "predictions.csv", "model.csv", "model.json"), False),
}


def test_only_files_that_hold_a_model_are_the_whole_model(tmp_path: Path) -> None:
    record = whole(tmp_path)
    folder = f"{ATTEMPT.folder}/artifacts"
    for name in FILES:
        (record.run.path / folder / name).write_bytes(b"content")
    outcome = replace(record.outcome, artifacts=tuple(f"{folder}/{name}" for name in FILES))
    models = [name for name, _ in replace(record, outcome=outcome).models]
    assert models == [name for name, is_model in FILES.items() if is_model]


def test_the_card_has_what_a_reader_must_know(tmp_path: Path) -> None:
    text = model_card(whole(tmp_path))
    for words in (
        "# ALS: who declines?",
        "Intended use: not stated (`card: {intended_use: …}` of jobs.als in jobs.yaml)",
        "c0ffee",
        "with changes that are not committed",
        "| seed | 0 |",
        "| folds | 5, 5 times |",
        "scikit-learn 1.6.1",
        "License: CC BY 4.0",
        "sha256 `abab",
        "Left out: 7 rows, no outcome.",
        "Positive class: ill.",
        "| roc\\_auc | 0.846 | 0.786 to 0.899 | 0.512 |",
        "Intervals: 95 %: DeLong over people.",
        "Gates: roc\\_auc >= 0.8 held.",
        "- age: 0.125",
        "- One microphone in one room.",
        "| predictor | unit | missing | all 252 | well (64) | ill (188) |",
        "| age | years | 3 | 61 (54 to 70) | 60 (50 to 70) | 63 (55 to 71) |",
        "too few by the criteria of Riley et al. (2019)",
    ):
        assert words in text, words


def test_the_pictures_are_inside_the_card_and_are_plain_svg(tmp_path: Path) -> None:
    text = model_card(whole(tmp_path))
    pictures = re.findall(r"^!\[(.+)\]\(data:image/svg\+xml;base64,(\S+)\)$", text, flags=re.MULTILINE)
    assert [caption.partition(":")[0] for caption, _ in pictures] == ["ROC", "Calibration", "Decision curve"]
    for caption, encoded in pictures:
        content = base64.b64decode(encoded)
        picture = ET.fromstring(content)  # noqa: S314  (our own picture)
        assert picture.attrib["aria-label"] == caption.replace("\\", "")
        assert len([*picture.iter("{http://www.w3.org/2000/svg}polyline")]) > 0
        assert {name for name in re.findall(rb"var\((--\w+)\)", content) if name + b":" not in content} == set()
    assert "simulated" not in text
    used = DataUsed(name="visits", real=False, sha256=None, path="x")
    record = whole(tmp_path)
    simulated = model_card(replace(record, outcome=replace(record.outcome, data=(used,))))
    assert simulated.count("(simulated data)](data:image/svg") == 3
    assert "**The data are simulated.**" in simulated


HOSTILE = "a|b\n# c <script>alert(1)</script> `d` **e** [f](javascript:g) \x1b[31m"


def test_what_a_job_names_does_nothing_in_a_card(tmp_path: Path) -> None:
    record = whole(tmp_path)
    predictor = replace(DESCRIPTION.predictors[0], name=HOSTILE, unit=HOSTILE, by_class=(HOSTILE, ""))
    known = replace(DESCRIPTION, predictors=(predictor,), who=HOSTILE, limits=(HOSTILE,), method=HOSTILE)
    known = replace(known, relies_on={HOSTILE: 0.5}, left_out={HOSTILE: 1}, classes=("x", HOSTILE))
    outcome = replace(record.outcome, metrics={HOSTILE.replace("\n", " "): 1.0}, reason=HOSTILE)
    group = replace(EVALUATION.subgroups[0], value=HOSTILE)
    judged = replace(EVALUATION, classes=("x", HOSTILE), subgroups=(group,))
    record = replace(record, description=known, outcome=outcome, evaluations=(judged,))
    outside = re.sub(r"^(```+).*?^\1$", "", model_card(record), flags=re.MULTILINE | re.DOTALL)
    for text in (outside, checklist(record)):
        assert "\x1b" not in text
        for line in text.splitlines():
            assert not re.search(r"(?<!\\)<script|(?<!\\)\[f\]", line), line
            assert not line.startswith("# c")
        tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
        assert len(tables) > 0
        for table in tables:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_cards_are_written_beside_the_model_and_listed_and_a_file_of_the_job_stays(tmp_path: Path) -> None:
    record = whole(tmp_path)
    folder = record.run.path / ATTEMPT.folder / "artifacts"
    outcome = with_cards(record)
    assert [Path(path).name for path in outcome.artifacts] == ["model.skops", "model_card.md", "tripod_ai.md"]
    (folder / "model_card.md").write_text("mine")
    again = with_cards(replace(record, outcome=outcome))
    assert again.artifacts == outcome.artifacts
    assert (folder / "model_card.md").read_text() == "mine"


def test_a_card_that_cannot_be_written_is_a_note_of_a_job_that_keeps_its_status(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    outcome = with_cards(replace(whole(tmp_path), run=RunFolder(tmp_path / "file", "20260101-run")))
    assert outcome.status == Status.PASSED
    assert "its model card could not be written: NotADirectoryError" in outcome.notes[0]
