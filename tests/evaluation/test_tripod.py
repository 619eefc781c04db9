"""The checklist is whole, and each of its sub-items can be stated by somebody."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from pytest_training.evaluation.tripod import items, statement_keys

PARTS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc", 23: "ab", 27: "abc"}
"""The sub-items of those items that have some (Collins et al., BMJ 2024;385:e078378, table 2)."""


def test_it_has_the_27_items_and_52_sub_items_in_order() -> None:
    numbers = [f"{number}{part}" for number in range(1, 28) for part in PARTS.get(number, " ")]
    assert [item.number for item in items()] == [number.strip() for number in numbers]
    assert len(items()) == 52


def test_every_sub_item_can_be_stated_in_the_catalogue() -> None:
    assert [item.number for item in items() if not item.keys] == []
    assert [key for key in statement_keys() if not re.fullmatch(r"[a-z][a-z_]+", key)] == []
    shared = [key for key, times in Counter(key for item in items() for key in item.keys).items() if times > 1]
    assert shared == ["updating"]
    assert {"intended_use", "ethics", "funding", "horizon"} <= {*statement_keys()}


def test_the_page_on_the_catalogue_lists_them() -> None:
    page = (Path(__file__).parents[2] / "docs/jobs-yaml.md").read_text(encoding="utf-8")
    for item in items():
        keys = ", ".join(f"`{key}`" for key in item.keys)
        assert f"| {item.number} | {keys} | {item.words} |" in page
