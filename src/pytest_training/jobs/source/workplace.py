"""The folder in which a script's author starts it: its own or one above it, by the paths that it reads and READMEs."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pytest_training.jobs.search import MARKERS
from pytest_training.jobs.source.named import whole_paths
from pytest_training.jobs.source.sources import Source
from pytest_training.wording import label

LARGEST_README = 2**18
_FILES = re.compile(r"(?:[\w.-]+/)*[\w.-]+\.py\b|-m +[\w.]+")
_STARTS = re.compile(r"\b(python[\d.]*|torchrun|launch|deepspeed|accelerate|mpirun|srun|uv run)\b")
_LIKE_PATH = re.compile(r"[\w.-]*[/.][\w./-]*|data|datasets?|configs?|conf")
"""Texts of a source that are paths if they exist; of bare words, these alone."""


def workplace(source: Source, root: Path, readmes: dict[Path, str]) -> str:
    """Return the working directory of a script, relative to the root; `readmes` keeps what has been read."""
    own = source.path.parent
    is_inside = own != root and own.is_relative_to(root)
    place = next(_places(source, own, root, readmes)) if is_inside else root
    return "" if place == root else label(place, root)


def _places(source: Source, own: Path, root: Path, readmes: dict[Path, str]) -> Iterator[Path]:
    """Yield the folders that speak for themselves, the surest first; the last is the root."""
    starts = list(_started(source.path, root, readmes))
    yield from (folder for is_beside, folder in starts if not is_beside)
    paths = {path for path in whole_paths(source.tree, source.constants) if _LIKE_PATH.fullmatch(path)}
    below, above = ({path for path in paths if os.path.exists(folder / path)} for folder in (own, root))  # noqa: PTH110  (faster)
    if bool(below - above) != bool(above - below):
        yield own if below - above else root
    yield from (folder for _, folder in starts)
    ways_up = (os.path.normpath(own / path) for path in paths if path.startswith(".."))
    yield from (own for way in ways_up if Path(way).is_relative_to(root))  # from the root it would lead out
    yield from (each for each in source.path.parents if each == root or any((each / name).exists() for name in MARKERS))


def _started(script: Path, root: Path, readmes: dict[Path, str]) -> Iterator[tuple[bool, Path]]:
    """Yield the folders in which commands of READMEs start the script, nearest README first; True for one beside it."""
    for folder in (each for each in script.parents if each.is_relative_to(root)):
        text = readmes[folder] = readmes[folder] if folder in readmes else _readme(folder)
        for word in (word for line in filter(_STARTS.search, text.splitlines()) for word in _FILES.findall(line)):
            is_module = word.startswith("-m")
            named = Path(f"{word.split()[-1].replace('.', '/')}.py" if is_module else os.path.normpath(word))
            start = script.parents[min(len(named.parts), len(script.parents)) - 1]
            if (folder / named).parent == script.parent and (folder / named).is_file():
                yield folder / named != script, folder
            elif start / named == script and start.is_relative_to(root) and not (folder / named).is_file():
                yield False, start


def _readme(folder: Path) -> str:
    try:
        files = sorted(path for path in folder.iterdir() if path.name.lower().startswith("readme"))
        texts = (file.read_bytes()[:LARGEST_README].decode("utf-8", "replace") for file in files)
        return "\n".join(texts).replace("\\\n", " ")  # one command on several lines
    except OSError:
        return ""
