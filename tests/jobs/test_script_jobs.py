"""The options that a script's own calls declare."""

from __future__ import annotations

import pytest

from pytest_training.jobs.model import Job, Parameter
from pytest_training.jobs.values import seed_option

from .project import Project


def argparse_job(project: Project, *calls: str) -> Job:
    lines = "\n".join(calls)
    return project.job(f"import argparse\nMODES = ['a', 'b']\nparser = argparse.ArgumentParser()\n{lines}\n")


def only(job: Job) -> Parameter:
    [parameter] = job.declared
    return parameter


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            "'--epochs', type=int, default=10",
            Parameter(name="epochs", type="int", default=10, option="--epochs"),
        ),
        ("'-e', '--epochs', type=int", Parameter(name="epochs", type="int", option="--epochs")),
        (
            "'--learning-rate', default=0.1",
            Parameter(name="learning_rate", type="float", default=0.1, option="--learning-rate"),
        ),
        ("'--name'", Parameter(name="name", type="str", option="--name")),
        ("'--beta', type=parse", Parameter(name="beta", type="any", option="--beta")),
        ("'--folder', type=pathlib.Path", Parameter(name="folder", type="str", option="--folder")),
        (
            "'--cuda', action='store_true'",
            Parameter(name="cuda", type="bool", default=False, option="--cuda", flag=True),
        ),
        (
            "'--no-cuda', action='store_false'",
            Parameter(name="no_cuda", type="bool", default=True, option="--no-cuda", flag=True, off="--no-cuda"),
        ),
        ("'-v', action='count'", Parameter(name="v", type="int", option="-v", flag=True)),
        ("'--mode', choices=MODES", Parameter(name="mode", type="str", option="--mode", choices=("a", "b"))),
        ("'--size', type=int, nargs=2", Parameter(name="size", type="list", option="--size")),
        ("'--data', required=True", Parameter(name="data", type="str", required=True, option="--data")),
        ("'folder'", Parameter(name="folder", type="str", required=True)),
        ("'folder', nargs='?'", Parameter(name="folder", type="str")),
        ("*['-q', '--quick'], type=float", Parameter(name="quick", type="float", option="--quick")),
        ("*MODES", Parameter(name="a", type="str", required=True)),
    ],
)
def test_an_argparse_call_declares_a_parameter(project: Project, call: str, expected: Parameter) -> None:
    assert only(argparse_job(project, f"parser.add_argument({call})")) == expected


def test_constants_name_options_and_defaults(project: Project) -> None:
    job = argparse_job(
        project, "NAMES = ('-n', '--number')", "N = 3", "parser.add_argument(*NAMES, type=int, default=N)"
    )
    assert only(job) == Parameter(name="number", type="int", default=3, option="--number")


def test_groups_subparsers_and_any_variable_count(project: Project) -> None:
    job = argparse_job(
        project,
        "group = parser.add_argument_group('g')",
        "group.add_argument('--one')",
        "parser.add_mutually_exclusive_group().add_argument('--two')",
        "sub = parser.add_subparsers(dest='command', required=True)",
        "fit = sub.add_parser('fit')",
        "fit.add_argument('--three', required=True)",
        "def more(p):\n    p.add_argument('--four')",
    )
    assert [(item.name, item.option, item.required) for item in job.declared] == [
        ("one", "--one", False),
        ("two", "--two", False),
        ("command", None, False),
        ("three", "--three", False),
        ("four", "--four", False),
    ]
    assert job.parameters == {"command": "fit"}  # a training trains unless the user says another


def test_boolean_optional_action_and_help(project: Project) -> None:
    job = argparse_job(
        project,
        "parser.add_argument('--shuffle', action=argparse.BooleanOptionalAction, default=True)",
        "parser.add_argument('--version', action='version')",
    )
    assert [(item.option, item.off, item.flag, item.default) for item in job.declared] == [
        ("--shuffle", "--no-shuffle", True, True)
    ]


def test_comments_and_texts_that_mention_options_declare_nothing(project: Project) -> None:
    job = project.job(
        '''
        """Usage: train_x.py --epochs 5; parser.add_argument("--epochs")."""
        # parser.add_argument("--epochs")
        import sys
        print("--epochs", sys.argv)
        '''
    )
    assert (job.kind, job.declared) == ("script", ())


def test_names_that_are_not_literal_declare_nothing(project: Project) -> None:
    job = argparse_job(
        project, "parser.add_argument(make())", "parser.add_argument(f'--{1}')", "parser.add_argument(1)"
    )
    assert job.declared == ()


def test_the_first_declaration_of_a_name_counts(project: Project) -> None:
    job = argparse_job(project, "parser.add_argument('--a', type=int)", "parser.add_argument('--a', type=float)")
    assert only(job).type == "int"


@pytest.mark.parametrize(
    ("calls", "option"),
    [
        (["'--out'", "'--output-dir'"], "--output-dir"),
        (["'-o', '--destination', '--output'"], "--output"),
        (["'--results-dir'"], "--results-dir"),
        (["'--output', action='store_true'"], None),
        (["'--outside'"], None),
    ],
)
def test_the_option_for_the_output_folder_is_found(project: Project, calls: list[str], option: str | None) -> None:
    job = argparse_job(project, *(f"parser.add_argument({call})" for call in calls))
    assert job.output_option == option
    assert option is None or option in [item.option for item in job.declared]


def test_click_options_and_arguments(project: Project) -> None:
    job = project.job(
        """
        import click

        @click.command()
        @click.argument("source")
        @click.option("--epochs", "-e", default=5, show_default=True)
        @click.option("--rate", type=click.FLOAT)
        @click.option("--fold", type=click.IntRange(2, 9), required=True)
        @click.option("--kind", type=click.Choice(["a", "b"]))
        @click.option("--shuffle/--no-shuffle", default=True)
        @click.option("--quick", is_flag=True)
        def main(**options): ...

        main()
        """
    )
    assert [(item.name, item.type, item.option, item.required, item.flag) for item in job.declared] == [
        ("source", "str", None, True, False),
        ("epochs", "int", "--epochs", False, False),
        ("rate", "float", "--rate", False, False),
        ("fold", "int", "--fold", True, False),
        ("kind", "str", "--kind", False, False),
        ("shuffle", "bool", "--shuffle", False, True),
        ("quick", "bool", "--quick", False, True),
    ]
    assert job.declared[4].choices == ("a", "b")


def test_click_is_known_under_other_names(project: Project) -> None:
    job = project.job("from click import option as opt\nimport rich_click as rc\nopt('--a')\nrc.option('--b')\n")
    assert [item.option for item in job.declared] == ["--a", "--b"]
    assert project.job("from own import option\noption('--a')  # click\n").declared == ()


def test_typer_parameters(project: Project) -> None:
    job = project.job(
        """
        from typing import Annotated
        import typer

        app = typer.Typer()

        @app.command()
        def main(
            ctx: typer.Context,
            source: str,
            epochs: int = 5,
            learning_rate: Annotated[float, typer.Option("--lr", help="x")] = 0.1,
            output_dir: str = typer.Option("out", "-o", "--output-dir"),
            quick: bool = False,
            needed: int = typer.Option(...),
            extra: str = typer.Argument("x"),
        ): ...

        def helper(other: int = 3): ...

        app()
        """
    )
    assert [(item.name, item.type, item.default, item.option, item.required) for item in job.declared] == [
        ("source", "str", None, None, True),
        ("epochs", "int", 5, "--epochs", False),
        ("lr", "float", 0.1, "--lr", False),
        ("output_dir", "str", "out", "--output-dir", False),
        ("quick", "bool", False, "--quick", False),
        ("needed", "int", None, "--needed", True),
        ("extra", "str", "x", None, False),
    ]
    assert job.output_option == "--output-dir"


def test_typer_run_names_the_command(project: Project) -> None:
    job = project.job("import typer\ndef main(epochs: int = 5): ...\ndef other(a: int = 1): ...\ntyper.run(main)\n")
    assert [item.name for item in job.declared] == ["epochs"]


def test_plain_scripts_have_no_options(project: Project) -> None:
    assert project.job("import sys\nprint(sys.argv)\n").declared == ()


def test_only_defaults_that_the_source_states_are_values(project: Project) -> None:
    job = argparse_job(project, "parser.add_argument('--a', default=1)", "parser.add_argument('--b')")
    assert (job.parameters, job.given) == ({"a": 1}, ())


@pytest.mark.parametrize(
    ("calls", "option"),
    [
        (["'--seed', type=int"], "--seed"),
        (["'-s', '--random-state', type=int, default=42"], "--random-state"),
        (["'--manualSeed', type=int"], "--manualSeed"),
        (["'--torch-seed', type=int", "'--seed'"], "--seed"),
        (["'--seed', action='store_true'"], None),
        (["'--seed', type=int, nargs=3"], None),
        (["'seed', type=int"], None),
        (["'--seeds', type=int"], None),
    ],
)
def test_the_option_for_the_seed_is_found(project: Project, calls: list[str], option: str | None) -> None:
    job = argparse_job(project, *(f"parser.add_argument({call})" for call in calls))
    found = seed_option(job.declared)
    assert (found.option if found else None) == option


@pytest.mark.parametrize(
    "text",
    [
        "from helpers import train\n",
        "from helpers import fit as train\n",
        "from functools import partial\ndef _fit(run, lr): return {}\ntrain = partial(_fit, lr=1)\n",
        "train = lambda run, *, epochs=2: {}\n",
        "class Trainer:\n    def __call__(self, run): return {}\ntrain = Trainer()\n",
    ],
)
def test_a_train_that_no_def_defines_is_a_problem_and_not_a_script_that_passes(project: Project, text: str) -> None:
    problem = project.job(text).problem or ""
    assert "`train` is no function that this file defines: write def train(run, *, …)" in problem
    assert project.job(f"{text}train(None)\n").problem is None
