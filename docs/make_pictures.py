"""Makes the pictures of the documentation: the live view under tmux, the page in Chromium during a run and after it.

Needs Debian's chromium, chromium-driver and tmux, and selenium: `python docs/make_pictures.py [--no-run]`.
It trains the repository's own jobs and a study of one, so it takes twice as long as `pytest -n 4`.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

ROOT = Path(__file__).parents[1]
PICTURES = Path(__file__).parent / "pictures"
PAGE = ROOT / "reports" / "index.html"
STUDIES = ROOT / "reports" / "pictures"  # reports of the study, out of the way of the others
SESSION = "training-pictures"
FLAGS = ("headless", "no-sandbox", "disable-gpu", "disable-background-networking", "no-first-run", "hide-scrollbars")
SHOWN_AFTER = 3  # finished jobs: then the live view has something of everything
PATIENCE_S = 1800
JOB = "als"
STUDY = ("-k", JOB, "--training-matrix", f"{JOB}.epochs=10,30,100", "--training-matrix", f"{JOB}.folds=3,5,8")
OPEN = "const each = document.getElementById('job-{}'); each.open = true; each.scrollIntoView();"


class Shot(NamedTuple):
    """A picture of the page."""

    name: str
    size: tuple[int, int]
    scheme: str = "light"
    prepare: str = ""  # a script for the page


AFTER = (
    Shot("report", (1280, 1100)),
    Shot("report-dark", (1280, 1100), "dark"),
    Shot("report-phone", (390, 844)),
    Shot("report-job", (1280, 1500), prepare=OPEN.format(JOB)),
)


def live_view(meanwhile: Callable[[], None]) -> str:
    """Train under tmux at 100 x 30, and return the screen as it was while jobs ran."""
    command = f"cd {ROOT} && {sys.executable} -m pytest -n 4; sleep 2"
    subprocess.run(["tmux", "new-session", "-d", "-s", SESSION, "-x", "100", "-y", "30", command], check=True)
    shown, give_up = "", time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        time.sleep(0.5)
        screen = subprocess.run(
            ["tmux", "capture-pane", "-p", "-t", SESSION], capture_output=True, text=True, check=False
        )
        if screen.returncode:
            break
        if not shown and " running · " in screen.stdout and screen.stdout.count("\nPASSED") >= SHOWN_AFTER:
            shown = screen.stdout
            meanwhile()
    return shown.rstrip("\n") + "\n"


def picture(browser: Chrome, page: Path, shot: Shot) -> None:
    """Take a picture of a page."""
    width, height = shot.size
    shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)
    wishes = {"prefers-color-scheme": shot.scheme, "prefers-reduced-motion": "reduce"}
    features = [{"name": wish, "value": value} for wish, value in wishes.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    browser.get(page.as_uri())
    browser.execute_script(f"{shot.prepare}; document.activeElement.blur();")
    drawn = "Promise.all([...document.images].filter((each) => each.checkVisibility()).map((each) => each.decode()))"
    browser.execute_async_script(f"{drawn}.then(() => requestAnimationFrame(arguments[0]))")
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    (PICTURES / f"{shot.name}.png").write_bytes(base64.b64decode(taken["data"]))


def running(browser: Chrome) -> None:
    """Take a picture of the page of the run in progress, once a job has logged something."""
    browser.get(PAGE.as_uri())
    WebDriverWait(browser, PATIENCE_S).until(
        lambda page: page.execute_script("return document.querySelectorAll('#running tbody progress').length > 1")
    )
    picture(browser, PAGE, Shot("report-running", (1280, 900)))


def main() -> None:
    """Make all pictures; with `--no-run` those of the latest run's page."""
    options = ChromeOptions()
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tempfile.mkdtemp()}")
    browser = Chrome(options, Service("/usr/bin/chromedriver"))
    PICTURES.mkdir(exist_ok=True)
    try:
        if "--no-run" not in sys.argv:
            (PICTURES / "live.txt").write_text(live_view(lambda: running(browser)), encoding="utf-8")
            words = [sys.executable, "-m", "pytest", "-q", "-n", "4", f"--training-reports={STUDIES}", *STUDY]
            subprocess.run(words, cwd=ROOT, check=False)  # a trial that misses its gate is a picture too
            picture(browser, STUDIES / "index.html", Shot("report-study", (1280, 1400), prepare=OPEN.format(JOB)))
            shutil.rmtree(STUDIES)
        for shot in AFTER:
            picture(browser, PAGE, shot)
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
