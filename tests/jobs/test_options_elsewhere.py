"""Options that a script's local modules declare: those that it uses, and no others."""

from __future__ import annotations

import textwrap

import pytest

from .project import Project

PARSER = """
    import argparse
    def get_parser():
        parser = argparse.ArgumentParser()
        parser.add_argument("--epochs", type=int, default=3)
        return parser
    """
ADDS = """
    RATES = [0.1, 0.2]
    def add_options(parser):
        parser.add_argument("--epochs", type=int, default=3)
        more(parser)
    def more(parser):
        parser.add_argument("--rate", type=float, choices=RATES)
    def unused(parser):
        parser.add_argument("--unused")
    """
TAKES = "import argparse\nparser = argparse.ArgumentParser()\n"
USED = {
    "from": ({"opts.py": PARSER}, "from opts import get_parser\nget_parser().parse_args()"),
    "from, renamed": ({"opts.py": PARSER}, "from opts import get_parser as gp\ngp().parse_args()"),
    "module": ({"opts.py": PARSER}, "import opts\nopts.get_parser().parse_args()"),
    "module, renamed": ({"opts.py": PARSER}, "import opts as o\no.get_parser().parse_args()"),
    "star": ({"opts.py": PARSER}, "from opts import *\nget_parser().parse_args()"),
    "package": ({"lib/__init__.py": "", "lib/opts.py": PARSER}, "from lib.opts import get_parser\nget_parser()"),
    "namespace package": ({"lib/opts.py": PARSER}, "from lib import opts\nopts.get_parser()"),
    "dotted": ({"lib/__init__.py": "", "lib/opts.py": PARSER}, "import lib.opts\nlib.opts.get_parser()"),
    "re-exported": (
        {"lib/__init__.py": "from .opts import get_parser", "lib/opts.py": PARSER},
        "from lib import get_parser\nget_parser()",
    ),
    "relative": (
        {
            "lib/__init__.py": "",
            "lib/cli.py": "from . import opts\ndef parse(): return opts.get_parser()",
            "lib/opts.py": PARSER,
        },
        "from lib.cli import parse\nparse()",
    ),
    "in the root": ({"../opts.py": PARSER}, "from opts import get_parser\nget_parser()"),
    "in src": ({"../src/opts.py": PARSER}, "from opts import get_parser\nget_parser()"),
    "in a function": ({"opts.py": PARSER}, "def main():\n    from opts import get_parser\n    get_parser()\nmain()"),
    "guarded": ({"opts.py": PARSER}, "from opts import get_parser\nif __name__ == '__main__':\n    get_parser()"),
    "parents": (
        {"opts.py": PARSER},
        f"from opts import get_parser\n{TAKES}p = argparse.ArgumentParser(parents=[get_parser()])",
    ),
    "when imported": (
        {"opts.py": TAKES + "parser.add_argument('--epochs', type=int, default=3)"},
        "from opts import parser",
    ),
    "base class": (
        {
            "options/base.py": "class Base:\n    def initialize(self, parser):\n"
            "        parser.add_argument('--epochs', default=3)",
            "options/train.py": "from options.base import Base\nclass TrainOptions(Base):\n    def parse(self): ...",
        },
        "from options.train import TrainOptions\nTrainOptions().parse()",
    ),
    "click decorator": (
        {"opts.py": "import click\ndef common(f):\n    return click.option('--epochs', default=3)(f)"},
        "import click\nfrom opts import common\n@click.command()\n@common\ndef main(epochs): ...\nmain()",
    ),
    "typer app": (
        {
            "cli.py": "import typer\napp = typer.Typer()\n@app.command()\ndef main(epochs: int = 3): ...\n"
            "def other(a: int): ..."
        },
        "from cli import app\napp()",
    ),
    "typer.run": ({"cli.py": "def main(epochs: int = 3): ..."}, "import typer\nfrom cli import main\ntyper.run(main)"),
}
NOT_USED = {
    "its own command line": {
        "prepare.py": f"def load(): ...\nif __name__ == '__main__':\n    {textwrap.indent(TAKES, '    ').strip()}"
        "\n    parser.add_argument('--epochs')\n"
    },
    "another function": {"prepare.py": textwrap.dedent(PARSER) + "def load(): ...\n"},
    "a function of the same name": {
        "prepare.py": "def load(): ...\ndef main(parser):\n    parser.add_argument('--epochs')\n"
    },
    "a module that no one imports": {"prepare.py": "def load(): ...\n", "opts.py": PARSER},
    "no Python": {"prepare.py": "def load(: click add_argument\n"},
}


@pytest.mark.parametrize("style", USED)
def test_options_of_local_modules_are_followed_however_they_are_imported(project: Project, style: str) -> None:
    modules, script = USED[style]
    for name, text in modules.items():
        project.write(f"training/{name}", text)
    job = project.job(script)
    assert ([each.option for each in job.declared], job.parameters) == (["--epochs"], {"epochs": 3})


@pytest.mark.parametrize("case", NOT_USED)
def test_options_that_the_script_does_not_use_are_not_its_own(project: Project, case: str) -> None:
    for name, text in NOT_USED[case].items():
        project.write(f"training/{name}", text)
    job = project.job(f"from prepare import load\n{TAKES}parser.add_argument('--rate')\ndef main(): load()\nmain()")
    assert [each.option for each in job.declared] == ["--rate"]


def test_each_module_reads_its_own_constants_and_the_functions_that_its_functions_call(project: Project) -> None:
    project.write("training/opts.py", ADDS)
    job = project.job(
        f"from opts import add_options\nRATES = [1.0]\n{TAKES}parser.add_argument('--x')\nadd_options(parser)"
    )
    assert {each.option: each.choices for each in job.declared} == {"--x": None, "--epochs": None, "--rate": (0.1, 0.2)}


NAMES = "EPOCHS = '--epochs'\nFIRST = 3\nTABLE = [('--epochs', 3)]\n"
CONSTANTS = {
    "from": ({}, "from names import EPOCHS, FIRST", "EPOCHS", "FIRST"),
    "renamed": ({}, "from names import EPOCHS as E, FIRST as F", "E", "F"),
    "star": ({}, "from names import *", "EPOCHS", "FIRST"),
    "star of a star": ({"more.py": "from names import *"}, "from more import *", "EPOCHS", "FIRST"),
    "module": ({}, "import names", "names.EPOCHS", "names.FIRST"),
    "module, renamed": ({}, "import names as n", "n.EPOCHS", "n.FIRST"),
    "package": (
        {"lib/__init__.py": "from .names import EPOCHS, FIRST", "lib/names.py": NAMES},
        "from lib import EPOCHS, FIRST",
        "EPOCHS",
        "FIRST",
    ),
    "module of a package": (
        {"lib/__init__.py": "", "lib/names.py": NAMES},
        "from lib import names as n",
        "n.EPOCHS",
        "n.FIRST",
    ),
}


@pytest.mark.parametrize("style", CONSTANTS)
@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_an_option_may_be_named_by_a_constant_of_another_module(
    project: Project, style: str, *, is_elsewhere: bool
) -> None:
    modules, imports, name, default = CONSTANTS[style]
    for path, text in {"names.py": NAMES, **modules}.items():
        project.write(f"training/{path}", text)
    adding = f"    p.add_argument({name}, type=int, default={default})\n"
    if is_elsewhere:
        project.write("training/opts.py", f"{imports}\ndef add(p):\n{adding}")
        job = project.job(f"from opts import add\n{TAKES}add(parser)")
    else:
        job = project.job(f"{imports}\n{TAKES}def add(p):\n{adding}add(parser)")
    assert ([each.option for each in job.declared], job.parameters) == (["--epochs"], {"epochs": 3})


def test_a_loop_over_a_table_of_another_module_declares_its_options(project: Project) -> None:
    project.write("training/names.py", NAMES)
    job = project.job(
        f"from names import TABLE\n{TAKES}for name, first in TABLE:\n    parser.add_argument(name, default=first)"
    )
    assert job.parameters == {"epochs": 3}


def test_a_constant_that_a_script_or_its_module_changes_is_not_read(project: Project) -> None:
    project.write("training/names.py", f"{NAMES}RATE = 1\nRATE = 2\n")
    job = project.job(
        f"import names\nfrom names import RATE\nnames.FIRST = 9\n{TAKES}"
        "parser.add_argument('--a', default=names.FIRST)\nparser.add_argument('--b', default=RATE)"
    )
    assert [(each.name, each.unread) for each in job.declared] == [("a", True), ("b", True)]
    assert job.parameters == {}


def test_a_function_elsewhere_adds_the_options_of_a_subcommand(project: Project) -> None:
    project.write("training/opts.py", ADDS)
    job = project.job(
        f"import opts\n{TAKES}parser.add_argument('--seed')\nsub = parser.add_subparsers()\n"
        "fit = sub.add_parser('fit')\nopts.add_options(fit)\nsub.add_parser('show')"
    )
    assert {each.name: each.subcommands for each in job.declared} == {
        "seed": (),
        "command": (),
        "epochs": ("fit",),
        "rate": ("fit",),
    }


def test_the_output_option_of_a_local_module_gets_the_jobs_folder(project: Project) -> None:
    project.write("training/opts.py", PARSER.replace("--epochs", "--output-dir"))
    assert project.job("from opts import get_parser\nget_parser()").output_option == "--output-dir"


def test_modules_that_import_each_other_in_a_circle_end(project: Project) -> None:
    project.write("training/a.py", "from b import get\ndef add(p):\n    p.add_argument('--a')\n    get(p)")
    project.write("training/b.py", "from a import add\ndef get(p):\n    p.add_argument('--b')\n    add(p)")
    job = project.job(f"from a import add\n{TAKES}add(parser)")
    assert [each.option for each in job.declared] == ["--a", "--b"]
