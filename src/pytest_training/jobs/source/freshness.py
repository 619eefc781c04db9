"""Reasons for which a script needs an interpreter of its own, and not a fork of the job server.

A forked child has the libraries loaded already: too late for a script that sets variables which libraries read when
they are imported, and misleading for one that starts interpreters of its own.
"""

import ast
import re

from pytest_training.jobs.source.literals import last_name, walk

LIBRARY_VARIABLE = re.compile(
    r"\w+_NUM_THREADS|\w+_MAX_THREADS|LOKY_MAX_CPU_COUNT"
    r"|(CUDA|HF|JAX|KMP|MKL|MPL|NCCL|OMP|PYTORCH|TF|TOKENIZERS|TORCH|TRANSFORMERS|XLA)_\w+|MPLBACKEND|PYTHON\w+"
)  # variables that numeric libraries and Python itself read once, when they are loaded
_HINTS = re.compile(rb"executable|orig_argv|spawn|forkserver|environ|putenv|\bexec[lv]")
_OWN_PROGRAM = {"executable", "orig_argv"}
_NEW_INTERPRETERS = {"spawn", "forkserver"}
_WRITES = {"setdefault", "update", "pop", "clear", "__setitem__"}


def why_fresh(tree: ast.Module, content: bytes, label: str) -> str | None:
    """Return the first reason, with its file and line, or None."""
    if not _HINTS.search(content):
        return None
    nodes = list(walk(tree))
    last_import = max((node.lineno for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)), default=0)
    for node in nodes:
        if reason := _interpreter(node) or _environment(node, last_import):
            return f"{label}:{getattr(node, 'lineno', 1)}: {reason}"
    return None


def _interpreter(node: ast.AST) -> str | None:
    """Return how a node uses this interpreter's program, or starts new interpreters, if it does."""
    if isinstance(node, ast.Attribute) and last_name(node.value) == "sys" and node.attr in _OWN_PROGRAM:
        return f"reads sys.{node.attr}"
    if isinstance(node, ast.ImportFrom) and node.module == "sys":
        taken = {alias.name for alias in node.names} & _OWN_PROGRAM
        return f"reads sys.{min(taken)}" if taken else None
    return _call(node) if isinstance(node, ast.Call) else None


def _call(call: ast.Call) -> str | None:
    name = last_name(call.func)
    ways = {_text(part) for part in (*call.args, *(keyword.value for keyword in call.keywords))} & _NEW_INTERPRETERS
    if name in {"set_start_method", "get_context"} and ways:
        return f"starts processes by {min(ways)}"
    if name == "spawn":
        return "starts processes by spawn"
    if isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "os" and name.startswith("exec"):
        return f"calls os.{name}"
    return None


def _environment(node: ast.AST, last_import: int) -> str | None:
    """Return the variable that a node sets and that a library may read when it is imported, or None."""
    if (written := _written(node)) is not None and LIBRARY_VARIABLE.fullmatch(written):
        return f"sets {written}"
    is_early = written is not None and getattr(node, "lineno", 0) < last_import
    return f"sets {written or 'environment variables'} before an import" if is_early else None


def _written(node: ast.AST) -> str | None:
    """Return the variable that a node sets in os.environ, "" if its name is not literal, or None if it sets none."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return _text(node.slice) if last_name(node.value) == "environ" else None
    if isinstance(node, ast.Call) and last_name(node.func) == "putenv":
        return _text(node.args[0] if node.args else None)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _WRITES:
        return _text(node.args[0] if node.args else None) if last_name(node.func.value) == "environ" else None
    return None


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
