"""Many jobs at once from one process, over rooms of local threads: every item means what it means without them."""

from __future__ import annotations

import cProfile
import signal
from types import CodeType
from typing import Any

import pytest
from sessions import TWO_LINES, WAIT, Project
from watching import eventually

from pytest_training.option_values import refuse_beside_cluster

from .rooms import ROOMS
from .test_neighbours import RERUNS

MARKS = {
    "skipped": "pytest.mark.skip(reason='not today')",
    "skipped_if": "pytest.mark.skipif(True, reason='not here')",
    "skipped_by_text": "pytest.mark.skipif('sys.platform')",
    "badly_skipped": "pytest.mark.skipif('no_such_name')",
    "not_run": "pytest.mark.xfail(run=False)",
    "expected": "pytest.mark.xfail",
}
"""By job: a mark that decides whether it is trained, or what its failure means."""
ALONE = """
import time
path = jobs(run) / "alone"
path.mkdir()
time.sleep(0.05)
path.rmdir()
return {}
"""
LF = ("--lf", "--lfnf", "none")
OWN_TESTS = ("hooked", "narrow", "own_lines", "twice", "broken", "unavailable")
CONFTEST = f"""
import os
import pytest

MARKS = {MARKS!r}
OWN_TESTS = {OWN_TESTS!r}

def pytest_collection_modifyitems(items):
    for item in list(items):
        test, _, job_id = item.name.removeprefix("test_").rstrip("]").partition("[")
        job_id = job_id.partition("-")[0]
        if test not in {{"ordinary", "ordinary_too", job_id if job_id in OWN_TESTS else "training_job"}}:
            items.remove(item)
        for job_id, mark in MARKS.items():
            if f"[{{job_id}}]" in item.name:
                item.add_marker(eval(mark))

@pytest.fixture(scope="session")
def early():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARLY", "yes")
        yield

@pytest.fixture(scope="session")
def broken():
    raise OSError("no such service")

@pytest.fixture(scope="session")
def unavailable():
    pytest.skip("no such service")

@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setenv("NARROW", "yes")
"""
TESTS = f"""
import pytest

pytestmark = pytest.mark.usefixtures("early")

{TWO_LINES}

class TestNarrow:
    def test_narrow(self, training_job, narrow):
        training_job.train(), training_job.check()

def test_own_lines(training_job):
    if training_job.job.id == "own_lines":
        pytest.skip("its own line")
    training_job.train(), training_job.check()

@pytest.mark.parametrize("at_least", [0, 2])
def test_twice(training_job, at_least):
    outcome = training_job.train()
    training_job.check()
    assert outcome.metrics["x"] >= at_least

def test_broken(training_job, broken):
    training_job.train(), training_job.check()

def test_unavailable(unavailable, training_job):
    training_job.train(), training_job.check()

@pytest.fixture(scope="module")
def set_up():
    return []

def test_ordinary(monkeypatch, set_up):
    monkeypatch.setenv("ORDINARY", "yes")
    set_up.append(1)

def test_ordinary_too(set_up):
    assert set_up == [1]
"""
BODY = """
import os
return {"x": 1, **{name.lower(): float(name in os.environ) for name in ("EARLY", "NARROW", "ORDINARY")}}
"""
CATALOGUE = """
jobs:
  needy: {needs: [plain]}
  hopeless: {needs: [failing]}
  late: {needs: [twice]}
  gated: {gates: {x: '>= 2'}}
  optional: {optional: true}
"""
USUAL = (*MARKS, "plain", "failing", "needy", "hopeless", "late", "gated", "optional")


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """Return a project over rooms of threads."""
    project = Project(pytester.path, pytester)
    project.write("conftest.py", ROOMS)
    project.write("pytest.ini", "[pytest]\ntraining_start = threads\n")
    return project


def test_every_item_means_what_it_means_without_rooms(project: Project) -> None:
    project.write("conftest.py", ROOMS + CONFTEST)
    project.write("test_jobs.py", TESTS)
    project.write("hooked/conftest.py", "import pytest\ndef pytest_runtest_setup(item): pytest.skip('no')\n")
    project.write("hooked/test_hooked.py", TWO_LINES.replace("test_training_job", "test_hooked"))
    for job_id in (*USUAL, *OWN_TESTS):
        project.job(job_id, "raise ValueError('no')" if job_id in {"failing", "expected", "optional"} else BODY)
    project.write("training/jobs.yaml", CATALOGUE)
    ended, came_to = project.here(), _came_to(project)
    alone, expected = project.here("-o", "training_start=fork"), _came_to(project)
    assert came_to == expected
    assert ended.ret == alone.ret
    assert ended.parseoutcomes() == alone.parseoutcomes()
    assert came_to["needy"]["metrics"] == {"x": 1, "early": 1, "narrow": 0, "ordinary": 0}
    assert came_to["narrow"]["metrics"]["narrow"] == 1
    assert {job_id for job_id, each in came_to.items() if not each["attempts"]} == {
        *("skipped", "skipped_if", "skipped_by_text", "badly_skipped", "not_run", "hopeless", "late"),
        *("own_lines", "broken", "unavailable", "hooked"),
    }
    assert _started(ended) == {job_id for job_id, each in came_to.items() if each["attempts"]}
    assert not _started(alone) & {"hopeless", "late"}
    late = "3 jobs are trained one after another, *[[]hooked[]] because pytest_runtest_setup of conftest.py runs *"
    ended.stdout.fnmatch_lines([f"warning: {late}"])


def test_the_loop_starts_what_it_can(project: Project) -> None:
    narrow = "@pytest.fixture\ndef narrow(request):\n    request.config.rootpath.joinpath('turn.txt').touch()\n"
    whole = (
        "@pytest.fixture(scope='session')\ndef whole():\n    yield\n"  # of plugins that look at each test's setup, too
    )
    project.write("conftest.py", f"{ROOMS}\nimport pytest\n{narrow}\n{whole}")
    project.write(
        "test_jobs.py",
        """
        import pytest

        @pytest.mark.parametrize("number", [1, 2])
        def test_job(training_job, number, whole):
            training_job.train(), training_job.check()

        def test_turn(training_job, narrow):
            training_job.train(), training_job.check()
        """,
    )
    project.job("a", "wait_for(jobs(run) / 'turn')\nreturn {}", top=WAIT)
    project.job("b", "wait_for(jobs(run).parents[3] / 'turn.txt')\nreturn {}", top=WAIT)
    project.job("c", ALONE, top=WAIT)
    project.job("turn", "wait_for(jobs(run) / 'c')\nreturn {}", top=WAIT)
    project.jobs("huge", "thrown")
    project.write("training/jobs.yaml", "jobs: {huge: {cpus: 64}}")
    ended = project.here(
        *("-p", "pytest_timeout", "--timeout", "100", "--json-report", "--junitxml=own.xml"),
        *(f"test_jobs.py::test_job[{each}]" for each in ("a-1", "b-1", "c-1", "c-2", "huge-1", "thrown-1")),
        "test_jobs.py::test_turn[turn]",
    )
    jobs = project.metadata()
    assert {job_id: (each["status"], each["reason"]) for job_id, each in jobs.items()} == {
        **dict.fromkeys(("a", "b", "c", "turn"), ("passed", "")),
        "huge": ("failed", "needs 64 cores"),
        "thrown": ("failed", "backend 'threads' cannot execute it: RuntimeError: no way there"),
    }
    trained = {path.parent.name for path in project.root.glob("reports/runs/*/jobs/*/attempt-*")}
    assert trained == {"a", "b", "c", "turn"}
    assert _started(ended) == {*trained, "thrown"}
    assert len(list(project.root.glob("reports/runs/*/jobs/c/attempt-*"))) == 2
    durations = {test["nodeid"]: test["call"]["duration"] for test in project.report()["tests"]}
    assert min(durations["test_jobs.py::test_job[c-1]"], durations["test_jobs.py::test_job[c-2]"]) >= 0.05


def test_what_setting_up_early_raises_once_is_an_error_of_that_test(project: Project) -> None:
    """As the leaks of a fixture, with warnings that are errors: the fixture itself does not fail."""
    project.write(
        "test_jobs.py",
        """
        import threading
        import pytest

        def fail():
            raise OSError("lost in a thread")

        @pytest.fixture(scope="session")
        def leaky():
            thread = threading.Thread(target=fail)
            thread.start()
            thread.join()

        def test_job(training_job, leaky):
            training_job.train(), training_job.check()
        """,
    )
    project.jobs("a", "b")
    ended = project.here("-W", "error::pytest.PytestUnhandledThreadExceptionWarning")
    ended.assert_outcomes(errors=1, passed=1)
    ended.stdout.fnmatch_lines(["*lost in a thread*"])


@pytest.mark.parametrize("words", [("--setup-plan",), ("--setup-only",), ("--fixtures",), ("--fixtures-per-test",), LF])
def test_what_trains_nothing_starts_no_backend(project: Project, words: tuple[str, ...]) -> None:
    refuses = "    def open(self, opening):\n        raise AssertionError('started')\n"
    project.write("conftest.py", ROOMS.replace("    def open(self, opening):\n        return self.count\n", refuses))
    project.jobs("a")
    ended = project.here(*words)
    assert ended.ret in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    assert not _started(ended)
    assert not project.reports.exists()


@pytest.mark.parametrize("counted", ["auto", "logical"])
def test_the_workers_that_xdist_counts_are_no_limit_of_a_cluster(
    project: Project, monkeypatch: pytest.MonkeyPatch, counted: str
) -> None:
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "1")
    project.jobs("a")
    config = project.pytester.parseconfig("-o", "training_cluster=local:3", "-n", counted) if project.pytester else None
    assert config is not None
    assert config.hook.pytest_xdist_auto_num_workers(config=config) == 0


def test_the_first_failure_interrupts_what_runs(project: Project) -> None:
    project.job("first", "wait_for(jobs(run) / 'second' / 'attempt-1')\nraise ValueError('no')", top=WAIT)
    project.job("second", "wait_for(jobs(run) / 'third')", top=WAIT)
    project.jobs("third", "fourth")
    project.write("training/jobs.yaml", "jobs: {third: {needs: [first]}, fourth: {needs: [second]}}")
    ended = project.here("-x")
    assert ended.ret == pytest.ExitCode.INTERRUPTED
    statuses = {"first": "failed", "second": "interrupted", "third": "not run", "fourth": "not run"}
    assert project.statuses() == statuses


def test_an_event_costs_the_loop_no_look_at_every_job_that_waits(project: Project) -> None:
    count = 40
    project.jobs(*(f"a{number}" for number in range(count)))
    with cProfile.Profile() as profile:
        project.here("-q")
    calls = {each.code.co_name: each.callcount for each in profile.getstats() if isinstance(each.code, CodeType)}
    assert calls["_planned"] < 20 * count


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--pdb",), "--pdb"),
        (("--trace",), "--trace"),
        (("--training-in-process",), "--training-in-process"),
        (("-n", "2", "--dist", "loadscope"), "--dist loadscope"),
        (("-n", "2", "--dist", "each"), "--dist each"),
        (("-n", "auto", "--dist", "loadfile"), "--dist loadfile"),
        *((("--dist", each), f"--dist {each}") for each in ("loadfile", "loadscope", "loadgroup", "worksteal", "each")),
        (("--tx", "ssh=host", "--dist", "load"), "--tx"),
        (("--tx", "popen"), "--tx"),
        (("--tx", "2*popen"), "--tx"),
        (("--tx", "popen", "--dist", "load", "-n", "2"), "--tx"),
        (("-n", "2", "-f"), "--looponfail"),
    ],
)
def test_what_cannot_go_with_a_cluster_is_refused_in_a_sentence(
    project: Project, words: tuple[str, ...], named: str
) -> None:
    project.jobs("a")
    settings = ("-o", "training_cluster=local:2")
    config = project.pytester.parseconfig(*words, *settings) if project.pytester else None
    assert config is not None
    with pytest.raises(pytest.UsageError, match=rf"^{named} .*--training-cluster cannot go with it"):
        refuse_beside_cluster(config)
    config.option.training_cluster = ""
    refuse_beside_cluster(config)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_signal_while_no_test_has_its_turn_is_one_line(project: Project, number: signal.Signals) -> None:
    """None of our files."""
    project.job("a", "wait_for(run.folder / 'never')", top=WAIT)
    session = project.start()
    eventually(lambda: list(project.root.glob("reports/runs/*/jobs/a/attempt-1/log.txt")) != [])
    session.send_signal(number)
    assert session.wait(120) == pytest.ExitCode.INTERRUPTED
    pytest.LineMatcher(project.said.splitlines()[-2:]).fnmatch_lines(
        ["!* Interrupted: by a signal, while 1 job trained !*", "*= no tests ran in *"]
    )


@pytest.mark.slow
def test_ctrl_c_interrupts_what_runs_before_its_turn_and_in_it(project: Project) -> None:
    project.write("test_jobs.py", "def test_job(training_job, tmp_path_factory): training_job.train()\n")
    project.write("test_own.py", "def test_own(training_job):\n    assert training_job\n    training_job.train()\n")
    project.job("a", "wait_for(run.folder / 'never')", top=WAIT)
    project.job("own", "wait_for(run.folder / 'never')", top=WAIT)
    project.jobs("later")
    session = project.start("test_jobs.py::test_job[a]", "test_own.py::test_own[own]", "test_jobs.py::test_job[later]")
    logs = "reports/runs/*/jobs/{}/attempt-1/log.txt"
    eventually(lambda: all(list(project.root.glob(logs.format(job_id))) for job_id in ("a", "own")))
    session.send_signal(signal.SIGINT)
    assert session.wait(120) == pytest.ExitCode.INTERRUPTED
    assert project.statuses() == {"a": "interrupted", "own": "interrupted", "later": "passed"}
    assert "test_own.py:3: KeyboardInterrupt" in project.said


@pytest.mark.slow
def test_trials_at_once_draw_different_parameters(project: Project) -> None:
    project.job("tuned", 'return {"auc": rate}', parameters="rate: float = 0.5")
    project.write(
        "training/jobs.yaml",
        "jobs: {tuned: {search: {trials: 6, metric: auc, sampler: random, parameters: {rate: {low: 0.0, high: 1.0}}}}}",
    )
    project.run()
    drawn = [each["parameters"]["rate"] for job_id, each in project.metadata().items() if job_id != "tuned"]
    assert len(drawn) == len(set(drawn)) == 6


@pytest.mark.slow
def test_a_test_that_runs_again_trains_again_within_its_own_time_limit(project: Project) -> None:
    project.write("reruns.py", RERUNS)
    project.job("flaky", "if len(list(run.folder.parents[1].iterdir())) < 3: raise ValueError('no')\nreturn {'x': 1}")
    project.job("endless", "wait_for(run.folder / 'never')", top=WAIT)
    project.run("-p", "pytest_timeout", "--timeout", "3", "-p", "reruns")
    jobs = project.metadata()
    assert {job_id: each["status"] for job_id, each in jobs.items()} == {"flaky": "passed", "endless": "failed"}
    assert jobs["endless"]["cause"] == "timeout"


def _started(ended: pytest.RunResult) -> set[str]:
    return {line.split()[1] for line in ended.outlines if line.startswith("started ")}


def _came_to(project: Project) -> dict[str, dict[str, Any]]:
    fields = ("status", "cause", "reason", "metrics", "attempts")
    jobs = {job_id: {name: each[name] for name in fields} for job_id, each in project.metadata().items()}
    for each in jobs.values():
        each["attempts"] = len(each["attempts"])
    return jobs
