"""Tests of jobs/kinds: which files are jobs of which kind, and how a job of each is started."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import msgspec
import pytest

from pytest_training.errors import DeclarationError
from pytest_training.jobs.discovery import discover
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Call, Command, File, Kind
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.model import Job, Parameter

from .project import Project

PLACE: dict[str, Any] = {"source": "training/train_x.py", "home": "/project/training", "root": "/project"}


@pytest.fixture
def script() -> Job:
    return Job(id="x", kind="script", path="/project/training/train_x.py", **PLACE)


def command(*words: str, **fields: Any) -> Job:
    return Job(id="x", kind="command", command=words, **PLACE, **fields)


def command_line(job: Job, *, folder: str, seed: int) -> list[str]:
    start = KINDS[job.kind].start(job, folder=folder, seed=seed)
    assert isinstance(start, Command)
    return [*start.argv]


def arguments(job: Job, **values: Any) -> list[str]:
    """Return what stands behind the script's file when these values are given."""
    known = {parameter.name: parameter.default for parameter in job.declared}
    given = msgspec.structs.replace(job, parameters=known | values, given=tuple(values))
    program, file, *rest = command_line(given, folder="/out", seed=3)
    assert (program, file) == (sys.executable, job.path)
    return rest


def declaring(job: Job, *declared: Parameter) -> Job:
    return msgspec.structs.replace(job, declared=declared)


EPOCHS = Parameter(name="epochs", type="int", default=5, option="--epochs")
LAYERS = Parameter(name="layers", type="list", option="--layers")
DATA = Parameter(name="data", type="str", required=True)
FAST = Parameter(name="fast", type="bool", default=False, option="--fast", flag=True)


def test_a_script_gets_what_is_given_and_nothing_else(script: Job) -> None:
    script = declaring(script, EPOCHS, LAYERS, FAST)
    assert arguments(script) == []
    assert arguments(script, epochs=7) == ["--epochs", "7"]


def test_a_flag_stands_there_when_it_is_on(script: Job) -> None:
    script = declaring(script, FAST)
    assert arguments(script, fast=True) == ["--fast"]
    assert arguments(script, fast=False) == []


def test_a_list_swallows_no_positional(script: Job) -> None:
    script = declaring(script, LAYERS, DATA)
    assert arguments(script, layers=[3, 4], data="a.csv") == ["a.csv", "--layers", "3", "4"]


def test_a_subcommand_stands_before_its_own_options(script: Job) -> None:
    script = declaring(script, Parameter(name="command"), EPOCHS)
    assert arguments(script, command="fit", epochs=7) == ["fit", "--epochs", "7"]


def test_a_value_that_looks_like_an_option_is_none(script: Job) -> None:
    script = declaring(script, Parameter(name="title", option="--title"))
    assert arguments(script, title="-x") == ["--title=-x"]


@pytest.mark.parametrize("value", ["-x", "--title", "-", "-5", "-2.5", "-1", "@x", "@", "a=b", "", " ", "+1"])
def test_any_value_reaches_any_parser_of_argparse(script: Job, value: str) -> None:
    script = declaring(script, Parameter(name="title", option="--title"))
    parser = argparse.ArgumentParser(fromfile_prefix_chars="@", prefix_chars="-+")
    parser.add_argument("-1", action="store_true", dest="one")  # with such an option `-5` may be one too
    parser.add_argument("--title")
    assert vars(parser.parse_args(arguments(script, title=value))) == {"one": False, "title": value}


def test_a_positional_list_becomes_one_argument_each(script: Job) -> None:
    assert arguments(declaring(script, Parameter(name="files")), files=["a b", "c"]) == ["a b", "c"]


def test_the_output_folder_is_passed_unless_the_catalogue_gives_one(script: Job) -> None:
    output = Parameter(name="out", option="--out")
    script = msgspec.structs.replace(script, output_option="--out", declared=(output,))
    assert arguments(script) == ["--out", "/out"]
    assert arguments(script, out="/mine") == ["--out", "/mine"]


def test_a_command_is_filled_with_folder_seed_and_parameters_and_needs_no_shell() -> None:
    job = command("tool", "--to={folder}/m.json", "{seed}", "{epochs}", "$(id); {unknown}", parameters={"epochs": 5})
    assert command_line(job, folder="/out", seed=3) == ["tool", "--to=/out/m.json", "3", "5", "$(id); {unknown}"]


def test_a_value_is_never_filled_again() -> None:
    job = command("tool", "{title}", parameters={"title": "{seed} and {folder}"})
    assert command_line(job, folder="/out", seed=3) == ["tool", "{seed} and {folder}"]


def test_a_command_gets_raw_arguments_behind_its_own_and_no_variables() -> None:
    start = KINDS["command"].start(command("tool", "{folder}", arguments=("--quick",)), folder="/out", seed=3)
    assert start == Command(argv=("tool", "/out", "--quick"))


def test_a_function_is_called_by_its_name_in_its_file() -> None:
    job = Job(id="x", kind="function", path="/project/training/train_x.py", **PLACE)
    assert KINDS["function"].start(job, folder="/out", seed=3) == Call(path=job.path or "", function="train")


def test_a_script_finds_the_modules_of_its_project_and_leaves_no_bytecode(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "src").mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/mine", str(project.root)]))
    job = project.job("print(1)")
    start = KINDS["script"].start(job, folder="/out", seed=3)
    assert isinstance(start, Command)
    assert start.environment == {
        "PYTHONPATH": os.pathsep.join([str(project.root), f"{project.root}/src", "/mine"]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def test_a_script_that_needs_an_interpreter_of_its_own_never_runs_warm(project: Project) -> None:
    for name, text, is_warm in (("a", "print(1)", True), ("b", "import sys\nprint(sys.executable)", False)):
        start = KINDS["script"].start(project.job(text, name), folder="/out", seed=3)
        assert isinstance(start, Command)
        assert start.is_warm is is_warm


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("def train(run, *, epochs=5): ...", "function"),
        ("def train(model, loader): ...\ntrain(1, 2)", "script"),
        ("print(1)", "script"),
        ("def train(run:", "function"),
    ],
)
def test_a_python_file_is_a_function_job_or_else_a_script(project: Project, text: str, kind: str) -> None:
    assert project.job(text).kind == kind


class Shell(Kind):
    """Shell scripts."""

    name = "shell"
    suffixes = (".sh",)

    def recognise(self, file: File) -> Job | None:
        text = file.path.read_text()
        if "raise" in text:
            raise ValueError(text)
        return None if "library" in text else file.job(self.name, title=text)

    def start(self, job: Job, *, folder: str, seed: int) -> Command:
        return Command(argv=("sh", job.path or "", folder, str(seed)))


SHELL = {**KINDS, "shell": Shell()}


def test_a_kind_from_outside_finds_its_files_by_the_usual_rules(project: Project) -> None:
    for name in ("train_a.sh", "deep/train_b.sh", "c.sh", "train_.sh", "build/train_d.sh"):
        project.write(f"training/{name}", "echo 1")
    assert discover(project.training, project.root) == []
    jobs = discover(project.training, project.root, kinds=SHELL)
    assert [(job.id, job.kind, job.source) for job in jobs] == [
        ("b", "shell", "training/deep/train_b.sh"),
        ("a", "shell", "training/train_a.sh"),
    ]
    assert jobs[1].files == (str(project.training / "train_a.sh"),)


def test_files_that_differ_in_their_suffix_alone_have_it_in_their_ids(project: Project) -> None:
    project.write("training/train_a.py", "print(1)")
    project.write("training/train_a.sh", "echo 1")
    jobs = discover(project.training, project.root, kinds=SHELL)
    assert [(job.id, job.kind) for job in jobs] == [("train_a.py", "script"), ("train_a.sh", "shell")]


def test_a_file_that_its_kind_does_not_recognise_is_no_job(project: Project) -> None:
    path = project.write("training/train_a.sh", "# a library of functions")
    assert discover(project.training, project.root, kinds=SHELL) == []
    project.write("training/jobs.yaml", f"jobs: {{a: {{script: {path.relative_to(project.root)}}}}}")
    with pytest.raises(DeclarationError, match=r"jobs.yaml:1: jobs.a.script: no kind of job recognises this file"):
        load_jobs(project.training, project.root, kinds=SHELL)


def test_a_kind_that_raises_fails_the_job_of_that_file_alone(project: Project) -> None:
    project.write("training/train_a.sh", "raise")
    project.write("training/train_b.sh", "echo 1")
    jobs = discover(project.training, project.root, kinds=SHELL)
    assert [job.problem for job in jobs] == [
        "training/train_a.sh: kind 'shell' cannot read it: ValueError: raise",
        None,
    ]


def test_the_kind_that_is_registered_last_is_asked_first(project: Project) -> None:
    class Everything(Shell):
        name = "everything"
        suffixes = (".py",)

    project.write("training/train_a.py", "def train(run): ...")
    jobs = discover(project.training, project.root, kinds={**KINDS, "everything": Everything()})
    assert [job.kind for job in jobs] == ["everything"]


def test_a_catalogue_says_of_a_foreign_kind_what_it_says_of_all(project: Project) -> None:
    project.write("training/train_a.sh", "echo 1")
    project.write(
        "training/jobs.yaml",
        """
        defaults: {metrics: numbers.csv, tags: [shell], fresh: true}
        jobs: {a: {gates: {r2: ">= 0.1"}, timeout: 5s, arguments: [--quick]}}
        """,
    )
    (job,), _ = load_jobs(project.training, project.root, kinds=SHELL)
    assert (job.kind, job.tags, job.limits, job.arguments) == ("shell", ("shell",), {"timeout": 5.0}, ("--quick",))
    assert (job.metrics and job.metrics.file, job.fresh, len(job.gates)) == ("numbers.csv", None, 1)
