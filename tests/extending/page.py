"""The examples of docs/extending.md, as files of a project."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
LONGEST = 40
"""Lines of a part from outside."""


def files(section: str) -> dict[str, str]:
    """Return the files that a section shows, by their names."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"```(?:python|yaml|ini|sh)\n# (\S+)\n(.*?)```", text, re.DOTALL))
