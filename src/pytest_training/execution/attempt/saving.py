"""Saves what a job keeps: artifacts by suffix, and its state across attempts; never by pickle, never half.

Artifacts never lie outside the job's folder. A state's numbers, strings, lists and dicts are JSON; arrays and tensors
.npy; scikit-learn estimators .skops.
"""

import contextlib
import importlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_training import atomic, errors, places
from pytest_training.execution.job_files import open_own

LONGEST_NAME = 200  # bytes of one path component; file systems end at 255 and the temporary name adds some
MARK = "__checkpoint__"  # key of a JSON object that stands for a value without a JSON form
UNREADABLE = (OSError, ValueError, KeyError, RecursionError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""Errors of reading a file that is no checkpoint, or a torn one."""


def save_object(folder: Path, name: str, content: Any, *, below: Path | None = None) -> Path:
    """Save an object below the folder in the format of the name's suffix; return the path."""
    path = _inside(folder, name)
    suffix = path.suffix.lower()
    if (encoded := _encoded(content, suffix)) is None:
        raise TypeError(
            f"run.save({name!r}, …): cannot save a {type(content).__name__} as {suffix or 'a file without suffix'!r}; "
            "expected an array (.npy), table (.csv, .parquet), dict or list (.json), text, bytes, "
            "figure (.svg, .png, .pdf) or scikit-learn estimator (.skops)"
        )
    atomic.write_atomically(path, encoded, below=below)
    return path


def _inside(folder: Path, name: str) -> Path:
    pure = PurePosixPath(name)
    is_relative = bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts and "\0" not in name
    if not is_relative or any(len(os.fsencode(part)) > LONGEST_NAME for part in pure.parts):
        raise ValueError(
            f"run.save({name[:80]!r}, …): expected a relative file name inside the job's folder, "
            f"each part at most {LONGEST_NAME} bytes"
        )
    path = folder / pure
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"run.save({name[:80]!r}, …): a symbolic link leads out of the job's folder")
    return path


def _encoded(content: Any, suffix: str) -> bytes | None:  # noqa: PLR0911  (a format each)
    """Return the content of a file, or None if the object cannot be saved in that format."""
    if suffix == ".skops":
        return estimator_bytes(content)
    if isinstance(content, bytes | bytearray):
        return bytes(content)
    if isinstance(content, str):
        return content.encode()
    if suffix in {".svg", ".png", ".pdf"} and _has(content, "savefig"):
        return _figure(content, suffix)
    if suffix in {".csv", ".parquet"} and _has(content, "to_csv", "to_parquet"):
        is_csv = suffix == ".csv"
        return bytes(content.to_csv(index=content.index.name is not None).encode() if is_csv else content.to_parquet())
    if suffix == ".npy" and (isinstance(content, list | tuple) or hasattr(content, "__array__")):
        return array_bytes(content)
    if suffix == ".json" and isinstance(content, dict | list):
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=_json_scalar).encode() + b"\n"
    return None


def _has(content: Any, *methods: str) -> bool:
    return all(callable(getattr(content, method, None)) for method in methods)


def array_bytes(content: Any) -> bytes:
    """Return the content of an .npy file; raise ValueError for an array of objects, which would need pickle."""
    import numpy as np  # noqa: PLC0415  (only jobs that use numpy load it)

    buffer = io.BytesIO()
    np.save(buffer, np.asarray(content), allow_pickle=False)
    return buffer.getvalue()


def _json_scalar(value: Any) -> Any:
    if _has(value, "tolist"):  # numpy scalars and arrays
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"run.save: {type(value).__name__} has no JSON form")


def _figure(content: Any, suffix: str) -> bytes:
    import matplotlib as mpl  # noqa: PLC0415  (whoever has a figure has loaded it)

    buffer = io.BytesIO()
    # Without a date and with fixed ids two equal runs leave equal files.
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix)
    with mpl.rc_context({"svg.hashsalt": "training"}):
        content.savefig(buffer, format=suffix[1:], bbox_inches="tight", metadata=metadata)
    return buffer.getvalue()


def estimator_bytes(content: Any) -> bytes:
    """Return a scikit-learn estimator as the content of a .skops file."""
    import skops.io  # noqa: PLC0415  (only jobs that save an estimator load it)

    return bytes(skops.io.dumps(content))


class Checkpoint:
    """The value of `run.checkpoint`: `save` replaces the state, `load` returns it."""

    def __init__(self, folder: Path | None, below: Path | None = None) -> None:
        self._files = (folder / "state.zip", folder / "previous.zip") if folder else ()
        self._below = below  # the last folder above them that may be a link

    def save(self, **state: Any) -> None:
        """Replace the saved state, like `run.checkpoint.save(epoch=3, weights=w)`, once the new one is whole."""
        if self._files:
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:  # stored: weights hardly shrink, and time counts
                plain = {name: _plain(name, value, archive) for name, value in state.items()}
                archive.writestr("state.json", json.dumps(plain))
            current, previous = self._files
            with places.entered(current.parent, self._below) as place, contextlib.suppress(FileNotFoundError):
                place.replace(current.name, previous.name)
            atomic.write_atomically(current, buffer.getvalue(), below=self._below)

    def load(self) -> dict[str, Any] | None:
        """Return the last state that an earlier attempt or the resumed run has saved, or None."""
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
            raise errors.TrainingError(
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
    name, content = value[MARK], archive.read(value[MARK])
    if name.endswith(".bytes"):
        return content
    if name.endswith(".skops"):
        return importlib.import_module("skops.io").loads(content)
    array = importlib.import_module("numpy").load(io.BytesIO(content), allow_pickle=False)
    return importlib.import_module("torch").from_numpy(array) if name.endswith(".tensor") else array
