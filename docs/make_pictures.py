"""Makes the pictures of docs/reports.md: the live view under tmux, the page in Chromium.

Needs Debian's chromium, chromium-driver and tmux, and selenium: `python docs/make_pictures.py [--no-run]`.
It trains the repository's own jobs, so it takes as long as `pytest -n 4`.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).parents[1]
PICTURES = Path(__file__).parent / "pictures"
SESSION = "training-pictures"
FLAGS = ("headless", "no-sandbox", "disable-gpu", "disable-background-networking", "no-first-run", "hide-scrollbars")
SHOWN_AFTER = 3  # finished jobs: then the live view has something of everything
PATIENCE_S = 1800


def live_view() -> str:
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
        if (
            " running · " in screen.stdout
            and screen.stdout.count("\nPASSED") >= SHOWN_AFTER
            and " 0 running" not in shown
        ):
            shown = shown or screen.stdout
    return shown.rstrip("\n") + "\n"


def page() -> None:
    """Take pictures of the latest run's page."""
    options = ChromeOptions()
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tempfile.mkdtemp()}")
    browser = Chrome(options, Service("/usr/bin/chromedriver"))
    try:
        for name, width, height, scheme, job in (
            ("report", 1280, 1100, "light", False),
            ("report-dark", 1280, 1100, "dark", False),
            ("report-job", 1280, 1500, "light", True),
            ("report-phone", 390, 844, "light", False),
        ):
            _picture(browser, name, (width, height), scheme, job=job)
    finally:
        browser.quit()


def _picture(browser: Chrome, name: str, size: tuple[int, int], scheme: str, *, job: bool) -> None:
    width, height = size
    shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)
    wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    features = [{"name": wish, "value": value} for wish, value in wishes.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    browser.get((ROOT / "reports" / "index.html").as_uri())
    if job:
        browser.execute_script(
            "const job = document.querySelector('details[data-job]');"
            "job.open = true; job.scrollIntoView(); document.activeElement.blur();"
        )
    time.sleep(0.5)
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    (PICTURES / f"{name}.png").write_bytes(base64.b64decode(taken["data"]))


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    if "--no-run" not in sys.argv:
        (PICTURES / "live.txt").write_text(live_view(), encoding="utf-8")
    page()
