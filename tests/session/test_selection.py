"""A selection that trains nothing is never green, says what exists, and leaves every file as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sessions import WITHOUT, Project, text

TAGS = "jobs: {als: {tags: [neurology]}, stroke: {tags: [vascular]}, als_fine: {needs: [als]}}\n"
NODE = "test_jobs.py::test_training_job"
EMPTY, USAGE, INTERRUPTED = (
    pytest.ExitCode.NO_TESTS_COLLECTED,
    pytest.ExitCode.USAGE_ERROR,
    pytest.ExitCode.INTERRUPTED,
)


class DropsAll:
    """A plugin that deselects in its own way."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.clear()


class RunsNone:
    """A plugin that takes every test for itself."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> bool:
        return True


class Exits:
    """A plugin that ends the session before the first test, as if all were well."""

    def pytest_runtestloop(self) -> None:
        pytest.exit("enough", returncode=0)


class Refuses:
    """A plugin that is not content with what was collected."""

    def pytest_collection_finish(self) -> None:
        raise pytest.UsageError("not so")


class Interrupts:
    """Ctrl-C before the first test."""

    def pytest_runtestloop(self) -> None:
        raise KeyboardInterrupt


class Skips:
    """A plugin that skips every test."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        pytest.skip("no GPU here")


class Case(NamedTuple):
    """A selection, how it ends, and what it says."""

    arguments: tuple[str, ...]
    status: int
    said: str
    plugin: Any = None


NOTHING = "no job is selected; jobs: als, als_fine, stroke; tags: neurology, vascular"
LEFT = "no job began: the reports are as they were"
CASES = (
    Case(
        ("-k", "alx"),
        EMPTY,
        "-k: no job or test is called 'alx': did you mean 'als'? Expected one of als, als_fine, stroke",
    ),
    Case(
        ("-k", "xyzzy", "-n", "2"), EMPTY, "-k: no job or test is called 'xyzzy': expected one of als, als_fine, stroke"
    ),
    Case(("-k", "als and stroke"), EMPTY, NOTHING),
    Case(
        ("-m", "neurolgy"),
        EMPTY,
        "-m: no job has the tag 'neurolgy': did you mean 'neurology'? Expected one of neurology, ",
    ),
    Case(
        ("-m", "vascula", "--strict-markers"), USAGE, "'vascula': did you mean 'vascular'? Expected one of vascular, n"
    ),
    Case(("-m", "vascula", "--strict-markers", "-n", "2"), USAGE, "no job has the tag 'vascula': did you mean"),
    Case(("-m", "neurology and"), USAGE, "Wrong expression passed to '-m'"),
    Case(("-m", "neurology and vascular"), EMPTY, NOTHING),
    Case((f"{NODE}[alx]",), USAGE, "no test trains a job 'alx': did you mean 'als'? Expected one of als, als_fine, "),
    Case((f"{NODE}[alx]", f"{NODE}[als]", "-n", "2"), USAGE, "no test trains a job 'alx': did you mean 'als'?"),
    Case(("stroke",), USAGE, "stroke: no such file; to select a job: pytest -k stroke"),
    Case(("strok",), USAGE, "no test trains a job 'strok': did you mean 'stroke'?"),
    Case(tuple(f"--deselect={NODE}[{job}]" for job in ("als", "als_fine", "stroke")), EMPTY, NOTHING),
    Case(("--lf", "--lfnf=none"), EMPTY, NOTHING),
    Case((), EMPTY, NOTHING, DropsAll()),
    Case(("--setup-plan",), EMPTY, LEFT),
    Case(("--setup-only", "-k", "als"), EMPTY, LEFT),
    Case((), EMPTY, LEFT, RunsNone()),
    Case((), EMPTY, LEFT, Exits()),
    Case((), USAGE, LEFT, Refuses()),
    Case((), INTERRUPTED, LEFT, Interrupts()),
)


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    project = Project(pytester.path, pytester)
    project.jobs("als", "als_fine", "stroke")
    project.write("training/jobs.yaml", TAGS)
    return project


def session(project: Project, case: Case) -> pytest.RunResult:
    assert project.pytester is not None
    plugins = [case.plugin] if case.plugin else []
    return project.pytester.runpytest_inprocess(*WITHOUT, *case.arguments, plugins=plugins, no_reraise_ctrlc=True)


def content(folder: Path) -> dict[str, bytes | None]:
    """Return every file and folder below a folder, files with their content."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_a_selection_that_trains_nothing_is_not_green_and_leaves_every_report_as_it_was(project: Project) -> None:
    for case in CASES[-5:]:
        assert session(project, case).ret == case.status
        assert not project.reports.exists(), case
    project.here().assert_outcomes(passed=3)
    before = content(project.reports)
    for case in CASES:
        result = session(project, case)
        assert result.ret == case.status, case
        assert case.said in text(result), (case, text(result))
        assert "1 not run" not in result.stdout.str(), case
        assert content(project.reports) == before, case


def test_a_job_is_selected_by_the_name_of_its_file_too(project: Project) -> None:
    result = session(project, Case(("-k", "train_stroke", "--collect-only", "-q"), 0, ""))
    result.stdout.fnmatch_lines(["*test_training_job[[]stroke[]]", "1/3 tests collected (2 deselected)*"])


def test_jobs_that_are_all_skipped_are_reported_and_not_green(project: Project) -> None:
    result = session(project, Case((), EMPTY, "", Skips()))
    assert result.ret == EMPTY
    result.stdout.fnmatch_lines(["3 jobs: 3 skipped", "warning: no job was trained: the exit code is 5"])
    report = project.report()
    assert report["exitcode"] == report["training"]["exit_code"] == EMPTY
    assert {job["reason"] for job in project.metadata().values()} == {"no GPU here"}


def test_a_name_that_stands_for_nothing_is_said_though_others_are_selected(project: Project) -> None:
    nearest, others = f"{NODE}[stroke]", f"{NODE}[als], {NODE}[als_fine]"
    result = project.here(
        *("-k", "stroke or parkinson", "-m", "vascular or (kidney and not cluster)"),
        *("--deselect", f"{NODE}[strke]", "--deselect", "tests/test_other.py::test_slow[1]"),
    )
    assert result.ret == 0
    assert project.report()["training"]["problems"] == [
        "-k: no job or test is called 'parkinson': expected one of als, als_fine, stroke",
        "-m: no job has the tag 'kidney': expected one of neurology, vascular",
        f"--deselect: no test is called '{NODE}[strke]': did you mean '{nearest}'? Expected one of {nearest}, {others}",
    ]
    project.write("pytest.ini", "[pytest]\nmarkers = slow: of the project\n")
    quiet = project.here("-k", "stroke and test_training", "-m", "vascular or slow")
    assert quiet.ret == 0
    assert project.report()["training"]["problems"] == []
