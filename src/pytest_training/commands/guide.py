"""`pytest-training guide`: one page of commands and files, for a program that drives pytest-training."""

import argparse
from pathlib import Path

from pytest_training.commands.answers import say
from pytest_training.project import Project

PAGE = Path(__file__).with_name("guide.txt")


def guide(arguments: argparse.Namespace, project: Project) -> None:  # noqa: ARG001  (as every verb)
    """Print the page."""
    say(PAGE.read_text(encoding="utf-8").rstrip("\n"))
