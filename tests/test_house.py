"""The house: how long its functions and modules are, and that each exception to a rule has its reason."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest_training

SOURCE = Path(pytest_training.__file__).parent
ROOT = SOURCE.parents[1]
FILES = {path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py"))}
MEDIAN_LINES, P90_LINES, LONGEST_LINES = 6, 16, 45  # of a function without its docstring
MODULE_LINES, SOURCE_LINES = 300, 34_744
"""The series allows 18,618 lines; readers of scripts, the evaluation, studies and clusters took more."""
NOQA = re.compile(r"# noqa: [A-Z]+\d+(, [A-Z]+\d+)*  \(.+\)")
IGNORE = re.compile(r"# type: ignore\[[a-z-]+(, [a-z-]+)*\]  # .+")
BROAD = {"Exception", "BaseException"}


def test_functions_are_short() -> None:
    lengths = {where: length for name, text in FILES.items() for where, length in _functions(name, text)}
    ordered = sorted(lengths.values())
    assert ordered[len(ordered) // 2] <= MEDIAN_LINES
    assert ordered[len(ordered) * 9 // 10] <= P90_LINES
    assert {where: length for where, length in lengths.items() if length > LONGEST_LINES} == {}


def test_modules_are_short() -> None:
    lengths = {name: len(text.splitlines()) for name, text in FILES.items()}
    assert {name: length for name, length in lengths.items() if length > MODULE_LINES} == {}


def test_source_is_small() -> None:
    total = sum(len(text.splitlines()) for text in FILES.values())
    assert total <= SOURCE_LINES


def test_broad_excepts_say_why() -> None:
    assert [where for name, text in FILES.items() for where in _silent_excepts(name, text)] == []


def test_exceptions_to_lint_and_types_say_why() -> None:
    folders = ("src", "tests", "training", "benchmarks", "docs")
    paths = [*ROOT.glob("*.py"), *(path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))]
    assert [wrong for path in paths for wrong in _without_reason(path)] == []


def _functions(name: str, text: str) -> Iterator[tuple[str, int]]:
    """Yield each function's place and its lines, without its docstring's."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = _lines(node) - (_lines(node.body[0]) if ast.get_docstring(node) else 0)
            yield f"{name}:{node.lineno} {node.name}", lines


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _silent_excepts(name: str, text: str) -> Iterator[str]:
    """Yield the broad excepts that have no comment on their line."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler) and "#" not in lines[node.lineno - 1]:
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(each is None or getattr(each, "id", None) in BROAD for each in caught):
                yield f"{name}:{node.lineno}"


def _without_reason(path: Path) -> Iterator[str]:
    """Yield the comments that switch off ruff or mypy in another form than `# noqa: CODE  (reason)`."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        for switch, form in (("# noqa", NOQA), ("# type: ignore", IGNORE)):
            if token.type == tokenize.COMMENT and switch in token.string and not form.search(token.string):
                yield f"{path.relative_to(ROOT)}:{token.start[0]} {token.string}"
