"""Other plugins of pytest beside jobs. Each stands here as a few lines that do what the real one does."""

from __future__ import annotations

from pathlib import Path

import pytest
from sessions import Project, text

RERUNS = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    for attempt in range(3):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        again = False
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            if report.failed and attempt < 2:
                report.outcome, again = "rerun", True
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        if not again:
            return True

def pytest_report_teststatus(report):
    return ("rerun", "R", "RERUN") if report.outcome == "rerun" else None
"""
"""pytest-rerunfailures."""
FORKED = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--forked", action="store_true")

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    if item.config.getvalue("forked"):
        with open("forked.txt", "a") as file:
            file.write(item.name + " ")
"""
"""pytest-forked."""
BLOCKED = """
import socket
import pytest

def blocked(*arguments):
    raise RuntimeError("A test tried to use socket.socket")

@pytest.fixture(autouse=True)
def block(monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", blocked)
    monkeypatch.setattr(socket, "socket", blocked)
"""
"""pytest-socket, with --disable-socket and --allow-hosts."""
SUGAR = """
import time
import pytest

class SugarTerminalReporter(pytest.TerminalReporter):
    def pytest_sessionstart(self, session):
        self._session, self._sessionstarttime = session, time.time()

    def pytest_runtest_logreport(self, report):
        self.write("sugar over the last line")

def pytest_report_teststatus(report):
    return report.outcome, "sugar", "SUGAR"

@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    standard = config.pluginmanager.getplugin("terminalreporter")
    config.pluginmanager.unregister(standard)
    config.pluginmanager.register(SugarTerminalReporter(config), "terminalreporter")
"""
"""pytest-sugar."""
LACONIC = """
import pytest

class Reporter:
    def __init__(self, config):
        self.config, self.stats, self._tw = config, {}, pytest.TerminalReporter(config)._tw

    def write_line(self, line, **markup): print(line)
    def ensure_newline(self): pass
    def write_sep(self, line, title): print(title)
    def section(self, title, *words): print(title)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session, exitstatus):
        result = yield
        session.config.hook.pytest_terminal_summary(terminalreporter=self, exitstatus=exitstatus, config=session.config)
        return result

@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    config.pluginmanager.unregister(config.pluginmanager.getplugin("terminalreporter"))
    config.pluginmanager.register(Reporter(config), "terminalreporter")
"""
"""pytest-tldr: a terminal that is none of pytest's."""
LONGER_FOR_A = """
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        if "[a]" in item.name:
            item.add_marker(pytest.mark.timeout(60))
"""
"""A busy machine may take longer than half a second for the job that passes."""
OPTIONS = """
def pytest_addoption(parser):
    parser.addoption("--cov", action="append", dest="cov_source")
    parser.addoption("--testmon", action="store_true")
"""
"""pytest-cov and pytest-testmon."""


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """Return a project with two jobs."""
    project = Project(pytester.path, pytester)
    project.jobs("a", "b")
    return project


def test_a_rerun_job_ends_once_with_its_last_outcome(project: Project) -> None:
    project.job("a", "if len(list(run.folder.parents[1].iterdir())) < 3: raise ValueError('no')\nreturn {'x': 1}")
    project.job("b", "raise ValueError('no')")
    project.write("conftest.py", RERUNS)
    result = project.here()
    result.assert_outcomes(passed=1, failed=1)
    lines = [line.split()[:2] for line in result.outlines if "/2]" in line]
    assert lines == [["PASSED", "a"], ["FAILED", "b"]]
    assert project.statuses() == {"a": "passed", "b": "failed"}
    assert [test["outcome"] for test in project.report()["tests"]] == ["passed", "failed"]


def test_a_job_is_not_forked_once_more_but_ordinary_tests_are(project: Project) -> None:
    project.write("conftest.py", FORKED)
    project.write("test_ordinary.py", "def test_ordinary():\n    pass\n")
    project.here("--forked").assert_outcomes(passed=3)
    assert (project.root / "forked.txt").read_text() == "test_ordinary "


def test_jobs_train_where_tests_may_not_use_sockets(project: Project) -> None:
    project.write("conftest.py", BLOCKED)
    project.here().assert_outcomes(passed=2)
    assert not any(job["notes"] for job in project.metadata().values())


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_timeout_of_tests_is_a_time_limit_of_jobs(project: Project, method: str) -> None:
    project.job("b", "time.sleep(60)", top="import time")
    project.job("c", "time.sleep(60)", top="import time")
    project.write("training/jobs.yaml", "jobs: {a: {timeout: 1h}, b: {timeout: 1h}, c: {timeout: 0.2s}}\n")
    assert project.pytester is not None
    project.write("conftest.py", LONGER_FOR_A)
    limit = ("--timeout", "0.5", "--timeout-method", method)
    result = project.pytester.runpytest_inprocess("-p", "no:hypothesispytest", *limit)
    result.assert_outcomes(passed=1, failed=2)
    assert "pytest_training/" not in text(result)
    jobs = project.metadata()
    assert [jobs[job_id]["cause"] for job_id in "bc"] == ["timeout", "timeout"]
    assert "its time limit is 0.5 s" in jobs["b"]["reason"]
    assert "its time limit is 0.2 s" in jobs["c"]["reason"]


def test_the_lines_are_pytests_own_in_place_of_pytest_sugars(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(project.write("pytest_sugar.py", SUGAR).parent)
    result = project.here("-p", "pytest_sugar")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["PASSED  a *[[]1/2[]]", "PASSED  b *[[]2/2[]]", "2 jobs: 2 passed"])
    assert "sugar over" not in text(result)


def test_a_terminal_that_is_not_pytests_shows_the_jobs_too(project: Project) -> None:
    project.write("conftest.py", LACONIC)
    result = project.here()
    result.stdout.fnmatch_lines(["2 jobs: 2 passed"])
    assert "warning" not in text(result)


@pytest.mark.parametrize(
    ("option", "variable", "said"),
    [
        (
            "--cov=training",
            "",
            "warning: --cov measures no job: patch = subprocess in the section run of *",
        ),
        ("--cov=training", "COVERAGE_PROCESS_CONFIG", ""),
        ("--cov=training", "COVERAGE_PROCESS_START", ""),
        ("--testmon", "", "warning: --testmon cannot see what a job runs, and leaves out jobs that have changed: *"),
    ],
)
def test_what_a_plugin_cannot_do_for_jobs_is_said(
    project: Project, monkeypatch: pytest.MonkeyPatch, option: str, variable: str, said: str
) -> None:
    project.write("conftest.py", OPTIONS)
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "x")
    result = project.here("--collect-only", option)
    result.stdout.fnmatch_lines([said]) if said else result.stdout.no_fnmatch_line("*warning*")


def test_jobs_of_a_folder_below_another_project_are_named(tmp_path: Path) -> None:
    outer, inner = Project(tmp_path), Project(tmp_path / "inner")
    outer.job("outer")
    outer.write("pytest.ini", "[pytest]\n")
    outer.write("test_outer.py", "def test_training_job(training_job): training_job.train()")
    inner.job("inner")
    warning = (
        "warning: the jobs in *inner/training are not trained: pytest's root is *; an empty pytest.ini here makes *"
    )
    outer.run("--collect-only", cwd=inner.root).stdout.fnmatch_lines([warning])
    assert "are not trained" not in text(outer.run("--collect-only"))
    assert "are not trained" not in text(outer.run("--collect-only", "--training-root=training", cwd=inner.root))
    inner.write("pytest.ini", "")
    assert "are not trained" not in text(outer.run("--collect-only", cwd=inner.root))


def test_a_catalogue_that_is_not_read_is_named(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.job("a")
    for name in ("jobs.yaml", "training/jobs.yml"):
        project.write(name, "jobs: {}\n")
    said = text(project.run("--collect-only"))
    assert "warning: jobs.yaml is not read: the catalogue is training/jobs.yaml\n" in said
    assert "warning: training/jobs.yml is not read: the catalogue is training/jobs.yaml\n" in said
    assert "is not read" not in text(project.run("--collect-only", "--training-catalogue=jobs.yaml"))
    (tmp_path / "training/jobs.yml").rename(tmp_path / "training/jobs.yaml")
    project.write("pytest.ini", "[pytest]\ntraining_root = .\ntraining_include = auto\n")
    said = text(project.run("--collect-only"))
    assert "warning: training/jobs.yaml is not read: the catalogue is jobs.yaml\n" in said
