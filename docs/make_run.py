"""Writes docs/run.md from the docstrings of `Run` and from run_examples.py: `python docs/make_run.py`."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import run_examples

from pytest_training.execution.attempt import run as source
from pytest_training.execution.attempt.run import Run
from pytest_training.execution.attempt.saving import Checkpoint

PAGE = Path(__file__).parent / "run.md"
MARK = "<!-- Everything below is written by docs/make_run.py. -->\n"
VALUES = ("folder", "seed", "threads", "device", "predicted", "used")
PARTS = {
    "Get data and earlier work": ("data", "dataset", "use", "needed", "checkpoint"),
    "Show how it goes": ("log", "progress", "note"),
    "Leave results": ("save", "predictions", "describe"),
    "Help an audit": ("target", "choice"),
}
SEE = {
    "dataset": "[jobs-yaml.md](jobs-yaml.md#data) shows how to declare one.",
    "needed": "[jobs-yaml.md](jobs-yaml.md#what-another-job-left) has the other ways to read an outcome.",
    "predictions": "[predictions.md](predictions.md) explains each argument and each metric.",
    "describe": "[cards.md](cards.md) shows the card.",
    "target": "[audit.md](audit.md) explains the audit.",
    "choice": "[audit.md](audit.md) explains the audit.",
}
INTERNAL = {"close", "description", "differences", "evaluations", "examination", "examine", "notes", "remarks"}
"""What jobs do not use."""
WIDTH = 130


def page(text: str) -> str:
    """Return the page with new text below its mark."""
    return text.partition(MARK)[0] + MARK + "\n".join([*_values(), *_parts(), ""])


def _values() -> Iterator[str]:
    meanings = {**dict(_commented()), **{name: _doc(getattr(Run, name)) for name in VALUES if hasattr(Run, name)}}
    yield from ("", "## Read values", "", "| value | meaning |", "|---|---|")
    yield from (f"| `run.{name}` | {_sentence(meanings[name])} |" for name in VALUES)


def _commented() -> Iterator[tuple[str, str]]:
    """Yield the values that `Run.__init__` sets, each with the comment behind it."""
    yield from re.findall(r"^        self\.([a-z]\w*) = .*?  # (.*)$", inspect.getsource(source), re.MULTILINE)


def _parts() -> Iterator[str]:
    for heading, names in PARTS.items():
        yield from ("", f"## {heading}")
        for name in names:
            yield from _checkpoint() if name == "checkpoint" else _method(Run, name, "run")
            if name in SEE:
                yield from ("", SEE[name])
            yield from ("", "```python", *_example(name), "```")


def _checkpoint() -> Iterator[str]:
    yield from _method(Checkpoint, "load", "run.checkpoint")
    yield from _method(Checkpoint, "save", "run.checkpoint")


def _method(owner: type, name: str, before: str) -> Iterator[str]:
    yield from (
        "",
        f"### {before}.{name}",
        "",
        "```python",
        f"{before}.{name}{_arguments(getattr(owner, name))}",
        "```",
    )
    for paragraph in _doc(getattr(owner, name)).split("\n\n"):
        words = _sentence(" ".join(paragraph.split()))
        yield from ("", textwrap.fill(words, WIDTH, break_long_words=False, break_on_hyphens=False))


def _arguments(method: Callable[..., object]) -> str:
    """Return a method's arguments without their types."""
    signature = inspect.signature(method)
    shown = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()][1:]
    if shown and shown[0].kind is inspect.Parameter.VAR_KEYWORD:
        return f"(**{shown[0].name})"
    words = str(inspect.Signature(shown))
    return words if len(words) < WIDTH // 2 else textwrap.fill(words, WIDTH // 2, subsequent_indent="    ")


def _doc(member: object) -> str:
    return inspect.getdoc(member) or ""


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _example(name: str) -> list[str]:
    """Return the lines of an example's function below its head."""
    text = inspect.getsource(getattr(run_examples, name))
    return textwrap.dedent(text.partition("\n")[2]).splitlines()


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
