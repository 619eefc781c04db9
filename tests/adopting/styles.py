"""Small scripts in the styles of other people's: how each declares options, where each leaves its numbers.

Every script was written for the test. It trains `tiny.Model`; one with an option for epochs fails unless it got 2.
"""

from __future__ import annotations

import json
import textwrap
from typing import Any, NamedTuple

Sources = dict[str, tuple[float, str]]


class Style(NamedTuple):
    """A way to write a training script."""

    words: str
    """In the table of docs/adopting.md."""
    path: str
    text: str
    metrics: Sources
    """By name its value, and where it was read."""
    files: dict[str, str] = {}
    """Further files of the repository."""
    curve: str = ""
    """A metric that has a curve on the page."""
    needs: str = ""
    """A module without which it cannot run."""

    @property
    def job(self) -> str:
        """The id of its job."""
        return self.path.split("/")[0].removesuffix(".py").removesuffix(".ipynb")


TINY = """
    import math


    class Model:
        def __init__(self):
            self.epoch = 0

        def fit(self, epochs=1):
            for _ in range(epochs):
                self.epoch += 1
            return self

        @property
        def loss(self):
            return math.exp(-self.epoch / 2)
"""


LIBRARIES = {
    "transformers/__init__.py": """
        import argparse
        import dataclasses


        class HfArgumentParser(argparse.ArgumentParser):
            def __init__(self, kind):
                super().__init__()
                self.kind = kind
                for field in dataclasses.fields(kind):
                    self.add_argument(f"--{field.name}", type=type(field.default), default=field.default)

            def parse_args_into_dataclasses(self):
                return (self.kind(**vars(self.parse_args())),)
        """,
    "lightning/__init__.py": "",
    "lightning/pytorch/__init__.py": """
        class Trainer:
            def __init__(self, *, max_epochs: int | None = None, accelerator: str = "auto"):
                self.max_epochs = max_epochs
        """,
    "lightning/pytorch/cli.py": """
        import sys
        from lightning.pytorch import Trainer


        class LightningCLI:
            def __init__(self, module, trainer_defaults):
                assert sys.argv[1] == "fit"
                options = dict(argument.removeprefix("--").split("=") for argument in sys.argv[2:])
                self.trainer = Trainer(max_epochs=int(options.get("trainer.max_epochs", 0)))
        """,
}
"""They stand for libraries that are large: as much of them as the scripts use."""


def printed(words: str, name: str, body: str, metrics: dict[str, tuple[float, int]], **fields: Any) -> Style:
    """Return a script that prints its numbers; of each metric the line is stated."""
    loop = "from tiny import Model\n\nmodel = Model()\nfor epoch in range(1, 4):\n    model.fit()\n"
    text = loop + textwrap.indent(textwrap.dedent(body), "    ")
    sources = {metric: (value, f"stdout line {line}") for metric, (value, line) in metrics.items()}
    return Style(words, f"{name}/train.py", text, sources, **fields)


def written(  # noqa: PLR0917  (a table has one for each column)
    words: str, name: str, body: str, file: str, metrics: dict[str, float], more: Sources | None = None, **fields: Any
) -> Style:
    """Return a script that writes its numbers to a file in the folder that its option --output_dir names."""
    text = f"""
import argparse
import json
from pathlib import Path

from tiny import Model

parser = argparse.ArgumentParser()
parser.add_argument("--output_dir", default="out")
parser.add_argument("--num_epochs", type=int, default=5)
args = parser.parse_args()
assert args.num_epochs == 2
model = Model().fit(args.num_epochs)
file = Path(args.output_dir, {file!r})
file.parent.mkdir(parents=True, exist_ok=True)
{textwrap.dedent(body).strip()}
"""
    sources = {metric: (value, file) for metric, value in metrics.items()}
    return Style(words, f"{name}/main.py", text, sources | (more or {}), **fields)


def optioned(words: str, name: str, text: str, **fields: Any) -> Style:
    """Return a script whose options are of interest: it prints one number."""
    return Style(
        words, f"{name}/train_{name}.py", textwrap.dedent(text), {"val_loss": (0.37, "stdout line 1")}, **fields
    )


PRINTED = (
    printed(
        "`Epoch 3/3 - loss: 0.2231 - val_acc: 0.93`",
        "epochs",
        """
        print(f"Epoch {epoch}/3 - 0.1s - loss: {model.loss:.4f} - val_acc: {0.9 + epoch / 100:.2f} - lr: 1e-3")
        """,
        {"loss": (0.2231, 3), "val_acc": (0.93, 3)},
        curve="loss",
    ),
    printed(
        "`step 40: train loss 2.6592, val loss 2.6648`",
        "steps",
        """
        print(f"step {epoch * 20}: train loss {model.loss:.4f}, val loss {model.loss + 0.01:.4f}")
        print(f"iter {epoch * 20}: time 12.31ms, mfu 1.20%")
        """,
        {"train_loss": (0.2231, 5), "val_loss": (0.2331, 5)},
    ),
    printed(
        "`Test set: Average loss: 0.0044, Accuracy: 141/200 (70%)`",
        "digits",
        """
        print(f"Train Epoch: {epoch} [640/1000 (64%)]\\tLoss: {model.loss:.6f}")
        right = 138 + epoch
        print(f"\\nTest set: Average loss: {model.loss / 50:.4f}, Accuracy: {right}/200 ({right / 2:.0f}%)\\n")
        """,
        {"train_loss": (0.22313, 9), "test_average_loss": (0.0045, 11), "test_accuracy": (0.705, 11)},
    ),
    printed("`RMSE: 0.822`", "boston", 'if epoch == 3:\n    print("RMSE: 0.822")\n', {"rmse": (0.822, 1)}),
    printed(
        "Keras' bars",
        "bars",
        """
        print(f"Epoch {epoch}/3")
        for step in (1, 8):
            print(f"\\r{step}/8 ━━━━━ 0s 4ms/step - accuracy: 0.8{epoch} - loss: {model.loss:.4f}", end="")
        print(f" - val_accuracy: 0.7{epoch} - val_loss: {model.loss + 0.1:.4f}")
        """,
        {"accuracy": (0.83, 6), "loss": (0.2231, 6), "val_accuracy": (0.73, 6), "val_loss": (0.3231, 6)},
    ),
    printed(
        "tqdm's bars, on stderr",
        "tqdm",
        """
        import sys
        sys.stderr.write(f"\\rEpoch {epoch}: 100%|██████████| 8/8 [00:01<00:00,  7.05it/s, loss={model.loss:.3f}]")
        """,
        {"loss": (0.223, 1)},
    ),
    printed(
        "JSON lines",
        "jsonl",
        """
        import json
        print(json.dumps({"epoch": epoch, "eval/auc": 0.9 + epoch / 100, "lr": 0.001, "time": 1.5}))
        """,
        {"eval/auc": (0.93, 3)},
    ),
    printed(
        "the Hugging Face Trainer's `{'eval_loss': 0.4, …}`",
        "trainer",
        """
        print({"loss": round(model.loss, 4), "grad_norm": 2.1, "learning_rate": 1e-05, "epoch": float(epoch)})
        print({"eval_loss": 0.4, "eval_accuracy": 0.9 + epoch / 100, "eval_runtime": 1.2, "epoch": float(epoch)})
        """,
        {"loss": (0.2231, 5), "eval_loss": (0.4, 6), "eval_accuracy": (0.93, 6)},
    ),
    printed(
        "XGBoost's `[9]\tvalidation-auc:0.91`",
        "boosted",
        'print(f"[{epoch}]\\ttrain-auc:0.9{epoch}000\\tvalidation-auc:0.8{epoch}000")',
        {"train_auc": (0.93, 3), "validation_auc": (0.83, 3)},
    ),
    printed(
        "LightGBM's `[100]\tvalid_0's auc: 0.91`",
        "light",
        """print(f"[{epoch * 10}]\\tvalid_0's auc: 0.8{epoch}\\tvalid_0's binary_logloss: {model.loss:.6f}")""",
        {"valid_0_auc": (0.83, 3), "valid_0_binary_logloss": (0.22313, 3)},
    ),
    printed(
        "scikit-learn's classification_report",
        "report",
        """
        if epoch == 3:
            from sklearn.metrics import classification_report
            print(classification_report([0, 0, 1, 1, 1], [0, 1, 1, 1, 1]))
        """,
        {
            f"{row}_{column}": (value, line)
            for line, row, values in (
                (3, "0", (1.00, 0.50, 0.67)),
                (4, "1", (0.75, 1.00, 0.86)),
                (7, "macro_avg", (0.88, 0.75, 0.76)),
                (8, "weighted_avg", (0.85, 0.80, 0.78)),
            )
            for column, value in zip(("precision", "recall", "f1_score"), values, strict=True)
        }
        | {"accuracy": (0.80, 6)},
    ),
    printed(
        "the module logging, with times",
        "logged",
        """
        import logging
        logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.info("epoch %d val_auc=%.3f in 3.2s, version 2.1", epoch, 0.9 + epoch / 100)
        """,
        {"val_auc": (0.93, 3)},
    ),
    printed(
        "lines that a pattern in the catalogue reads",
        "pattern",
        """
        print(f"* Acc@1 {70 + epoch}.123 Acc@5 {90 + epoch}.123 [{epoch}]")
        """,
        {"acc1": (73.123, 3), "acc5": (93.123, 3)},
        files={
            "jobs.yaml": """
            jobs:
              pattern: {metrics: {stdout: "Acc@1 (?P<acc1>[0-9.]+) Acc@5 (?P<acc5>[0-9.]+)"}}
            """
        },
    ),
    printed(
        "timings, learning rates, sizes and versions: no metrics",
        "traps",
        """
        print(f"epoch {epoch}/3 took 12.3 s, ETA: 0:03:20, lr 1e-3, batch_size: 32")
        print("torch 2.6.0, 1234567 parameters, device: cuda:0, memory: 812 MiB")
        """,
        {},
    ),
)

FILES = (
    written("metrics.json", "json", 'file.write_text(\'{"auc": 0.91, "model": "rf"}\')', "metrics.json", {"auc": 0.91}),
    written(
        "metrics.csv",
        "csv",
        'file.write_text("auc,loss\\n0.8,0.5\\n0.91,0.4\\n")',
        "metrics.csv",
        {"auc": 0.91, "loss": 0.4},
    ),
    written(
        "`*_report.json`",
        "reports",
        'file.write_text(\'{"accuracy": 0.91, "macro avg": {"f1-score": 0.88, "support": 50}}\')',
        "forest_report.json",
        {"accuracy": 0.91, "macro_avg_f1_score": 0.88},
    ),
    written(
        "summary.csv",
        "summary",
        'file.write_text("epoch,train_loss,eval_top1\\n0,0.9,71.5\\n1,0.5,78.25\\n")',
        "summary.csv",
        {"train_loss": 0.5, "eval_top1": 78.25},
    ),
    written(
        "Lightning's metrics.csv, sparse rows",
        "lightning",
        """
        file.write_text("epoch,step,train_loss,val_acc\\n0,9,0.9,\\n0,9,,0.7\\n1,19,0.5,\\n1,19,,0.8\\n")
        """,
        "lightning_logs/version_0/metrics.csv",
        {"train_loss": 0.5, "val_acc": 0.8},
        curve="train_loss",
    ),
    written(
        "the Trainer's all_results.json",
        "glue",
        'file.write_text(json.dumps({"epoch": 3.0, "eval_accuracy": 0.86, "eval_runtime": 1.5, "train_loss": 0.5}))',
        "all_results.json",
        {"eval_accuracy": 0.86, "train_loss": 0.5},
    ),
    written(
        "two places that disagree",
        "twice",
        """
        file.write_text(json.dumps({"test_auc": 0.93125, "test_f1": 0.8125}))
        print("test auc: 0.91, test f1: 0.81")
        """,
        "test_results.json",
        {"test_auc@test_results.json": 0.93125, "test_f1": 0.8125},
        more={"test_auc@stdout": (0.91, "stdout line 1")},
    ),
    written(
        "the Trainer's trainer_state.json",
        "state",
        """
        file.write_text(json.dumps({"global_step": 20, "log_history": [
            {"epoch": 1.0, "step": 10, "loss": 0.9, "learning_rate": 1e-5},
            {"epoch": 2.0, "step": 20, "loss": 0.5, "learning_rate": 1e-6},
            {"epoch": 2.0, "step": 20, "eval_loss": 0.6, "eval_runtime": 1.5},
        ]}))
        """,
        "checkpoint-20/trainer_state.json",
        {"loss": 0.5, "eval_loss": 0.6},
        curve="loss",
    ),
    written(
        "Keras' CSVLogger",
        "csvlogger",
        'file.write_text("epoch,accuracy,loss,val_accuracy\\n0,0.7,0.9,0.6\\n1,0.8,0.5,0.75\\n")',
        "training.log",
        {"accuracy": 0.8, "loss": 0.5, "val_accuracy": 0.75},
    ),
    written(
        "YOLO's results.csv",
        "yolo",
        """
        file.write_text("                  epoch,         train/box_loss,   metrics/mAP50(B)\\n"
                        "                      1,                 1.2345,            0.41000\\n"
                        "                      2,                 1.1345,            0.52000\\n")
        """,
        "results.csv",
        {"train/box_loss": 1.1345, "metrics/map50_b": 0.52},
    ),
    written(
        "TensorBoard's event files",
        "tensorboard",
        """
        import struct

        def part(number, content):
            return bytes([number << 3 | 2, len(content)]) + content

        with file.open("wb") as events:
            for step in range(3):
                value = part(1, b"val/auc") + b"\\x15" + struct.pack("<f", 0.7 + step / 10)
                event = b"\\x10" + bytes([step]) + part(5, part(1, value))
                events.write(struct.pack("<QI", len(event), 0) + event + bytes(4))
        """,
        "runs/events.out.tfevents.1700000000.host",
        {"val/auc": 0.9},
        curve="val/auc",
    ),
    written(
        "MLflow's database",
        "mlflowdb",
        """
        import sqlite3
        database = sqlite3.connect(file)
        database.execute("CREATE TABLE metrics (key, value, timestamp, run_uuid, step, is_nan)")
        database.execute("CREATE TABLE runs (run_uuid, name)")
        database.execute("INSERT INTO runs VALUES ('0a1b', 'calm-fox-7')")
        rows = [("auc", 0.8 + step / 10, 1700000000000 + step, "0a1b", step, False) for step in range(2)]
        database.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
        database.commit()
        """,
        "mlflow.db",
        {"auc": 0.9},
    ),
    written(
        "MLflow's folder",
        "mlflow",
        """
        file.write_text("1700000000000 0.7 0\\n1700000001000 0.91 1\\n")
        (file.parent.parent / "meta.yaml").write_text("status: 3\\n")
        """,
        "mlruns/0/0a1b2c3d4e5f60718293a4b5c6d7e8f9/metrics/auc",
        {"auc": 0.91},
    ),
    written(
        "Weights & Biases, offline",
        "wandb",
        'file.write_text(\'{"val_acc": 0.91, "_step": 20, "_runtime": 3.5, "_timestamp": 1700000000.5}\')',
        "wandb/offline-run-20261130_120000-ab12cd34/files/wandb-summary.json",
        {"val_acc": 0.91},
    ),
    written(
        "DVCLive",
        "dvclive",
        """
        file.write_text('{"train": {"acc": 0.8}, "step": 2}')
        plot = file.parent / "plots" / "metrics" / "train" / "acc.tsv"
        plot.parent.mkdir(parents=True)
        plot.write_text("step\\tacc\\n0\\t0.6\\n1\\t0.7\\n2\\t0.8\\n")
        """,
        "dvclive/metrics.json",
        {"train/acc": 0.8},
    ),
    written(
        "JSON lines in a file",
        "records",
        """
        lines = [json.dumps({"epoch": epoch, "val_f1": 0.8 + epoch / 100}) for epoch in range(3)]
        file.write_text("\\n".join(lines))
        """,
        "log.jsonl",
        {"val_f1": 0.82},
        curve="val_f1",
    ),
)

OPTIONS = (
    optioned(
        "argparse, in a local module",
        "parsed",
        """
        from parsed_options import parse
        from tiny import Model

        args = parse()
        assert args.n_epochs == 2
        model = Model().fit(args.n_epochs)
        print(f"val_loss: {model.loss:.2f}")
        """,
        files={
            "parsed/parsed_options.py": """
            import argparse

            def parse():
                parser = argparse.ArgumentParser()
                parser.add_argument("--n_epochs", type=int, default=5)
                return parser.parse_args()
            """
        },
    ),
    optioned(
        "argparse, in a loop over literals",
        "looped",
        """
        import argparse
        from tiny import Model

        parser = argparse.ArgumentParser()
        for name, default in (("epochs", 5), ("batch_size", 32)):
            parser.add_argument(f"--{name}", type=int, default=default)
        args = parser.parse_args()
        assert args.epochs == 2
        print(f"val_loss: {Model().fit(args.epochs).loss:.2f}")
        """,
    ),
    optioned(
        "click",
        "clicked",
        """
        import click
        from tiny import Model

        @click.command()
        @click.option("--max-epochs", default=5)
        def main(max_epochs):
            assert max_epochs == 2
            print(f"val_loss: {Model().fit(max_epochs).loss:.2f}")

        main()
        """,
    ),
    optioned(
        "typer",
        "typed",
        """
        import typer
        from tiny import Model

        def main(epochs: int = 5):
            assert epochs == 2
            print(f"val_loss: {Model().fit(epochs).loss:.2f}")

        typer.run(main)
        """,
    ),
    optioned(
        "HfArgumentParser and its dataclasses",
        "hugging",
        """
        from dataclasses import dataclass, field
        from tiny import Model
        from transformers import HfArgumentParser

        @dataclass
        class Arguments:
            num_train_epochs: int = field(default=5, metadata={"help": "epochs"})
            fp16: bool = False

        (args,) = HfArgumentParser(Arguments).parse_args_into_dataclasses()
        assert args.num_train_epochs == 2
        print(f"val_loss: {Model().fit(args.num_train_epochs).loss:.2f}")
        """,
    ),
    optioned(
        "LightningCLI",
        "cli",
        """
        from lightning.pytorch.cli import LightningCLI
        from tiny import Model

        class Module:
            def __init__(self, lr: float = 0.1):
                self.lr = lr

        def main():
            cli = LightningCLI(Module, trainer_defaults={"max_epochs": 5})
            assert cli.trainer.max_epochs == 2
            print(f"val_loss: {Model().fit(cli.trainer.max_epochs).loss:.2f}")

        if __name__ == "__main__":
            main()
        """,
    ),
    optioned(
        "tyro",
        "tyro",
        """
        from dataclasses import dataclass
        import tyro
        from tiny import Model

        @dataclass
        class Args:
            num_epochs: int = 5

        args = tyro.cli(Args)
        assert args.num_epochs == 2
        print(f"val_loss: {Model().fit(args.num_epochs).loss:.2f}")
        """,
        needs="tyro",
    ),
    optioned(
        "fire",
        "fired",
        """
        import fire
        from tiny import Model

        def train(epochs=5, lr=0.1):
            assert epochs == 2
            print(f"val_loss: {Model().fit(epochs).loss:.2f}")

        if __name__ == "__main__":
            fire.Fire(train)
        """,
        needs="fire",
    ),
    optioned(
        "absl's flags",
        "flagged",
        """
        from absl import app, flags
        from tiny import Model

        FLAGS = flags.FLAGS
        flags.DEFINE_integer("train_epochs", 5, "How many.")

        def main(_):
            assert FLAGS.train_epochs == 2
            print(f"val_loss: {Model().fit(FLAGS.train_epochs).loss:.2f}")

        if __name__ == "__main__":
            app.run(main)
        """,
        needs="absl",
    ),
    optioned(
        "jsonargparse",
        "jsonned",
        """
        from jsonargparse import CLI
        from tiny import Model

        def main(max_epochs: int = 5):
            assert max_epochs == 2
            print(f"val_loss: {Model().fit(max_epochs).loss:.2f}")

        if __name__ == "__main__":
            CLI(main)
        """,
        needs="jsonargparse",
    ),
    optioned(
        "Hydra's YAML",
        "hydra",
        """
        import hydra
        from tiny import Model

        @hydra.main(version_base=None, config_path="conf", config_name="config")
        def main(cfg):
            assert cfg.trainer.max_epochs == 2
            print(f"val_loss: {Model().fit(cfg.trainer.max_epochs).loss:.2f}")

        if __name__ == "__main__":
            main()
        """,
        files={"hydra/conf/config.yaml": "trainer:\n  max_epochs: 5\nlr: 0.1\n"},
        needs="hydra",
    ),
    optioned(
        "a YAML file that an option names",
        "configured",
        """
        import argparse
        import yaml
        from tiny import Model

        parser = argparse.ArgumentParser()
        parser.add_argument("--config", default="configured/config.yaml")
        config = yaml.safe_load(open(parser.parse_args().config))
        assert config["epochs"] == 2
        print(f"val_loss: {Model().fit(config['epochs']).loss:.2f}")
        """,
        files={"configured/config.yaml": "epochs: 5\n"},
    ),
    optioned(
        "nanoGPT's `--key=value` over literals of the module",
        "literal",
        """
        from tiny import Model

        num_epochs = 5
        learning_rate = 0.1
        exec(open(__file__.replace("train_literal.py", "configurator.py")).read())
        assert num_epochs == 2
        print(f"val_loss: {Model().fit(num_epochs).loss:.2f}")
        """,
        files={
            "literal/configurator.py": """
            import sys
            from ast import literal_eval

            for argument in sys.argv[1:]:
                key, value = argument.removeprefix("--").split("=")
                assert key in globals()
                globals()[key] = literal_eval(value)
            """
        },
    ),
)
NO_OUTPUT: dict[str, Any] = {"outputs": [], "execution_count": None}
NOTEBOOK = """
from tiny import Model
assert epochs == 2
print(f"val_loss: {Model().fit(epochs).loss:.2f}")
"""
STARTS = (
    Style(
        "a module of a package",
        "forecasting/train.py",
        """
        import argparse
        from tiny import Model
        from .scores import rmse

        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--epochs", type=int, default=5)
            args = parser.parse_args()
            assert args.epochs == 2
            Model().fit(args.epochs)
            print(f"RMSE: {rmse()}")

        if __name__ == "__main__":
            main()
        """,
        {"rmse": (0.822, "stdout line 1")},
        files={"forecasting/__init__.py": "", "forecasting/scores.py": "def rmse():\n    return 0.822\n"},
    ),
    Style(
        "a file beside its data",
        "beside/train.py",
        """
        from tiny import Model

        rows = open("rows.csv").read().split()
        Model().fit()
        print(f"test accuracy: {len(rows) / 4:.2f}")
        """,
        {"test_accuracy": (0.75, "stdout line 1")},
        files={"beside/rows.csv": "1\n2\n3\n"},
    ),
    Style(
        "a notebook with a cell of parameters",
        "notebook.ipynb",
        json.dumps(
            {
                "cells": [
                    {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "epochs = 5", **NO_OUTPUT},
                    {"cell_type": "code", "metadata": {}, "source": NOTEBOOK, **NO_OUTPUT},
                ],
                "metadata": {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}},
                "nbformat": 4,
                "nbformat_minor": 4,
            }
        ),
        {"val_loss": (0.37, "stdout line 1")},
        needs="nbclient",
    ),
)
STYLES = PRINTED + FILES + OPTIONS + STARTS
