"""The command line of `pytest-training`: its mistakes, and that it starts without what is slow to import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import make_run
from sessions import Project, environment, text

from pytest_training import __version__
from pytest_training.commands.main import VERBS

SLOW = {"pytest", "_pytest", "rich", "jinja2", "xdist", "yaml", "pooch"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), f"pytest-training: error: expected one of {', '.join(VERBS)}"),
        (
            ("histroy",),
            "pytest-training: error: unknown verb 'histroy': did you mean 'history'? Expected one of history, init, ",
        ),
        (("logs",), "pytest-training logs: error: the following arguments are required: JOB"),
        (("history", "--jsno"), "pytest-training: error: unrecognized arguments: --jsno"),
        (("logs", "als"), "pytest-training logs: error: no run in "),
        (("init", "--root", "nowhere"), "pytest-training init: error: --root: no folder "),
        (
            ("init", "--exclude", "("),
            "pytest-training init: error: --exclude: expected a regular expression, found '('",
        ),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_2(
    project: Project, words: tuple[str, ...], message: str
) -> None:
    ended = project.ask(*words)
    assert ended.ret == 2
    assert ended.outlines == []
    (line,) = ended.errlines
    assert line.startswith(message)


def test_an_unknown_verb_is_answered_with_all(project: Project) -> None:
    message = project.ask("train").stderr.str()
    assert {*message.rpartition("one of ")[2].strip().split(", ")} == {*VERBS}


def test_the_version_is_that_of_the_package_that_answers(project: Project) -> None:
    assert project.ask("--version").outlines == [f"pytest-training {__version__}"]


def test_a_misspelt_job_is_answered_with_the_nearest(project: Project) -> None:
    make_run(project.reports, jobs=2, epochs=1)
    job_id = project.ask("history").outlines[1].split()[0]
    for verb in ("history", "logs"):
        ended = project.ask(verb, job_id + "x")
        assert ended.ret == 2
        assert f": did you mean {job_id!r}? Expected one of " in ended.stderr.str()


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(project: Project, verb: str) -> None:
    assert VERBS[verb] in " ".join(project.ask("--help").stdout.str().split())
    helped = project.ask(verb, "--help")
    assert helped.ret == 0
    assert f"usage: pytest-training {verb}" in helped.stdout.str()


def test_the_console_script_is_the_module(project: Project) -> None:
    script = Path(sys.executable).parent / "pytest-training"
    ended = subprocess.run([script, "--help"], cwd=project.root, capture_output=True, text=True, check=True)
    assert ended.stdout == project.ask("--help").stdout.str() + "\n"


@pytest.mark.parametrize(
    "words",
    [
        ("history",),
        ("history", "--json"),
        ("logs", "{job_id}"),
        ("report",),
        ("runs",),
        ("status",),
        ("guide",),
    ],
)
def test_a_verb_imports_nothing_slow(project: Project, words: tuple[str, ...]) -> None:
    make_run(project.reports, jobs=2, epochs=1)
    job_id = json.loads(project.ask("history", "--json").stdout.str())[0]["outcome"]["job_id"]
    slow = SLOW - {"jinja2"} if words == ("report",) else SLOW
    program = (
        "import sys; from pytest_training.commands.main import main; code = main(sys.argv[1:]);"
        f"sys.exit(code or repr(sorted({slow} & set(sys.modules))))"
    )
    command = [sys.executable, "-c", program, *(word.format(job_id=job_id) for word in words)]
    ended = subprocess.run(command, cwd=project.root, env=environment(), capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1] == "[]", ended.stderr


def test_the_options_of_pytest_are_no_more(project: Project) -> None:
    project.jobs("als")
    for option in ("--training-init", "--training-history", "--training-logs=als", "--training-report=last"):
        ended = project.run(option)
        assert ended.ret == 4
        assert f"unrecognized arguments: {option}" in text(ended)
