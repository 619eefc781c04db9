"""Notebook jobs: an .ipynb with a cell of parameters, executed in a kernel of its own."""

import ast
import contextlib
import json
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from pytest_training.jobs.kinds.function import read_gates
from pytest_training.jobs.kinds.protocol import Command, File, Kind
from pytest_training.jobs.kinds.script.kind import program_environment
from pytest_training.jobs.model import Job, Parameter
from pytest_training.jobs.source.literals import MISSING, Constants, parameter_type, read_annotation
from pytest_training.jobs.source.sources import Candidate, Source, Unreadable
from pytest_training.wording import label, printable

TAG = "parameters"
_MAGIC = re.compile(r"^(\s*)([%!?].*|[\w.]+\?+)$", re.MULTILINE)  # a line that IPython alone reads


class NotebookKind(Kind):
    """A notebook; what its cells show and its files have the metrics."""

    name = "notebook"
    suffixes = (".ipynb",)

    def recognise(self, file: File) -> Job | None:
        """Return the job of a notebook that has a cell with the tag `parameters`."""
        cells, folder = _cells(file), file.path.parent
        if (tagged := _tagged(cells)) is None:
            return None
        code = "\n".join(map(_python, cells)).encode()
        source = Source(file.path, file.label, code, ast.parse(code))
        file.sources.remember(source)
        declared = tuple(_parameters(ast.parse(_python(tagged))))
        missing = next((package for package in ("nbclient", "ipykernel") if find_spec(package) is None), None)
        texts = (line.strip("# ") for cell in cells if not _python(cell) for line in cell["source"].splitlines())
        return file.job(
            self.name,
            title=next(filter(None, texts), ""),
            declared=declared,
            parameters={each.name: each.default for each in declared},
            gates=read_gates(source, strict=False),
            cwd="" if folder == file.sources.root else label(folder, file.sources.root),
            fresh="a notebook has a kernel of its own",
            problem=f"a notebook needs {missing}: pip install 'pytest-training[notebook]'" if missing else None,
            **file.sources.reach(file.path),
        )

    def judge(self, file: File) -> Candidate:
        """Take what `recognise` does."""
        is_job = b'"parameters"' in file.path.read_bytes() and _tagged(_cells(file)) is not None
        return Candidate(is_job, f"has {'a' if is_job else 'no'} cell with the tag {TAG}")

    def start(self, job: Job, *, folder: str, seed: int) -> Command:  # noqa: ARG002  (the kernel gets TRAINING_SEED)
        """Return what executes the cells."""
        values = json.dumps({name: job.parameters[name] for name in job.given})
        runner = ("-m", "pytest_training.execution.attempt.notebook", str(job.path), folder, values)
        return Command(argv=(sys.executable, *runner), environment=program_environment(job))


def _cells(file: File) -> list[dict[str, Any]]:
    """Return the cells of a notebook in Python, each with one text as its source; raise Unreadable for other files."""
    try:
        notebook = json.loads(file.path.read_bytes())
        cells = [
            {**each, "source": "".join(each["source"]), "metadata": {**each["metadata"]}} for each in notebook["cells"]
        ]
        about = {"language_info": {}, "kernelspec": {}, **notebook.get("metadata", {})}
        language = about["language_info"].get("name") or about["kernelspec"].get("language") or "python"
        is_foreign = _tagged(cells) is not None and "python" not in str(language).lower()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problem = f"{file.label}:1: expected a notebook of version 4: {type(error).__name__}: {error}"
        raise Unreadable(problem) from error
    if is_foreign:
        raise Unreadable(f"{file.label}:1: expected a notebook in Python, found one in {printable(str(language), 40)}")
    return cells


def _tagged(cells: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((cell for cell in cells if TAG in cell["metadata"].get("tags", ())), None)


def _python(cell: dict[str, Any]) -> str:
    """Return the Python of a cell; nothing if it has other text, or is no Python without its magic."""
    source = cell["source"] if cell.get("cell_type") == "code" else ""
    for text in (source, _MAGIC.sub(r"\1pass", source)):
        with contextlib.suppress(SyntaxError, ValueError):
            ast.parse(text)
            return text
    return ""


def _parameters(tree: ast.Module) -> Iterator[Parameter]:
    """Yield the names that a cell assigns literals to."""
    constants = Constants(tree)
    for statement in tree.body:
        for target in getattr(statement, "targets", [getattr(statement, "target", None)]):
            value = constants.literal(target) if isinstance(target, ast.Name) else MISSING
            if value is not MISSING:
                kind = parameter_type(read_annotation(getattr(statement, "annotation", None)), value)
                yield Parameter(name=target.id, type=kind, default=value)
