"""Finding what trains in a large repository: `pytest --training-root .` beside compiling the same files."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from functools import partial
from itertools import islice
from pathlib import Path

from measuring import PYTEST, measure, medians
from tables import Answer

QUESTION = "`pytest --training-root .` on 2,400 Python files"
REPEATS = 3
FILES = 2400
LIMIT_S, LIMIT_RATIO = 5.0, 0.5
COLLECT, COMPILE = "`pytest --training-root . --collect-only -q`", "`python -m compileall -q -f .`"
TRAINS = "from sklearn.svm import SVC\n\nmodel = SVC()\nprint(model.fit([[0], [1]], [0, 1]).score([[0]], [0]))\n"
EVERY = 100  # files, one trains


def answer(folder: Path, repeats: int) -> Answer:
    """Measure with installed libraries as the repository, and a script that trains among each hundred files."""
    repository = _repository(folder / "repository")
    commands = {
        COLLECT: [*PYTEST, "--training-root", ".", "--collect-only", "-q"],
        COMPILE: [sys.executable, "-m", "compileall", "-q", "-f", "."],
    }
    middle = medians({name: partial(measure, each, repository) for name, each in commands.items()}, repeats)
    ratio = middle[COLLECT].cpu_s / middle[COMPILE].cpu_s
    result = Answer(QUESTION, ["what", "s", "CPU s", "peak MiB"])
    for name, each in middle.items():
        result.rows.append([name, f"{each.wall_s:.2f}", f"{each.cpu_s:.2f}", f"{each.peak_mb:.0f}"])
    result.limit("reading", middle[COLLECT].wall_s, LIMIT_S)
    result.limit("CPU against compiling", ratio, LIMIT_RATIO, "x")
    return result


def _repository(folder: Path) -> Path:
    """Copy files of installed libraries as packages of a repository, and add the scripts."""
    installed = Path(sysconfig.get_paths()["purelib"])
    files = (path for path in sorted(installed.rglob("*.py")) if "dist-info" not in path.as_posix())
    for path in islice(files, FILES - FILES // EVERY):
        target = folder / "packages" / path.relative_to(installed)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for number in range(FILES // EVERY):
        script = folder / f"projects/{number:02}/main.py"
        script.parent.mkdir(parents=True)
        script.write_text(TRAINS, encoding="utf-8")
    return folder
