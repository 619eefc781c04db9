"""Options of libraries that make a command line of functions and classes: one row of a table for each library."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from pytest_training.jobs.kinds.parameters import Code, Declaration, annotated, below, selector
from pytest_training.jobs.kinds.script.signatures import Definitions, Field, Found, functions
from pytest_training.jobs.source.literals import last_name, type_of, walk
from pytest_training.jobs.source.used import Module


class Style(NamedTuple):
    """How a library spells the options that it makes of fields."""

    option: str = "--{}="
    dashes: bool = False
    """True for `--batch-size`, `--amp` and `--no-amp`; else a flag takes `True` or `False`."""
    commands: bool = False
    """True if several functions, or the methods of a class, are subcommands."""
    positional: bool = False
    """True if what has no default is positional."""
    is_lightning: bool = False


_WORDS, _ONE_WORD, _LIGHTNING = Style("--{}"), Style(), Style(is_lightning=True)
_STYLES = {
    **dict.fromkeys(("transformers.HfArgumentParser", "trl.TrlParser", "simple_parsing.parse"), _WORDS),
    **dict.fromkeys(("pyrallis.parse", "pyrallis.wrap", "draccus.parse", "draccus.wrap"), _ONE_WORD),
    **dict.fromkeys(("jsonargparse.CLI", "jsonargparse.auto_cli"), Style(commands=True, positional=True)),
    **dict.fromkeys(("lightning.LightningCLI", "pytorch_lightning.LightningCLI"), _LIGHTNING),
    "tyro.cli": Style("--{}", dashes=True),
    "fire.Fire": Style(commands=True),
    "hydra.store": Style("{}="),
}
"""By the library and the name of what is called."""
STYLED = re.compile("|".join({name.rpartition(".")[0] for name in _STYLES}).encode())
"""A name of one of these libraries."""
_TARGETS = {"component", "components", "config_class", "dataclass_types", "node"}
_CLASSES = {"model_class": "model", "datamodule_class": "data"}


def styled_options(codes: Sequence[Code], definitions: Definitions) -> Iterator[Declaration]:
    """Yield what the calls of these libraries make options of."""
    for code in codes:
        if module := definitions.module(code.path):
            reader = _Reader(module, definitions)
            for node in code.nodes:
                if isinstance(node, ast.Call):
                    yield from reader.options(node)
                elif isinstance(node, ast.FunctionDef):
                    yield from reader.wrapped(node)


def configured_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield the literals that a script assigns before `exec(open("configurator.py").read())`, as nanoGPT's do."""
    nodes, constants, path = codes[0]
    calls = [node for node in nodes if isinstance(node, ast.Call) and last_name(node.func) == "exec"]
    opened = [node for call in calls for node in walk(call) if isinstance(node, ast.Constant | ast.Name)]
    texts = [text for node in opened for text in constants.strings(node) if text.endswith(".py")]
    files = [folder / text for text in texts for folder in path.parents]
    if not any(file.is_file() and b"sys.argv" in file.read_bytes() for file in files):
        return
    for node in nodes:
        value = node.value if isinstance(node, ast.Assign) and node.lineno < calls[0].lineno else None
        name = last_name(node.targets[0]) if isinstance(node, ast.Assign) else ""
        like = value.body if isinstance(value, ast.IfExp) else value
        kind = type_of(constants.literal(like))
        if name and not name.startswith("_") and kind in {"int", "float", "bool", "str"}:
            yield annotated(f"--{name}=", ast.Name(kind), value, constants, required=False)


class _Reader:
    """Reads the calls in one module."""

    def __init__(self, module: Module, definitions: Definitions) -> None:
        self._module, self._definitions = module, definitions

    def options(self, call: ast.Call) -> Iterator[Declaration]:
        """Yield the options that a call makes."""
        keywords = {item.arg: item.value for item in call.keywords}
        targets = [*call.args, *(value for name, value in keywords.items() if name in _TARGETS)]
        style = _style(call.func, self._module, self._definitions)
        if style and style.is_lightning:
            yield from self._lightning({**dict(zip(_CLASSES, call.args, strict=False)), **keywords}, style)
        elif style and style.commands:
            yield from self._commands(next(iter(targets), None), style)
        elif style and "group" not in keywords:
            for target in targets:
                for each in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
                    yield from self._fields(self._definitions.find(each, self._module), style)

    def wrapped(self, function: ast.FunctionDef) -> Iterator[Declaration]:
        """Yield the options of the class that a function decorated by `@wrap()` takes."""
        for item in function.decorator_list:
            style = _style(item.func, self._module, self._definitions) if isinstance(item, ast.Call) else None
            if style and function.args.args:
                yield from self._fields(self._definitions.find(function.args.args[0].annotation, self._module), style)

    def _fields(self, found: Found | None, style: Style, prefix: str = "") -> Iterator[Declaration]:
        for field in self._definitions.fields(found) if found else ():
            if field.name not in {"self", "cls", "defaults"}:
                yield _option(field._replace(name=prefix + field.name), style)

    def _commands(self, target: ast.expr | None, style: Style) -> Iterator[Declaration]:
        """Yield the options of a function, of a class and its methods, or of several functions."""
        target = target.func if isinstance(target, ast.Call) else target
        find = self._definitions.find
        found = find(target, self._module)
        yield from self._fields(found, style)
        if found and isinstance(found.node, ast.FunctionDef):
            return
        if found and isinstance(found.node, ast.ClassDef):
            pairs = {each.name: Found(each, found.module) for each in functions(found.node)}
        else:
            own = (ast.Name(each.name) for each in functions(self._module.source.tree))
            pairs = {name: each for name, node in _named(target, own) if (each := find(node, self._module))}
        commands = {name: each for name, each in pairs.items() if not name.startswith("_")}
        if commands:
            yield selector("command", commands, required=True)
        for name, each in commands.items():
            options = self._fields(each, style)
            yield from below((name,), ((replace(item, required=False), value) for item, value in options))

    def _lightning(self, stated: dict[str | None, ast.expr], style: Style) -> Iterator[Declaration]:
        """Yield `--trainer.max_epochs` and the like, of the command `fit` unless there are no commands."""
        literal, find = self._module.source.constants.literal, self._definitions.find
        seed = stated.get("seed_everything_default", ast.Constant(None))
        options = [_option(Field("seed_everything", ast.Name("int"), seed, self._module), style)]
        for name, part in _CLASSES.items():
            if literal(stated.get(f"subclass_mode_{part}")) is not True:
                options += self._fields(find(stated.get(name), self._module), style, f"{part}.")
        package = "pytorch_lightning" if "pytorch_lightning" in _libraries(self._module) else "lightning.pytorch"
        trainer = self._fields(self._definitions.installed(package, "Trainer"), style, "trainer.")
        changed = literal(stated.get("trainer_defaults"))
        for parameter, default in trainer:
            value = (
                changed.get(parameter.name.removeprefix("trainer_"), default) if isinstance(changed, dict) else default
            )
            options.append((parameter if value is default else replace(parameter, default=value), value))
        is_flat = literal(stated.get("run")) is False
        if not is_flat:
            yield selector("command", ("fit", "validate", "test", "predict"), required=True)
        yield from below(() if is_flat else ("fit",), options)


def _libraries(module: Module) -> set[str]:
    return {item.module.partition(".")[0] for item in module.imported.values()}


def _style(node: ast.expr, module: Module, definitions: Definitions) -> Style | None:
    """Return the style of what is called: a library's, or that of a class's base."""
    if style := next(filter(None, (_STYLES.get(f"{each}.{last_name(node)}") for each in _libraries(module))), None):
        return style
    found = definitions.find(node, module) if last_name(node).endswith(("CLI", "Parser")) else None
    bases = found.node.bases if found and isinstance(found.node, ast.ClassDef) else []
    return next(filter(None, (_style(base, found.module, definitions) for base in bases if found)), None)


def _named(target: ast.expr | None, own: Iterable[ast.Name]) -> list[tuple[str, ast.expr]]:
    """Return the functions that a literal dict or list names, or all of the module."""
    if isinstance(target, ast.Dict):
        pairs = zip(target.keys, target.values, strict=True)
        return [(str(key.value), value) for key, value in pairs if isinstance(key, ast.Constant)]
    listed = target.elts if isinstance(target, ast.List | ast.Tuple) else own if target is None else ()
    return [(last_name(node), node) for node in listed]


def _option(field: Field, style: Style) -> Declaration:
    """Return the option of a field as the library spells it."""
    spelling = style.option.format(field.name.replace("_", "-") if style.dashes else field.name)
    spelling = field.name if field.default is None and style.positional else spelling
    constants, is_required = field.module.source.constants, field.default is None
    parameter, default = annotated(spelling, field.annotation, field.default, constants, required=is_required)
    if not style.dashes or parameter.type != "bool" or is_required:
        return parameter, default
    above, dot, last = spelling.removeprefix("--").rpartition(".")
    return replace(parameter, flag=True, off=f"--{above}{dot}no-{last}"), default
