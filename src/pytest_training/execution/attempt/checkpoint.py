"""Keeps a job's state across attempts and resumed runs: one file, always whole, never a pickle.

Numbers, strings, lists and dicts are JSON; arrays and tensors .npy; scikit-learn estimators .skops.
"""

import contextlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytest_training.atomic import write_atomically
from pytest_training.errors import TrainingError
from pytest_training.execution.attempt.artifacts import array_bytes, estimator_bytes
from pytest_training.execution.job_files import open_own
from pytest_training.places import entered

MARK = "__checkpoint__"
"""Key of a JSON object that stands for a value without a JSON form."""
UNREADABLE = (OSError, ValueError, KeyError, RecursionError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""Errors of reading a file that is no checkpoint, or a torn one."""


class Checkpoint:
    """The value of `run.checkpoint`: `save` replaces the state, `load` returns it."""

    def __init__(self, folder: Path | None, below: Path | None = None) -> None:
        self._files = (folder / "state.zip", folder / "previous.zip") if folder else ()
        self._below = below
        """The last folder above them that may be a link."""

    def save(self, **state: Any) -> None:
        """Replace the state, e.g. `run.checkpoint.save(epoch=3, weights=w)`, once the new one is whole."""
        if self._files:
            content = _encode(state)
            current, previous = self._files
            with entered(current.parent, self._below) as place, contextlib.suppress(FileNotFoundError):
                place.replace(current.name, previous.name)
            write_atomically(current, content, below=self._below)

    def load(self) -> dict[str, Any] | None:
        """Return the last state of an earlier attempt or of the resumed run, or None if there is none."""
        for file in self._files:
            # Where it is missing, or torn by a machine that went down, the one before is whole.
            with contextlib.suppress(*UNREADABLE), open_own(file) as opened:
                return _decode(opened.read())
        return None


def _encode(state: Mapping[str, Any]) -> bytes:
    parts: dict[str, bytes] = {}

    def attach(kind: str, content: bytes) -> dict[str, str]:
        name = f"{len(parts)}.{kind}"
        parts[name] = content
        return {MARK: name}

    text = json.dumps({name: _plain(name, value, attach) for name, value in state.items()})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # stored, not compressed: weights hardly shrink, and time counts
        for name, content in {"state.json": text.encode(), **parts}.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _plain(name: str, value: Any, attach: Callable[[str, bytes], dict[str, str]]) -> Any:  # noqa: PLR0911  (a form each)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return attach("bytes", value)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"run.checkpoint.save({name}=…): expected a dict with string keys")
        return {key: _plain(name, below, attach) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(name, below, attach) for below in value]
    if callable(getattr(value, "detach", None)) and callable(getattr(value, "cpu", None)):
        return attach("tensor", array_bytes(value.detach().cpu().numpy()))
    if hasattr(value, "__array__"):
        return value.item() if getattr(value, "shape", None) == () else attach("npy", array_bytes(value))
    if callable(getattr(value, "get_params", None)):
        return attach("skops", _estimator(name, value))
    raise TypeError(
        f"run.checkpoint.save({name}=…): cannot keep a {type(value).__name__}; expected numbers, strings, lists, "
        "dicts, arrays, tensors or scikit-learn estimators"
    )


def _estimator(name: str, value: Any) -> bytes:
    import skops.io  # noqa: PLC0415  (only jobs that have estimators load it)

    content = estimator_bytes(value)
    if untrusted := skops.io.get_untrusted_types(data=content):
        raise TrainingError(
            f"run.checkpoint.save({name}=…): skops does not trust {', '.join(untrusted)}, so it could not be loaded "
            "again; keep the estimator's arrays and numbers instead"
        )
    return content


def _decode(content: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: _object(value, archive) for name, value in json.loads(archive.read("state.json")).items()}


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
        import skops.io  # noqa: PLC0415  (not every job has it)

        return skops.io.loads(content)
    import numpy as np  # noqa: PLC0415  (not every job has it)

    array = np.load(io.BytesIO(content), allow_pickle=False)
    if name.endswith(".tensor"):
        import torch  # noqa: PLC0415  (optional, and there where a tensor was saved)

        return torch.from_numpy(array)
    return array
