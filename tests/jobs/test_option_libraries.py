"""Options of every library that declares them: read without running, and set as its real parser takes them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from pytest_training.jobs.kinds.script.kind import ScriptKind
from pytest_training.jobs.model import Job
from pytest_training.planning.parameters import apply_options, fill_seeds

from .project import Project, message

HF = """
from dataclasses import dataclass, field
from typing import List, Literal, Optional
from transformers import HfArgumentParser
@dataclass
class ModelArguments:
    model: str = field(metadata={"help": "which"})
    cache_dir: Optional[str] = field(default=None)
    kind: Literal["a", "b"] = "a"
@dataclass
class TrainingArguments:
    output_dir: str = "out"
    num_train_epochs: float = field(default=3.0)
    learning_rate: float = 5e-5
    fp16: bool = False
    pin: bool = field(default=True)
    sizes: List[int] = field(default_factory=lambda: [1, 2])
parser = HfArgumentParser((ModelArguments, TrainingArguments))
if __name__ == "__main__":
    for part in parser.parse_args_into_dataclasses():
        SEEN.update(vars(part))
"""
TYRO = """
from dataclasses import dataclass, field
from typing import Optional
import tyro
@dataclass
class Optimizer:
    lr: float = 0.1
    nesterov: bool = False
@dataclass
class Base:
    seed: int = 0
@dataclass
class Config(Base):
    num_epochs: int = 3
    name: str = "a"
    sizes: tuple[int, ...] = (1, 2)
    optimizer: Optimizer = field(default_factory=lambda: Optimizer(lr=0.2))
    use_ema: bool = True
    note: Optional[str] = None
config = tyro.cli(Config)
SEEN.update(vars(config) | {f"optimizer.{name}": value for name, value in vars(config.optimizer).items()})
"""
FIRE = """
import fire
def main(data, epochs=3, lr: float = 0.1, amp=False, name="a", sizes=[1]):
    SEEN.update(locals())
if __name__ == "__main__":
    fire.Fire(main)
"""
FIRE_CLASS = """
import fire
class Trainer:
    def __init__(self, lr=0.1):
        self.lr = lr
    def train(self, epochs=3):
        SEEN.update(lr=self.lr, epochs=epochs)
    def evaluate(self, split="test"): ...
    def _hidden(self): ...
if __name__ == "__main__":
    fire.Fire(Trainer)
"""
FIRE_DICT = """
import fire
def fit(epochs=3):
    SEEN.update(epochs=epochs)
def check(path="x"): ...
fire.Fire({"fit": fit, "check": check})
"""
ABSL = """
import sys
from absl import flags
FLAGS = flags.FlagValues()
flags.DEFINE_integer("epochs", 3, "n", flag_values=FLAGS)
flags.DEFINE_float("lr", 0.1, "n", flag_values=FLAGS)
flags.DEFINE_bool("amp", True, "n", flag_values=FLAGS)
flags.DEFINE_string("data", None, "n", flag_values=FLAGS, required=True)
flags.DEFINE_enum("opt", "sgd", ["sgd", "adam"], "n", flag_values=FLAGS)
flags.DEFINE_list("tags", ["a", "b"], "n", flag_values=FLAGS)
flags.DEFINE_multi_integer("sizes", [1, 2], "n", flag_values=FLAGS)
assert FLAGS(sys.argv) == ["train_x.py"]
SEEN.update((name, FLAGS[name].value) for name in ("epochs", "lr", "amp", "data", "opt", "tags", "sizes"))
"""
JSONARGPARSE = """
from dataclasses import dataclass
from jsonargparse import CLI
@dataclass
class Optim:
    lr: float = 0.1
    amp: bool = False
def main(data: str, optim: Optim = Optim(lr=0.3), epochs: int = 3, sizes: list[int] = [1]):
    SEEN.update(data=data, lr=optim.lr, amp=optim.amp, epochs=epochs, sizes=sizes)
if __name__ == "__main__":
    CLI(main)
"""
JSONARGPARSE_CLASS = """
from jsonargparse import auto_cli
class Trainer:
    def __init__(self, lr: float = 0.1):
        self.lr = lr
    def fit(self, epochs: int = 3):
        SEEN.update(lr=self.lr, epochs=epochs)
    def test(self, epochs: int = 1): ...
if __name__ == "__main__":
    auto_cli(Trainer)
"""
LOOP = """
import argparse
DEFAULTS = {"lr": 0.1, "epochs": 3, "name": "a"}
parser = argparse.ArgumentParser()
for name, default in DEFAULTS.items():
    parser.add_argument(f"--{name}", type=type(default), default=default)
for name, kind, default in [("batch_size", int, 8), ("weight_decay", float, None)]:
    parser.add_argument("--" + name.replace("_", "-"), type=kind, default=default)
COMMON = {"type": int, "default": 5}
for name in ("--depth", "--width"):
    parser.add_argument(name, **COMMON)
for name, keywords in {"seed": dict(type=int, default=1), "amp": {"action": "store_true"}}.items():
    parser.add_argument("--" + name, **keywords)
for flag in ["--a", "--b"]:
    parser.add_argument(flag, action="store_true")
for group in ("train", "val"):
    for what in ("path", "size"):
        parser.add_argument(f"--{group}-{what}", default="x")
add = parser.add_argument
add("--short", type=int, default=6)
for words in {"x": ("--y", "--z")}.values():
    add(*words, type=int, default=7)
for other in SEEN or []:
    parser.add_argument(f"--{other}")
SEEN.update(vars(parser.parse_args()))
"""
HYDRA = """
import hydra
@hydra.main(version_base=None, config_path="../conf", config_name="config")
def main(cfg):
    SEEN.update(epochs=cfg.epochs, lr=cfg.model.lr, name=cfg.model.name, note=cfg.note, drop=cfg.model.get("drop"))
    SEEN.update(sizes=list(cfg.sizes), top=cfg.top)
if __name__ == "__main__":
    main()
"""
CONF = {
    "conf/config.yaml": "defaults:\n  - model: net\n  - extra\n  - _self_\nepochs: 3\nsizes: [1, 2]\nnote: null\n"
    "title: run-${epochs}\nmodel:\n  name: ???\n",
    "conf/extra.yaml": "# @package _global_\ntop: 1\n",
    "conf/model/net.yaml": "lr: 1e-3\nname: net\n",
    "conf/model/tiny.yaml": "lr: 0.1\nname: tiny\nsize: ???\n",
    "conf/model/big.yaml": "lr: 0.5\nname: big\ndrop: 0.1\n",
}
STRUCTURED = """
from dataclasses import dataclass, field
import hydra
from hydra.core.config_store import ConfigStore
@dataclass
class Model:
    lr: float = 0.1
@dataclass
class Config:
    epochs: int = 3
    model: Model = field(default_factory=Model)
ConfigStore.instance().store(name="structured", node=Config)
@hydra.main(version_base=None, config_path=None, config_name="structured")
def main(cfg):
    SEEN.update(epochs=cfg.epochs, lr=cfg.model.lr)
if __name__ == "__main__":
    main()
"""
NANO = """
out_dir = "out"
epochs = 3
learning_rate = 6e-4
compile = True
_hidden = 1
dtype = "a" if epochs else "b"
def later_on():
    inner = 3
exec(open("configurator.py").read())
later = 5
SEEN.update(out_dir=out_dir, epochs=epochs, learning_rate=learning_rate, compile=compile, dtype=dtype)
"""
CONFIGURATOR = """
import sys
from ast import literal_eval
for word in sys.argv[1:]:
    key, value = word.removeprefix("--").split("=")
    try:
        value = literal_eval(value)
    except (SyntaxError, ValueError):
        pass
    assert type(value) is type(globals()[key]), word
    globals()[key] = value
"""
YAML = """
import argparse, yaml
parser = argparse.ArgumentParser()
parser.add_argument("-c", "--config", default="configs/base.yaml")
parser.add_argument("--gpu", type=int, default=0)
options = parser.parse_args()
SEEN.update(gpu=options.gpu, **yaml.safe_load(open(options.config)))
"""
OPTPARSE = """
from optparse import OptionParser
parser = OptionParser()
parser.add_option("-e", "--epochs", type="int", default=3, help="rounds")
parser.add_option("--lr", dest="rate", type=float, default=0.1)
parser.add_option("--name", type="string", default="a")
parser.add_option("--quick", action="store_true", default=False)
parser.add_option("--bs", type="choice", choices=["1", "2"], default="1")
options, words = parser.parse_args()
SEEN.update(vars(options))
"""
BASE = "name: base\ntrain:\n  num_epochs: 3\n  optimizer: {lr: 0.1, betas: [0.9, 0.99]}\n"
INSTALLED = {
    "transformers/__init__.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
    "    from .training_args import TrainingArguments\n    from .hf_argparser import HfArgumentParser\n"
    "raise SystemExit\n",
    "transformers/training_args.py": "from dataclasses import dataclass, field\n"
    "from typing import Optional\n@dataclass\nclass TrainingArguments:\n"
    "    output_dir: Optional[str] = field(default=None)\n"
    "    num_train_epochs: float = field(default=3.0)\n    seed: int = field(default=42)\n"
    "    _n_gpu: int = field(init=False, default=1)\n",
    "transformers/hf_argparser.py": "class HfArgumentParser: ...\n",
    **dict.fromkeys(("lightning/__init__.py", "pytorch_lightning/__init__.py"), "raise SystemExit\n"),
    "lightning/pytorch/__init__.py": "from lightning.pytorch.trainer import Trainer\n",
    "lightning/pytorch/cli.py": "from lightning.pytorch import Trainer\nclass LightningCLI: ...\n",
    "lightning/pytorch/trainer/__init__.py": "from lightning.pytorch.trainer.trainer import Trainer\n",
    "lightning/pytorch/trainer/trainer.py": "class Trainer:\n    def __init__(self, *, max_epochs: int | None = None,\n"
    "        default_root_dir: str | None = None, deterministic: bool = False) -> None: ...\n",
}
TRAINING_ARGUMENTS = """
from dataclasses import dataclass
from transformers import HfArgumentParser, TrainingArguments
@dataclass
class Mine(TrainingArguments):
    rank: int = 8
(arguments,) = HfArgumentParser(Mine).parse_args_into_dataclasses()
"""
LIGHTNING = """
from lightning.pytorch.cli import LightningCLI
class Model:
    def __init__(self, lr: float = 0.1, width: int = 8): ...
class Data:
    def __init__(self, batch_size: int = 4): ...
class CLI(LightningCLI): ...
if __name__ == "__main__":
    CLI(Model, datamodule_class=Data, trainer_defaults={"max_epochs": 3})
"""
SET_IN_INSTALLED: list[tuple[str, list[str], list[str]]] = [
    (
        TRAINING_ARGUMENTS,
        ["x.epochs=2", "x.rank=4"],
        ["--num_train_epochs", "2.0", "--seed", "7", "--rank", "4", "--output_dir", "FOLDER"],
    ),
    (
        LIGHTNING,
        ["x.epochs=2", "x.lr=0.5", "x.data.batch_size=2", "x.trainer.deterministic=true"],
        [
            *("fit", "--seed_everything=7", "--model.lr=0.5", "--data.batch_size=2", "--trainer.max_epochs=2"),
            *("--trainer.deterministic=True", "--trainer.default_root_dir=FOLDER"),
        ],
    ),
    (
        LIGHTNING.replace("(Model,", "(Model, run=False,").replace("lightning.pytorch.cli", "pytorch_lightning.cli"),
        ["x.model.width=9"],
        ["--seed_everything=7", "--model.width=9"],
    ),
]
CASES: dict[str, tuple[str, str, dict[str, str], dict[str, Any]]] = {
    "optparse": (
        "optparse",
        OPTPARSE,
        {"epochs": "5", "lr": "0.5", "name": "-x", "quick": "true", "bs": "2"},
        {"epochs": 5, "rate": 0.5, "name": "-x", "quick": True, "bs": "2"},
    ),
    "HfArgumentParser": (
        "transformers",
        HF,
        {"epochs": "5", "lr": "1e-5", "model": "-x", "fp16": "true", "pin": "false", "sizes": "[3, 4]", "kind": "b"},
        {
            "num_train_epochs": 5.0,
            "learning_rate": 1e-5,
            "model": "-x",
            "fp16": True,
            "pin": False,
            "kind": "b",
            "sizes": [3, 4],
        },
    ),
    "tyro": (
        "tyro",
        TYRO,
        {
            "epochs": "5",
            "optimizer.lr": "0.5",
            "optimizer_nesterov": "true",
            "use_ema": "false",
            "seed": "7",
            "sizes": "[3, 4, 5]",
            "name": "-b",
        },
        {
            "num_epochs": 5,
            "optimizer.lr": 0.5,
            "optimizer.nesterov": True,
            "use_ema": False,
            "seed": 7,
            "sizes": (3, 4, 5),
            "name": "-b",
        },
    ),
    "fire": (
        "fire",
        FIRE,
        {"data": "mnist", "epochs": "5", "lr": "1e-5", "amp": "true", "name": "b c", "sizes": "[1, 2]"},
        {"data": "mnist", "epochs": 5, "lr": 1e-5, "amp": True, "name": "b c", "sizes": [1, 2]},
    ),
    "fire, class": ("fire", FIRE_CLASS, {"epochs": "5", "lr": "0.5"}, {"epochs": 5, "lr": 0.5}),
    "fire, dict": ("fire", FIRE_DICT, {"epochs": "5"}, {"epochs": 5}),
    "absl": (
        "absl",
        ABSL,
        {
            "data": "a b",
            "epochs": "5",
            "lr": "1e-5",
            "amp": "false",
            "opt": "adam",
            "tags": "c,d",
            "sizes": "[3, 4]",
        },
        {"data": "a b", "epochs": 5, "lr": 1e-5, "amp": False, "opt": "adam", "tags": ["c", "d"], "sizes": [3, 4]},
    ),
    "jsonargparse": (
        "jsonargparse",
        JSONARGPARSE,
        {"data": "a b", "epochs": "5", "lr": "1e-5", "optim.amp": "true", "sizes": "[3, 4]"},
        {"data": "a b", "epochs": 5, "lr": 1e-5, "amp": True, "sizes": [3, 4]},
    ),
    "jsonargparse, class": (
        "jsonargparse",
        JSONARGPARSE_CLASS,
        {"epochs": "5", "lr": "0.5"},
        {"epochs": 5, "lr": 0.5},
    ),
    "argparse, loops": (
        "argparse",
        LOOP,
        {"epochs": "5", "lr": "0.5", "batch_size": "16", "depth": "9", "amp": "true", "b": "true", "val_size": "y"},
        {
            "epochs": 5,
            "lr": 0.5,
            "batch_size": 16,
            "depth": 9,
            "amp": True,
            "b": True,
            "val_size": "y",
            "a": False,
            "width": 5,
            "short": 6,
            "y": 7,
            "weight_decay": None,
            "seed": 1,
        },
    ),
    "Hydra": (
        "hydra",
        HYDRA,
        {"epochs": "5", "lr": "0.5", "model.name": "it's {a}, \\", "sizes": "[3, 4]", "note": "a b", "top": "2"},
        {"epochs": 5, "lr": 0.5, "name": "it's {a}, \\", "sizes": [3, 4], "note": "a b", "top": 2},
    ),
    "Hydra, group": (
        "hydra",
        HYDRA,
        {"model": "big", "model.drop": "0.3"},
        {"epochs": 3, "lr": 0.5, "name": "big", "drop": 0.3},
    ),
    "Hydra, structured": ("hydra", STRUCTURED, {"epochs": "5", "lr": "0.5"}, {"epochs": 5, "lr": 0.5}),
    "configurator": (
        "ast",
        NANO,
        {"epochs": "5", "lr": "1", "compile": "false", "dtype": "b", "out_dir": "x"},
        {"epochs": 5, "learning_rate": 1.0, "compile": False, "dtype": "b", "out_dir": "x"},
    ),
    "YAML": (
        "yaml",
        YAML,
        {"epochs": "5", "lr": "1e-05", "gpu": "1"},
        {
            "gpu": 1,
            "name": "base",
            "train": {"num_epochs": 5, "optimizer": {"lr": 1e-05, "betas": [0.9, 0.99]}},
        },
    ),
}


@pytest.fixture
def foreign(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project with the files that some of the scripts read, and in its folder."""
    for name, text in (CONF | {"configurator.py": CONFIGURATOR, "configs/base.yaml": BASE}).items():
        project.write(name, text)
    monkeypatch.chdir(project.root)
    return project


def words(job: Job) -> list[str]:
    """Return the job's command line behind its script."""
    return [*ScriptKind().start(job, folder="FOLDER", seed=0).argv[2:]]


def trained(job: Job, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the script's own library makes of the job's command line."""
    folder, seen = Path(job.root, "FOLDER"), dict[str, Any]()
    start = ScriptKind().start(job, folder=str(folder), seed=0)
    folder.mkdir()
    for name, text in start.files.items():
        Path(folder, name).write_text(text, encoding="utf-8")
    script = Path(start.argv[1])
    monkeypatch.setattr(sys, "argv", [script.name, *start.argv[2:]])
    module = ModuleType("__main__")
    vars(module).update(SEEN=seen, __file__=str(script))
    monkeypatch.setitem(sys.modules, "__main__", module)
    exec(compile(script.read_bytes(), script, "exec"), vars(module))  # noqa: S102  (the script is ours)
    return seen


@pytest.mark.parametrize("case", CASES)
def test_values_reach_the_script_as_its_own_library_parses_them(
    foreign: Project, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    library, text, settings, expected = CASES[case]
    pytest.importorskip(library)
    [job] = apply_options([foreign.job(text)], settings=[f"x.{name}={value}" for name, value in settings.items()])
    seen = trained(job, monkeypatch)
    assert {name: seen[name] for name in expected} == expected


@pytest.mark.parametrize("case", CASES)
def test_defaults_are_recorded_as_the_script_trains_with_them(
    foreign: Project, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    library, text, settings, _ = CASES[case]
    pytest.importorskip(library)
    job = foreign.job(text)
    needed = [f"x.{each.name}={settings[each.name]}" for each in job.declared if each.required]
    [job] = apply_options([job], settings=needed)
    seen = flat(trained(job, monkeypatch))
    assert job.parameters.keys() - {"inner"} == job.parameters.keys() != set()
    same = {name: value for name, value in job.parameters.items() if name in seen}
    joined = {name: ",".join(seen[name]) for name, value in same.items() if isinstance(value, str) and "," in value}
    assert {name: seen[name] for name in same} | joined == same


def test_classes_of_installed_libraries_are_read_and_not_imported(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, text in INSTALLED.items():
        project.write(f"installed/{name}", text)
    monkeypatch.syspath_prepend(project.root / "installed")
    for text, settings, expected in SET_IN_INSTALLED:
        [job] = fill_seeds(apply_options([project.job(text)], settings=settings), 7)
        assert words(job) == expected


@pytest.mark.parametrize("name", ["configs/base.yaml", "settings.json"])
def test_a_copy_of_the_configuration_file_that_is_named_gets_the_values(foreign: Project, name: str) -> None:
    foreign.write("settings.json", '{"train": {"num_epochs": 1, "optimizer": {"lr": 0.5}}, "name": "other"}')
    [job] = apply_options([foreign.job(YAML)], epochs=9, settings=[f"x.config={name}"])
    start = ScriptKind().start(job, folder="FOLDER", seed=0)
    [(copy, text)] = start.files.items()
    assert start.argv[2:] == ("--config", f"FOLDER/{copy}")
    assert yaml.safe_load(text)["train"]["num_epochs"] == 9
    is_base = name == "configs/base.yaml"
    assert yaml.safe_load(text)["name"] == ("base" if is_base else "other")
    assert ("name" in job.parameters) is is_base  # values of another file are not recorded


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["x.config=configs/gone.yaml", "x.epochs=2"], "expected a YAML or JSON file with a mapping to set values in"),
        (["x.config=configs/list.yaml", "x.epochs=2"], "expected a YAML or JSON file with a mapping to set values in"),
    ],
)
def test_a_configuration_file_without_values_is_a_mistake(foreign: Project, settings: list[str], expected: str) -> None:
    foreign.write("configs/list.yaml", "[1, 2]")
    [job] = apply_options([foreign.job(YAML)], settings=settings)
    assert expected in message(lambda: ScriptKind().start(job, folder="FOLDER", seed=0))


def test_of_two_configuration_files_that_of_the_working_directory_is_read(foreign: Project) -> None:
    foreign.write("training/configs/base.yaml", "train: {num_epochs: 8}")
    foreign.write("training/README.md", "```\ncd training && python train_x.py\n```\n")
    foreign.write("pyproject.toml")
    job = foreign.job(YAML)
    assert (job.cwd, job.parameters["train_num_epochs"]) == ("training", 8)
    [job] = apply_options([job], settings=["x.gpu=1", "x.epochs=9"])
    assert list(ScriptKind().start(job, folder="FOLDER", seed=0).files.values()) == ["train:\n  num_epochs: 9\n"]


def test_a_secret_is_not_written_into_a_configuration_file(foreign: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_NAME", "anna")
    foreign.job(YAML)
    foreign.write("training/jobs.yaml", "jobs: {x: {secret: {name: MY_NAME}}}")
    job = foreign.jobs()["x"]
    expected = "name is secret: it cannot be written into a copy of config"
    assert message(lambda: ScriptKind().start(job, folder="FOLDER", seed=0)) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("{lr: --lr}", ["--lr", "0.1"]),
        ("{lr: --lr=}", ["--lr=0.1"]),
        ("{lr: lr=}", ["lr=0.1"]),
        ("{lr: +lr=}", ["+lr=0.1"]),
        ("{lr: -l}", ["-l", "0.1"]),
    ],
)
def test_the_catalogue_says_how_an_option_is_spelled(project: Project, options: str, expected: list[str]) -> None:
    project.job("print()")
    project.write("training/jobs.yaml", f"jobs: {{x: {{options: {options}, parameters: {{lr: 0.1}}}}}}")
    assert words(project.jobs()["x"]) == expected


def test_a_parameter_that_nobody_declared_is_refused_with_the_way_to_declare_it(project: Project) -> None:
    hint = "has no parameter 'rate': it has none; "
    hint += "if its command line takes it, say so under jobs.x: options: {rate: --rate}"
    job = project.job("print()")
    assert message(lambda: apply_options([job], settings=["x.rate=1"])) == f"--set x.rate: x {hint}"
    assert project.mistake("jobs: {x: {parameters: {rate: 1}}}").endswith(f": x {hint}")


def flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Return values by the names that their parameters have."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        whole = f"{above}{name.replace('.', '_')}"
        result |= flat(value, f"{whole}_") if isinstance(value, dict) else {whole: value}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in result.items()}


@pytest.mark.parametrize("text", [HYDRA, STRUCTURED])
def test_hydra_writes_into_the_jobs_folder(foreign: Project, text: str) -> None:
    assert "hydra.run.dir=FOLDER" in words(foreign.job(text))
