"""What a package index shows: README with links that lead somewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

TOP = Path(__file__).parents[2]
PACKAGE = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
LINK = re.compile(r"\]\(([^)]+)\)")


def description() -> str:
    """Return README as the wheel has it; `.ci/wheel` reads it from the built one."""
    text = (TOP / "README.md").read_text(encoding="utf-8")
    for each in PACKAGE["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(each["pattern"], each["replacement"], text)
    return text


def test_each_link_of_the_description_is_absolute_and_leads_to_a_file() -> None:
    home = PACKAGE["project"]["urls"]["Homepage"]
    links = LINK.findall(description())
    assert len(links) > 10
    files = [re.sub(f"^{re.escape(home)}/(blob|raw)/main/|#.*", "", link) for link in links]
    assert [file for file in files if not (TOP / file).is_file()] == []
    assert [link for link in links if link.endswith(".png") != link.startswith(f"{home}/raw/")] == []


def test_the_addresses_of_the_package_are_those_of_its_repository() -> None:
    urls = PACKAGE["project"]["urls"]
    assert {url for url in urls.values() if not url.startswith(urls["Homepage"])} == set()
    pages = [url.partition("/blob/main/")[2] for url in urls.values() if "/blob/" in url]
    assert [page for page in pages if not (TOP / page).is_file()] == []
