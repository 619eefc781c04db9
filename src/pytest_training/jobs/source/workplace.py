"""The folder in which a script's author starts it: its own or one above it, by the paths that it reads and READMEs."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pytest_training.jobs.source.named import whole_paths
from pytest_training.jobs.source.sources import Source

LARGEST_README = 2**18
_STARTS = re.compile(r"\b(python[\d.]*|torchrun|launch|deepspeed|accelerate|mpirun|srun|uv run)\b")
_LIKE_PATH = re.compile(r"[\w.-]*[/.][\w./-]*|data|datasets?|configs?|conf")
"""Texts of a source that are paths if they exist; of bare words, these alone."""


def workplace(source: Source, root: Path, readmes: dict[Path, str]) -> str:
    """Return the working directory of a script, relative to the root; `readmes` keeps what has been read."""
    own = source.path.parent
    if own == root or not own.is_relative_to(root):
        return ""
    paths = {path for path in whole_paths(source.tree, source.constants) if _LIKE_PATH.fullmatch(path)}
    beside, above = ({path for path in paths if os.path.exists(folder / path)} for folder in (own, root))  # noqa: PTH110  (faster)
    if bool(beside - above) != bool(above - beside):
        return own.relative_to(root).as_posix() if beside - above else ""
    ways_up = (os.path.normpath(own / path) for path in paths if path.startswith(".."))  # from the root they lead out
    usual = own if any(Path(way).is_relative_to(root) for way in ways_up) else root
    return next(_started(source.path, root, readmes), usual).relative_to(root).as_posix().strip(".")


def _started(script: Path, root: Path, readmes: dict[Path, str]) -> Iterator[Path]:
    """Yield the folders in which commands of READMEs start the script, those of the nearest README first."""
    spelled = re.compile(rf"(?:[\w.-]+/)*{re.escape(script.name)}\b|-m +(?:\w+\.)*{re.escape(script.stem)}\b")
    for folder in (each for each in script.parents if each.is_relative_to(root)):
        text = readmes[folder] = readmes[folder] if folder in readmes else _readme(folder)
        commands = filter(_STARTS.search, text.splitlines() if script.stem in text else ())
        for word in (word for line in commands for word in spelled.findall(line)):
            is_module = word.startswith("-m")
            named = Path(f"{word.split()[-1].replace('.', '/')}.py" if is_module else os.path.normpath(word))
            start = script.parents[min(len(named.parts), len(script.parents)) - 1]
            is_other = (folder / named).is_file() and folder / named != script
            if start / named == script and start.is_relative_to(root) and not is_other:
                yield start


def _readme(folder: Path) -> str:
    try:
        files = sorted(path for path in folder.iterdir() if path.name.lower().startswith("readme"))
        texts = (file.read_bytes()[:LARGEST_README].decode("utf-8", "replace") for file in files)
        return "\n".join(texts).replace("\\\n", " ")  # one command on several lines
    except OSError:
        return ""
