"""Tests of execution/readers/forms.py: what foreign programs leave in files, as metrics and curves."""

from __future__ import annotations

import json
import math
import os
import re
import sqlite3
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_training.execution.folder import RunFolder
from pytest_training.execution.readers import FilesReader
from pytest_training.execution.readers.declared import MetricsFileReader
from pytest_training.execution.readers.forms import FORMS, Files
from pytest_training.execution.readers.protocol import EndedAttempt
from pytest_training.jobs.kinds.protocol import Command
from pytest_training.jobs.model import Plan
from pytest_training.jobs.plan_file import save_plan

from .workplace import Workplace, planned


def varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def coded(number: int, value: bytes | float) -> bytes:
    """Return a field of a protocol buffer: a float has 32 bits here."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def event(step: int, tag: str, value: float | bytes) -> bytes:
    """Return a TensorFlow record; bytes are a tensor."""
    content = coded(2, value) if isinstance(value, float) else coded(8, value)
    summary = coded(1, coded(1, tag.encode()) + content)
    record = b"\x09" + struct.pack("<d", 1.7e9) + coded(2, step) + coded(5, summary)
    return struct.pack("<QI", len(record), 0) + record + b"\0\0\0\0"


def tensor(value: float) -> bytes:
    return coded(1, 1) + coded(2, b"") + coded(4, struct.pack("<f", value))


def wandb_file(*rows: dict[str, Any]) -> bytes:
    """Return a W&B file; its records are cut at the ends of blocks."""
    content = bytearray(b":W&B\xff\x00\x01")
    for row in rows:
        items = [coded(1, coded(1, key.encode()) + coded(16, json.dumps(value).encode())) for key, value in row.items()]
        record, is_first = coded(2, b"".join(items)), True
        while record or is_first:
            left = 32_768 - len(content) % 32_768
            if left < 7:
                content += bytes(left)
                continue
            part, record = record[: left - 7], record[left - 7 :]
            kind = (1 if not record else 2) if is_first else (3 if record else 4)
            content += struct.pack("<IHB", 0, len(part), kind) + part
            is_first = False
    return bytes(content)


def mlflow_database(*rows: tuple[str, float, int, str], **names: str) -> bytes:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE metrics (key, value, timestamp, run_uuid, step, is_nan)")
    database.execute("CREATE TABLE runs (run_uuid, name)")
    database.executemany("INSERT INTO runs VALUES (?, ?)", {(run, names.get(run)) for *_, run in rows})
    for key, value, step, run in rows:
        database.execute(
            "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", (key, value, step, run, step, math.isnan(value))
        )
    database.commit()
    return database.serialize()


RUN, OTHER_RUN = "0" * 31 + "a", "0" * 31 + "b"


class Case(NamedTuple):
    files: dict[str, str | bytes]
    metrics: dict[str, float]
    points: list[dict[str, float]] | None = None
    """None where the files have no curve."""


CASES = {
    "report of a job": Case(
        {"als_report.json": '{"auc": 0.91, "n_train": 120, "seed": 3, "fit_time": 1.2, "model": "rf", "alpha": 0.5}'},
        {"auc": 0.91},
    ),
    "report with nested metrics": Case(
        {
            "report.json": '{"params": {"max_error": 5, "lr": 0.1}, "metrics": {"test": {"auc": 0.9, "rhythm": 3.5}, '
            '"cv_scores": [0.8, 0.9]}, "data": {"error": 3}, "feature_importances": {"radius error": 0.2}}'
        },
        {"test_auc": 0.9, "test_rhythm": 3.5},
    ),
    "classification_report": Case(
        {
            "classification_report.json": '{"0": {"precision": 0.8, "support": 30}, "accuracy": 0.7, '
            '"macro avg": {"f1-score": 0.75, "support": 60.0}}'
        },
        {"0_precision": 0.8, "accuracy": 0.7, "macro_avg_f1_score": 0.75},
    ),
    "classification_report as a table": Case(
        {"report.csv": ",precision,recall,support\n0,0.8,,30\n1,0.7,,20\naccuracy,0.6,0.6,0.6\nmacro avg,0.75,,50\n"},
        {"accuracy": 0.6, "0_precision": 0.8, "1_precision": 0.7, "macro_avg_precision": 0.75},
    ),
    "results by model with numbers of rows": Case(
        {"results.csv": ",Model,AUC\n0,rf,0.9\n1,svm,0.8\n"}, {"rf_auc": 0.9, "svm_auc": 0.8}
    ),
    "times of what is appended": Case(
        {"results.jsonl": '{"time": "2024-01-01 10:00", "auc": 0.9}\n{"time": "2024-01-01 11:00", "auc": 0.8}\n'}, {}
    ),
    "card of a model": Case(
        {"model_info.json": '{"name": "rf", "trained_at": "2024-01-01", "accuracy": 0.9, "n_features": 4}'},
        {"accuracy": 0.9},
    ),
    "results by model and data": Case(
        {"scores.json": '{"bert-large": {"dataset_args": {"loss": 3}, "largest": {"auc": 0.9}}, "bert": {"auc": 0.5}}'},
        {"bert_large_largest_auc": 0.9, "bert_auc": 0.5},
    ),
    "results by model": Case(
        {"results.json": '{"rf": {"auc": 0.9, "time": 3}, "svm": {"auc": 0.8}}'}, {"rf_auc": 0.9, "svm_auc": 0.8}
    ),
    "results in a list": Case(
        {"eval/results.json": '[{"model": "rf", "auc": 0.9}, {"model": "svm", "auc": 0.8}]'},
        {"rf_auc": 0.9, "svm_auc": 0.8},
    ),
    "results in a list that says not of what": Case({"results.json": '[{"auc": 0.9}, {"auc": 0.8}]'}, {}),
    "a list of cases": Case(
        {
            f"{name}_results.json": json.dumps([{"id": f"q{number}", f"{name}_score": 0.5} for number in range(40)])
            for name in ("eval", "all", "qa")
        },
        {},
    ),
    "evals_result of XGBoost": Case(
        {"evals_result.json": '{"train": {"auc": [0.8, 0.9]}, "eval": {"auc": [0.7, 0.75]}}'},
        {"train_auc": 0.9, "eval_auc": 0.75},
        [{"epoch": 1, "train_auc": 0.8, "eval_auc": 0.7}, {"epoch": 2, "train_auc": 0.9, "eval_auc": 0.75}],
    ),
    "folds in a list": Case(
        {"cv_results.json": '[{"fold": 1, "auc": 0.9}, {"fold": 2, "auc": 0.8}]'},
        {"fold_1_auc": 0.9, "fold_2_auc": 0.8},
        [{"fold": 1, "auc": 0.9}, {"fold": 2, "auc": 0.8}],
    ),
    "history of Keras": Case(
        {"history.json": '{"loss": [0.9, 0.5], "val_accuracy": [0.6, 0.7], "lr": [0.1, 0.1]}'},
        {"loss": 0.5, "val_accuracy": 0.7},
        [{"epoch": 1, "loss": 0.9, "val_accuracy": 0.6}, {"epoch": 2, "loss": 0.5, "val_accuracy": 0.7}],
    ),
    "curve of a classifier": Case(
        {"roc_report.json": '{"fpr": [0.0, 1.0], "tpr": [0.0, 1.0], "auc": 0.9}'}, {"auc": 0.9}
    ),
    "summary.csv": Case(
        {"summary.csv": "model,auc,n_features\nrf,0.91,20\nlogistic regression,0.88,20\n"},
        {"rf_auc": 0.91, "logistic_regression_auc": 0.88},
    ),
    "summary of one whose name is like a measurement": Case(
        {"summary.csv": "model,concordance_index,n_rows\nCox sensitivity,0.67,400"}, {"concordance_index": 0.67}
    ),
    "summary of one": Case({"summary.csv": "model,AUC,time_s\nrf,0.91,3.2"}, {"auc": 0.91}),
    "names and values": Case(
        {"results.csv": "metric,value\nRMSE,0.822\nn_samples,200\nR2 score,-0.1\n"}, {"rmse": 0.822, "r2_score": -0.1}
    ),
    "series of pandas": Case({"metrics/scores.csv": ",0\naccuracy,0.5\nf1,0.25\n"}, {"accuracy": 0.5, "f1": 0.25}),
    "comma as in German": Case({"ergebnisse.csv": "Modell;AUC;Fehler\nrf;0,91;0,1\n"}, {"auc": 0.91, "fehler": 0.1}),
    "CSVLogger of Keras": Case(
        {"training.log": "epoch,accuracy,loss,val_loss\n0,0.5,0.9,1.1\n1,0.6,0.7,NA\n"},
        {"accuracy": 0.6, "loss": 0.7, "val_loss": 1.1},
        [
            {"epoch": 0, "accuracy": 0.5, "loss": 0.9, "val_loss": 1.1},
            {"epoch": 1, "accuracy": 0.6, "loss": 0.7},
        ],
    ),
    "metrics.csv of Lightning": Case(
        {
            "lightning_logs/version_0/metrics.csv": "epoch,lr-Adam,step,test_acc,train_loss_step,val_loss\n"
            "0,,49,,0.9,\n0,0.01,49,,,0.7\n1,,99,,0.5,\n1,0.01,99,,,0.6\n2,,100,0.8,,\n"
        },
        {"test_acc": 0.8, "train_loss_step": 0.5, "val_loss": 0.6},
        [
            {"epoch": 0, "step": 49, "train_loss_step": 0.9},
            {"epoch": 0, "step": 49, "val_loss": 0.7},
            {"epoch": 1, "step": 99, "train_loss_step": 0.5},
            {"epoch": 1, "step": 99, "val_loss": 0.6},
            {"epoch": 2, "step": 100, "test_acc": 0.8},
        ],
    ),
    "results.csv of YOLO": Case(
        {
            "runs/detect/train/results.csv": "   epoch,   time,  train/box_loss,   metrics/mAP50-95(B),    lr/pg0\n"
            "       1,  8.1,     1.2,     0.31,     0.0003\n       2,  16.1,     1.1,     0.35,     0.0002\n"
        },
        {"train/box_loss": 1.1, "metrics/map50_95_b": 0.35},
        [
            {"epoch": 1, "train/box_loss": 1.2, "metrics/map50_95_b": 0.31},
            {"epoch": 2, "train/box_loss": 1.1, "metrics/map50_95_b": 0.35},
        ],
    ),
    "a phase in a column": Case(
        {"log.csv": "phase,epoch,loss\ntrain,1,0.5\nval,1,0.7\nphase,epoch,loss\ntrain,2,0.4\nval,2,0.6"},
        {"train_loss": 0.4, "val_loss": 0.6},
        [
            {"epoch": 1, "train_loss": 0.5},
            {"epoch": 1, "val_loss": 0.7},
            {"epoch": 2, "train_loss": 0.4},
            {"epoch": 2, "val_loss": 0.6},
        ],
    ),
    "history of pandas": Case(
        {"history.csv": ",loss,val_loss\n0,0.9,1.0\n1,0.8,0.9\n", "losses.csv": "train_loss\n0.4\n0.3"},
        {"loss": 0.8, "val_loss": 0.9, "train_loss": 0.3},
        [{"round": 0, "loss": 0.9, "val_loss": 1.0}, {"round": 1, "loss": 0.8, "val_loss": 0.9}],
    ),
    "history without a count": Case({"loss_log.csv": "loss,acc\n0.9,50%\n0.8,70.5%\n"}, {"loss": 0.8, "acc": 0.705}),
    "metrics.csv below": Case({"eval/metrics.csv": "auc,loss\n0.8,0.5\n0.91,\n"}, {"auc": 0.91, "loss": 0.5}),
    "table that is no curve": Case({"table.csv": "radius error,mse\n0.9,0.1\n0.8,0.2\n"}, {}),
    "Hugging Face": Case(
        {
            "all_results.json": '{"epoch": 3.0, "eval_accuracy": 0.8601, "eval_runtime": 3.2, "eval_samples": 408, '
            '"eval_samples_per_second": 127.1, "eval_steps_per_second": 16, "perplexity": 12.5, "total_flos": 7e14, '
            '"train_loss": 0.31, "train_runtime": 50.1, "train_samples": 3668}'
        },
        {"eval_accuracy": 0.8601, "perplexity": 12.5, "train_loss": 0.31},
    ),
    "trainer_state.json": Case(
        {
            "checkpoint-500/trainer_state.json": '{"log_history": [{"epoch": 0.5, "loss": 9, "step": 500}]}',
            "trainer_state.json": '{"best_metric": 0.1, "epoch": 2.0, "global_step": 1000, "log_history": ['
            '{"epoch": 1.0, "grad_norm": 1.5, "learning_rate": 5e-05, "loss": 0.5, "step": 500}, '
            '{"epoch": 1.0, "eval_f1": 0.8, "eval_runtime": 1.0, "step": 500}, '
            '{"epoch": 2.0, "step": 1000, "total_flos": 1e9, "train_loss": 0.4, "train_runtime": 9.9}]}',
        },
        {"grad_norm": 1.5, "loss": 0.5, "eval_f1": 0.8, "train_loss": 0.4},
        [
            {"epoch": 1, "step": 500, "grad_norm": 1.5, "loss": 0.5},
            {"epoch": 1, "step": 500, "eval_f1": 0.8},
            {"epoch": 2, "step": 1000, "train_loss": 0.4},
        ],
    ),
    "JSON lines": Case(
        {
            "log.txt": '{"train_lr": 0.01, "train_loss": 6.9, "test_acc1": 0.2, "epoch": 0, "n_parameters": 5717416}\n'
            '{"train_lr": 0.01, "train_loss": 6.5, "test_acc1": 0.4, "epoch": 1, "n_parameters": 5717416}'
        },
        {"train_loss": 6.5, "test_acc1": 0.4},
        [{"epoch": 0, "train_loss": 6.9, "test_acc1": 0.2}, {"epoch": 1, "train_loss": 6.5, "test_acc1": 0.4}],
    ),
    "a log": Case(
        {
            "logs/train.log": "2024-01-01 10:00:00,123 - INFO - Epoch 1/2 - loss: 0.9 - val_acc: 0.5 - lr: 0.1\n\n"
            "2024-01-01 10:00:09,123 - INFO - Epoch 2/2 - loss: 0.5 - val_acc: 0.75 - lr: 0.1\n{'eval_f1': 0.25}\n",
            "results.txt": "Test accuracy: 71.5%\n",
            "notes.txt": "Test recall: 0.1\n",
        },
        {"loss": 0.5, "val_acc": 0.75, "eval_f1": 0.25, "test_accuracy": 0.715},
        [
            {"epoch": 1, "loss": 0.9, "val_acc": 0.5},
            {"epoch": 2, "loss": 0.5, "val_acc": 0.75},
            {"epoch": 2, "eval_f1": 0.25},
        ],
    ),
    "scalars of mmengine": Case(
        {
            "20240101/vis_data/scalars.json": '{"lr": 0.1, "data_time": 0.1, "loss": 1.5, "iter": 10, "memory": 7000}\n'
            '{"coco/bbox_mAP": 0.31, "step": 1}\n'
        },
        {"loss": 1.5, "coco/bbox_map": 0.31},
        [{"iteration": 10, "loss": 1.5}, {"step": 1, "coco/bbox_map": 0.31}],
    ),
    "TensorBoard": Case(
        {
            "runs/exp/events.out.tfevents.1.host.2.0": event(1, "Loss/train", 0.5)
            + event(1, "lr", 0.1)
            + event(1, "img", b"x" * 200_000)
            + event(2, "Loss/train", 0.25)
            + event(2, "Acc/val", tensor(0.75)),
            "runs/exp/loss_val/events.out.tfevents.1.host.2.1": event(2, "loss", 0.125),
            "keras/validation/events.out.tfevents.3.host.4.0.v2": event(3, "epoch_accuracy", tensor(0.5)),
        },
        {"loss/train": 0.25, "acc/val": 0.75, "loss_val": 0.125, "validation_accuracy": 0.5},
        [
            {"step": 1, "loss/train": 0.5},
            {"step": 2, "loss/train": 0.25},
            {"step": 2, "acc/val": 0.75},
            {"step": 2, "loss_val": 0.125},
            {"step": 3, "validation_accuracy": 0.5},
        ],
    ),
    "TensorBoard in a folder called train": Case(
        {"detect/train/events.out.tfevents.1.host.2.0": event(1, "metrics/mAP50(B)", 0.5)},
        {"metrics/map50_b": 0.5},
        [{"step": 1, "metrics/map50_b": 0.5}],
    ),
    "MLflow's files": Case(
        {
            f"mlruns/0/{RUN}/metrics/val/rmse": "1700000000000 0.9 0\n1700000001000 0.8 1\n",
            f"mlruns/0/{RUN}/metrics/lr": "1700000000000 0.1 0\n",
            f"mlruns/0/{RUN}/params/alpha": "0.5",
            f"mlruns/0/{RUN}/meta.yaml": "run_name: nice-fox-1",
        },
        {"val/rmse": 0.8},
        [{"step": 0, "val/rmse": 0.9}, {"step": 1, "val/rmse": 0.8}],
    ),
    "MLflow's files of two runs": Case(
        {f"mlruns/0/{run}/metrics/rmse": f"17 {value} 0\n" for run, value in ((RUN, 0.9), (OTHER_RUN, 0.8))},
        {"run_1_rmse": 0.9, "run_2_rmse": 0.8},
        [{"step": 0, "rmse": 0.9}, {"step": 0, "rmse": 0.8}],
    ),
    "MLflow's database": Case(
        {"mlflow.db": mlflow_database(("rmse", 0.9, 0, RUN), ("rmse", 0.8, 1, RUN), ("system/cpu", 3.0, 1, RUN))},
        {"rmse": 0.8},
        [{"step": 0, "rmse": 0.9}, {"step": 1, "rmse": 0.8}],
    ),
    "MLflow's database of two runs": Case(
        {
            "mlflow.db": mlflow_database(
                ("rmse", 0.9, 0, "a"), ("rmse", 0.8, 0, RUN), **{"a": "forest", RUN: "nice-fox-12"}
            )
        },
        {"forest_rmse": 0.9, "run_2_rmse": 0.8},
        [{"step": 0, "rmse": 0.9}, {"step": 0, "rmse": 0.8}],
    ),
    "W&B": Case(
        {
            "wandb/offline-run-20240101_101010-ab12/files/wandb-summary.json": '{"_runtime": 3.1, "_step": 1, '
            '"loss": 0.5, "_wandb": {"runtime": 3}, "val": {"acc": 0.7}, "img": {"_type": "image-file", "size": 3}}',
            "wandb/offline-run-20240101_101010-ab12/run-ab12.wandb": wandb_file(
                {"loss": 0.9, "_step": 0, "_runtime": 1.0},
                {"note": "x" * 40_000, "_step": 0},
                {"loss": 0.5, "val/acc": 0.7, "epoch": 1, "_step": 1},
            ),
        },
        {"loss": 0.5, "val/acc": 0.7},
        [{"step": 0, "loss": 0.9}, {"epoch": 1, "step": 1, "loss": 0.5, "val/acc": 0.7}],
    ),
    "DVCLive": Case(
        {
            "dvclive/metrics.json": '{"train": {"loss": 0.5}, "step": 1, "auc": 0.9}',
            "dvclive/plots/metrics/train/loss.tsv": "step\tloss\n0\t0.9\n1\t0.5\n",
            "dvclive/params.yaml": "lr: 0.1",
        },
        {"train/loss": 0.5, "auc": 0.9},
        [{"step": 0, "train/loss": 0.9}, {"step": 1, "train/loss": 0.5}],
    ),
    "what is no result": Case(
        {
            "config.json": '{"loss": 0.1}',
            "results/args.json": '{"max_error": 3}',
            "predictions.csv": "id,y_true,error\na,1,0.1\nb,0,0.2\n",
            "age_log.csv": "age\n50\n",
            "train.csv": "age,map,target\n50,93,1\n60,80,0\n",
            "feature_importance.csv": "feature,score\nage,0.3\n",
            "confusion_matrix_report.csv": ",acc\n0,1\n",
            "bootstrap_auc.csv": "iteration,auc\n1,0.8\n2,0.6\n",
            "permutation_scores.csv": "round,auc\n1,0.5\n",
            "requirements.txt": "torch==2.0\n",
            "notes.txt": "epoch, loss\nfirst, low\n",
            "metrics.txt.gz": b"\x1f\x8b\x08",
            "model.safetensors": b"\0" * 100,
            "tokenizer_report.json": '{"loss": 3}',
            "results.json": '{"threshold": 0.5, "best_epoch": 3, "n_errors": 3, "peak_rss_gib": 0.5, "lr": 0.1}',
        },
        {},
    ),
}


def written(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for number, (name, content) in enumerate(files.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(folder / name, (number + 10, number + 10))
    return folder


@pytest.mark.parametrize("name", CASES)
def test_the_last_values_are_metrics_and_the_rows_are_curves(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    files = Files(written(tmp_path, case.files), 2**26, beside=lambda: ())
    points = [dict(point.values) for point in files.poll()]
    metrics: dict[str, float] = {}
    for metric, (value, source, _) in files.metrics():
        assert (tmp_path / source).is_file()
        assert metrics.setdefault(metric, float(value)) == pytest.approx(float(value))
    assert metrics == pytest.approx(case.metrics)
    assert points == [*map(pytest.approx, case.points or [])]


def read(folder: Path) -> tuple[dict[str, float], list[dict[str, float]]]:
    files = Files(folder, 2**26, beside=lambda: ())
    points = [dict(point.values) for point in files.poll()]
    return {name: float(value) for name, (value, *_) in files.metrics()}, points


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if case.points and len(case.files) == 1 and "database" not in name]
)
def test_a_file_that_grows_gives_the_points_that_it_has_at_the_end(tmp_path: Path, name: str) -> None:
    ((path, content),) = CASES[name].files.items()
    content = content.encode() if isinstance(content, str) else content
    files, points = Files(tmp_path, 2**16), []
    for end in (*range(0, len(content), 61), len(content)):
        written(tmp_path, {path: content[:end]})
        files.next_search = 0
        points += [dict(point.values) for point in files.poll()]
    assert points == [*map(pytest.approx, CASES[name].points or [])][: len(points)]
    assert len(points) >= len(CASES[name].points or []) - 1  # a last line without its end is torn


def test_a_table_that_is_written_anew_with_another_column_gives_each_point_once(tmp_path: Path) -> None:
    files, points = Files(tmp_path, 2**16), []
    for content in (
        "epoch,loss\n0,0.9\n",
        "epoch,loss,val_loss\n0,0.9,\n0,,0.7\n",
        "epoch,loss,val_loss\n0,0.9,\n0,,0.7\n1,0.5,\n",
    ):
        written(tmp_path, {"log.csv": content})
        points += [dict(point.values) for point in files.poll()]
    assert points == [{"epoch": 0, "loss": 0.9}, {"epoch": 0, "val_loss": 0.7}, {"epoch": 1, "loss": 0.5}]
    assert {name: float(each.value) for name, each in files.metrics()} == {"loss": 0.5, "val_loss": 0.7}


def test_of_a_large_table_the_last_values_count_and_one_that_ended_before_them_does_not(tmp_path: Path) -> None:
    middle = "".join(f"{row},0.5,,{'x' * 9_000}\n" for row in range(150))
    written(tmp_path, {"log.csv": f"step,loss,val_loss,note\n0,0.9,0.8,\n{middle}7,0.25,,\n"})
    metrics, points = read(tmp_path)
    assert metrics == {"loss": 0.25}
    assert points[0] == {"step": 0, "loss": 0.9, "val_loss": 0.8}


@pytest.mark.parametrize("name", ["events.out.tfevents.1.h", "wandb/run-20240101_101010-ab/run-ab.wandb"])
def test_of_a_large_file_of_records_the_last_values_count(tmp_path: Path, name: str) -> None:
    if name.startswith("wandb"):
        filling = [{"_step": 2, "note": "x" * 60_000}] * 160
        content = wandb_file({"_step": 1, "auc": 0.5, "loss": 0.9}, *filling, {"_step": 3, "loss": 0.25})
    else:
        filled = event(2, "weights", b"x" * 60_000) * 160
        content = event(1, "auc", 0.5) + event(1, "loss", 0.9) + filled + event(3, "loss", 0.5) + event(4, "loss", 0.25)
    assert len(content) > 2**23
    assert read(written(tmp_path, {name: content})) == (
        {"loss": 0.25},
        [
            *(
                [{"step": 1, "auc": 0.5}, {"step": 1, "loss": 0.9}]
                if name[0] == "e"
                else [{"step": 1, "auc": 0.5, "loss": 0.9}]
            ),
            *([{"step": 3, "loss": 0.5}, {"step": 4, "loss": 0.25}] if name[0] == "e" else [{"step": 3, "loss": 0.25}]),
        ],
    )


def test_a_link_a_pipe_and_a_folder_in_place_of_a_file_are_not_read(tmp_path: Path) -> None:
    written(tmp_path, {"outside/report.json": '{"auc": 0.9}'})
    folder = written(tmp_path / "job", {"x": ""})
    (folder / "report.json").symlink_to(tmp_path / "outside" / "report.json")
    (folder / "eval").symlink_to(tmp_path / "outside")
    os.mkfifo(folder / "results.json")
    (folder / "metrics.csv").mkdir()
    assert read(folder) == ({}, [])
    assert read(tmp_path / "missing") == ({}, [])


NAMES = sorted({name for case in CASES.values() for name in case.files})
CONTENTS = [
    content.encode() if isinstance(content, str) else content
    for case in CASES.values()
    for content in case.files.values()
]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(NAMES), st.binary(max_size=60), st.sampled_from(CONTENTS), st.integers(0, 200))
def test_no_content_raises(tmp_path: Path, name: str, content: bytes, known: bytes, at: int) -> None:
    for each in (content, known[:at] + content + known[at:], known):
        written(tmp_path, {name: each})
        for value in read(tmp_path)[0].values():
            assert isinstance(value, float)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"a":' * 10_000,
        '{"auc": ' + "1" * 5_000 + "}",
        '{"auc": 1e99999999999999999999}',
        '{"loss": NaN, "auc": "0.9", "acc": Infinity}',
        ',"' * 50_000,
        "epoch,loss\n" + "1" * 200_000,
        "epoch,loss\n1,1e400\n",
        "\0" * 1000,
        '{"' + "score_" * 50_000 + 'x": {"auc": 1}}',
        json.dumps({f"auc_{number}": number for number in range(5_000)}),
        ",".join(f"auc_{number}" for number in range(5_000)) + "\n" + ",".join(["1"] * 5_000),
    ],
)
@pytest.mark.parametrize(
    "name", ["report.json", "log.jsonl", "log.csv", "train.log", f"mlruns/0/{RUN}/metrics/a", "mlflow.db"]
)
def test_content_that_nobody_writes_raises_nothing(tmp_path: Path, name: str, content: str) -> None:
    read(written(tmp_path, {name: content}))


def test_each_form_has_a_case() -> None:
    matching = {next((form.pattern for form in FORMS if re.search(form.pattern, name)), "") for name in NAMES}
    assert {form.pattern for form in FORMS} <= matching


# beside the job's folder


def read_beside(
    workplace: Workplace, text: str, files: dict[str, str], other: str = "", ended_s: float = 0
) -> set[str]:
    """Return the sources of a script's metrics; another script has run meanwhile, or has ended long before."""
    job, *others = (workplace.script(each) for each in filter(None, (text, other)))
    job, *others = (msgspec.structs.replace(each, files=(str(each.path),)) for each in (job, *others))
    run = RunFolder(workplace.root / "reports", "run")
    for each in (job, *others):
        run.job(each.id).attempt(1).create()
    for each in others if ended_s else ():
        written(run.job(each.id).path, {"outcome.json": ""})
        os.utime(run.job(each.id).outcome, (ended_s, ended_s))
    save_plan(Plan(run_id="run", seed=0, workers=1, threads=1, jobs=(planned(job), *map(planned, others))), run.plan)
    written(workplace.root, files)
    for name in files:
        os.utime(workplace.root / name)
    attempt = EndedAttempt(job, run.job(job.id).attempt(1), time.time() - 60, Command(argv=("python",)))
    following = FilesReader().follow(attempt)
    assert len([*following.poll()]) == 0
    declared = MetricsFileReader().read(attempt) or {}
    return {each.source for each in declared.values()} | {each.source for _, each in following.metrics()}


REPORT = {"metrics.json": '{"r2": 0.5}', "results/rf_report.json": '{"auc": 0.9}', "data/x_report.json": '{"auc": 0.8}'}


@pytest.mark.parametrize(
    ("text", "other", "ended_s", "sources"),
    [
        ('OUT = "results"', "", 0, {"results/rf_report.json"}),
        ('open(f"{out}/{name}_report.json", "w")', "", 0, {"results/rf_report.json", "data/x_report.json"}),
        ('open("./results/rf_report.json", "w")', "print()", 0, {"results/rf_report.json"}),
        ("# no result of a report", "", 0, set()),
        ('OUT = "results"', 'OUT = "results"', 0, set()),
        ('OUT = "results/rf_report.json"', 'OUT = "results"', 0, {"results/rf_report.json"}),
        ('OUT = "results"', 'OUT = "results/rf_report.json"', 0, set()),
        ("metrics.json", "", 0, {"metrics.json"}),
        ("metrics.json", "metrics.json", 0, set()),
        ("metrics.json", "metrics.json", 1000.0, {"metrics.json"}),
        ('OUT = "results"', 'OUT = "results"', 1000.0, {"results/rf_report.json"}),
    ],
)
def test_files_in_the_working_directory_count_if_only_this_jobs_code_names_them(
    workplace: Workplace, text: str, other: str, ended_s: float, sources: set[str]
) -> None:
    assert read_beside(workplace, text, REPORT, other, ended_s) == sources
