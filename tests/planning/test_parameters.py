"""`--epochs`, `--folds` and `--set`."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs.project import Project, message

from pytest_training.errors import DeclarationError
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.model import Job
from pytest_training.jobs.values import with_value
from pytest_training.planning.parameters import apply_options, fill_seeds, note_missing, unreached

SIGNATURE = (
    "epochs=50, rate=0.1, name='x', fast=False, items=[1], more={}, free=None, path: str | None = None, "
    "kind: Literal['a', 'b'] = 'a', level: Literal[1, 2] = 1"
)
SCRIPT = """
    import argparse
    p = argparse.ArgumentParser()
    p.add_argument('--epochs', type=int, default=1)
    p.add_argument('--beta', type=parse)
    p.add_argument('--limit', type=int)
    """


@pytest.fixture
def jobs(project: Project) -> list[Job]:
    """Return the jobs als, d.1/net and script."""
    project.function("als", SIGNATURE)
    project.function("net", "folds=5, epochs=10")
    project.write("training/d.1/train_net.py", "def train(run, *, folds=5, rate=1.0): ...\n")
    project.write("training/train_script.py", SCRIPT)
    return project.discovered()


def values(jobs: list[Job], *settings: str, **options: Any) -> dict[str, dict[str, Any]]:
    return {job.id: job.parameters for job in apply_options(jobs, settings=settings, **options)}


def mistake(jobs: list[Job], *settings: str, **options: Any) -> str:
    return message(lambda: apply_options(jobs, settings=settings, **options))


def test_epochs_and_folds_go_to_the_jobs_that_have_them(jobs: list[Job]) -> None:
    found = values(jobs, epochs=3, folds=4)
    assert [found[name].get("epochs") for name in ("als", "net", "d.1/net", "script")] == [3, 3, None, 3]
    assert [found[name].get("folds") for name in ("als", "net", "d.1/net", "script")] == [None, 4, 4, None]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"epochs": 0}, "--epochs: expected a whole number of at least 1, found 0"),
        ({"epochs": -3}, "--epochs: expected a whole number of at least 1, found -3"),
        ({"folds": 1}, "--folds: expected a whole number of at least 2, found 1"),
    ],
)
def test_too_few_are_a_mistake(jobs: list[Job], options: dict[str, int], found: str) -> None:
    assert mistake(jobs, **options) == found


def test_an_option_that_no_job_has_is_a_mistake(project: Project) -> None:
    project.function("a", "epoc=5, rate=1")
    assert mistake(project.discovered(), epochs=3) == (
        "--epochs: no job has a parameter 'epochs': did you mean 'epoc'? Expected one of epoc, rate"
    )
    assert mistake([], folds=3) == (
        "--folds: no job has a parameter 'folds': none has any parameter that its source declares"
    )


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("epochs=5", 5),
        ("rate=1", 1.0),
        ("rate=1e-3", 0.001),
        ("name=a=b.c", "a=b.c"),
        ("name=", ""),
        ("name=007", "007"),
        ("fast=yes", True),
        ("fast=OFF", False),
        ("fast=1", True),
        ("items=[1, two]", [1, "two"]),
        ("more={a: {b: 1}}", {"a": {"b": 1}}),
        ("free=1.5", 1.5),
        ("free=true", True),
        ("free=[1]", [1]),
        ("free=text: more", "text: more"),
        ("free=none", None),
        ("path=null", None),
        ("path=5", "5"),
        ("kind=b", "b"),
        ("level=2", 2),
    ],
)
def test_a_value_is_typed_by_the_parameter(jobs: list[Job], setting: str, value: object) -> None:
    found = values(jobs, f"als.{setting}")["als"][setting.partition("=")[0]]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("epochs=1.5", "expected a whole number, found '1.5'"),
        ("epochs=", "expected a whole number, found ''"),
        ("epochs=none", "expected a whole number, found 'none'"),
        ("epochs=99999999999999999999", "expected a whole number, found '99999999999999999999'"),
        ("epochs=0", "expected a whole number of at least 1, found 0"),
        ("rate=nan", "expected a finite number, found 'nan'"),
        ("rate=1e999", "expected a finite number, found a value that JSON cannot hold"),
        ("fast=maybe", "expected true or false, found 'maybe'"),
        ("items=5", "expected a list, found 5"),
        ("more=[1]", "expected a mapping, found [1]"),
        ("free=.nan", "expected a value that JSON can hold, found a value that JSON cannot hold"),
        ("kind=c", "expected one of a, b, found 'c'"),
        ("epoch=5", "als has no parameter 'epoch': did you mean 'epochs'? Expected one of epochs, rate, name, "),
    ],
)
def test_a_value_that_does_not_fit_is_a_mistake(jobs: list[Job], setting: str, found: str) -> None:
    assert mistake(jobs, f"als.{setting}").startswith(f"--set als.{setting.partition('=')[0]}: {found}")


def test_a_broken_list_is_a_mistake_not_a_traceback(jobs: list[Job]) -> None:
    assert "not valid YAML" in mistake(jobs, "als.items=[1, {")
    deep = mistake(jobs, "als.items=" + "[" * 5000)
    assert "not valid YAML: exceeded maximum nesting depth" in deep
    assert len(deep) < 200


def test_a_pattern_sets_the_jobs_that_have_the_parameter(jobs: list[Job]) -> None:
    found = values(jobs, "*.folds=3", "*net.epochs=7", "d.1/net.rate=2")
    assert (found["net"], found["d.1/net"]) == ({"folds": 3, "epochs": 7}, {"folds": 3, "rate": 2.0})
    assert "folds" not in found["als"]


def test_later_settings_win_over_earlier_ones_and_over_epochs(jobs: list[Job]) -> None:
    assert values(jobs, "*.epochs=3", "als.epochs=4", epochs=2)["als"]["epochs"] == 4


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("asl.epochs=5", "no job 'asl': did you mean 'als'? Expected one of als, d.1/net, net, script"),
        ("x*.epochs=5", "no job 'x*': expected one of "),
        ("*.fold=5", "no job that matches '*' has a parameter 'fold': did you mean 'folds'? Expected one of folds, "),
        ("epochs=5", "expected JOB.PARAMETER=VALUE, like als.epochs=80; for all jobs: '*.epochs=…'"),
        ("als.epochs", "expected JOB.PARAMETER=VALUE, like als.epochs=80"),
        (".epochs=5", "expected JOB.PARAMETER=VALUE, like als.epochs=80"),
        ("als.=5", "expected JOB.PARAMETER=VALUE, like als.epochs=80"),
        ("", "expected JOB.PARAMETER=VALUE, like als.epochs=80"),
        ("=", "expected JOB.PARAMETER=VALUE, like als.epochs=80"),
    ],
)
def test_a_setting_for_nothing_is_a_mistake_that_lists_what_exists(jobs: list[Job], setting: str, found: str) -> None:
    assert mistake(jobs, setting).startswith(f"--set {setting.partition('=')[0]}: {found}")


def test_long_listings_are_cut(project: Project) -> None:
    for number in range(30):
        project.function(f"job{number}")
    assert mistake(project.discovered(), "job299.unused=5").endswith(" and 18 more")


def test_what_a_script_does_not_type_reaches_it_as_it_stands(jobs: list[Job]) -> None:
    script = next(job for job in apply_options(jobs, settings=["script.beta=007"]) if job.id == "script")
    assert (script.parameters["beta"], script.given) == ("007", ("beta",))


def test_none_takes_an_option_off_a_scripts_command_line(jobs: list[Job]) -> None:
    changed = apply_options(jobs, settings=["script.limit=5", "script.limit=none"])
    script = next(job for job in changed if job.id == "script")
    assert (script.parameters["limit"], script.given) == (None, ())


def test_a_job_that_cannot_be_read_does_not_stop_the_others(project: Project) -> None:
    project.write("training/train_broken.py", "def (")
    project.function("a", "epochs=1")
    jobs = project.discovered()
    assert values(jobs, "broken.epochs=3", "*.epochs=4")["a"]["epochs"] == 4
    assert note_missing(jobs)[0].problem is None


def test_required_parameters_must_come_from_somewhere(project: Project) -> None:
    project.function("a", "data, epochs=1, target")
    jobs = project.discovered()
    assert note_missing(jobs)[0].problem == (
        "training/train_a.py: a needs a value for data, target: give it with --set a.data=VALUE "
        "--set a.target=VALUE, or under jobs.a.parameters in the catalogue"
    )
    assert note_missing(apply_options(jobs, settings=["a.data=x", "a.target=y"]))[0].problem is None


@pytest.mark.parametrize(
    ("setting", "value"), [("als.epochs=7\x1f", 7), ("als.rate=0.5\x1f", 0.5), ("als.rate= 2 ", 2.0)]
)
def test_space_of_any_kind_beside_a_number_is_none_of_it(jobs: list[Job], setting: str, value: float) -> None:
    name = setting.partition("=")[0].removeprefix("als.")
    assert values(jobs, setting)["als"][name] == value


SUBCOMMANDS = """
    import argparse
    p = argparse.ArgumentParser()
    s = p.add_subparsers(dest='command', required=computed)
    fit = s.add_parser('fit')
    fit.add_argument('--epochs', type=int, default=3)
    fit.add_argument('--seed', type=int, default=3)
    s.add_parser('show').add_argument('--top', type=int, default=1)
    """


@pytest.mark.parametrize(
    ("settings", "note", "epochs"),
    [
        ([], None, 3),
        (["a.epochs=2"], "epochs not passed: it is an option of fit, which is not chosen", 3),
        (["a.command=show", "a.epochs=2"], "epochs not passed: it is an option of fit, command is show", 3),
        (["a.command=fit", "a.epochs=2"], None, 2),
        (["a.command=fit", "a.top=2"], "top not passed: it is an option of show, command is fit", 3),
    ],
)
def test_an_option_of_a_subcommand_that_is_not_chosen_is_not_recorded_as_passed(
    project: Project, settings: list[str], note: str | None, epochs: int
) -> None:
    job = msgspec.structs.replace(project.job(SUBCOMMANDS), id="a")
    [planned] = note_missing(fill_seeds(apply_options([job], settings=settings), 7))
    assert (planned.problem, planned.notes) == (None, (note,) if note else ())
    assert unreached([planned], settings=settings) == ([f"a: {note}"] if note else [])
    assert (planned.parameters["epochs"], planned.parameters["top"]) == (epochs, 1)
    assert {*planned.given} == {setting.partition("=")[0].removeprefix("a.") for setting in settings} - {
        "epochs" if epochs == 3 else "",
        "top",
    } | ({"seed"} if "a.command=fit" in settings else set())


def test_a_value_that_no_subcommand_takes_is_said_once_of_all_jobs_wherever_it_was_set(project: Project) -> None:
    job = project.job(SUBCOMMANDS)
    jobs = [msgspec.structs.replace(job, id=job_id) for job_id in "ab"]
    in_the_catalogue = [with_value(each, "epochs", 2, KINDS["script"]) for each in jobs]
    for planned in (in_the_catalogue, apply_options(jobs, epochs=2), apply_options(jobs, settings=["*.epochs=2"])):
        [sentence] = unreached(note_missing(planned), epochs=2)
        assert sentence == "a, b: epochs not passed: it is an option of fit, which is not chosen"


def test_the_output_folder_is_never_missing(project: Project) -> None:
    job = project.job("import argparse\np = argparse.ArgumentParser()\np.add_argument('--out', required=True)\n")
    assert note_missing([job])[0].problem is None


@pytest.mark.parametrize(
    ("options", "notes", "sentences"),
    [
        ({"epochs": 3}, {"d.1/net": ["--epochs"]}, ["--epochs: 1 of 4 jobs have no such parameter: d.1/net"]),
        (
            {"folds": 3},
            {"als": ["--folds"], "script": ["--folds"]},
            ["--folds: 2 of 4 jobs have no such parameter: als, script"],
        ),
        (
            {"settings": ["*.folds=3", "als.epochs=4"]},
            {"als": ["--set *.folds"], "script": ["--set *.folds"]},
            ["--set *.folds: 2 of 4 jobs have no such parameter: als, script"],
        ),
        ({"settings": ["*net.folds=3", "als.epochs=4"]}, {}, []),
        (
            {"epochs": 3, "settings": ["*net.epochs=4"]},
            {"d.1/net": ["--epochs", "--set *net.epochs"]},
            [
                "--epochs: 1 of 4 jobs have no such parameter: d.1/net",
                "--set *net.epochs: 1 of 2 jobs have no such parameter: d.1/net",
            ],
        ),
    ],
)
def test_an_option_that_does_not_reach_a_job_is_noted(
    jobs: list[Job], options: dict[str, Any], notes: dict[str, list[str]], sentences: list[str]
) -> None:
    changed = apply_options(jobs, **options)
    noted = {job.id: [note.partition(" not passed: no such ")[0] for note in job.notes] for job in changed if job.notes}
    assert noted == notes
    assert unreached(changed, **options) == sentences


def test_of_many_jobs_that_an_option_does_not_reach_some_are_named(project: Project) -> None:
    for number in range(9):
        project.function(f"job{number}")
    project.function("other", "epochs=3")
    [sentence] = unreached(project.discovered(), epochs=3)
    assert sentence.endswith("9 of 10 jobs have no such parameter: job0, job1, job2, job3, job4, job5 and 3 more")


@given(
    st.text(max_size=30),
    st.sampled_from(["", "als.", "*.", "als.items=", "als.free=", "als.more={", "*.epochs="]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_setting_applies_or_is_a_declaration_error(jobs: list[Job], text: str, start: str) -> None:
    with contextlib.suppress(DeclarationError):
        apply_options(jobs, settings=[start + text])


SEEDED = {
    "argparse": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--seed', type=int, default=42)\n",
    "untyped": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--random-seed', default='42')\n",
    "click": "import click\n@click.command()\n@click.option('--random_state', default=42)\ndef f(**_): ...\nf()\n",
    "typer": "import typer\ndef main(seed: int = 42): ...\ntyper.run(main)\n",
    "required": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--seed', type=int, required=True)\n",
}
"""Scripts with an option for their seed, and what they get for seed 7."""
UNSEEDED = {
    "choices": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--seed', type=int, choices=[1, 2])\n",
    "several": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--seed', type=int, nargs='+')\n",
    "flag": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--seed', action='store_true')\n",
    "function": "def train(run, *, seed=42): ...\n",
    "none": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--epochs')\n",
}


def test_a_script_gets_the_runs_seed_through_its_own_option(project: Project) -> None:
    for name, text in (SEEDED | UNSEEDED).items():
        project.write(f"training/train_{name}.py", text)
    before = {job.id: job for job in project.discovered()}
    after = {job.id: job for job in fill_seeds(before.values(), 7)}
    filled = {name: dict(after[name].parameters) for name in SEEDED}
    assert {name: [*each.values()] for name, each in filled.items()} == {
        **{name: [7] for name in SEEDED},
        "untyped": ["7"],
    }
    assert all(after[name].given == tuple(filled[name]) for name in SEEDED)
    assert {name: after[name] for name in UNSEEDED} == {name: before[name] for name in UNSEEDED}


def test_a_script_keeps_the_seed_that_the_user_has_set_or_asks_to_leave(project: Project) -> None:
    for name in ("listed", "left", "asked", "all"):
        project.write(f"training/train_{name}.py", SEEDED["argparse"])
    declared, _ = project.load("jobs:\n  listed: {parameters: {seed: 1}}\n  left: {seed: false}\n")
    jobs = apply_options(declared, settings=["asked.seed=3"])
    assert {job.id: job.parameters["seed"] for job in fill_seeds(jobs, 7)} == {
        "listed": 1,
        "left": 42,
        "asked": 3,
        "all": 7,
    }
