"""Keeps a job's state across attempts and resumed runs: one file, always whole, never a pickle.

Numbers, strings, lists and dicts are JSON; arrays and tensors .npy; scikit-learn estimators .skops.
"""

import contextlib
import importlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_training.atomic import write_atomically
from pytest_training.errors import TrainingError
from pytest_training.execution.attempt.artifacts import array_bytes, estimator_bytes
from pytest_training.execution.job_files import open_own
from pytest_training.places import entered

MARK = "__checkpoint__"  # key of a JSON object that stands for a value without a JSON form
UNREADABLE = (OSError, ValueError, KeyError, RecursionError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""Errors of reading a file that is no checkpoint, or a torn one."""


class Checkpoint:
    """The value of `run.checkpoint`: `save` replaces the state, `load` returns it."""

    def __init__(self, folder: Path | None, below: Path | None = None) -> None:
        self._files = (folder / "state.zip", folder / "previous.zip") if folder else ()
        self._below = below  # the last folder above them that may be a link

    def save(self, **state: Any) -> None:
        """Replace the state, e.g. `run.checkpoint.save(epoch=3, weights=w)`, once the new one is whole."""
        if self._files:
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:  # stored: weights hardly shrink, and time counts
                plain = {name: _plain(name, value, archive) for name, value in state.items()}
                archive.writestr("state.json", json.dumps(plain))
            current, previous = self._files
            with entered(current.parent, self._below) as place, contextlib.suppress(FileNotFoundError):
                place.replace(current.name, previous.name)
            write_atomically(current, buffer.getvalue(), below=self._below)

    def load(self) -> dict[str, Any] | None:
        """Return the last state of an earlier attempt or of the resumed run, or None if there is none."""
        for file in self._files:
            # Where it is missing, or torn by a machine that went down, the one before is whole.
            with contextlib.suppress(*UNREADABLE), open_own(file) as opened, zipfile.ZipFile(opened) as archive:
                state: dict[str, Any] = _object(json.loads(archive.read("state.json")), archive)
                return state
        return None


def _plain(name: str, value: Any, archive: zipfile.ZipFile) -> Any:  # noqa: PLR0911  (a form each)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return _attach(archive, "bytes", value)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"run.checkpoint.save({name}=…): expected a dict with string keys")
        return {key: _plain(name, below, archive) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(name, below, archive) for below in value]
    if callable(getattr(value, "detach", None)) and callable(getattr(value, "cpu", None)):
        return _attach(archive, "tensor", array_bytes(value.detach().cpu().numpy()))
    if hasattr(value, "__array__"):
        return value.item() if getattr(value, "shape", None) == () else _attach(archive, "npy", array_bytes(value))
    if callable(getattr(value, "get_params", None)):
        content = estimator_bytes(value)
        if untrusted := importlib.import_module("skops.io").get_untrusted_types(data=content):
            raise TrainingError(
                f"run.checkpoint.save({name}=…): skops does not trust {', '.join(untrusted)}, so it could not be "
                "loaded again; keep the estimator's arrays and numbers instead"
            )
        return _attach(archive, "skops", content)
    raise TypeError(
        f"run.checkpoint.save({name}=…): cannot keep a {type(value).__name__}; expected numbers, strings, lists, "
        "dicts, arrays, tensors or scikit-learn estimators"
    )


def _attach(archive: zipfile.ZipFile, kind: str, content: bytes) -> dict[str, str]:
    name = f"{len(archive.namelist())}.{kind}"
    archive.writestr(name, content)
    return {MARK: name}


def _object(value: Any, archive: zipfile.ZipFile) -> Any:
    if isinstance(value, list):
        return [_object(below, archive) for below in value]
    if not isinstance(value, dict):
        return value
    if MARK not in value:
        return {key: _object(below, archive) for key, below in value.items()}
    return _attached(value[MARK], archive.read(value[MARK]))


def _attached(name: str, content: bytes) -> Any:
    if name.endswith(".bytes"):
        return content
    if name.endswith(".skops"):
        return importlib.import_module("skops.io").loads(content)
    array = importlib.import_module("numpy").load(io.BytesIO(content), allow_pickle=False)
    return importlib.import_module("torch").from_numpy(array) if name.endswith(".tensor") else array
