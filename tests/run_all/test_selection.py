"""Which jobs a command line selects, and which pytest command does the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_training.errors import DeclarationError
from pytest_training.project import read_project
from pytest_training.run_all.arguments import parse
from pytest_training.run_all.selection import PLUGIN, pytest_arguments, select

SCRIPT = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--batch-size', type=int)\n"
SCRIPT += "p.add_argument('--sample', type=int)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "pytest.ini", "[pytest]\ntraining_root = work  # a comment\n")
    write(tmp_path, "test_training_jobs.py", "")
    for name in ("a", "b", "c"):
        write(tmp_path, f"work/train_{name}.py", "def train(run, *, epochs=1, folds=2):\n    return {}\n")
    write(tmp_path, "more/train_d.py", SCRIPT)
    write(tmp_path, "work/jobs.yaml", "")
    write(tmp_path, "more.yaml", "")
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)


def command(folder: Path, *words: str) -> list[str]:
    arguments, project = parse(words), read_project(folder)
    return pytest_arguments(arguments, project, select(arguments, project, folder), folder)


def ids(folder: Path, *words: str) -> list[str]:
    return [job.id for job in select(parse(words), read_project(folder), folder).selected]


TEST = "test_training_jobs.py"
MORE = ("--training-discover=more",)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", [TEST]),
        ("--parallel", ["-n", "3", TEST]),
        ("--parallel --max-workers 2", ["-n", "2", TEST]),
        ("--parallel --only a", [f"{TEST}::test_training_job[a]"]),
        ("--exclude a c", [f"{TEST}::test_training_job[b]"]),
        ("--epochs 3 --folds 4", ["--epochs", "3", "--folds", "4", TEST]),
        ("--retries 2 --verbose", ["-p", PLUGIN, "--training-retries=2", "-v", TEST]),
        ("--discover-root more --sample 9", ["--set", "*.sample=9", "--training-discover=more", TEST]),
        ("--discover-root more --exclude-regex x", ["--training-discover=more", "--training-exclude=x", TEST]),
        ("--no-auto-discover --discover-root more", [TEST]),
        (
            "--discover-root more --allow-discovery-overrides",
            ["--training-discover=more", "-p", PLUGIN, "--training-overrides", TEST],
        ),
        ("--strict-discovery --allow-partial-success --summary-dir s --logs-dir l --base-output-dir o", [TEST]),
        ("--discover-root more --batch 8", ["--set", "*.batch_size=8", "--training-discover=more", TEST]),
        (
            "--discover-root more --extra-arg --x",
            ["--training-discover=more", "-p", PLUGIN, "--training-argument=--x", TEST],
        ),
        ("--no-default-jobs --discover-root more", ["--training-root=more", TEST]),
        (
            "--discover-root more --mark-discovered-optional",
            ["--training-discover=more", "-p", PLUGIN, "--training-optional", TEST],
        ),
        (
            "--discovery-limit 1 --include-pattern *_a.py",
            ["--training-include=*_a.py", "-p", PLUGIN, "--training-limit=1", TEST],
        ),
        ("--config more.yaml", ["--training-catalogue=work/jobs.yaml", "--training-catalogue=more.yaml", TEST]),
    ],
)
def test_flags_become_options_of_pytest(folder: Path, words: str, expected: list[str]) -> None:
    assert command(folder, *words.split()) == expected


def test_batch_reaches_the_option_that_means_it(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, "more/train_d.py", SCRIPT.replace("--batch-size", "--train-bs"))
    assert command(folder, "--discover-root", "more", "--batch", "8")[:2] == ["--set", "*.batch=8"]


def test_without_a_test_of_its_own_a_project_is_trained_by_the_plugins(folder: Path) -> None:
    (folder / TEST).unlink()
    assert command(folder) == ["--training-root=work"]
    assert command(folder, "--only", "b") == ["--training-root=work", "-p", PLUGIN, "--training-job=b"]


def test_settings_of_another_folder_are_named(folder: Path, tmp_path: Path) -> None:
    arguments, project, here = parse([]), read_project(folder), tmp_path / "more"
    found = pytest_arguments(arguments, project, select(arguments, project, here), here)
    assert found == ["-c", "../pytest.ini", "../test_training_jobs.py"]


def test_sequential_is_sequential_whatever_the_settings_say(folder: Path) -> None:
    write(folder, "pytest.ini", "[pytest]\ntraining_root = work\naddopts = -n 4 -q\n")
    assert command(folder) == ["-n", "0", TEST]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[tool.pytest.ini_options]\ntraining_root = "more"\naddopts = ["-n", "2"]\n'),
        ("pyproject.toml", '[tool.pytest]\ntraining_root = "more"\naddopts = ["-n", "2"]\n'),
        ("pytest.toml", '[pytest]\ntraining_root = "more"\naddopts = ["-n", "2"]\n'),
        ("setup.cfg", "[tool:pytest]\ntraining_root = more\naddopts = -n 2\n"),
        ("tox.ini", "[pytest]\ntraining_root = more\naddopts = -n 2\n"),
    ],
)
def test_settings_are_read_wherever_pytest_reads_them(folder: Path, name: str, text: str) -> None:
    (folder / "pytest.ini").unlink()
    write(folder, "pyproject.toml", "[project]\nname = 'a'\n")  # has none
    write(folder, name, text)
    project = read_project(folder)
    assert (project.training_root, project.options) == (folder / "more", ("-n", "2"))
    assert project.settings_file == folder / name


def test_only_and_exclude_select_in_the_order_of_the_files(folder: Path) -> None:
    assert ids(folder, "--only", "c", "a", "--exclude", "a") == ["c"]
    assert ids(folder, "--only", "c", "--only", "a") == ["a", "c"]


LIST = """
jobs:
  - name: Quick A
    id: quick
    script: work/train_a.py
    output: out_a
    args: ["--epochs", "7"]
    optional: true
    supports_folds: false
  - name: The D, again!
    script: more/train_d.py
    use_output_dir: true
    supports_epochs: true
    supports_batch: true
"""


def test_the_originals_yaml_is_understood(folder: Path) -> None:
    write(folder, "list.yaml", LIST)
    arguments = parse(["--config", "list.yaml", "--epochs", "9", "--folds", "3", "--batch", "5"])
    jobs = {job.id: job for job in select(arguments, read_project(folder), folder).selected}
    assert list(jobs) == ["b", "c", "quick", "the_d_again"]  # quick takes the place of a: one file, one job
    quick, script = jobs["quick"], jobs["the_d_again"]
    assert (quick.title, quick.output, quick.optional) == ("Quick A", "out_a", True)
    assert quick.parameters == {"epochs": 9, "folds": 2}
    assert script.output_option == "--output-dir"
    assert {name: script.parameters[name] for name in script.given} == {"epochs": "9", "batch": "5", "batch_size": 5}


def test_it_is_a_catalogue_of_its_own_too(folder: Path) -> None:
    write(folder, "list.yaml", LIST)
    assert ids(folder, "--no-default-jobs", "--config", "list.yaml") == ["quick", "the_d_again"]
    found = command(folder, "--no-default-jobs", "--config", "list.yaml")
    assert found == ["--training-catalogue=list.yaml", "--training-exclude=.", TEST]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            "{script: work/train_a.py, scrpit: x}",
            "list.yaml:3: jobs[1].scrpit: unknown key 'scrpit': did you mean 'script'? Expected one of script",
        ),
        ("{name: x}", "list.yaml:3: jobs[1]: expected `script:`"),
        ("{script: 3}", "list.yaml:3: jobs[1].script: expected the path of a Python file, found 3"),
        ("{script: none.py}", "list.yaml:3: jobs[1].script: expected a Python file"),
        ("{script: work/train_a.py, optional: perhaps}", "jobs[1].optional: expected true or false, found 'perhaps'"),
        ("{script: work/train_a.py, supports_epochs: 1}", "jobs[1].supports_epochs: expected true or false, found 1"),
        ("{script: work/train_a.py, args: --quick}", "jobs[1].args: expected a list of arguments"),
        (
            "{script: work/train_a.py, args: [--epohcs, 3]}",
            "a has no parameter 'epohcs': did you mean 'epochs'? Expected one of epochs",
        ),
        ("{script: work/train_a.py, args: [fast]}", "a is no script: expected arguments like --epochs 80, found fast"),
        ("{id: b, script: work/train_b.py}", "list.yaml:3: jobs[1]: the id 'b' belongs to the job in line 2"),
        ("{script: work/train_a.py, script: x}", "the key 'script' stands here and in line 3: leave one"),
        ("{script: work/train_a.py, use_output_dir: 1}", "jobs[1].use_output_dir: expected true or false, found 1"),
        ("{script: work/train_a.py, output: [x]}", "jobs[1].output: expected "),
        ("{script: work/train_a.py, name: 3}", "jobs[1].name: expected "),
        ("{script: work/train_a.py, id: a b}", "expected an id of letters"),
        ("just text", "list.yaml:3: jobs[1]: expected a mapping"),
    ],
)
def test_a_mistake_in_the_originals_yaml_is_told_with_file_and_line(folder: Path, entry: str, told: str) -> None:
    write(folder, "list.yaml", f"jobs:\n  - {{id: b, script: work/train_b.py}}\n  - {entry}\n")
    with pytest.raises(DeclarationError) as caught:
        ids(folder, "--config", "list.yaml")
    assert told in str(caught.value)
    assert "list.yaml:3: " in str(caught.value)
