"""The page of a run in progress: it follows the run by itself, and nothing that somebody reads or opened is lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from sessions import WAIT, Project
from watching import eventually

from .test_page import DESK, PATIENCE_S, PHONE, grave, ids, log, run, show

pytestmark = pytest.mark.slow

PICTURE = """run.folder.joinpath("curve.svg").write_text(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"><path d="M0 3L4 0" stroke="navy"/></svg>'
)
"""
WAITING = """
for epoch in range(5):
    run.log(epoch=epoch, loss=1 / (epoch + 1))
run.progress(2, 4)
wait_for(jobs(run).parents[3] / "{name}.go")
return {{"score": 0.8}}
"""
HELD = """
if (jobs(run).parents[3] / "held").exists():
    wait_for(jobs(run).parents[3] / "last.go")
return {"score": 0.8}
"""
WATCHED = """
window.seen = {frames: 0, lost: 0, changes: 0};
const pinned = arguments[0], picture = document.querySelector("#job-quick img");
new MutationObserver(() => { seen.changes += 1; }).observe(document.querySelector("main"), {childList: true});
const look = () => {
  const top = pinned.getBoundingClientRect().top;
  window.seen.top ??= top;
  seen.frames += 1;
  const isThere = pinned.isConnected && picture.isConnected && picture.complete && picture.naturalWidth > 0;
  if (!isThere || Math.abs(top - seen.top) > 1) {
    seen.lost += 1;
    seen.why ??= [pinned.isConnected, picture.isConnected, picture.complete, top, scrollY, document.body.scrollHeight];
  }
  requestAnimationFrame(look);
};
look();
"""

BOTH_HALF = """(() => {
  const words = document.querySelector("#running")?.innerText ?? "";
  return words.split("50 %").length === 3 && words.split("loss 0.2").length === 3 && words;
})()"""
"""What runs, once the page shows how far both jobs are that wait."""


class Going:
    """A run in progress: `quick` passed, `broken` failed, `first` and `second` wait for a word, `last` for both."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root)
        self.project.job("quick", PICTURE + 'print("as expected\\n" * 40)\nreturn {"score": 0.7}')
        self.project.job("broken", 'raise ValueError("no such column")')
        for name in ("first", "second"):
            self.project.job(name, WAITING.format(name=name), top=WAIT)
        self.project.write("training/jobs.yaml", "jobs:\n  last: {needs: [first, second]}\n")
        self.project.job("last", HELD, top=WAIT)
        self.session = self.project.start("-n", "3")
        self.page = self.project.reports / "index.html"
        self.address = self.page.as_uri()
        eventually(lambda: self.page.exists() and 'id="job-quick"' in self.text and 'id="job-broken"' in self.text)

    @property
    def text(self) -> str:
        return self.page.read_text(encoding="utf-8")

    def end(self, name: str) -> None:
        """Let a waiting job end."""
        (self.project.root / f"{name}.go").touch()

    def close(self) -> None:
        """Kill the session if it has not ended."""
        if self.session.poll() is None:
            os.killpg(self.session.pid, signal.SIGKILL)
        self.session.wait()


@pytest.fixture
def going(tmp_path: Path, mark: str) -> Iterator[Going]:
    """Return a run in progress, as others' tests may use it too."""
    assert mark
    run_in_progress = Going(tmp_path)
    yield run_in_progress
    run_in_progress.close()


def until(page: Chrome, script: str) -> Any:
    return WebDriverWait(page, PATIENCE_S).until(lambda page: run(page, script))


def test_the_page_says_what_runs_how_far_it_is_and_what_is_left(browser: Chrome, axe: str, going: Going) -> None:
    show(browser, going.address)
    words = until(browser, BOTH_HALF)
    assert "2 of 5 done, 1 failed · 2 running · 1 waiting" in words
    rows = run(browser, "[...document.querySelectorAll('#running tbody tr')].map((each) => each.innerText)")
    assert [row.split()[:3] for row in rows] == [["first", "50", "%"], ["second", "50", "%"]]
    assert all("loss 0.2" in row for row in rows)
    assert "Next: last" in words
    assert " so far · " in browser.find_element(By.CSS_SELECTOR, ".sub").text
    assert browser.title.startswith("2 of 5 done")
    assert sorted(ids(browser)) == ["broken", "quick"]
    for size in (DESK, PHONE):
        show(browser, going.address, size)
        assert run(browser, "document.documentElement.scrollWidth") <= size[0]
        assert not (problems := grave(browser, axe)), problems


def test_it_follows_the_run_without_losing_anything_and_becomes_the_final_page(browser: Chrome, going: Going) -> None:
    show(browser, going.address)
    run(browser, "document.getElementById('job-quick').open = true")
    summary = browser.find_element(By.CSS_SELECTOR, "#job-quick summary")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].focus()", summary)
    browser.execute_script("document.querySelector('#job-quick pre').scrollTop = -100; window.marked = true")
    browser.execute_script(WATCHED, summary)
    pictures = []
    (going.project.root / "held").touch()
    for name in ("first", "second"):
        going.end(name)
        while not run(browser, f"document.getElementById('job-{name}')"):
            pictures.append(len(browser.get_screenshot_as_png()))
    going.end("last")  # the page of an ended run has another order: what is looked at moves
    while run(browser, "'written' in document.querySelector('main').dataset"):
        pictures.append(len(browser.get_screenshot_as_png()))
    assert going.session.wait(PATIENCE_S) == 1
    seen = run(browser, "window.seen")
    assert seen["lost"] == 0, str(seen)
    assert seen["frames"] > seen["changes"] >= 2
    assert min(pictures) > max(pictures) / 2  # a blank one is a tenth
    assert run(browser, "window.marked")  # never loaded anew
    assert run(browser, "document.activeElement.closest('details').id") == "job-quick"
    assert run(browser, "document.querySelector('#job-quick pre').scrollTop") == -100  # from its end
    assert run(browser, "document.getElementById('job-quick').open")
    assert run(browser, "document.querySelector('#running')") is None
    assert sorted(ids(browser)) == ["broken", "first", "last", "quick", "second"]
    assert browser.find_element(By.CSS_SELECTOR, ".pill").text == "✗ 1 failed"
    assert run(browser, "document.querySelectorAll('iframe').length") == 0
    assert log(browser, "browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in log(browser, "performance")]
    asked = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    assert {url.partition("?")[0] for url in asked if not url.startswith("data:")} == {going.address}


def test_the_merged_page_is_what_the_file_has(browser: Chrome, going: Going) -> None:
    structure = "document.querySelector('main').innerText.replace(/\\s+/g, ' ')"
    show(browser, going.address)
    going.end("first")
    going.end("second")
    until(browser, "!('written' in document.querySelector('main').dataset)")
    followed = run(browser, structure)
    show(browser, going.address)
    assert run(browser, structure) == followed


def test_filter_and_order_stay_while_jobs_come(browser: Chrome, going: Going) -> None:
    show(browser, going.address)
    browser.find_element(By.CSS_SELECTOR, "[data-key=id] button").click()
    search = browser.find_element(By.ID, "search")
    search.send_keys("o")  # in every row
    going.end("first")
    until(browser, "document.querySelectorAll('#table tbody tr').length === 3")
    assert ids(browser) == ["broken", "first", "quick"]
    assert run(browser, "document.activeElement.id") == "search"
    assert search.get_attribute("value") == "o"
    search.send_keys(" quick")
    assert ids(browser) == ["quick"]
    going.end("second")
    until(browser, "!('written' in document.querySelector('main').dataset)")
    assert ids(browser) == ["quick"]
    assert run(browser, "document.querySelectorAll('details[data-job]:not([hidden])').length") == 1


def test_a_killed_runs_page_says_that_it_is_no_longer_written(browser: Chrome, going: Going) -> None:
    show(browser, going.address)
    assert not browser.find_element(By.ID, "stale").is_displayed()
    assert browser.find_element(By.CSS_SELECTOR, ".pill.running").text == "● Running"
    going.close()
    text = going.text
    written = text.partition('data-written="')[2].partition('"')[0]
    going.page.write_text(
        text.replace(f'data-written="{written}"', f'data-written="2020{written[4:]}"'), encoding="utf-8"
    )
    show(browser, going.address)
    assert "This page is no longer written" in browser.find_element(By.ID, "stale").text
    assert browser.find_element(By.CSS_SELECTOR, ".pill.unfinished").text == "◼ No longer written"


def test_another_runs_page_in_its_place_is_loaded(browser: Chrome, going: Going) -> None:
    show(browser, going.address)
    run(browser, "window.marked = true")
    going.close()
    going.project.run("-k", "quick")
    until(browser, "!window.marked && document.readyState === 'complete'")
    assert browser.find_element(By.CSS_SELECTOR, ".pill").text == "✓ All passed"
