"""Options of libraries that make a command line of functions and classes: one row of a table for each library."""

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from pytest_training.jobs.kinds.parameters import Code, Declaration, annotated, below, selector
from pytest_training.jobs.source.literals import last_name, type_of, walk
from pytest_training.jobs.source.used import DEEPEST, Definition, Module

_FIELD_CALLS, _NO_VALUE = {"field", "Field", "HfArg", "ib", "attrib"}, {"MISSING", "NOTHING"}
_DATA = {"dataclass", "define", "attrs", "frozen", "BaseModel", "BaseSettings"}  # of classes with fields
_WRAPPERS = {"Optional", "Annotated", "Type", "type", "Union"}
Found = tuple[Definition, Module]  # a function or class, with the file that defines it


class Style(NamedTuple):
    """How a library spells the options that it makes of fields."""

    option: str = "--{}="
    dashes: bool = False  # for `--batch-size`, `--amp` and `--no-amp`; else a flag takes `True` or `False`
    commands: bool = False  # if several functions, or the methods of a class, are subcommands
    positional: bool = False  # for what has no default


_WORDS, _ONE_WORD, _LIGHTNING = Style("--{}"), Style(), Style(commands=True)
_STYLES = {
    **dict.fromkeys(("transformers.HfArgumentParser", "trl.TrlParser", "simple_parsing.parse"), _WORDS),
    **dict.fromkeys(("pyrallis.parse", "pyrallis.wrap", "draccus.parse", "draccus.wrap"), _ONE_WORD),
    **dict.fromkeys(("jsonargparse.CLI", "jsonargparse.auto_cli"), Style(commands=True, positional=True)),
    **dict.fromkeys(("lightning.LightningCLI", "pytorch_lightning.LightningCLI"), _LIGHTNING),
    "tyro.cli": Style("--{}", dashes=True),
    "fire.Fire": Style(commands=True),
    "hydra.store": Style("{}="),
}  # by the library and the name of what is called
_TARGETS = {"component", "components", "config_class", "dataclass_types", "node"}
_CLASSES = {"model_class": "model", "datamodule_class": "data"}


def styled_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield what the calls of these libraries make options of."""
    modules = ((code.nodes, Module.load(code.path, code.sources)) for code in codes)
    for node, module in ((node, module) for nodes, module in modules if module for node in nodes):
        if isinstance(node, ast.Call):
            yield from _called(node, module)
        elif isinstance(node, ast.FunctionDef) and node.args.args:  # @wrap() def main(config: Config)
            calls = (item for item in node.decorator_list if isinstance(item, ast.Call))
            for style in filter(None, (_style(call.func, module) for call in calls)):
                yield from _options(module.definition(node.args.args[0].annotation), style)


def configured_options(codes: Sequence[Code]) -> Iterator[Declaration]:
    """Yield the literals that a script assigns before `exec(open("configurator.py").read())`, as nanoGPT's do."""
    nodes, constants, path, _sources = codes[0]
    calls = [node for node in nodes if isinstance(node, ast.Call) and last_name(node.func) == "exec"]
    opened = [node for call in calls for node in walk(call) if isinstance(node, ast.Constant | ast.Name)]
    texts = [text for node in opened for text in constants.strings(node) if text.endswith(".py")]
    files = [folder / text for text in texts for folder in path.parents]
    if not any(file.is_file() and b"sys.argv" in file.read_bytes() for file in files):
        return
    for node in getattr(nodes[0], "body", ()):
        value = node.value if isinstance(node, ast.Assign) and node.lineno < calls[0].lineno else None
        name = last_name(node.targets[0]) if isinstance(node, ast.Assign) else ""
        like = value.body if isinstance(value, ast.IfExp) else value
        kind = type_of(constants.literal(like))
        if name and not name.startswith("_") and kind in {"int", "float", "bool", "str"}:
            yield annotated(f"--{name}=", ast.Name(kind), value, constants, required=False)


def _called(call: ast.Call, module: Module) -> Iterator[Declaration]:
    style = _style(call.func, module)
    keywords = {item.arg: item.value for item in call.keywords}
    targets = [*call.args, *(value for name, value in keywords.items() if name in _TARGETS)]
    if style is _LIGHTNING:
        called = module.definition(call.func)
        stated = keywords | dict(zip(_CLASSES, call.args, strict=False))
        yield from _lightning(stated, module, called[1] if called else module)
    elif style and style.commands:
        yield from _commands(next(iter(targets), None), style, module)
    elif style and "group" not in keywords:
        for target in targets:
            for each in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
                yield from _options(module.definition(each), style)


def _style(node: ast.expr, module: Module) -> Style | None:
    """Return the style of what is called: the style of a library, or of a class's base."""
    names = {f"{item.module.partition('.')[0]}.{last_name(node)}" for item in module.imported.values()}
    if style := next(filter(None, map(_STYLES.get, names)), None):
        return style
    found = module.definition(node) if last_name(node).endswith(("CLI", "Parser")) else None
    bases = found[0].bases if found and isinstance(found[0], ast.ClassDef) else []
    return next(filter(None, (_style(base, found[1]) for base in bases if found)), None)


def _options(found: Found | None, style: Style, prefix: str = "") -> Iterator[Declaration]:
    """Yield the options of a function or class as the library spells them."""
    for field in fields(found) if found else ():
        if field.name not in {"self", "cls", "defaults"}:
            yield _option(field._replace(name=prefix + field.name), style)


def _option(field: "Field", style: Style) -> Declaration:
    spelling = style.option.format(field.name.replace("_", "-") if style.dashes else field.name)
    spelling = field.name if field.default is None and style.positional else spelling
    constants, is_required = field.module.source.constants, field.default is None
    parameter, default = annotated(spelling, field.annotation, field.default, constants, required=is_required)
    if not style.dashes or parameter.type != "bool" or is_required:
        return parameter, default
    above, dot, last = spelling.removeprefix("--").rpartition(".")
    return replace(parameter, flag=True, off=f"--{above}{dot}no-{last}"), default


def _commands(target: ast.expr | None, style: Style, module: Module) -> Iterator[Declaration]:
    """Yield the options of a function, of a class and its methods, or of the functions that a dict or list names."""
    found = module.definition(target.func if isinstance(target, ast.Call) else target)
    yield from _options(found, style)
    pairs: dict[str, Found | None] = {}
    if found and isinstance(found[0], ast.ClassDef):
        pairs = {each.name: (each, found[1]) for each in functions(found[0])}
    elif isinstance(target, ast.Dict):
        named = ((getattr(key, "value", None), node) for key, node in zip(target.keys, target.values, strict=True))
        pairs = {str(name): module.definition(node) for name, node in named}
    elif target is None or isinstance(target, ast.List | ast.Tuple):
        listed = target.elts if target else (ast.Name(each.name) for each in functions(module.source.tree))
        pairs = {last_name(node): module.definition(node) for node in listed}
    if commands := {name: each for name, each in pairs.items() if each and not name.startswith("_")}:
        yield selector("command", commands, required=True)
    for name, each in commands.items():
        yield from below((name,), ((replace(item, required=False), value) for item, value in _options(each, style)))


def _lightning(stated: dict[str | None, ast.expr], module: Module, cli: Module) -> Iterator[Declaration]:
    """Yield `--trainer.max_epochs` and the like, of the command `fit` unless there are no commands."""
    literal, base = module.source.constants.literal, cli.definition(ast.Name("LightningCLI"))
    seed = stated.get("seed_everything_default", ast.Constant(None))
    options = [_option(Field("seed_everything", ast.Name("int"), seed, module), _LIGHTNING)]
    for name, part in _CLASSES.items():
        if literal(stated.get(f"subclass_mode_{part}")) is not True:
            options += _options(module.definition(stated.get(name)), _LIGHTNING, f"{part}.")
    changed = literal(stated.get("trainer_defaults"))
    trainer = base[1].definition(ast.Name("Trainer")) if base else None
    for parameter, default in _options(trainer, _LIGHTNING, "trainer."):
        name = parameter.name.removeprefix("trainer_")
        value = changed.get(name, default) if isinstance(changed, dict) else default
        options.append((parameter if value is default else replace(parameter, default=value), value))
    is_flat = literal(stated.get("run")) is False
    if not is_flat:
        yield selector("command", ("fit", "validate", "test", "predict"), required=True)
    yield from below(() if is_flat else ("fit",), options)


class Field(NamedTuple):
    """A parameter or attribute; one of a nested class has a dotted name."""

    name: str
    annotation: ast.expr | None
    default: ast.expr | None  # None if it has none; an expression that is no literal if the source does not show it
    module: Module


def fields(found: Found, prefix: str = "") -> Iterator[Field]:
    """Yield the parameters of a function, or what a class takes, its nested classes opened."""
    for member in _members(found).values():
        if (nested := _data_class(member.annotation, member.module) if prefix.count(".") < DEEPEST else None) is None:
            yield member._replace(name=prefix + member.name)
            continue
        call = member.default if isinstance(member.default, ast.Call) else None
        is_shown = member.default is None or (call and member.module.definition(call.func) == nested)
        stated = {item.arg: item.value for item in call.keywords} if call and is_shown else {}
        for field in fields(nested, f"{prefix}{member.name}."):
            default = stated.get(field.name.rpartition(".")[2], field.default) if is_shown else member.default
            yield field._replace(default=default)


def _data_class(annotation: ast.expr | None, module: Module) -> Found | None:
    """Return the dataclass, or the like, that an annotation names: `Config`, `configs.Config`, `Config | None`."""
    below: list[ast.expr] = []
    if isinstance(annotation, ast.Subscript) and last_name(annotation.value) in _WRAPPERS:
        below = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    elif isinstance(annotation, ast.BinOp):
        below = [annotation.left, annotation.right]
    elif found := module.definition(annotation):
        return found if _is_data(*found) else None
    return next(filter(None, (_data_class(each, module) for each in below)), None)


def _is_data(node: Definition, module: Module, depth: int = 0) -> bool:
    bases = node.bases if isinstance(node, ast.ClassDef) else []
    made = (item.func if isinstance(item, ast.Call) else item for item in node.decorator_list)
    if any(last_name(item) in _DATA for item in (*made, *bases)):
        return True
    return any(_is_data(*each, depth + 1) for base in bases if depth < DEEPEST and (each := module.definition(base)))


def _members(found: Found, depth: int = 0) -> dict[str, Field]:
    node, module = found
    if isinstance(node, ast.FunctionDef):
        named = ((argument.arg, argument.annotation, value) for argument, value in parameters(node))
        return {name: Field(name, annotation, _stated(value), module) for name, annotation, value in named}
    if init := next((item for item in functions(node) if item.name == "__init__"), None):
        return dict([*_members((init, module)).items()][1:])
    members: dict[str, Field] = {}
    for base in reversed(node.bases if depth < DEEPEST else []):
        above = module.definition(base) if last_name(base) not in _DATA else None
        members |= _members(above, depth + 1) if above else {}
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and _is_field(item):
            members[item.target.id] = Field(item.target.id, item.annotation, _stated(item.value), module)
    return members


def functions(node: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef]:
    """Yield the functions that a file or class defines."""
    yield from (item for item in node.body if isinstance(item, ast.FunctionDef))


def parameters(function: ast.FunctionDef) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Yield the parameters of a function with their defaults."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    padding: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    yield from zip(positional, [*padding, *arguments.defaults], strict=True)
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)


def _is_field(item: ast.AnnAssign) -> bool:
    stated = item.value.keywords if isinstance(item.value, ast.Call) else []
    is_outside = any(each.arg == "init" and getattr(each.value, "value", True) is False for each in stated)
    return not is_outside and "ClassVar" not in map(last_name, walk(item.annotation))


def _stated(value: ast.expr | None) -> ast.expr | None:
    """Return the default that an expression states, itself or as `field(default=…)` or `field(default_factory=…)`."""
    if isinstance(value, ast.Call) and last_name(value.func) in _FIELD_CALLS:
        stated = {item.arg: item.value for item in value.keywords}
        if (factory := stated.get("default_factory") or stated.get("factory")) is not None:
            empty = {"list": ast.List([]), "dict": ast.Dict([], [])}.get(last_name(factory))
            return factory.body if isinstance(factory, ast.Lambda) else empty or ast.Call(factory, [], [])
        value = stated.get("default", value.args[0] if value.args else None)
    is_none = last_name(value) in _NO_VALUE or (isinstance(value, ast.Constant) and value.value is Ellipsis)
    return None if is_none else value
