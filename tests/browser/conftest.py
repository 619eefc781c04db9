"""Starts the browser once, without a network: a page from disk needs none.

What is missing skips these tests; with BROWSER_TESTS=required, as .ci/run has it, it fails them.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "evaluation")]
REQUIRED = os.environ.get("BROWSER_TESTS") == "required"
if not REQUIRED:
    pytest.importorskip("selenium", reason="needs selenium: pip install -e '.[browser]'")

import msgspec  # noqa: E402  (after the check above)
from made_runs import make_run, publish  # noqa: E402  (after the check above)
from records import binary, classes, numbers  # noqa: E402  (after the check above)
from selenium.webdriver import Chrome, ChromeOptions  # noqa: E402  (after the check above)
from selenium.webdriver.chrome.service import Service  # noqa: E402  (after the check above)

from pytest_training.evaluation.judge import evaluate  # noqa: E402  (after the check above)

AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
FLAGS = "headless no-sandbox disable-gpu disable-background-networking no-first-run hide-scrollbars".split()  # noqa: SIM905  (easier to read)


def missing(what: str) -> NoReturn:
    (pytest.fail if REQUIRED else pytest.skip)(f"needs {what}")


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the script of axe-core."""
    if not AXE.exists():
        missing(f"axe-core: npm install --prefix tests/browser (no {AXE})")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    driver = shutil.which("chromedriver")
    if driver is None or shutil.which("chromium") is None:
        missing("chromium and chromium-driver: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options, Service(driver))
    chrome.set_script_timeout(120)  # axe on a busy machine
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of the page of a run with twelve jobs, compared with an earlier one."""
    reports = tmp_path_factory.mktemp("reports")
    make_run(reports, jobs=12, run_id="20260104-100000-abcd")
    folder = make_run(reports, jobs=12)
    for number, make in enumerate((binary, classes, numbers)):
        record = make(subgroup={"sex": ["female", "male"] * 30})
        content = msgspec.json.encode(evaluate(record))
        attempt = folder.job(f"job{number:04}").attempt(1)
        (attempt.path / "evaluation.json").write_bytes(content)
        attempt.log.write_text("".join(f"epoch {epoch} of 200\n" for epoch in range(200)))
    publish(folder)
    return (reports / "index.html").as_uri()
