"""The idle item: what an xdist worker holds while it waits for its next job.

A worker runs an item only when it knows the one after it (pytest hands `nextitem` to the teardown). So it needs
a second item before it starts the first, and whatever that is waits behind the first (pytest-xdist issues 278, 382,
894). The idle item is such a second item: running it does nothing and reports nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

NODEID = "::training-idle"


class IdleItem(pytest.Item):
    """An item that is appended to a worker's collection and never shown."""

    def runtest(self) -> NoReturn:
        """Never called: the plugin answers its run protocol."""
        raise AssertionError("the idle item is never run")

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return what pytest asks of every item."""
        return self.path, None, "idle"


def append_to(session: pytest.Session) -> None:
    """Append the idle item; after every deselection, or `--lf` would drop it."""
    session.items.append(IdleItem.from_parent(session, name="idle", nodeid=NODEID))


def remove_from(node_ids: list[str]) -> None:
    """Take the idle item out of what a worker reports as collected, so that no count shows it."""
    if node_ids and node_ids[-1] == NODEID:
        node_ids.pop()
