"""The top of the page as people use it: the best first, times of the reader's clock, links of the picture."""

from __future__ import annotations

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from .test_page import ids, run, show

pytestmark = pytest.mark.slow


@pytest.fixture
def page(browser: Chrome, address: str) -> Chrome:
    show(browser, address)
    return browser


def test_a_press_on_metric_puts_the_best_first(page: Chrome) -> None:
    button = page.find_element(By.CSS_SELECTOR, "#table [data-key=metric] button")
    button.click()
    assert ids(page)[0] == "job0011"
    assert ids(page)[-1] in {"job0001", "job0010"}  # they failed
    assert page.find_element(By.CSS_SELECTOR, "#table [data-key=metric]").get_attribute("aria-sort") == "descending"
    button.click()
    assert ids(page)[-1] == "job0011"


def test_times_are_those_of_the_readers_clock_and_say_utc_when_pointed_at(browser: Chrome, address: str) -> None:
    browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    try:
        show(browser, address)
        time = browser.find_element(By.CSS_SELECTOR, ".top time")
        assert time.text == "19:00, 5 Jan 2026"
        assert time.get_attribute("title") == "2026-01-05 10:00 UTC"
    finally:
        browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


def test_each_row_of_the_picture_says_its_numbers_and_leads_to_its_job(page: Chrome) -> None:
    rows = page.find_elements(By.CSS_SELECTOR, "#forest li")
    assert len(rows) == 12
    label = rows[0].find_element(By.CSS_SELECTOR, "svg").get_attribute("aria-label")
    assert label == "roc_auc 0.801, interval 0.751 to 0.851, gate ≥ 0.700, dummy 0.500, before 0.801"
    rows[0].find_element(By.CSS_SELECTOR, "a").click()
    assert run(page, "document.getElementById('job-job0011').open")
