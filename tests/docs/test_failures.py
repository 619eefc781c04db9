"""Each message of the plugin has its meaning in the messages.toml beside the code, and docs/failures.md shows them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .messages import FILLED, SOURCE, messages

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
import make_failures


def explained() -> set[tuple[str, str]]:
    """Return the file and the message of each entry."""
    files = SOURCE.rglob("messages.toml")
    return {(_shown(file), message) for file in files for _, message, _ in make_failures.entries(file)}


def given() -> dict[str, set[tuple[str, str]]]:
    """Return each message with the entries that may explain it: one in the folder of a module that gives it."""
    return {
        message: {(_shown(SOURCE / place).rpartition("/")[0] + "/messages.toml", message) for place in places}
        for message, places in messages().items()
    }


def _shown(path: Path) -> str:
    return f"src/pytest_training/{path.relative_to(SOURCE).as_posix()}"


def test_every_message_is_explained() -> None:
    known = explained()
    missing = [entries for entries in given().values() if not entries & known]
    assert not missing, "add, and run python docs/make_failures.py:\n" + "\n".join(
        f'{file}:\n[GROUP.{json.dumps(message, ensure_ascii=False)}]\nmeans = ""\ndo = ""\n'
        for entries in missing
        for file, message in sorted(entries)
    )


def test_every_explanation_is_of_a_message() -> None:
    stale = explained() - {entry for entries in given().values() for entry in entries}
    assert not stale, "no module beside the file gives this message:\n" + "\n".join(map(str, sorted(stale)))


def test_the_collection_finds_messages_of_every_kind() -> None:
    found = messages()
    assert len(found) > 100
    assert f"was killed by {FILLED} after {FILLED} s" in found
    assert "expected plain YAML without tags, found the tag …" in found
