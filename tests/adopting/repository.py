"""A repository of training scripts that nobody wrote for the plugin."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sessions import WITHOUT, environment, question

FILES = {
    "pyproject.toml": "[project]\nname = 'theirs'\nversion = '1'\n",
    "src/theirs/__init__.py": "def score():\n    return 0.75\n",
    "models/subcommands/train_net.py": """
        import argparse
        import json
        import sys

        parser = argparse.ArgumentParser()
        parser.add_argument("--seed", type=int, default=1)
        commands = parser.add_subparsers(dest="command")
        fit = commands.add_parser("fit")
        fit.add_argument("--epochs", type=int, default=2)
        fit.add_argument("--sizes", type=int, nargs="+")
        fit.add_argument("files", nargs="*")
        commands.add_parser("show").add_argument("--all", action="store_true")
        read = parser.parse_args()
        print("argv", json.dumps(sys.argv[1:]))
        """,
    "models/click-based/train_forest.py": """
        import json
        import pathlib
        import click

        @click.command()
        @click.option("--epochs", default=3)
        @click.option("--out", type=click.Path(), required=True)
        def main(epochs, out):
            pathlib.Path(out, "metrics.json").write_text(json.dumps({"accuracy": 0.9, "epochs": epochs, "model": "rf"}))

        main()
        """,
    "models/train_typed.py": """
        import typer

        def main(epochs: int = 4, results_dir: str = "out"):
            print("epochs", epochs, "folder", results_dir)

        typer.run(main)
        """,
    "train_plain.py": """
        import os
        import pickle
        import sys
        import theirs

        class Net:
            pass

        print("argv", sys.argv, "cwd", os.getcwd(), __name__, theirs.score(), type(pickle.loads(pickle.dumps(Net()))))
        """,
    "models/train_broken.py": "def f(:\n",
    "models/train_early.py": "import sys\nprint('so far')\nsys.exit(0)\nraise RuntimeError('never')\n",
    "models/train_printing.py": "print('accuracy: 0.91')\n",
    "models/train_table.py": """
        import argparse
        import os
        import pathlib
        parser = argparse.ArgumentParser()
        parser.add_argument("--output-dir", default="out")
        parser.add_argument("--workers", type=int, default=os.cpu_count())
        parser.add_argument("--amp", action=argparse.BooleanOptionalAction, default=True)
        folder = pathlib.Path(parser.parse_args().output_dir)
        (folder / "metrics.csv").write_text("epoch,loss,phase\\n1,0.5,train\\n2,0.25,train\\n")
        """,
    "models/a/train_same.py": "print('a')\n",
    "models/b/train_same.py": "print('b')\n",
    "models/train_commented.py": """
        # Run me with --epochs 5: parser.add_argument("--epochs")
        import sys
        assert len(sys.argv) == 1, sys.argv
        """,
    "models/parts/__init__.py": "",
    "models/parts/sizes.py": "SIZE = 3\n",
    "models/parts/train.py": """
        import sys
        from .sizes import SIZE
        print(SIZE, __name__, __package__, sys.argv[1:], parts.__file__ if (parts := sys.modules.get("parts")) else "")
        """,
    "models/apart/sizes.py": "SIZE = 4\n",
    "models/apart/train.py": """
        import os
        os.environ["OMP_NUM_THREADS"] = "1"
        from . import sizes
        print(sizes.SIZE, __name__, __package__)
        """,
    "models/predict.py": "import pickle\nprint(pickle.load(open('model', 'rb')).predict([1]))\n",
    "models/net.py": "def go(m, x):\n    m.fit(x, x)\nif __name__ == '__main__':\n    print(1)\n",
    ".git/train_hidden.py": "raise SystemExit(1)\n",
    "venv/pyvenv.cfg": "",
    "venv/lib/train_installed.py": "raise SystemExit(1)\n",
    "build/lib/train_built.py": "raise SystemExit(1)\n",
}
IDS = {
    *("net", "forest", "typed", "plain", "broken", "early", "printing", "table", "commented"),
    *("parts", "apart"),
    *("models/a/same", "models/b/same"),
}


class Repository:
    """The repository, and the folder of a user beside it."""

    def __init__(self, folder: Path, files: Mapping[str, str] = FILES) -> None:
        self.root = folder / "theirs"
        self.user = folder / "user"
        self.user.mkdir()
        self.told = ""
        """What the run that trained it printed."""
        for name, text in files.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> Path:
        """Write a file below the root, its text dedented."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def pytest(
        self, *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run pytest in the user's folder, in a process of its own."""
        command = [sys.executable, "-m", "pytest", *WITHOUT, *arguments]
        return run(command, cwd=cwd or self.user, env=env)

    def ask(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run `pytest-training` in the user's folder, in a process of its own."""
        return run(question(*words), cwd=cwd or self.user)

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """Return the metadata of each job of the last run, by id."""
        return {test["metadata"]["id"]: test["metadata"] for test in self.report()["tests"]}

    def report(self) -> dict[str, Any]:
        """Return report.json of the last run."""
        report: dict[str, Any] = json.loads((self.user / "reports" / "report.json").read_bytes())
        return report

    def log(self, job_id: str) -> str:
        """Return what a job of the last run printed."""
        return Path(self.user, "reports", self.outcomes()[job_id]["log"]).read_text()


def run(command: list[str], *, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without what pytest has put into the environment."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment() | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
