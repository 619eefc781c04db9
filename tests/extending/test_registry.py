"""What a project registers is there in every process, and a name belongs to one part."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from sessions import Project

from pytest_training.errors import DeclarationError
from pytest_training.execution.readers.protocol import Reader
from pytest_training.registry import Registry


@dataclass
class Part:
    """Any part of a run, whatever it does."""

    name: str

    @property
    def key(self) -> str:
        return self.name

    def read(self, attempt: object) -> None:
        pass


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """Return a project with one job."""
    project = Project(pytester.path, pytester)
    project.jobs("a", "b")
    return project


@pytest.mark.parametrize("what", ["kind", "limit", "reader", "backend"])
def test_a_taken_name_is_refused(what: str) -> None:
    add = getattr(Registry(), f"add_{what}")
    add(Part("mine"))
    with pytest.raises(DeclarationError, match=f"a {what}.* named 'mine' is registered already"):
        add(Part("mine"))


def test_registries_share_nothing() -> None:
    class Mine(Reader):
        name = "mine"

    registry = Registry()
    registry.add_reader(Mine())
    assert [each.name for each in Registry().readers] == [each.name for each in registry.readers][:-1]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_parts_are_registered_in_every_process(project: Project, workers: str) -> None:
    project.write(
        "conftest.py",
        """
        import os
        from pathlib import Path

        def pytest_training_register(registry):
            assert registry.add_kind
            Path("registered-" + os.environ.get("PYTEST_XDIST_WORKER", "owner")).touch()
        """,
    )
    project.run("-n", workers).assert_outcomes(passed=2)
    names = ["registered-owner"] if workers == "0" else ["registered-gw0", "registered-gw1", "registered-owner"]
    assert sorted(path.name for path in project.root.glob("registered-*")) == names


@pytest.mark.parametrize("hook", ["register(registry)", "jobs(jobs)"])
def test_a_hook_that_raises_before_training_is_a_usage_error(project: Project, hook: str) -> None:
    project.write("conftest.py", f"def pytest_training_{hook}:\n    raise ValueError('no such thing')\n")
    result = project.run()
    name = hook.partition("(")[0]
    expected = f"*pytest_training_{name} of conftest.py raised ValueError: no such thing (conftest.py:2)*"
    result.stderr.fnmatch_lines([expected])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_job_that_a_hook_adds_needs_an_id_of_its_own(project: Project) -> None:
    project.write("conftest.py", "def pytest_training_jobs(jobs):\n    jobs.append(jobs[0])\n")
    result = project.run()
    result.stderr.fnmatch_lines(["*two jobs would have the id 'a'*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_job_that_a_hook_adds_is_of_a_registered_kind(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import msgspec

        def pytest_training_jobs(jobs):
            jobs[0] = msgspec.structs.replace(jobs[0], kind="functoin")
        """,
    )
    result = project.run()
    result.stderr.fnmatch_lines(
        ["*no kind of job is called 'functoin': did you mean 'function'[?] Expected one of function, *"]
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_hooks_cost_a_session_without_jobs_nothing(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("def pytest_training_register(registry):\n    raise ValueError('called')\n")
    pytester.makepyfile("def test_x():\n    pass\n")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
