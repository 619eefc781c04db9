"""Paths that a source names, like `HERE / "configs" / "a.json"`, and the folder in which its author starts it."""

import ast
import itertools
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from pytest_training.jobs.lookup import MARKERS
from pytest_training.jobs.source.literals import Constants, last_name, walk
from pytest_training.jobs.source.sources import Source
from pytest_training.wording import label

LONGEST_PATH = 300
DEEPEST = 6  # operators and names in one expression of a path
_JOINS = {"join", "joinpath", "Path", "PurePath"}
_PATHS = (ast.Constant, ast.JoinedStr, ast.BinOp, ast.Call, ast.Name)
_HINTS = re.compile(rb"""\.\w+['"]|\b(open|Path|join|read\w*|load\w*)\b""")
_WRITES = re.compile(r"write_.*|to_.*|save.*|dump|mkdir|touch|unlink|FileHandler|basicConfig")
_LISTS = {"listdir", "scandir", "walk", "glob", "iglob", "chdir", "ImageFolder", "flow_from_directory"}
_LISTS |= {"image_dataset_from_directory", "isdir"}
"""Functions whose first argument is a folder that is there, or a pattern in one."""
LARGEST_README = 2**18
_FILES = re.compile(r"(?:[\w.-]+/)*[\w.-]+\.py\b|-m +[\w.]+")
_STARTS = re.compile(r"\b(python[\d.]*|torchrun|launch|deepspeed|accelerate|mpirun|srun|uv run)\b")
_CHANGES = re.compile(r"\bcd +([\w./-]+)/? *(?:&&|;)")
_LIKE_PATH = re.compile(r"[\w.-]*[/.][\w./-]*|[\w. -]+\.\w{2,5}|data|datasets?|configs?|conf")
"""Texts of a source that are paths if they exist; of bare words, these alone."""


def named_paths(content: bytes) -> set[str]:
    """Return what may be a path among the literals of a Python source, but for what it writes."""
    if not _HINTS.search(content):
        return set()
    try:
        with warnings.catch_warnings(action="ignore"):  # an invalid escape is the job's own affair
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    ends = (_known_end(parts) for _, parts in _all_paths(tree, Constants(tree)))
    paths = {path for path in ends if path and len(path) <= LONGEST_PATH and path.isprintable()}
    return paths.union(f"{path.replace('.', '/')}.py" for path in paths if "." in path and "/" not in path)  # `-m a.b`


def whole_paths(tree: ast.Module, constants: Constants, *, written: bool = False) -> set[str]:
    """Return the paths of a source that are literal from their beginning, unless asked but for what it writes."""
    paths = dict(_all_paths(tree, constants, has_written=written))
    inside = {below for node, parts in paths.items() if len(parts) > 1 for below in walk(node) if below is not node}
    literal = (list(filter(None, parts)) for node, parts in paths.items() if node not in inside and all(parts))
    return {path for parts in literal if len(path := "/".join(parts)) <= LONGEST_PATH and path.isprintable()}


def _all_paths(
    tree: ast.Module, constants: Constants, *, has_written: bool = False
) -> Iterator[tuple[ast.AST, list[str | None]]]:
    """Yield each expression that may be a path that is read, with its parts."""
    nodes = list(walk(tree))
    written = set() if has_written else {node for call in nodes if _writes(call, constants) for node in walk(call)}
    outputs = filter(None, (constants.node(node.id) for node in written if isinstance(node, ast.Name)))
    written |= {node for output in outputs for node in walk(output)}
    paths = (node for node in nodes if isinstance(node, _PATHS) and node not in written)
    yield from ((node, _parts(node, constants, 0)) for node in paths)


def known_path(node: ast.expr | None, constants: Constants) -> str:
    """Return the path that an expression stands for, without what lies above its literal part."""
    return _known_end(_parts(node, constants, 0))


def _known_end(parts: list[str | None]) -> str:
    """Return the path behind the last unknown part."""
    return "/".join(filter(None, reversed([*itertools.takewhile(bool, reversed(parts))])))


def _parts(node: ast.AST | None, constants: Constants, depth: int) -> list[str | None]:
    """Return the parts of a path that an expression stands for, with None for each unknown one."""
    below: list[ast.expr | None] = []
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=[*_, ast.Constant(value=str(text))]) if text.startswith("/"):
            return [None, text.lstrip("/")]
        case ast.Name(id=name, ctx=ast.Load()):
            below = [constants.node(name)]
        case ast.BinOp(op=ast.Div()):
            below = [node.left, node.right]
        case ast.Call(func=ast.Attribute() | ast.Name() as function) if last_name(function) in _JOINS:
            own = [function.value] if isinstance(function, ast.Attribute) and function.attr == "joinpath" else []
            below = [*own, *node.args]
    if not below or depth > DEEPEST:
        return [None]
    return [part for each in below for part in _parts(each, constants, depth + 1)]


def _writes(node: ast.AST, constants: Constants) -> bool:
    """Return True for a call that writes a file: `path.write_text(…)`, `frame.to_csv(…)`, `open(path, "w")`."""
    if not isinstance(node, ast.Call):
        return False
    name = last_name(node.func)
    if name != "open":
        return bool(_WRITES.fullmatch(name))
    modes = [*node.args[1:2], *(item.value for item in node.keywords if item.arg == "mode")]
    return any({*"wax"} & {*text} for mode in modes for text in constants.strings(mode))


def workplace(source: Source, root: Path, readmes: dict[Path, str]) -> str:
    """Return the working directory of a script, relative to the root; `readmes` has the texts that were read before."""
    own = source.path.parent
    place = next(_places(source, own, root, readmes)) if own != root and own.is_relative_to(root) else root
    return "" if place == root else label(place, root)


def _places(source: Source, own: Path, root: Path, readmes: dict[Path, str]) -> Iterator[Path]:
    """Yield the folders that speak for themselves, the surest first; the last is the root."""
    paths = {path for path in whole_paths(source.tree, source.constants) if _LIKE_PATH.fullmatch(path)}
    paths |= _listed(source)
    below, above = ({path for path in paths if os.path.exists(folder / path)} for folder in (own, root))  # noqa: PTH110  (faster)
    if not above - below:
        yield from (own for path in below - above if path.startswith("../"))  # whatever a README says
    starts = list(_started(source.path, root, readmes))
    yield from (folder for is_beside, folder in starts if not is_beside)
    if bool(below - above) != bool(above - below):
        yield own if below - above else root
    between = (folder for folder in own.parents if folder != root and folder.is_relative_to(root))
    yield from (each for each in between if any(os.path.exists(each / path) for path in paths - below - above))  # noqa: PTH110  (as above)
    yield from (folder for _, folder in starts)
    ups = (path for path in whole_paths(source.tree, source.constants, written=True) if path.startswith("../"))
    ways_up = (os.path.normpath(own / path) for path in (*(path for path in paths if path.startswith("..")), *ups))
    yield from (own for way in ways_up if Path(way).is_relative_to(root))  # from the root it would lead out
    yield from (each for each in source.path.parents if each == root or any((each / name).exists() for name in MARKERS))


def _listed(source: Source) -> set[str]:
    """Return the folders whose files a source lists: `os.listdir("images")`, `glob("images/*.png")`."""
    calls = (node for node in walk(source.tree) if isinstance(node, ast.Call) and last_name(node.func) in _LISTS)
    texts = (source.constants.literal(node) for call in calls for node in call.args[:1])
    listed = (text for text in texts if isinstance(text, str) and text.isprintable() and len(text) <= LONGEST_PATH)
    return {text.partition("*")[0].rpartition("/")[0] if "*" in text else text for text in listed} - {""}


def _started(script: Path, root: Path, readmes: dict[Path, str]) -> Iterator[tuple[bool, Path]]:
    """Yield the folders in which READMEs and Makefiles start the script, nearest first; True for one beside it."""
    for folder in (each for each in script.parents if each.is_relative_to(root)):
        text = readmes[folder] = readmes[folder] if folder in readmes else _readme(folder)
        lines = ((_CHANGES.search(line), line) for line in filter(_STARTS.search, text.splitlines()))
        for change, word in ((change, word) for change, line in lines for word in _FILES.findall(line)):
            base = Path(os.path.normpath(folder / change[1])) if change else folder
            is_module = word.startswith("-m")
            named = Path(f"{word.split()[-1].replace('.', '/')}.py" if is_module else os.path.normpath(word))
            start = script.parents[min(len(named.parts), len(script.parents)) - 1]
            if (base / named).parent == script.parent and (base / named).is_file() and base.is_relative_to(root):
                yield base / named != script, base
            elif start / named == script and start.is_relative_to(root) and not (base / named).is_file():
                yield False, start.parent if is_module and start.name == "src" and start != root else start


def _readme(folder: Path) -> str:
    try:
        files = sorted(path for path in folder.iterdir() if path.name.lower().startswith(("readme", "makefile")))
        texts = (file.read_bytes()[:LARGEST_README].decode("utf-8", "replace") for file in files)
        return "\n".join(texts).replace("\\\n", " ")  # one command on several lines
    except OSError:
        return ""
