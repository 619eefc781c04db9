"""The pages that are made from the code are as the code says."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from sessions import Project

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
import make_failures
import make_options


@pytest.mark.parametrize("maker", [make_failures, make_options], ids=lambda maker: str(maker.__name__))
def test_a_page_shows_what_the_code_says(maker: ModuleType) -> None:
    written = maker.PAGE.read_text(encoding="utf-8")
    assert written == maker.page(written), "run: python docs/make_all.py"


def test_every_option_and_setting_of_pytests_help_is_on_the_page(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.jobs("mine")
    helped = set(
        re.findall(r"^ +(--training-[a-z-]+|training_[a-z_]+)", project.run("--help").stdout.str(), re.MULTILINE)
    )
    assert {"--training-resume", "training_heartbeat"} <= helped
    page = make_options.PAGE.read_text(encoding="utf-8")
    assert {name for name in helped if not re.search(rf"`{name}[` ]", page)} == set()


def test_every_name_of_a_group_is_an_option() -> None:
    names = [name for group in make_options.GROUPS.values() for name in group]
    assert set(names) <= make_options.rows().keys()
    assert len(names) == len(set(names))
