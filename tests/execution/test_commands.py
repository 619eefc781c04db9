"""Tests of execution/commands.py: what a script or a program finds in its own arguments."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import pytest

from pytest_training.jobs.kinds.command_line import command_line
from pytest_training.jobs.model import Job, Parameter

from .workplace import Workplace


@pytest.fixture
def script(workplace: Workplace) -> Job:
    return workplace.script("")


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


def test_a_positional_list_becomes_one_argument_each(script: Job) -> None:
    assert arguments(declaring(script, Parameter(name="files")), files=["a b", "c"]) == ["a b", "c"]


def test_the_output_folder_is_passed_unless_the_catalogue_gives_one(script: Job) -> None:
    output = Parameter(name="out", option="--out")
    script = msgspec.structs.replace(script, output_option="--out", declared=(output,))
    assert arguments(script) == ["--out", "/out"]
    assert arguments(script, out="/mine") == ["--out", "/mine"]


def test_a_command_is_filled_with_folder_seed_and_parameters_and_needs_no_shell(workplace: Workplace) -> None:
    job = workplace.command(
        "tool", "--to={folder}/m.json", "{seed}", "{epochs}", "$(id); {unknown}", parameters={"epochs": 5}
    )
    assert command_line(job, folder="/out", seed=3) == ["tool", "--to=/out/m.json", "3", "5", "$(id); {unknown}"]


def test_a_value_is_never_filled_again(workplace: Workplace) -> None:
    job = workplace.command("tool", "{title}", parameters={"title": "{seed} and {folder}"})
    assert command_line(job, folder="/out", seed=3) == ["tool", "{seed} and {folder}"]
