"""Every command that a page shows runs and ends well, in the order of the page."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from adopting.repository import Repository
from run_all.miniature import SIDE_BY_SIDE, Miniature, surroundings

from demo_parallel_mode import JOBS

TOP = Path(__file__).parents[2]
sys.path.insert(0, str(TOP / "docs"))
import make_outputs  # noqa: E402  (after its folder is on the path)

NO_GUIDES = {"CHANGELOG.md"}
"""It says what was, with DIR for any folder."""
SPAN = r"pytest(?:\s[^`]+)?|(?:pytest-training|python)\s[^`]+"
CODE = re.compile(rf"```console\n(?P<block>.*?)```|```.*?```|`(?P<span>{SPAN})`", re.DOTALL)
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b")
"""`logs JOB` says how a command is spelled; it is none to type."""
INSTALLING = re.compile(r"pip install [^&]*(?:&& |$)")
"""It would change the interpreter that runs the tests; CI begins with the same."""
NOT_RUN = {
    "python docs/make_pictures.py",
    "python tests/faults/write_table.py",
    "python training/write_table.py reports/runs/*/report.json",
}
"""They rewrite pages of this repository, and need its tests, its runs and a browser."""
OWN_TEST = {"docs/cluster.md", "docs/extending.md", "docs/predictions.md", "CONTRIBUTING.md"}
"""cluster/slurm runs the first, test_extending.py the next two; the commands of the last are these suites."""
STUDIES = "docs/studies.md"
"""test_extending.py compares its outputs: it shows several projects."""
AFTER_A_RUN = {"docs/ci.md", "docs/failures.md", "docs/programs.md"}
"""Their readers have trained already."""


def pages() -> list[str]:
    """Return the pages that show commands."""
    found = [*TOP.glob("*.md"), *(TOP / "docs").glob("*.md"), *(TOP / "training").glob("*.md")]
    names = {path.relative_to(TOP).as_posix() for path in found if shown(path.read_text(encoding="utf-8"))}
    return sorted(names - NO_GUIDES - OWN_TEST)


def shown(text: str) -> list[str]:
    """Return the commands of a page: behind `$` in console blocks, and those of pytest and Python in the text."""
    found = [INSTALLING.sub("", command) for command in _all(text)]
    commands = [command for command in found if command and not PLACEHOLDER.search(command)]
    return [command for command in dict.fromkeys(commands) if command not in NOT_RUN]


def _all(text: str) -> Iterator[str]:
    for code in CODE.finditer(text):
        if code["span"]:
            yield " ".join(code["span"].split())
        for line in (code["block"] or "").splitlines():
            if line.startswith("$ "):
                yield line.removeprefix("$ ").partition("  #")[0].strip()


def unfollowed(page: str) -> str:
    """Return a page without the blocks whose commands and outputs test_tutorial.py compares."""
    text = (TOP / page).read_text(encoding="utf-8")
    for block in make_outputs.outline(page) if page in make_outputs.PAGES else ():
        text = text.replace(block[0], "")
    return text


def workplace(page: str, folder: Path) -> Path:
    """Return the folder in which a page's reader is, with the files that the page shows."""
    if page == "docs/adopting.md":
        repository = Repository(folder)
        repository.write("models/train_broken.py", "print('mended')\n")
        return repository.root
    miniature = Miniature(folder / "project")
    miniature.write("more/train_other.py", "print('other')\n")
    miniature.write("tests/run_all/test_selection.py", "def test_it():\n    pass\n")
    miniature.write("tests/test_slow.py", "import pytest\n\n@pytest.mark.slow\ndef test_it():\n    pass\n")
    miniature.write("jobs.yaml", "jobs:\n  - {id: quick, name: Quick, script: training/train_als.py, args: []}\n")
    text = unfollowed(page)
    for name, content in re.findall(r"```(?:python|yaml)\n# (\S+\.(?:py|yaml))\n(.*?)```", text, re.DOTALL):
        miniature.write(name, content)
    if page == "docs/writing-a-job.md":
        return miniature.root
    for job_id in JOBS:
        miniature.write(f"training/train_{job_id}.py", SIDE_BY_SIDE)
    return miniature.root


def outputs(text: str) -> dict[str, list[str]]:
    """Return the lines that a page shows below its commands; `…` is anything."""
    found: dict[str, list[str]] = {}
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for command, _, lines in (part.partition("\n") for part in f"\n{block}".split("\n$ ")[1:]):
            found[command.partition("  #")[0].strip()] = [line for line in lines.splitlines() if line]
    return found


def unlike(shown: Sequence[str], printed: str) -> list[str]:
    """Return the shown lines that a command has not printed in this order."""
    real = iter(make_outputs.normal([line])[0] for line in printed.splitlines() if line)
    patterns = [fnmatch.translate(f"*{line.replace('[', '[[]').replace('…', '*')}*") for line in map(comparable, shown)]
    return [
        line for line, pattern in zip(shown, patterns, strict=True) if not any(re.match(pattern, each) for each in real)
    ]


def comparable(line: str) -> str:
    return "".join(make_outputs.normal([line]))


def failures(commands: Sequence[str], here: Path, shown: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """Run the commands in a folder; return what went wrong: the exit code, or a line that the page shows."""
    environment = surroundings() | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    failed = []
    for command in commands:
        begun = time.monotonic()
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=here,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        print(f"{time.monotonic() - begun:5.1f} s  {command}")  # noqa: T201  (shown when the test fails)
        if ended.returncode:
            failed.append(f"$ {command}\nexit code {ended.returncode}\n{ended.stdout[-3000:]}{ended.stderr[-2000:]}")
        elif lines := unlike((shown or {}).get(command, ()), ended.stdout):
            failed.append("\n".join([f"$ {command}", "the page shows:", *lines, "it printed:", ended.stdout[-3000:]]))
    return failed


def test_the_guides_show_commands() -> None:
    guides = {"README.md", "docs/RUN_ALL_GUIDE.md", "docs/TRAINING_USAGE.md", "training/README.md"}
    assert guides | {"docs/adopting.md", "docs/writing-a-job.md", "docs/reports.md", "docs/failures.md"} <= {*pages()}


def test_commands_are_found_in_blocks_and_in_the_text() -> None:
    text = """
`pytest`, `pytest.ini`, `pytest-training`, `pytest-training logs JOB` and `python x.py
--quick`; `reports/`
```console
$ pip install -e '.[test]' && pytest -n 4   # trains
what it prints
$ pip install this
$ ls
```
```python
# `pytest --no`
```
| you want | `pytest -k "a or b"` |
"""
    assert shown(text) == ["pytest", "python x.py --quick", "pytest -n 4", "ls", 'pytest -k "a or b"']


def test_a_wrong_command_is_a_failure(tmp_path: Path) -> None:
    [failed] = failures(["pytest --collect-only -q", "pytest --epohcs 3"], Miniature(tmp_path / "project").root)
    assert "$ pytest --epohcs 3\nexit code 4\n" in failed


def test_an_output_that_a_command_does_not_print_is_a_failure(tmp_path: Path) -> None:
    text = "```console\n$ echo a; echo 'took 2.5 s'; echo c  # three\na…\ntook 31 s\n$ echo b\n```"
    assert outputs(text) == {"echo a; echo 'took 2.5 s'; echo c": ["a…", "took 31 s"], "echo b": []}
    assert failures([*outputs(text)], tmp_path, outputs(text)) == []
    [failed] = failures(["echo b"], tmp_path, {"echo b": ["c"]})
    assert "the page shows:\nc\nit printed:\nb\n" in failed


def test_the_live_view_of_a_page_is_the_one_that_was_taken() -> None:
    text = (TOP / "docs" / "reports.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert block == (TOP / "docs" / "pictures" / "live.txt").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("page", pages())
def test_every_command_of_a_page_runs(page: str, tmp_path: Path) -> None:
    commands = shown(unfollowed(page))
    shown_lines = {} if page == STUDIES else outputs(unfollowed(page))
    failed = failures(["pytest"] * (page in AFTER_A_RUN) + commands, workplace(page, tmp_path), shown_lines)
    assert not failed, "\n".join(failed)
