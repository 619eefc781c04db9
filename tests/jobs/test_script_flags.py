"""What is recorded of a script's flags and defaults is what its own parser makes of its command line."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from pytest_training.errors import DeclarationError
from pytest_training.jobs.kinds.script.arguments import script_arguments
from pytest_training.jobs.model import Job
from pytest_training.planning.parameters import apply_options

from .project import Project, message

ARGPARSE = """
import argparse, os
parser = argparse.ArgumentParser()
{}
SEEN.update(vars(parser.parse_args()))
"""
CLICK = """
import click
@click.command()
{}
def main(**options):
    SEEN.update(options)
main(standalone_mode=False)
"""
TYPER = """
from typing import Annotated, Optional
import typer
app = typer.Typer()
@app.command()
def main({}):
    SEEN.update(locals())
app(standalone_mode=False)
"""


def added(*calls: str) -> str:
    return ARGPARSE.format("\n".join(f"parser.add_argument({call})" for call in calls))


STYLES = {
    "store_true": added("'--amp', action='store_true'"),
    "store_true, true": added("'--amp', action='store_true', default=True"),
    "store_true, other variable": added("'--amp', action='store_true', dest='use_amp'"),
    "store_false": added("'--no-amp', action='store_false'"),
    "store_false, dest": added("'--no-amp', action='store_false', dest='amp'"),
    "store_false, false": added("'--no-amp', action='store_false', dest='amp', default=False"),
    "both": added("'--amp', action='store_true', dest='amp'", "'--no-amp', action='store_false', dest='amp'"),
    "both, off first": added("'--no-amp', dest='amp', action='store_false'", "'--amp', action='store_true'"),
    "both, set_defaults": added("'--amp', action='store_true'", "'--no-amp', dest='amp', action='store_false'").replace(
        "SEEN", "parser.set_defaults(amp=True)\nSEEN"
    ),
    "set_defaults before": added("'--amp', action='store_true'").replace(
        "Parser()", "Parser()\nparser.set_defaults(amp=True)"
    ),
    "optional, true": added("'--amp', action=argparse.BooleanOptionalAction, default=True"),
    "optional, false": added("'--amp', action=argparse.BooleanOptionalAction, default=False"),
    "optional, none": added("'--amp', action=argparse.BooleanOptionalAction"),
    "optional, computed": added("'--amp', action=argparse.BooleanOptionalAction, default=bool(os.getcwd())"),
    "computed": added("'--amp', action='store_true', default=bool(os.getcwd())"),
    "type=bool, true": added("'--amp', type=bool, default=True"),
    "type=bool, false": added("'--amp', type=bool, default=False"),
    "type=bool, text": added("'--amp', type=bool, default='False'"),
    "type=bool, short": added("'-a', type=bool, default=True"),
    "type=bool, positional": added("'amp', type=bool, nargs='?', default=True"),
    "store_const": added("'--amp', action='store_const', const=3, default=2"),
    "argument_default": added("'--amp', action='store_true'").replace("Parser()", "Parser(argument_default=True)"),
    "click, pair, true": CLICK.format("@click.option('--amp/--no-amp', default=True)"),
    "click, pair": CLICK.format("@click.option('--amp/--no-amp')"),
    "click, pair, none": CLICK.format("@click.option('--amp/--no-amp', default=None)"),
    "click, pair with a name": CLICK.format("@click.option('--amp/--fp32', '-a/-f', 'amp', default=True)"),
    "click, short off": CLICK.format("@click.option('--amp', ' /-A', default=True)"),
    "click, is_flag": CLICK.format("@click.option('--amp', is_flag=True)"),
    "click, is_flag, true": CLICK.format("@click.option('--amp', is_flag=True, default=True)"),
    "click, bool": CLICK.format("@click.option('--amp', type=bool, default=True)"),
    "click, bool default": CLICK.format("@click.option('--amp', default=True)"),
    "click, envvar": CLICK.format("@click.option('--amp/--no-amp', envvar='AMP')"),
    "click, values": CLICK.format("@click.option('--a', 'amp', flag_value=3, default=True)"),
    "typer, true": TYPER.format("amp: bool = True"),
    "typer, false": TYPER.format("amp: bool = False"),
    "typer, none": TYPER.format("amp: Optional[bool] = None"),
    "typer, one option": TYPER.format("amp: bool = typer.Option(True, '--amp')"),
    "typer, pair": TYPER.format("amp: Annotated[bool, typer.Option('--amp/--fp32')] = True"),
    "typer, only off": TYPER.format("amp: bool = typer.Option(True, ' /--fp32')"),
    "typer, underscore": TYPER.format("use_amp: bool = True"),
}
REFUSED = {
    *(("store_true, true", "false"), ("set_defaults before", "false"), ("store_false, false", "true")),
    *(("computed", "false"), ("argument_default", "false"), ("click, is_flag, true", "false")),
    *(("store_const", "false"), ("click, values", "false"), ("typer, one option", "false")),
}
"""What no option of the script leads to, or what cannot be known to."""
NO_TRUTH = {("store_const", "true"), ("click, values", "true")}
"""A flag that is on, whose stored value is something else than True."""


def trained(job: Job, text: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the script's own parser makes of the job's command line."""
    seen: dict[str, Any] = {}
    monkeypatch.setattr(sys, "argv", ["train_x.py", *script_arguments(job, folder="folder", seed=0)])
    exec(text, {"SEEN": seen, "__name__": "__main__"})  # noqa: S102  (the script is ours)
    return seen


@pytest.mark.parametrize("value", [None, "true", "false"])
@pytest.mark.parametrize("style", STYLES)
def test_a_flag_is_recorded_as_the_script_trains_with_it(
    project: Project, monkeypatch: pytest.MonkeyPatch, style: str, value: str | None
) -> None:
    job = project.job(STYLES[style])
    [parameter] = job.declared
    settings = [f"x.{parameter.name}={value}"] if value else []
    if (style, value) in REFUSED:
        with pytest.raises(DeclarationError, match=r"can only switch it (on|off), and "):
            apply_options([job], settings=settings)
        return
    [job] = apply_options([job], settings=settings)
    [actual] = trained(job, STYLES[style], monkeypatch).values()
    if value:
        assert job.parameters[parameter.name] is (value == "true")
    if parameter.name in job.parameters and (style, value) not in NO_TRUTH:
        assert job.parameters[parameter.name] is (bool(actual) if parameter.option is None else actual)
    else:
        assert parameter.unread or actual is None or value  # not stated: the library's own None


@pytest.mark.parametrize(
    ("calls", "name", "recorded"),
    [
        (["'--epochs', type=int, default='7'"], "epochs", 7),
        (["'--epochs', type=int, default=None"], "epochs", None),
        (["'--epochs', type=int, default=os.cpu_count()"], "epochs", ...),
        (["'--rate', type=float, default='1e-3'"], "rate", 0.001),
        (["'--rate', type=float, default='fast'[1:]"], "rate", ...),
        (["'-v', action='count', default=1"], "v", 1),
        (["'--epochs', type=int)\nparser.set_defaults(epochs=3"], "epochs", 3),
        (["'--epochs', type=int, default=5)\nparser.set_defaults(epochs=3"], "epochs", 3),
        (["'--epochs', type=int, default=5)\nparser.set_defaults(**{'epochs': 3}"], "epochs", ...),
        (["'--epochs', type=int, default=5)\nparser.set_defaults(epochs=int('3')"], "epochs", ...),
        (["'--epochs', type=int, default=5)\nparser.set_defaults(other=3"], "epochs", 5),
    ],
)
def test_defaults_are_read_and_never_invented(
    project: Project, monkeypatch: pytest.MonkeyPatch, calls: list[str], name: str, recorded: Any
) -> None:
    text = added(*calls) if "fast" not in calls[0] else added(*calls).replace("'fast'[1:]", "float('2')")
    job = project.job(text)
    [parameter] = job.declared
    if recorded is ...:
        assert (name in job.parameters, parameter.unread, parameter.default) == (False, True, None)
    else:
        assert (job.parameters[name], parameter.unread) == (recorded, False)
        assert trained(job, text, monkeypatch)[name] == recorded


def test_of_two_defaults_of_one_name_none_is_recorded(project: Project) -> None:
    job = project.job(
        ARGPARSE.format(
            "sub = parser.add_subparsers(dest='mode')\n"
            "fit = sub.add_parser('fit')\nfit.add_argument('--epochs', default=3)\n"
            "fit.add_argument('--seed', default=1)\n"
            "test = sub.add_parser('test')\ntest.add_argument('--epochs', default=1)\n"
            "test.add_argument('--seed', default=1)"
        )
    )
    assert job.parameters == {"seed": 1}
    assert {each.name for each in job.declared if each.unread} == {"epochs"}


def test_the_default_of_the_output_folder_is_not_recorded_for_the_script_gets_the_jobs(project: Project) -> None:
    text = added("'--out', default='results'", "'--epochs', type=int, default=3")
    job = project.job(text)
    assert job.parameters == {"epochs": 3}
    assert script_arguments(job, folder="folder", seed=0) == ["--out", "folder"]
    [job] = apply_options([job], settings=["x.out=mine"])
    assert (job.parameters["out"], script_arguments(job, folder="folder", seed=0)) == ("mine", ["--out", "mine"])


@pytest.mark.parametrize("value", [1, 2, 4])
def test_a_counted_flag_is_repeated(project: Project, monkeypatch: pytest.MonkeyPatch, value: int) -> None:
    for text, name in (
        (added("'-v', action='count', default=1"), "v"),
        (CLICK.format("@click.option('-v', count=True)"), "v"),
        (TYPER.format("level: int = typer.Option(1, '--level', count=True)"), "level"),
    ):
        [job] = apply_options([project.job(text)], settings=[f"x.{name}={value}"])
        counted = trained(job, text, monkeypatch)[name]
        assert counted == value or name == "level"  # typer counts from 0
        assert job.parameters[name] == value


def test_a_required_option_needs_a_value_also_where_it_states_none(project: Project) -> None:
    job = project.job(added("'-d', '--dataset', default=None, required=True"))
    [declared] = [each for each in job.declared if each.name == "dataset"]
    assert declared.required


REPEATED = {
    "append": added("'--tags', action='append'"),
    "append, none": added("'--tags', action='append', default=None, choices=['a', 'b', '-c']"),
    "append, empty": added("'-t', '--tags', action='append', default=[]"),
    "append, required": added("'--tags', action='append', required=True"),
    "append, with others": added("'--tags', action='append'", "'folder', nargs='?'", "'--sizes', nargs='*'"),
    "extend": added("'--tags', action='extend', type=lambda text: [text]"),
    "several": added("'--tags', nargs='+'"),
    "extend, several": added("'--tags', action='extend', nargs='+'"),
    "click": CLICK.format("@click.option('--tags', multiple=True)"),
    "click, default": CLICK.format("@click.option('-t', '--tags', multiple=True, default=['x', 'y'])"),
    "click, choices": CLICK.format("@click.option('--tags', multiple=True, type=click.Choice(['a', 'b', '-c']))"),
    "typer": TYPER.format("tags: list[str] = ['x']"),
    "typer, none": TYPER.format("tags: Optional[list[str]] = None"),
    "typer, option": TYPER.format("tags: Annotated[Optional[list[str]], typer.Option('--tags')] = None"),
    "typer, required": TYPER.format("tags: list[str] = typer.Option(...)"),
}


@pytest.mark.parametrize("values", [["a"], ["a", "b"], ["b", "-c", "a"]], ids=len)
@pytest.mark.parametrize("style", REPEATED)
def test_an_option_with_several_values_gets_them_as_its_parser_takes_them(
    project: Project, monkeypatch: pytest.MonkeyPatch, style: str, values: list[str]
) -> None:
    if "several" in style:
        values = [each.strip("-") for each in values]
    [job] = apply_options([project.job(REPEATED[style])], settings=[f"x.tags=[{', '.join(values)}]"])
    assert job.parameters["tags"] == values
    assert list(trained(job, REPEATED[style], monkeypatch)["tags"]) == values


@pytest.mark.parametrize("style", [style for style in REPEATED if "several" not in style])
def test_a_repeated_option_takes_one_value_too(project: Project, monkeypatch: pytest.MonkeyPatch, style: str) -> None:
    [job] = apply_options([project.job(REPEATED[style])], settings=["x.tags=a"])
    assert list(trained(job, REPEATED[style], monkeypatch)["tags"]) == job.parameters["tags"] == ["a"]
    project.write("training/jobs.yaml", "jobs: {x: {parameters: {tags: b}}}")
    assert project.jobs()["x"].parameters["tags"] == ["b"]


def test_what_a_repeated_option_adds_to_its_default_is_recorded_with_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = added("'--sizes', action='append', type=int, default=[1, 2]")
    for value in ([1, 2], [1, 2, 3, -4]):
        [job] = apply_options([project.job(text)], settings=[f"x.sizes={value}"])
        assert trained(job, text, monkeypatch)["sizes"] == job.parameters["sizes"] == value


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        (
            added("'--tags', action='append', default=['x']"),
            "[a]",
            "--tags only adds to its default, ['x']: begin with",
        ),
        (added("'--tags', action='append', default=['x']"), "a", "--tags only adds to its default, ['x']: begin with"),
        (REPEATED["click, default"], "[]", "--tags cannot be empty: its default is ['x', 'y']"),
        (REPEATED["append, none"], "[a, z]", "expected one of a, b, -c, found "),
    ],
)
def test_values_that_a_repeated_option_cannot_lead_to_are_refused(
    project: Project, text: str, value: str, expected: str
) -> None:
    assert expected in message(lambda: apply_options([project.job(text)], settings=[f"x.tags={value}"]))


def test_the_option_that_switches_off_is_named_to_whom_sets_it(project: Project) -> None:
    job = project.job(STYLES["optional, true"])
    assert message(lambda: apply_options([job], settings=["x.no_amp=true"])) == (
        "--set x.no_amp: x gets --no-amp by amp=false: set that"
    )
    assert re.search("only counts up, from 1", message(lambda: counted(project)))


def counted(project: Project) -> list[Job]:
    return apply_options([project.job(added("'-v', action='count', default=1"))], settings=["x.v=0"])
