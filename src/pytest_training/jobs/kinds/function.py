"""Function jobs: the module-level `train(run, *, …)`, its parameters and gates."""

import ast
from typing import Any

from pytest_training.errors import DeclarationError, Mistakes
from pytest_training.jobs.gates import parse_gates
from pytest_training.jobs.kinds.parameters import annotated
from pytest_training.jobs.kinds.protocol import Call, File, Kind
from pytest_training.jobs.kinds.script.options import read_options
from pytest_training.jobs.model import Gate, Job, Parameter
from pytest_training.jobs.source.literals import MISSING, last_name
from pytest_training.jobs.source.sources import Candidate, Source
from pytest_training.wording import describe

ALLOWED = "a job's function is train(run, *, epochs=50, …): `run`, then keyword-only parameters"
Function = ast.FunctionDef | ast.AsyncFunctionDef


class FunctionKind(Kind):
    """A file that defines `train(run, *, …)`, which returns the metrics."""

    name = "function"
    suffixes = (".py",)
    is_program = False
    readers = ("result",)

    def recognise(self, file: File) -> Job | None:
        """Return the job of a file with a `train` that takes a run."""
        if (train := find_train(file.source)) is None or not _takes_run(train):
            return None
        if signature_mistake(train) and read_options(file.source, file.sources)["declared"]:
            return None  # a script's own `train(run, config)`
        fields, mistakes = python_fields(file), Mistakes()
        with mistakes:
            fields["declared"], fields["parameters"] = read_parameters(train, file.source)
        with mistakes:
            fields["gates"] = read_gates(file.source, strict=True)
        return file.job(self.name, problem="; ".join(mistakes.sentences) or None, **fields)

    def judge(self, file: File) -> Candidate | None:
        """Take a file with the name of a training and a `train` that takes a run."""
        is_named = file.path.stem == "train" or file.path.stem.startswith("train_")
        train = find_train(file.source) if is_named and b"def train" in file.path.read_bytes() else None
        return Candidate(is_job=True, why="defines train(run, …)") if train and _takes_run(train) else None

    def start(self, job: Job, *, folder: str, seed: int) -> Call:  # noqa: ARG002  (the run that it is called with has both)
        """Return the call of `train`."""
        return Call(path=job.path or "", function="train")


def python_fields(file: File) -> dict[str, Any]:
    """Return the fields of any Python file's job: its title, and what it imports and reads, local modules followed."""
    train = find_train(file.source)
    text = ast.get_docstring(file.source.tree) or (train and ast.get_docstring(train)) or ""
    title = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return {"title": title, **file.sources.reach(file.path)}


def find_train(source: Source) -> Function | None:
    """Return the module's `train`, the last if it has several."""
    functions = [item for item in source.tree.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
    return next((item for item in reversed(functions) if item.name == "train"), None)


def _takes_run(function: Function) -> bool:
    """Return True if the first parameter is the job's `run`; `train(model, loader)` is no job."""
    if (first := next(iter((*function.args.posonlyargs, *function.args.args)), None)) is None:
        return False
    annotation = first.annotation
    text = annotation.value if isinstance(annotation, ast.Constant) else last_name(annotation)
    return first.arg in {"run", "_run"} or (isinstance(text, str) and text.rpartition(".")[2] == "Run")


def signature_mistake(function: Function) -> str | None:
    """Return why `train` cannot be called as a job, or None if it can."""
    arguments = function.args
    beyond = [*arguments.posonlyargs, *arguments.args][1:]
    if isinstance(function, ast.AsyncFunctionDef):
        return "`async def train` cannot be a job"
    if beyond:
        names = ", ".join(repr(item.arg) for item in beyond)
        return f"train takes {names} by position; put `*,` after `run`"
    if arguments.vararg or arguments.kwarg:
        spelling = f"*{arguments.vararg.arg}" if arguments.vararg else f"**{getattr(arguments.kwarg, 'arg', '')}"
        return f"train takes {spelling}, whose names cannot be read from the source"
    return None


def read_parameters(function: Function, source: Source) -> tuple[tuple[Parameter, ...], dict[str, Any]]:
    """Return the declared parameters and their literal defaults; a default that is an expression stays Python's."""
    if mistake := signature_mistake(function):
        raise DeclarationError(f"{source.where(function)}: {mistake}: {ALLOWED}")
    declared, values = [], {}
    for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        parameter, value = annotated(
            argument.arg, argument.annotation, default, source.constants, required=default is None
        )
        declared.append(parameter)
        if value is not MISSING:
            values[argument.arg] = value
    return tuple(declared), values


def read_gates(source: Source, *, strict: bool) -> tuple[Gate, ...]:
    """Return the gates of a literal `GATES`; if not strict, ignore anything but a dict of texts."""
    if "GATES" not in source.constants:
        return ()
    node = source.constants.node("GATES")
    value = source.constants.literal(node)
    is_dict = isinstance(value, dict)
    if not strict and not (is_dict and all(isinstance(text, str) for text in value.values())):
        return ()
    if not isinstance(node, ast.Dict) or not is_dict:
        line = f":{node.lineno}" if node else ""
        raise DeclarationError(
            f'{source.label}{line}: GATES: expected one literal dict like {{"roc_auc": ">= 0.85"}}, '
            f"found {describe(ast.unparse(node)) if node else 'several assignments'}"
        )
    return _parse(node, value, source)


def _parse(node: ast.Dict, value: dict[str, Any], source: Source) -> tuple[Gate, ...]:
    gates: dict[str, tuple[Gate, ...]] = {}
    mistakes = Mistakes()
    for key in node.keys:
        metric = source.constants.literal(key)
        where = source.where(key or node)
        with mistakes:
            if metric in gates:
                raise DeclarationError(f"{where}: GATES names {metric!r} twice")
            gates[metric] = ()
            gates[metric] = parse_gates(metric, value[metric], where)
    mistakes.check()
    return tuple(gate for several in gates.values() for gate in several)
