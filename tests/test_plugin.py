"""Tests of the plugin as users meet it: sessions in small projects, with and without workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from sessions import WAIT, Project, strict_json, text

CATALOGUE = """\
jobs:
  als: {tags: [neurology]}
  parkinsons: {tags: [neurology]}
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """Return a project that has a test file and no jobs yet."""
    return Project(pytester.path, pytester)


@pytest.fixture
def clinic(project: Project) -> Project:
    """Return a project with three jobs, two of them tagged."""
    project.jobs("als", "diabetes", "parkinsons")
    project.write("training/jobs.yaml", CATALOGUE)
    return project


def node(job_id: str) -> str:
    return f"test_jobs.py::test_training_job[{job_id}]"


# Out of the box


def test_a_two_line_test_and_one_job_file_are_enough(project: Project) -> None:
    project.jobs("x")
    result = project.run("-n", "2")
    result.stdout.fnmatch_lines(["PASSED  x  score 0.700*", "1 job: 1 passed", "reports: reports/runs/*"])
    assert result.ret == 0
    assert not result.stderr.lines
    assert project.metadata()["x"]["worker"] == "main"


def test_workers_are_never_more_than_jobs(project: Project) -> None:
    project.jobs("a", "b")
    result = project.run("-n", "4")
    result.stdout.fnmatch_lines(["created: 2/2 workers"])
    result.assert_outcomes(passed=2)
    assert project.report()["training"]["workers"] == 2


def test_one_selected_job_starts_no_worker(clinic: Project) -> None:
    result = clinic.here("-n", "4", "-k", "als")
    result.assert_outcomes(passed=1, deselected=2)
    result.stdout.no_fnmatch_line("created:*")
    assert {job["worker"] for job in clinic.metadata().values()} == {"main"}


def test_one_worker_is_a_worker(clinic: Project) -> None:
    clinic.run("-n", "1").assert_outcomes(passed=3)
    assert {job["worker"] for job in clinic.metadata().values()} == {"gw0"}


def test_no_worker_starts_where_nothing_is_selected(clinic: Project) -> None:
    result = clinic.here("-n", "2", "-k", "nothing")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.no_fnmatch_line("created:*")


# Selection


@pytest.mark.parametrize(
    ("arguments", "job_ids"),
    [
        (("-k", "als or parkinsons"), ["als", "parkinsons"]),
        (("-m", "neurology", "--strict-markers"), ["als", "parkinsons"]),
        (("-m", "not neurology"), ["diabetes"]),
        ((node("diabetes"),), ["diabetes"]),
        ((node("parkinsons"), node("als")), ["parkinsons", "als"]),
        (("--deselect", node("als")), ["diabetes", "parkinsons"]),
    ],
)
def test_jobs_are_selected_as_tests_are(clinic: Project, arguments: tuple[str, ...], job_ids: list[str]) -> None:
    result = clinic.here("--collect-only", "-q", *arguments)
    assert [line for line in result.outlines if "::" in line] == [node(job_id) for job_id in job_ids]


def test_only_selected_jobs_train(clinic: Project) -> None:
    clinic.here("-k", "als or parkinsons").assert_outcomes(passed=2, deselected=1)
    assert clinic.statuses() == {"als": "passed", "parkinsons": "passed"}


def test_a_job_is_found_by_an_id_that_pytest_escapes(project: Project) -> None:
    project.jobs("größe", "other")
    project.here("-k", "größe").assert_outcomes(passed=1, deselected=1)
    assert project.statuses() == {"größe": "passed"}


def test_failed_jobs_are_remembered(project: Project) -> None:
    project.jobs("a", "c")
    project.job("b", "raise ValueError('no')")
    project.job("d", "raise ValueError('no')")
    project.here("-q").assert_outcomes(passed=2, failed=2)
    project.here("--lf", "-q").assert_outcomes(failed=2)
    assert set(project.statuses()) == {"b", "d"}
    first = project.here("--ff", "--collect-only", "-q")
    assert [line for line in first.outlines if "::" in line] == [node(job_id) for job_id in "bdac"]


def test_stepwise_goes_on_from_the_failed_job(project: Project) -> None:
    project.jobs("a", "c")
    project.job("b", "raise ValueError('no')")
    project.here("--sw").assert_outcomes(passed=1, failed=1)
    project.jobs("b")
    project.here("--sw").assert_outcomes(passed=2, deselected=1)


def test_failed_jobs_are_remembered_across_workers(project: Project) -> None:
    project.jobs("a")
    project.job("b", "raise ValueError('no')")
    project.job("c", "raise ValueError('no')")
    project.run("-n", "2").assert_outcomes(passed=1, failed=2)
    project.here("--lf").assert_outcomes(failed=2)


@pytest.mark.parametrize(("stop", "failed", "left"), [(("-x",), 1, 3), (("--maxfail", "2"), 2, 1)])
def test_the_run_stops_after_so_many_failures(project: Project, stop: tuple[str, ...], failed: int, left: int) -> None:
    project.jobs("a", "d")
    project.job("b", "raise ValueError('no')")
    project.job("c", "raise ValueError('no')")
    project.jobs("e") if failed == 1 else None
    result = project.here(*stop)
    result.assert_outcomes(passed=1, failed=failed)
    result.stdout.fnmatch_lines([f"* jobs: 1 passed, {failed} failed, {left} not run"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


HEARS = """
import os, pytest

@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        open("heard", "w").close()
"""
"""Writes a file once the controller has heard of a failure."""


@pytest.mark.slow
def test_workers_start_nothing_more_after_the_first_failure(project: Project) -> None:
    project.job("a", "wait_for(jobs(run) / 'b/attempt-1')\nraise ValueError('no')", top=WAIT)
    project.job("b", "wait_for(jobs(run) / 'a/outcome.json')\nreturn {'x': 1}", top=WAIT)
    for name in "cdefgh":
        project.job(name, "wait_for(jobs(run).parents[3] / 'heard')\nreturn {'x': 1}", top=WAIT)
    project.write("conftest.py", HEARS)
    project.write("training/jobs.yaml", "defaults: {expected: 1s}\njobs: {a: {expected: 9s}, b: {expected: 8s}}\n")
    result = project.run("-n", "2", "-x")
    statuses = project.statuses()
    assert statuses["a"] == "failed"
    assert list(statuses.values()).count("not run") >= 5, statuses  # b may have ended first and made room for one
    assert len(statuses) == 8
    assert result.ret != 0


# A dry run


LIKE_A_BOMB = "raise SystemExit('somebody imported me')"


def test_a_dry_run_lists_items_and_plan_and_imports_no_job(clinic: Project) -> None:
    clinic.job("als", top=LIKE_A_BOMB)
    result = clinic.here("--collect-only")
    result.stdout.fnmatch_lines(
        [
            "*<Function test_training_job[[]als[]]>",
            "*training plan*",
            "3 training jobs on 1 slot, * each, seed 0",
            "als  The als job.",
            "    expected    unknown",
            "    gates       none",
            "    tags        neurology",
            "order in which they start",
            "    1  als         unknown",
            "expected duration on 1 slot: unknown (3 jobs never measured)",
            "*3 tests collected*",
        ]
    )
    assert result.ret == 0
    assert not clinic.reports.exists()


def test_a_quiet_dry_run_is_node_ids_alone(clinic: Project) -> None:
    result = clinic.here("--collect-only", "-q", "-n", "2")
    ids = [node(job_id) for job_id in ("als", "diabetes", "parkinsons")]
    assert result.outlines[:4] == [*ids, ""]
    assert "3 tests collected" in result.outlines[4]
    assert not result.outlines[5:]


@pytest.mark.parametrize(("asked", "shown"), [("2", "2 slots"), ("8", "3 slots")])
def test_a_dry_run_plans_for_the_workers_that_there_would_be(clinic: Project, asked: str, shown: str) -> None:
    clinic.here("--collect-only", "-n", asked).stdout.fnmatch_lines([f"3 training jobs on {shown}, *"])


def test_the_plan_is_written_as_json_where_asked(clinic: Project) -> None:
    clinic.here("--collect-only", "-q", "--training-plan", "plans/next.json", "-n", "2", "-m", "neurology")
    plan = strict_json(clinic.root / "plans/next.json")
    assert [planned["job"]["id"] for planned in plan["jobs"]] == ["als", "parkinsons"]
    assert plan["workers"] == 2
    assert not clinic.reports.exists()


def test_the_plan_is_written_by_a_run_too(project: Project) -> None:
    project.jobs("a")
    project.here("--training-plan", "plan.json").assert_outcomes(passed=1)
    assert strict_json(project.root / "plan.json")["run_id"] == project.report()["training"]["run_id"]


def test_errors_of_collection_leave_the_plan_of_a_dry_run(clinic: Project) -> None:
    clinic.write("test_broken.py", "import nothing_of_that_name")
    result = clinic.here("--collect-only")
    result.stdout.fnmatch_lines(["*training plan*", "ERROR test_broken.py", "*3 tests collected, 1 error*"])
    assert result.ret == pytest.ExitCode.INTERRUPTED


@pytest.mark.parametrize("arguments", [("-x",), ("-x", "-n", "2"), ("-n", "2")], ids=" ".join)
def test_errors_of_collection_are_shown_and_nothing_trains(clinic: Project, arguments: tuple[str, ...]) -> None:
    clinic.write("test_broken.py", "import nothing_of_that_name")
    result = clinic.here(*arguments)
    result.stdout.fnmatch_lines(["*No module named 'nothing_of_that_name'", "ERROR test_broken.py", "*1 error*"])
    assert result.ret != 0
    assert not clinic.reports.exists()


def test_jobs_train_in_spite_of_errors_of_collection_where_asked(clinic: Project) -> None:
    clinic.write("test_broken.py", "import nothing_of_that_name")
    clinic.here("--continue-on-collection-errors").assert_outcomes(passed=3, errors=1)
    assert len(clinic.statuses()) == 3


# Plugins that are switched off


@pytest.mark.parametrize(
    "plugin", ["xdist", "cacheprovider", "terminal", "junitxml", "json-report", "pytest_jsonreport"]
)
def test_it_works_without(project: Project, plugin: str) -> None:
    project.jobs("a")
    result = project.here("-p", f"no:{plugin}")
    assert result.ret == 0
    assert not result.stderr.lines
    assert (project.reports / "junit.xml").exists() == (plugin != "junitxml")
    assert (project.reports / "report.json").exists() == ("json" not in plugin)
    missing = {"junitxml": "junit.xml", "json-report": "report.json", "pytest_jsonreport": "report.json"}.get(plugin)
    if missing:
        result.stdout.fnmatch_lines([f"warning: {missing} is not written: *"])
    elif plugin != "terminal":
        result.stdout.no_fnmatch_line("*warning*")


def test_workers_work_without_a_terminal_and_a_cache(project: Project) -> None:
    project.jobs("a", "b")
    assert project.run("-n", "2", "-p", "no:terminal", "-p", "no:cacheprovider").ret == 0
    assert project.statuses() == {"a": "passed", "b": "passed"}


# Debugging


def test_a_job_has_a_process_of_its_own_unless_told_otherwise(project: Project) -> None:
    project.job("a", "return {'pid': os.getpid()}", top="import os")
    project.here()
    assert project.metadata()["a"]["metrics"]["pid"] != os.getpid()
    project.here("--training-in-process")
    assert project.metadata()["a"]["metrics"]["pid"] == os.getpid()


def test_pdb_stops_where_the_job_failed(project: Project) -> None:
    project.job("a", "answer = 41 + 1\nraise ValueError('no')")
    result = project.run("--pdb", typed="p f'found {answer}'\nc\n")
    result.stdout.fnmatch_lines(["*entering PDB*", "> *train_a.py*train()", "*'found 42'", "*1 failed*"])
    assert "/pytest_training/" not in text(result)  # not one frame of the plugin
    assert project.statuses() == {"a": "failed"}


def test_a_breakpoint_in_a_job_stops_there(project: Project) -> None:
    project.job("a", "answer = 41\nbreakpoint()\nreturn {'answer': answer}")
    result = project.run("--training-in-process", typed="answer += 1\nc\n")
    result.stdout.fnmatch_lines(["> *train_a.py*train()", "PASSED  a  answer 42*"])
    assert result.ret == 0


def test_quitting_the_debugger_ends_the_session(project: Project) -> None:
    project.job("a", "breakpoint()\nreturn {'x': 1}")
    project.jobs("b")
    result = project.run("--pdb", typed="q\n")
    result.stdout.fnmatch_lines(["*Quitting debugger*"])
    assert project.statuses() == {"a": "failed", "b": "not run"}


def test_in_process_an_optional_job_may_fail_and_programs_have_their_own(project: Project) -> None:
    project.job("a", "raise ValueError('no')")
    project.write("training/jobs.yaml", "jobs:\n  a: {optional: true}\n  c: {command: ['true']}\n")
    result = project.here("--training-in-process")
    result.assert_outcomes(xfailed=1, passed=1)
    assert result.ret == 0


def test_a_check_before_the_training_is_a_mistake_in_the_test(project: Project) -> None:
    project.jobs("a")
    project.write("test_jobs.py", "def test_training_job(training_job):\n    training_job.check()\n")
    result = project.here()
    result.stdout.fnmatch_lines(["*RuntimeError: training_job.check() before training_job.train(), job 'a'"])


# Signals


SIGNALS = """
import pytest, signal

def test_training_job(training_job):
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
"""


def test_a_run_ends_at_sigterm_as_at_ctrl_c_but_leaves_alone_what_nohup_ignores(project: Project) -> None:
    project.jobs("a")
    project.write("test_jobs.py", SIGNALS)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        project.here().assert_outcomes(passed=1)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # whoever called pytest goes on
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGHUP, before[1])


# Distribution that is left to xdist


@pytest.mark.parametrize(
    "arguments",
    [
        ("-n", "auto", "--dist", "worksteal"),
        ("--tx", "2*popen", "--dist", "loadfile"),
        ("-n", "2", "--dist", "loadgroup"),
        ("-n", "2", "--dist", "each"),
    ],
    ids=" ".join,
)
def test_other_schedulers_of_xdist_work_as_ever(project: Project, arguments: tuple[str, ...]) -> None:
    project.jobs("a", "b", "c")
    result = project.run(*arguments, env={"PYTEST_XDIST_AUTO_NUM_WORKERS": "2"})
    result.assert_outcomes(passed=6 if "each" in arguments else 3)
    assert project.statuses() == {"a": "passed", "b": "passed", "c": "passed"}
    assert "training-idle" not in text(result)


def test_slots_that_train_the_same_job_do_not_share_a_folder(project: Project) -> None:
    project.job("a", "wait_for(jobs(run) / 'a/attempt-2')\nreturn {'x': 1}", top=WAIT)
    project.run("-n", "2", "--dist", "each").assert_outcomes(passed=2)


def test_tx_without_a_distribution_means_no_workers(project: Project) -> None:
    project.jobs("a", "b")
    project.here("--tx", "2*popen").assert_outcomes(passed=2)
    assert {job["worker"] for job in project.metadata().values()} == {"main"}


# Other tests beside jobs, and jobs in other places


@pytest.fixture
def mixed(project: Project) -> Project:
    """Return a project with jobs in a function, in a class and through a fixture, and with ordinary tests."""
    project.jobs("a", "b")
    project.write("conftest.py", FIXTURE_OF_ITS_OWN)
    project.write("test_ordinary.py", "def test_true():\n    pass\n\ndef test_false():\n    assert 0\n")
    project.write("sub/test_class.py", IN_A_CLASS)
    project.write("sub/test_deep.py", "def test_deep(trained):\n    assert trained['score'] > 0.5\n")
    return project


FIXTURE_OF_ITS_OWN = """
import pytest

@pytest.fixture
def trained(training_job):
    return training_job.train().metrics
"""
IN_A_CLASS = """
class TestJobs:
    def test_one(self, training_job):
        training_job.train()
        training_job.check()
"""


def test_jobs_and_ordinary_tests_share_a_session(mixed: Project) -> None:
    result = mixed.here("test_ordinary.py", "test_jobs.py", "sub")
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines([".F", "PASSED  a*[[]1/2[]]", "FAILED test_ordinary.py::test_false - assert 0"])
    assert mixed.statuses() == {"a": "passed", "b": "passed"}


def test_jobs_and_ordinary_tests_share_workers(mixed: Project) -> None:
    result = mixed.run("-n", "2")
    result.assert_outcomes(passed=7, failed=1)
    assert len(mixed.report()["tests"]) == 8
    assert len(mixed.cases()) >= 6


def test_workers_are_told_of_jobs_that_only_a_fixture_names(mixed: Project) -> None:
    mixed.run("-n", "2", "sub/test_deep.py").assert_outcomes(passed=2)
    assert mixed.report()["training"]["workers"] == 2


def test_ordinary_tests_alone_are_left_to_xdist(clinic: Project) -> None:
    clinic.write("test_ordinary.py", "def test_true():\n    pass\n")
    result = clinic.run("-n", "2", "test_ordinary.py")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("collected *")  # the controller collected nothing
    assert not clinic.reports.exists()


def test_a_session_in_a_subfolder_finds_the_jobs_of_the_root(mixed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed.write("pytest.ini", "[pytest]\n")
    monkeypatch.chdir(mixed.root / "sub")
    result = mixed.here("test_class.py")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([f"reports: {mixed.reports}/runs/*"])
    mixed.here("--rootdir", "..", "test_deep.py").assert_outcomes(passed=2)
    assert sorted(path.name for path in mixed.root.glob("**/report.json")) == ["report.json"] * 3


def test_any_path_and_every_strictness_will_do(tmp_path: Path) -> None:
    project = Project(tmp_path / "über uns" / "東京 (2)")
    project.jobs("größe", "b")
    project.job("c", "raise ValueError('schön')")
    strict = ("--strict-config", "--strict-markers", "-W", "error", "--import-mode=importlib")
    result = project.run("-n", "2", *strict)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*ValueError: schön*", "*über uns/東京 (2)/training/train_c.py*"])
    assert project.statuses() == {"größe": "passed", "b": "passed", "c": "failed"}


def test_pytest_does_not_rewrite_the_plugin_for_its_asserts(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.jobs("a")
    loader = "sys.modules['pytest_training.session.items'].__loader__"
    project.write("test_loader.py", f"import sys\n\ndef test_it():\n    assert '_pytest' not in repr({loader})\n")
    project.run("test_loader.py").assert_outcomes(passed=1)


# Projects that do not train


WHAT_IS_LOADED = """
import sys

def test_modules():
    heavy = {"msgspec", "psutil", "yaml", "rich", "jinja2", "sqlite3", "pytest_training"}
    loaded = {name for name in sys.modules if name.partition(".")[0] in heavy}
    light = {"fixture", "hookspecs", "options", "plugin"}
    assert loaded <= {"pytest_training", *(f"pytest_training.{name}" for name in light)}
"""


@pytest.mark.parametrize("arguments", [("-v",), ("-n", "2")], ids=["without workers", "two workers"])
def test_a_project_without_jobs_is_not_changed(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    project = Project(tmp_path)
    (tmp_path / "test_jobs.py").unlink()
    project.write("test_loaded.py", WHAT_IS_LOADED)
    project.write("training/notes.txt", "a folder of that name is not ours alone")
    with_it = project.run("--no-header", *arguments)
    without = project.run("--no-header", *arguments, "-p", "no:training")
    with_it.assert_outcomes(passed=1)
    assert _without_times(with_it) == _without_times(without)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] not in "._") == [
        "test_loaded.py",
        "training",
    ]


def _without_times(result: pytest.RunResult) -> list[str]:
    return [line.partition(" in ")[0] for line in result.outlines]


def test_everyday_options_exist_only_where_there_are_jobs(project: Project) -> None:
    result = project.here("--epochs", "3")
    result.stderr.fnmatch_lines(["*unrecognized arguments: --epochs*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("--traning-compare=last", "--traning-compare: did you mean --training-compare?"),
        ("--epoch=3", "--epoch: did you mean --epochs?"),
        ("--colect-only", "--colect-only: did you mean --collect-only?"),
        ("--training-worker", "--training-worker: expected one of --training-root, --training-catalogue, *"),
    ],
)
def test_a_mistyped_option_is_answered_with_those_that_exist(project: Project, typed: str, answer: str) -> None:
    project.jobs("als")
    result = project.here(typed)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"  {answer}"])


def test_a_project_keeps_its_own_epochs_and_fixture(project: Project) -> None:
    project.write("conftest.py", ITS_OWN)
    project.write("test_jobs.py", "def test_own(training_job, pytestconfig):\n    assert training_job == '3'\n")
    project.here("--epochs", "3").assert_outcomes(passed=1)


def test_a_project_with_jobs_keeps_its_own_epochs(project: Project) -> None:
    project.job("a", "return {'epochs': epochs, 'folds': folds}", parameters="epochs=7, folds=2")
    project.write("conftest.py", ITS_OWN)
    project.write("test_own.py", "def test_own(request):\n    assert request.config.getoption('--epochs') == 'x'\n")
    project.run("--epochs", "x", "--folds", "4", "--set", "a.epochs=9").assert_outcomes(passed=2)
    assert project.metadata()["a"]["metrics"] == {"epochs": 9, "folds": 4}


ITS_OWN = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--epochs", default="1", help="the project's own")

if not __import__("pathlib").Path(__file__).with_name("training").exists():
    @pytest.fixture
    def training_job(request):
        return request.config.getoption("--epochs")
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_test_that_wants_a_job_fails_where_there_is_none(tmp_path: Path, workers: str) -> None:
    project = Project(tmp_path)
    result = project.run("-n", workers)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"no training jobs: expected files like train_als.py in {tmp_path / 'training'}"])


def test_thousands_of_data_files_do_not_hide_a_job(project: Project) -> None:
    folder = project.root / "training" / "a_scans"
    folder.mkdir(parents=True)
    for number in range(6000):
        (folder / f"{number}.csv").touch()
    project.jobs("x")
    result = project.here("test_jobs.py", "--collect-only", "-q")
    assert result.outlines[0] == node("x")


# What the terminal shows


@pytest.fixture
def weak(project: Project) -> Project:
    """Return a project with a job that passes and one whose gate does not hold."""
    project.jobs("a")
    project.job("weak", "print('hello')\nreturn {'score': 0.7}", top='GATES = {"score": ">= 0.9"}')
    return project


TABLE = ["metric  required  found", "score   >= 0.9    0.7    short by 0.2"]
SUMMARY = f"FAILED {node('weak')} - Failed: score is 0.7, required"


def test_a_failed_gate_shows_a_table_and_no_traceback(weak: Project) -> None:
    result = weak.here()
    start = result.outlines.index("score is 0.7, required >= 0.9")
    assert result.outlines[start + 1 : start + 5] == ["", *TABLE, ""]
    assert result.outlines[start + 5].startswith("log: reports/runs/")
    assert "generated xml file" in result.outlines[start + 6]
    log = weak.root / result.outlines[start + 5].removeprefix("log: ")
    assert log.read_text() == "hello\n"
    assert any(line.startswith(SUMMARY) for line in result.outlines)
    assert "Traceback" not in text(result)


def test_a_failure_is_told_in_full_once_where_summaries_are_not_cut(
    weak: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    result = weak.here()
    assert result.outlines.count(TABLE[0]) == 1
    assert any(line.startswith(SUMMARY) for line in result.outlines)


@pytest.mark.parametrize(
    ("arguments", "shown", "hidden"),
    [
        (("-v",), [f"{node('a')} PASSED score 0.700, *s*[[] 50%[]]", f"{node('weak')} FAILED score *", *TABLE], []),
        (
            ("-q",),
            [".F *[[]100%[]]", *TABLE, "page: file:///*", "1 failed, 1 passed in *"],
            ["*training*---*", "reports:*", "PASSED*"],
        ),
        (("-qq",), [".F *", *TABLE], ["*training*---*", "page:*", "* passed*"]),
        (("-s",), ["PASSED  a *", "FAILED  weak *", *TABLE], []),
        (("--tb=no",), ["FAILED  weak *", "2 jobs: 1 passed, 1 failed"], TABLE),
        (("--tb=short",), TABLE, ["test_jobs.py:2:*"]),
        (("--no-header",), ["collected 2 items", "PASSED  a *"], ["rootdir:*"]),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_verbosity_and_style_mean_what_they_always_mean(
    weak: Project, arguments: tuple[str, ...], shown: list[str], hidden: list[str]
) -> None:
    result = weak.here(*arguments)
    result.stdout.fnmatch_lines([line.replace("training_job[", "training_job[[]") for line in shown])
    for line in hidden:
        result.stdout.no_fnmatch_line(line)
    assert any(line.startswith(SUMMARY) for line in result.outlines)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_lines_of_jobs_and_of_the_run_have_colours(weak: Project) -> None:
    result = weak.here("--color=yes")
    assert any(line.startswith("\x1b[32mPASSED  a") for line in result.outlines)
    assert any(line.startswith("\x1b[31mFAILED  weak") for line in result.outlines)
    result.stdout.fnmatch_lines(["*[[]31m2 jobs: 1 passed, 1 failed*"])


def test_all_results_can_be_asked_for_in_the_summary(weak: Project) -> None:
    result = weak.here("-rA", "-v")
    assert f"PASSED {node('a')}" in result.outlines
    assert any(line.startswith(SUMMARY) for line in result.outlines)


def test_a_failing_job_shows_its_own_traceback_and_the_end_of_its_log(project: Project) -> None:
    project.job("a", "for number in range(100):\n    print('line', number)\nraise ValueError('no')")
    result = project.here()
    result.stdout.fnmatch_lines(
        ["raised ValueError: no", "", "Traceback (most recent call last):", '  File "*train_a.py"*']
    )
    lines = [line for line in result.outlines if line.startswith("  line ")]
    assert lines == [f"  line {number}" for number in range(80, 100)]
    assert "pytest_training" not in text(result).replace("pytest_training-", "").partition("collected")[2]


# One portfolio with every kind of job, without workers and with two


PORTFOLIO = """\
jobs:
  data: {data: [cohort, changed], needs: [command], optional: true}
  command: {command: [python, tools/seed.py, "{folder}", "{seed}"]}
  shaky: {optional: true}
  grid: {matrix: {epochs: [1, 2], rate: [0.5]}}
  needy: {needs: [shaky]}
  last: {needs: [grid, command]}
data:
  cohort: {path: cohort.csv, real: true, sha256: edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb}
  changed: {path: changed.csv, real: true, sha256: edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb}
"""
COMMAND = """
import json, pathlib, sys
pathlib.Path(sys.argv[1], "metrics.json").write_text(json.dumps({"seed": int(sys.argv[2])}))
"""
SCRIPT = """
import argparse, json, os

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--out-dir", default=".")
given = parser.parse_args()
with open(os.path.join(os.environ["TRAINING_FOLDER"], "metrics.json"), "w") as file:
    json.dump({"epochs": given.epochs}, file)
"""


@pytest.fixture(scope="module", params=["0", "2"], ids=["without workers", "two workers"])
def portfolio(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, pytest.RunResult]:
    """Return a project with every kind of job, and the session that ran it."""
    project = Project(tmp_path_factory.mktemp("portfolio"))
    project.write("training/jobs.yaml", PORTFOLIO)
    project.write("tools/seed.py", COMMAND)
    project.write("training/cohort.csv", "abc\n")
    project.write("training/changed.csv", "abcd\n")
    project.job("data", "run.data('cohort')\nreturn {'n': len(run.data('changed').read_text())}")
    project.job("shaky", "raise ValueError('as so often')")
    project.job("grid", "return {'epochs': epochs}", parameters="epochs=7, rate=0.1")
    project.jobs("needy", "last")
    project.write("training/train_script.py", SCRIPT)
    project.write("training/train_silent.py", "print('no metrics here')")
    return project, project.run("-n", request.param, "--set", "script.epochs=9", "--training-seed", "5")


def test_a_portfolio_passes_where_only_optional_jobs_fail(portfolio: tuple[Project, pytest.RunResult]) -> None:
    project, result = portfolio
    result.assert_outcomes(passed=7, xfailed=2, skipped=1)  # with the own one of the study grid
    assert result.ret == 0
    assert len(project.report()["tests"]) == 10


def test_parameters_reach_every_kind_of_job(portfolio: tuple[Project, pytest.RunResult]) -> None:
    metrics = {job_id: metadata["metrics"] for job_id, metadata in portfolio[0].metadata().items()}
    assert metrics["script"] == {"epochs": 9}
    assert metrics["command"] == {"seed": 5}
    assert metrics["grid-epochs-1-rate-0.5"] == {"epochs": 1}
    assert metrics["grid-epochs-2-rate-0.5"] == {"epochs": 2}


def test_a_program_without_metrics_passes_with_a_note(portfolio: tuple[Project, pytest.RunResult]) -> None:
    project, result = portfolio
    assert project.metadata()["silent"]["notes"] == ["no metrics found"]
    result.stdout.fnmatch_lines(["PASSED  silent * no metrics found *"])


def test_a_job_starts_after_those_that_it_needs(portfolio: tuple[Project, pytest.RunResult]) -> None:
    jobs = portfolio[0].metadata()
    needed = [jobs[name] for name in ("command", "grid-epochs-1-rate-0.5", "grid-epochs-2-rate-0.5")]
    assert all(job["ended"] <= jobs["last"]["started"] for job in needed)


def test_a_job_whose_need_did_not_pass_is_skipped_with_the_reason(portfolio: tuple[Project, pytest.RunResult]) -> None:
    project, result = portfolio
    result.stdout.fnmatch_lines(["NOT RUN needy *"])
    (test,) = [test for test in project.report()["tests"] if test["nodeid"] == node("needy")]
    assert test["outcome"] == "skipped"
    assert test["metadata"]["reason"] == "needs shaky, which did not pass in this run"


def test_a_changed_dataset_fails_the_job_and_names_both_hashes(portfolio: tuple[Project, pytest.RunResult]) -> None:
    data = portfolio[0].metadata()["data"]
    assert data["cause"] == "data"
    assert "dataset 'changed'" in data["reason"]
    assert "edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb" in data["reason"]
    assert "fc4b5fd6816f75a7c81fc8eaa9499d6a299bd803397166e8c4cf9280b801d62c" in data["reason"]
    assert [used["name"] for used in data["datasets"] if used["opened"]] == ["cohort"]


# The same seed, the same metrics


RANDOM = """
return {
    "random": random.random(), "numpy": numpy.random.random(), "seed": run.seed,
    "generator": float(numpy.random.default_rng(run.seed).random()), "hash": float(hash("als") % 1000),
}
"""


@pytest.mark.slow
def test_the_same_seed_gives_the_same_metrics_for_any_workers_and_order(project: Project) -> None:
    for job_id in "abcd":
        project.job(job_id, RANDOM, top="import random\nimport numpy")

    def metrics(result: pytest.RunResult) -> dict[str, dict[str, float]]:
        result.assert_outcomes(passed=4)
        return {job_id: metadata["metrics"] for job_id, metadata in project.metadata().items()}

    alone = metrics(project.here())
    assert metrics(project.run("-n", "2")) == alone
    assert metrics(project.run("-n", "4")) == alone
    assert metrics(project.here(*map(node, "dcba"))) == alone
    assert metrics(project.here("--training-seed", "1"))["a"] != alone["a"]
    assert len({found["random"] for found in alone.values()}) == 4  # trackers draw names from it
    assert len({found["generator"] for found in alone.values()}) == 1
