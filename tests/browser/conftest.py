"""Starts the browser once, without a network: a page from disk needs none."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
selenium = pytest.importorskip("selenium", reason="needs selenium, chromium and chromium-driver")

from made_runs import make_run  # noqa: E402
from selenium.webdriver import Chrome, ChromeOptions  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402

from pytest_training.reporting.publishing import publish  # noqa: E402

FLAGS = "headless no-sandbox disable-gpu disable-background-networking no-first-run hide-scrollbars".split()  # noqa: SIM905


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    driver = shutil.which("chromedriver")
    if driver is None:
        pytest.skip("needs chromium and chromium-driver")
    options = ChromeOptions()
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options, Service(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of the page of a run with twelve jobs, compared with an earlier one."""
    reports = tmp_path_factory.mktemp("reports")
    make_run(reports, jobs=12, run_id="20260104-100000-abcd")
    publish(make_run(reports, jobs=12), against="last", project=reports, is_latest=True)
    return (reports / "index.html").as_uri()
