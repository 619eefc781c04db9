"""Files that are there whole or not at all."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from pytest_training.places import entered


def write_atomically(path: Path, content: bytes, *, below: Path | None = None) -> None:
    """Write a file whole or not at all; in a run, `below` is the last folder above it that may be a link."""
    write_pieces(path, (content,), below=below)


def write_pieces(path: Path, pieces: Iterable[bytes], *, below: Path | None = None) -> None:
    """Write a file as `write_atomically` does, from pieces of its content."""
    partial = f".{path.name[:200]}.{os.urandom(4).hex()}.partial"
    with entered(path.parent, below) as place:
        try:
            with open(partial, "xb", opener=place.open_new) as file:
                file.writelines(pieces)
            place.replace(partial, path.name)
        except BaseException as error:  # Ctrl-C too leaves no part
            with contextlib.suppress(OSError):
                place.remove(partial)
            if isinstance(error, OSError):
                raise OSError(error.errno, error.strerror, str(path)) from None  # it names the part alone
            raise
