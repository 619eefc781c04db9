"""What programs print, in the manner of a hundred and sixty of them, and the metrics that are read from it."""

from __future__ import annotations

import math
import pprint
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_training.errors import ResultError
from pytest_training.execution.folder import AttemptFolder
from pytest_training.execution.readers import PrintedReader
from pytest_training.execution.readers.declared import MetricsFileReader
from pytest_training.execution.readers.printed import MOST_BYTES, Printed
from pytest_training.execution.readers.protocol import EndedAttempt, Measured, Point, RunningAttempt
from pytest_training.jobs.kinds.protocol import Command
from pytest_training.jobs.model import Job, MetricsFile

from .workplace import Workplace

CORPUS = Path(__file__).parent / "corpus"
SIGNS = str.maketrans({"␛": "\x1b", "␍": "\r", "␈": "\b"})


def snippets(name: str) -> Iterator[tuple[str, list[str], dict[str, float]]]:
    """Yield title, lines and metrics of each snippet."""
    for snippet in (CORPUS / name).read_text(encoding="utf-8").split("\n## ")[1:]:
        title, *lines = snippet.split("\n")
        last = max(number for number, line in enumerate(lines) if line.startswith("=> "))
        pairs = [] if lines[last] == "=> none" else [pair.split(" ") for pair in lines[last][3:].split(", ")]
        yield title, [line.translate(SIGNS) for line in lines[:last]], {name: float(value) for name, value in pairs}


def read(lines: list[str]) -> dict[str, float]:
    """Return the final metrics of a log."""
    printed = Printed()
    for line in lines:
        printed.feed(line)
    return {name: float(value) for name, (value, _) in printed.finals.items() if math.isfinite(value)}


NAMES = ("printed.txt", "printed_held_back.txt")


def test_there_are_many_snippets_and_traps_among_them() -> None:
    expected = [metrics for name in NAMES for _, _, metrics in snippets(name)]
    assert len(expected) >= 150
    assert expected.count({}) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_no_metric_is_wrong_and_none_is_missing(name: str) -> None:
    wrong, missing = [], []
    for title, lines, expected in snippets(name):
        metrics = read(lines)
        wrong += [
            f"{title}: {name} {value}" for name, value in metrics.items() if expected.get(name) != pytest.approx(value)
        ]
        missing += [f"{title}: {name} {value}" for name, value in expected.items() if name not in metrics]
    assert wrong == []
    assert missing == []


def test_a_number_keeps_its_digits_and_a_share_is_exact() -> None:
    printed = Printed()
    printed.feed("Accuracy: 141/200 (70%), F1: 70%, loss: 0.410")
    assert printed.finals == {"accuracy": (0.705, 1), "f1": (Decimal("0.70"), 1), "loss": (Decimal("0.410"), 1)}
    assert str(printed.finals["loss"][0]) == "0.410"


def test_a_metric_that_ends_as_nan_has_no_number_from_before() -> None:
    assert read(["loss: 0.4", "loss: nan"]) == {}


MODELS = [
    "Random Forest",
    "SVM",
    "Naive Bayes",
    "LDA",
    "RF",
    "Old rule",
    "Proposed method",
    "Model A",
    "Neural Network",
]
MODELS += ["Support Vector Machine", "Ensemble", "Linear Regression", "PLS"]
STYLES = ["{}", "{}:", "=== {} ===", "-- {} --", "[{}]", "{}...", "2. {}", "3) {}", "[2/3] Training {}...", "Model: {}"]
STYLES += ["Results of {}:", "** {} **"]


@given(
    st.lists(st.sampled_from(MODELS), min_size=2, max_size=6, unique=True),
    st.sampled_from(STYLES),
    st.lists(st.sampled_from(["accuracy", "f1", "roc_auc"]), min_size=1, unique=True),
    st.sampled_from([[], [""], ["Confusion matrix:", "[[3 1]", " [0 4]]"], ["Model saved to best.pkl"], ["-" * 20]]),
)
@settings(max_examples=60, deadline=None)
def test_each_number_has_the_name_of_the_model_whose_title_stands_above_it(
    models: list[str], style: str, metrics: list[str], between: list[str]
) -> None:
    lines, expected = [], {}
    for number, model in enumerate(models):
        lines += [style.format(model), *between]
        for metric in metrics:
            lines.append(f"{metric}: {0.9 - number / 100:.2f}")
            expected[f"{'_'.join(model.lower().split())}_{metric}"] = 0.9 - number / 100
    assert read(lines) == pytest.approx(expected)


@given(
    st.dictionaries(
        st.sampled_from(["train", "test", "svm", "Random Forest", "macro avg", "params"]),
        st.dictionaries(st.sampled_from(["accuracy", "f1", "roc_auc", "score"]), st.integers(1, 999), min_size=1),
        min_size=2,
    ),
    st.integers(1, 100),
)
@settings(max_examples=60, deadline=None)
def test_pprint_of_a_nested_dict_names_each_number_by_the_keys_above_it(
    document: dict[str, dict[str, int]], width: int
) -> None:
    shares = {key: {name: value / 1000 for name, value in below.items()} for key, below in document.items()}
    expected = {
        f"{key.lower().replace(' ', '_')}_{name}": value
        for key, below in shares.items()
        for name, value in below.items()
        if key != "params"
    }
    assert read(pprint.pformat(shares, width=width).splitlines()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ("Accuracy: 0.8/An introduction to what follows in this log:/Accuracy: 0.7/F1: 0.5", {"accuracy"}),
        ("K = 3/Accuracy: 0.8/K = 5/Accuracy: 0.7", set()),
        ("SVM (C=1) RMSE: 0.8/SVM (C=9) RMSE: 0.7", {"svm_rmse"}),
        ("[one] F1: 0.8/[two] F1: 0.7/[one] F1: 0.6", {"one_f1"}),
        ("主成分数=4:/MSE: 0.8/主成分数=8:/MSE: 0.7", {"mse"}),
        ("SVM/RMSE: 0.8/Lasso/RMSE: 0.7/SVM/RMSE: 0.6", {"svm_rmse"}),
        ("K = 3/Accuracy: 0.8/K = 5/Accuracy: 0.8", set()),
        ("loss: 0.3/Epoch 2/Now we go on with it:/loss: 0.2", set()),
        ("loss: 0.3/loss: 0.2", set()),
        ("loss: 0.3/F1: 0.5/loss: 0.2/F1: 0.6", set()),
        ("F1: 0.3/F1: 0.4/F1: 0.5", set()),
        ("Accuracy (k=1): 0.8/Accuracy (k=3): 0.9/Accuracy (k=15): 0.6", {"accuracy"}),
        ("Accuracy at threshold 0.3: 0.7/Accuracy at threshold 0.9: 0.5", {"accuracy"}),
        ("Seed 1 - accuracy: 0.9/Seed 2 - accuracy: 0.7", {"accuracy"}),
        ("F1: 0.5/AUC: 0.7/F1: 0.6/AUC: 0.8", {"f1", "auc"}),
        ("train data/F1: 0.5/AUC: 0.7/F1: 0.6/AUC: 0.7/F1: 0.8/AUC: 0.8", {"f1", "auc"}),
    ],
)
def test_names_that_stand_below_several_titles_are_remembered(lines: str, names: set[str]) -> None:
    printed = Printed()
    for line in lines.split("/"):
        printed.feed(line)
    assert printed.titles.replaced == names


WORDS = """loss val_acc accuracy: = : is ( ) [ ] { } | , ; % / - + . e-3 0.5 12 1,234 0,5 nan (0.4) 3/4 141/200 Epoch
test train ----- === precision recall support macro avg tensor( np.float64( ' " 100%|███| ± ² ٣ 12:30:01 [9] 1e999
2024-01-02 INFO a.py:3 @0.5:0.95 IoU=0.50:0.95 fold_2 ->"""
PIECES = st.sampled_from([*WORDS.split(), "\x1b[1m", "\r", "\b", "\t", "  ", "\ud800"])


@given(st.lists(st.lists(PIECES, max_size=12).map(" ".join) | st.lists(PIECES, max_size=12).map("".join), max_size=6))
@settings(max_examples=150, deadline=None)
def test_no_text_makes_it_raise(lines: list[str]) -> None:
    printed = Printed()
    for line in lines:
        printed.feed(line)
    assert all(name.strip() and line <= len(lines) for name, (_, line) in printed.finals.items())


@pytest.mark.parametrize(
    "piece",
    [" ", "1", "(", "=", "1,", "A(", "1:1", "a.b", "1.5 ", "\t|", "-", "loss ", "test ", "loss, ", "f1/", "0.5, "],
)
def test_no_line_takes_long(piece: str) -> None:
    line = piece * (4000 // len(piece))
    begin = time.process_time()
    Printed().feed("loss: 0.5 " + line[:3900] + "1")
    assert time.process_time() - begin < 0.5  # it takes 10 ms at most


@pytest.fixture
def job(workplace: Workplace) -> Job:
    return workplace.script("")


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    folder = AttemptFolder(tmp_path / "attempt-1")
    folder.create()
    return folder


def ended(job: Job, folder: AttemptFolder) -> EndedAttempt:
    return EndedAttempt(job, folder, 0.0, Command(argv=()))


def test_a_log_is_followed_by_whole_lines_while_it_grows(job: Job, folder: AttemptFolder) -> None:
    following = PrintedReader().follow(RunningAttempt(job, folder, 0.0))
    assert [*following.poll()] == []
    points: list[Point] = []
    with folder.log.open("w", buffering=1) as log:
        for piece in ("Epoch 1/4\nloss: 0.", "5\n", "Epoch 2/4 - val_loss: 0.4", "1\r", "\nloss: 0.3"):
            log.write(piece)
            log.flush()
            points += following.poll()
    assert points == [
        Point("stdout", {"epoch": 1.0}, (1.0, 4.0)),
        Point("stdout", {"epoch": 1.0, "loss": 0.5}),
        Point("stdout", {"epoch": 2.0, "val_loss": 0.41}, (2.0, 4.0)),
        Point("stdout", {"epoch": 2.0, "val_loss": 0.41}, (2.0, 4.0)),
    ]
    assert dict(following.metrics())["loss"] == Measured(Decimal("0.5"), "stdout line 2")


def test_of_a_long_log_head_and_tail_are_read_and_no_torn_line(job: Job, folder: AttemptFolder) -> None:
    line = "." * 5000 + " loss of 0.5\n"
    lines = 2 * MOST_BYTES // len(line)
    folder.log.write_text("first loss: 0.9\n" + lines * line + "loss of 0.5\nval_auc: 0.91")
    following = PrintedReader().follow(ended(job, folder))
    assert [dict(point.values) for point in following.poll()] == [{"first_loss": 0.9}, {"loss": 0.5}, {"val_auc": 0.91}]
    assert dict(following.metrics())["val_auc"] == Measured(Decimal("0.91"), f"stdout line {lines + 3}")


@pytest.mark.parametrize("end", ["", "\n", "\nval_auc: 0.9\n"], ids=len)
def test_the_last_state_of_a_very_long_progress_bar_counts(job: Job, folder: AttemptFolder, end: str) -> None:
    states = "".join(f"\rloss: 0.{number % 9 + 1}: 10%|#  | 1/10 [{' ' * 5000}" for number in range(MOST_BYTES // 2500))
    folder.log.write_text(f"first{states}\rloss: 0.25{end}")
    following = PrintedReader().follow(ended(job, folder))
    list(following.poll())
    assert dict(following.metrics())["loss"] == Measured(Decimal("0.25"), "stdout line 1")
    assert dict(following.metrics()).get("val_auc") == (
        Measured(Decimal("0.9"), "stdout line 2") if "auc" in end else None
    )


@pytest.mark.parametrize(
    ("middle", "pattern", "names"),
    [
        ("nothing", "", {"accuracy", "test_r2", "loss"}),
        ("Accuracy: 0.9", "", {"test_r2", "loss"}),
        ("R^2 = 0.8 and accuracy 0.9", "", {"loss"}),
        ("nothing", r"accuracy: (?P<score>\S+)", set()),
    ],
)
def test_a_number_that_may_have_changed_in_an_unread_part_of_a_long_log_is_not_the_last(
    job: Job, folder: AttemptFolder, middle: str, pattern: str, names: set[str]
) -> None:
    line = "." * 5000 + "\n"
    part = line * (MOST_BYTES // len(line) // 2)
    folder.log.write_text(f"accuracy: 0.5\ntest R2: 0.4\n{part}\n{middle}\n{part * 3}loss: 0.3\n")
    job = msgspec.structs.replace(job, metrics=MetricsFile(stdout=pattern) if pattern else None)
    following = PrintedReader().follow(ended(job, folder))
    list(following.poll())
    assert {name for name, _ in following.metrics()} == names


PATTERN = r"round (?P<round>\d+).* AUC (?P<auc>[.0-9]+)%?(?: F1 (?P<f1>\S+))?"


def test_a_pattern_of_the_catalogue_overrides(job: Job, folder: AttemptFolder) -> None:
    job = msgspec.structs.replace(job, metrics=MetricsFile(stdout=PATTERN))
    folder.log.write_text("loss: 0.4\nround 1 AUC 80.5% F1 0.7\nround 2 \x1b[1mAUC\x1b[0m 90.5%\n")
    assert MetricsFileReader().read(ended(job, folder)) == {
        "auc": Measured(Decimal("0.905"), "stdout line 3"),
        "f1": Measured(Decimal("0.7"), "stdout line 2"),
    }
    points = PrintedReader().follow(ended(job, folder)).poll()
    assert [dict(point.values) for point in points] == [
        {"round": 1, "auc": 0.805, "f1": 0.7},
        {"round": 2, "auc": 0.905},
    ]


def test_a_pattern_that_no_line_matches_fails_the_job(job: Job, folder: AttemptFolder) -> None:
    job = msgspec.structs.replace(job, metrics=MetricsFile(stdout=PATTERN))
    folder.log.write_text("loss: 0.4\n")
    with pytest.raises(ResultError, match="printed no line with numbers that matches"):
        MetricsFileReader().read(ended(job, folder))
