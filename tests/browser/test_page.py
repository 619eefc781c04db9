"""The page as people use it: sorting, filtering, folding, themes, keyboard, phone, print, accessibility."""

from __future__ import annotations

import json
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = pytest.mark.slow

DESK, PHONE = (1280, 900), (390, 844)
PATIENCE_S = 60


@pytest.fixture
def page(browser: Chrome, address: str) -> Chrome:
    show(browser, address)
    return browser


def show(browser: Chrome, address: str, size: tuple[int, int] = DESK, scheme: str = "light") -> None:
    width, height = size
    shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)
    wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}  # a click meets nothing that scrolls
    media = {"media": "", "features": [{"name": name, "value": value} for name, value in wishes.items()]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get("about:blank")  # a mere change of the fragment loads nothing
    for kind in ("browser", "performance"):
        log(browser, kind)
    browser.get(address)
    is_there = "return location.href !== 'about:blank' && document.readyState === 'complete'"
    WebDriverWait(browser, PATIENCE_S).until(lambda page: page.execute_script(is_there))


def log(browser: Any, kind: str) -> list[Any]:  # Any: selenium has no type for its method
    found: list[Any] = browser.get_log(kind)
    return found


def ids(page: Chrome) -> list[str]:
    """Return the ids of the jobs that the table shows, in its order."""
    return [each.text for each in page.find_elements(By.CSS_SELECTOR, "#table tbody th a") if each.is_displayed()]


def run(page: Chrome, script: str) -> Any:
    return page.execute_script(f"return {script}")


def test_nothing_is_asked_of_a_network_and_the_console_is_silent(page: Chrome, address: str) -> None:
    messages = [json.loads(entry["message"])["message"] for entry in log(page, "performance")]
    asked = [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]
    assert {url.partition(":")[0] for url in asked} <= {"file", "data", "about"}
    assert [url for url in asked if url.startswith("file")] == [address]
    assert log(page, "browser") == []


def test_a_press_on_a_header_sorts_and_a_second_one_turns_the_order_round(page: Chrome) -> None:
    button = page.find_element(By.CSS_SELECTOR, "[data-key=memory] button")
    button.click()
    assert ids(page) == sorted(ids(page))
    assert len(ids(page)) == 12
    button.click()
    assert ids(page) == sorted(ids(page), reverse=True)
    assert page.find_element(By.CSS_SELECTOR, "[data-key=memory]").get_attribute("aria-sort") == "descending"


def test_search_status_and_data_filter_table_and_sections(page: Chrome) -> None:
    page.find_element(By.ID, "search").send_keys("job000")
    assert len(ids(page)) == 10
    Select(page.find_element(By.ID, "status")).select_by_value("failed")
    assert ids(page) == ["job0001"]
    sections = page.find_elements(By.CSS_SELECTOR, "details[data-job]:not([hidden])")
    assert [each.get_attribute("id") for each in sections] == ["job-job0001"]
    assert page.find_element(By.ID, "count").text == "1 of 12 jobs"
    Select(page.find_element(By.ID, "data")).select_by_value("real")
    page.find_element(By.ID, "clear").click()
    assert len(ids(page)) == 12


def test_the_keyboard_alone_leads_to_a_job(page: Chrome) -> None:
    ActionChains(page).send_keys("/").send_keys("job0007").perform()
    assert ids(page) == ["job0007"]
    page.find_element(By.LINK_TEXT, "job0007").send_keys(Keys.ENTER)
    # The browser tells a page of a followed link in its own time.
    WebDriverWait(page, PATIENCE_S).until(lambda page: run(page, "document.getElementById('job-job0007').open"))
    assert run(page, "document.activeElement.closest('details').id") == "job-job0007"
    ActionChains(page).send_keys(Keys.ENTER).perform()
    assert not run(page, "document.getElementById('job-job0007').open")


def test_a_link_to_a_job_unfolds_it(browser: Chrome, address: str) -> None:
    show(browser, f"{address}#job-job0003")
    assert run(browser, "document.getElementById('job-job0003').open")


def test_all_can_be_folded_and_unfolded_and_failed_jobs_are_open(page: Chrome) -> None:
    count = "document.querySelectorAll('details[data-job][open]').length"
    assert run(page, count) == 2
    page.find_element(By.ID, "open-all").click()
    assert run(page, count) == 12
    page.find_element(By.ID, "close-all").click()
    assert run(page, count) == 0


def test_a_long_log_is_scrolled_to_its_end(page: Chrome) -> None:
    page.find_element(By.ID, "open-all").click()
    boxes = """[...document.querySelectorAll('pre.ends')].filter(box => box.scrollHeight > box.clientHeight + 40).map(
        box => box.getBoundingClientRect().bottom - box.firstElementChild.getBoundingClientRect().bottom)"""
    below = run(page, boxes)
    assert below
    assert all(0 <= each < 20 for each in below)  # its last line is in sight


def test_the_theme_is_the_systems_until_somebody_chooses(browser: Chrome, address: str) -> None:
    back = "getComputedStyle(document.body).backgroundColor"
    show(browser, address)
    light = run(browser, back)
    show(browser, address, scheme="dark")
    dark = run(browser, back)
    assert light != dark
    button = browser.find_element(By.ID, "theme")
    button.click()
    assert (button.text, run(browser, back)) == ("Theme: light", light)
    button.click()
    show(browser, address)
    assert run(browser, back) == dark  # remembered
    browser.find_element(By.ID, "theme").click()
    assert run(browser, back) == light


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_narrow_page_scrolls_in_one_direction_only(browser: Chrome, address: str, width: int) -> None:
    show(browser, address, (width, 844))
    run(browser, "document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert run(browser, "document.documentElement.scrollWidth") <= width


def test_no_column_is_squeezed_to_a_letter(page: Chrome) -> None:
    page.find_element(By.ID, "open-all").click()
    lowest = run(page, "Math.min(...[...document.querySelectorAll('td.change')].map((each) => each.offsetWidth))")
    assert lowest >= 170


def test_paper_shows_what_is_folded_in_dark_letters_whatever_the_theme(browser: Chrome, address: str) -> None:
    show(browser, address, scheme="dark")
    browser.find_element(By.ID, "close-all").click()
    browser.execute_script("document.documentElement.dataset.theme = 'dark'")
    media = {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    flat = run(browser, "[...document.querySelectorAll('pre.command, .pictures img')].filter((x) => !x.offsetHeight)")
    assert flat == []
    assert run(browser, "getComputedStyle(document.body).color") == "rgb(23, 32, 44)"
    assert not run(browser, "document.querySelector('#filters').checkVisibility()")


def test_printing_leaves_folded_what_was(page: Chrome) -> None:
    page.find_element(By.ID, "close-all").click()
    page.execute_cdp_cmd("Page.printToPDF", {})
    assert run(page, "document.querySelectorAll('details[open]').length") == 0


def test_pictures_are_drawn_from_the_page_itself(page: Chrome) -> None:
    page.find_element(By.ID, "open-all").click()
    picture = page.find_element(By.CSS_SELECTOR, "#job-job0001 figure img")
    page.execute_script("arguments[0].scrollIntoView()", picture)
    page.execute_async_script("arguments[0].decode().then(arguments[1])", picture)
    assert run(page, "document.querySelector('#job-job0001 figure img').naturalWidth") > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE])
def test_axe_finds_nothing_serious(browser: Chrome, axe: str, address: str, scheme: str, size: tuple[int, int]) -> None:
    show(browser, address, size, scheme)
    browser.find_element(By.ID, "open-all").click()
    assert not (problems := grave(browser, axe)), problems


def grave(browser: Chrome, axe: str) -> set[str]:
    """Return what axe finds on the page that is more than minor."""
    browser.execute_script(axe)
    found = browser.execute_async_script(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(arguments[0])"
    )
    return {
        f"{each['id']} ({len(each['nodes'])}): {each['nodes'][0]['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in {"serious", "critical", "moderate"}
    }
