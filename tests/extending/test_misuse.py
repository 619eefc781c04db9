"""Parts from outside that break their protocol: a usage error, or failed jobs; never an internal error."""

from __future__ import annotations

import pytest
from sessions import Project, text

pytestmark = pytest.mark.slow

REGISTER = "\ndef pytest_training_register(registry):\n    registry.add_{part}\n"
LIMIT = """
from pytest_training.limits.protocol import Limit

class Odd(Limit):
    key = "odd"

    def parse(self, value, where):
        {parse}

    def measure(self, tree):
        {measure}
""" + REGISTER.format(part="limit(Odd())")
BACKEND = """
from pytest_training.execution.backends.subprocess import Subprocess, SubprocessLauncher

class Odd(Subprocess):
    name = "odd"

    def start(self, run):
        {start}

    def launcher(self, connection, seat):
        {launcher}

class Launcher(SubprocessLauncher):
    def launch(self, request):
        {launch}
""" + REGISTER.format(part="backend(Odd)")
KIND = """
from pytest_training.jobs.kinds.protocol import Kind

class Odd(Kind):
    name = "odd"
    suffixes = (".odd",)

    def recognise(self, file):
        {recognise}

    def start(self, job, *, folder, seed):
        {start}
""" + REGISTER.format(part="kind(Odd())")
WORKERS = pytest.mark.parametrize("workers", [("-n", "0"), ("-n", "2")])


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """Return a project of two jobs that pass."""
    project = Project(pytester.path, pytester)
    project.jobs("a", "b")
    return project


@WORKERS
@pytest.mark.parametrize("measure", ['return "many"', "return None", "raise SystemExit(3)", "raise ValueError"])
def test_a_limit_that_measures_nonsense_fails_its_own_job_alone(
    project: Project, workers: tuple[str, ...], measure: str
) -> None:
    project.write("conftest.py", LIMIT.format(parse="return 5", measure=measure))
    project.write("training/jobs.yaml", "jobs:\n  a: {odd: 5}\n")
    project.job("a", "import time; time.sleep(60)")
    assert project.run(*workers).ret == pytest.ExitCode.TESTS_FAILED
    assert project.statuses() == {"a": "failed", "b": "passed"}
    assert project.metadata()["a"]["reason"].startswith("limit 'odd' cannot be measured: ")


@pytest.mark.parametrize("parse", ['return "many"', "raise ValueError"])
def test_a_limit_that_cannot_read_its_value_is_named_with_its_place(project: Project, parse: str) -> None:
    project.write("conftest.py", LIMIT.format(parse=parse, measure="return 0"))
    project.write("training/jobs.yaml", "jobs:\n  a: {odd: 5}\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "training/jobs.yaml:2: jobs.a.odd: limit 'odd' cannot read it: ValueError" in text(result)


@WORKERS
@pytest.mark.parametrize(
    ("start", "launcher"),
    [
        ("raise ValueError('no room')", "pass"),
        ("raise SystemExit(3)", "pass"),
        ("return object()", "return Launcher(seat)"),
        ("return None", "raise ValueError('no seat')"),
    ],
)
def test_a_backend_that_cannot_start_is_named_before_anything_trains(
    project: Project, workers: tuple[str, ...], start: str, launcher: str
) -> None:
    project.write("conftest.py", BACKEND.format(start=start, launcher=launcher, launch="pass"))
    project.write("pytest.ini", "[pytest]\ntraining_start = odd\n")
    result = project.run(*workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "backend 'odd' cannot start: " in text(result)
    assert "INTERNALERROR" not in text(result)


@WORKERS
@pytest.mark.parametrize("launch", ["raise ValueError('no answer')", "raise SystemExit(3)", "return None"])
def test_a_launcher_that_raises_or_returns_nonsense_fails_its_jobs(
    project: Project, workers: tuple[str, ...], launch: str
) -> None:
    project.write("conftest.py", BACKEND.format(start="pass", launcher="return Launcher(seat)", launch=launch))
    project.write("pytest.ini", "[pytest]\ntraining_start = odd\n")
    assert project.run(*workers).ret == pytest.ExitCode.TESTS_FAILED
    assert project.statuses() == {"a": "failed", "b": "failed"}
    assert project.metadata()["a"]["reason"].startswith("backend 'odd' cannot execute it: ")


@pytest.mark.parametrize(
    ("recognise", "start", "reason"),
    [
        ("raise SystemExit(3)", "pass", "kind 'odd' cannot read it: SystemExit"),
        ("return file.job(self.name)", "raise SystemExit(3)", "kind 'odd' cannot start it: SystemExit"),
        ("return file.job(self.name)", "return None", "kind 'odd' cannot start it: TypeError: expected "),
    ],
)
def test_a_kind_that_fails_fails_its_own_jobs(project: Project, recognise: str, start: str, reason: str) -> None:
    project.write("conftest.py", KIND.format(recognise=recognise, start=start))
    project.write("training/train_c.odd", "")
    assert project.run().ret == pytest.ExitCode.TESTS_FAILED
    assert project.statuses() == {"a": "passed", "b": "passed", "c": "failed"}
    assert reason in project.metadata()["c"]["reason"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("jobs.append('x')", "expected a Job, found 'x'"),
        ("jobs[0] = None", "expected a Job, found None"),
        ("jobs[0] = replace(jobs[0], tags='small')", "expected a Job, found Job("),
        ("jobs[0] = replace(jobs[0], id=7)", "expected a Job, found Job("),
        ("jobs[0] = replace(jobs[0], parameters={'p': object()})", "expected a Job, found Job("),
        ("jobs[0] = replace(jobs[0], id='..')", "expected an id that can name a folder, found '..'"),
        ("jobs[0] = replace(jobs[0], id='')", "expected an id that can name a folder, found ''"),
        ("jobs[0] = replace(jobs[0], id='b')", "two jobs would have the id 'b'"),
        ("jobs[0] = replace(jobs[0], kind='nope')", "no kind of job is called 'nope'"),
    ],
)
def test_jobs_that_cannot_be_are_a_usage_error_that_names_the_hook(project: Project, change: str, message: str) -> None:
    hook = f"from msgspec.structs import replace\n\ndef pytest_training_jobs(config, jobs):\n    {change}\n"
    project.write("conftest.py", hook)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "after pytest_training_jobs: " in text(result)
    assert message in text(result)


@WORKERS
def test_a_hook_that_ends_the_run_at_each_job_costs_no_report(project: Project, workers: tuple[str, ...]) -> None:
    project.write("conftest.py", "def pytest_training_job_end():\n    raise KeyboardInterrupt\n")
    assert project.run(*workers).ret == pytest.ExitCode.INTERRUPTED
    assert set(project.statuses()) == {"a", "b"}


def test_a_reporter_may_note_any_value_as_a_problem(project: Project) -> None:
    project.write("conftest.py", "def pytest_training_run_end(run):\n    run.problems.append(5)\n")
    result = project.run()
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["warning: 5"])
