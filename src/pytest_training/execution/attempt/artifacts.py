"""Saves objects of a job as files: by suffix, atomically, never by pickle, never outside the job's folder."""

import io
import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_training.atomic import write_atomically

LONGEST_NAME = 200  # bytes of one path component; file systems end at 255 and the temporary name adds some


def save_object(folder: Path, name: str, content: Any, *, below: Path | None = None) -> Path:
    """Save an object below the folder in the format of the name's suffix; return the path."""
    path = _inside(folder, name)
    suffix = path.suffix.lower()
    encoded = _encoded(content, suffix)
    if encoded is None:
        raise TypeError(
            f"run.save({name!r}, …): cannot save a {type(content).__name__} as {suffix or 'a file without suffix'!r}; "
            "expected an array (.npy), table (.csv, .parquet), dict or list (.json), text, bytes, "
            "figure (.svg, .png, .pdf) or scikit-learn estimator (.skops)"
        )
    write_atomically(path, encoded, below=below)
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
        is_parquet = suffix == ".parquet"
        return content.to_parquet() if is_parquet else content.to_csv(index=content.index.name is not None).encode()
    if suffix == ".npy" and (isinstance(content, list | tuple) or hasattr(content, "__array__")):
        return array_bytes(content)
    if suffix == ".json" and isinstance(content, dict | list):
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=_json_scalar)
        return text.encode() + b"\n"
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
