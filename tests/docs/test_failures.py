"""docs/failures.md explains each message that the plugin can give, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from .messages import FILLED, messages

PAGE = Path(__file__).parents[2] / "docs" / "failures.md"
TABLES = "\n## A job fails"
"""Before it stand tables about worlds, not messages."""


def explained() -> set[str]:
    """Return the messages in the first cells of tables."""
    lines = PAGE.read_text(encoding="utf-8").partition(TABLES)[2].splitlines()
    return {bare(line.removeprefix("| ").partition(" | ")[0]) for line in lines if line.startswith("| `")}


def listed() -> set[str]:
    """Return the messages in plain paragraphs."""
    lines = PAGE.read_text(encoding="utf-8").partition(TABLES)[2].splitlines()
    text = " ".join(line for line in lines if not line.startswith("|"))
    return set(re.findall(r"`([^`]+)`", text))


def bare(message: str) -> str:
    return message.strip("` ")


def test_every_message_is_explained() -> None:
    known = explained() | listed()
    missing = {text: place for text, place in messages().items() if bare(text) not in known}
    assert not missing, "add to docs/failures.md:\n" + "\n".join(
        f"| `{text}` | ({missing[text]}) | |" for text in missing
    )


def test_every_explanation_is_of_a_message() -> None:
    stale = explained() - {bare(message) for message in messages()}
    assert not stale, "no such message any more, remove from docs/failures.md:\n" + "\n".join(sorted(stale))


def test_the_collection_finds_messages_of_every_kind() -> None:
    found = messages()
    assert len(found) > 100
    assert f"was killed by {FILLED} after {FILLED} s" in found
    assert "expected plain YAML without tags, found the tag …" in found
