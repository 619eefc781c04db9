"""Nothing of what a hostile job says runs in a browser, and nothing of it asks a network for anything."""

from __future__ import annotations

import json
from pathlib import Path

import hostile
import pytest
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from sessions import Project

from .test_page import log, run, show

pytestmark = pytest.mark.slow


def test_nothing_of_a_hostile_job_runs_or_asks_a_network(browser: Chrome, tmp_path: Path) -> None:
    project = Project(tmp_path)
    hostile.make(project)
    assert project.run().ret == 1
    address = (project.reports / "index.html").as_uri()
    show(browser, address)
    browser.find_element(By.ID, "open-all").click()
    decoded = "Promise.all([...document.images].map((each) => each.decode())).then(arguments[0])"
    browser.execute_async_script(decoded)
    assert run(browser, "document.images.length") == 2
    with pytest.raises(NoAlertPresentException):
        assert browser.switch_to.alert.text
    messages = [json.loads(entry["message"])["message"] for entry in log(browser, "performance")]
    asked = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith(("data:", "about:"))] == [address]
    assert log(browser, "browser") == []
    targets = run(browser, "[...document.links].map((each) => each.protocol)")
    assert set(targets) == {"file:"}
