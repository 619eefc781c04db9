"""`pytest-training init`: what it writes, and that it overwrites nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from adopting.repository import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_repository_is_prepared_and_can_be_trained(repository: Repository) -> None:
    ended = repository.ask("init", cwd=repository.root / "models")
    assert ended.returncode == 0, ended.stderr
    written = {path.name for path in (repository.root / "models").iterdir()}
    assert {"test_training_jobs.py", "jobs.yaml"} <= written
    dry = repository.pytest("test_training_jobs.py", "--collect-only", "-q", cwd=repository.root / "models")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    assert "test_training_jobs.py::test_training_job[forest]" in dry.stdout


def test_a_project_without_settings_of_pytest_gets_them_and_trains(repository: Repository) -> None:
    assert repository.ask("init", cwd=repository.root).returncode == 0
    assert "training_root = .\n" in (repository.root / "pytest.ini").read_text()
    ended = repository.pytest("test_training_jobs.py", "-k", "early", cwd=repository.root)
    assert ended.returncode == 0, ended.stdout
    assert "1 job: 1 passed" in ended.stdout


def test_settings_in_pyproject_are_left_alone_and_the_lines_to_add_are_shown(repository: Repository) -> None:
    text = "[tool.pytest.ini_options]\naddopts = '-q'\n"
    repository.write("pyproject.toml", text)
    ended = repository.ask("init", cwd=repository.root)
    told = ended.stdout.partition("add to [tool.pytest.ini_options] of pyproject.toml:\n")[2]
    assert 'training_root = "."\n' in told
    assert not (repository.root / "pytest.ini").exists()
    assert (repository.root / "pyproject.toml").read_text() == text
    lines = [line for line in told.splitlines() if line.startswith("training_")]
    repository.write("pyproject.toml", text + "\n".join(lines) + "\n")
    ended = repository.pytest("test_training_jobs.py", "-k", "early", cwd=repository.root)
    assert ended.returncode == 0, ended.stdout


def test_the_catalogue_is_a_comment_per_job_and_changes_nothing(repository: Repository) -> None:
    repository.ask("init", cwd=repository.root)
    text = (repository.root / "jobs.yaml").read_text()
    assert yaml.safe_load(text) == {"jobs": None}
    assert "  # forest:\n  #   # models/click-based/train_forest.py: script\n" in text
    assert "  #   parameters: {epochs: 3}\n" in text


def test_the_comments_are_a_valid_catalogue_once_they_are_none(repository: Repository) -> None:
    repository.ask("init", cwd=repository.root)
    lines = (repository.root / "jobs.yaml").read_text().splitlines()
    job = [line.replace("  # ", "  ", 1) for line in lines[lines.index("  # table:") :]][:4]
    (repository.root / "jobs.yaml").write_text("\n".join(["jobs:", *job]) + "\n")
    dry = repository.pytest("test_training_jobs.py", "--collect-only", "-q", cwd=repository.root)
    assert dry.returncode == 0, dry.stdout + dry.stderr


def test_what_no_file_says_is_an_example_that_stays_a_comment(repository: Repository) -> None:
    repository.write("models/plain.py", "print('f1: 0.7')\nmodel.fit(x, y)\n")
    repository.write("models/saves.py", "model.fit(x, y)\nopen('metrics.json', 'w').write('{}')\n")
    repository.ask("init", cwd=repository.root)
    lines = (repository.root / "jobs.yaml").read_text().splitlines()
    parts = {name: lines[lines.index(f"  # {name}:") :][:6] for name in ("plain", "saves")}
    example = "  #   # for example: metrics: {file: metrics.json}"
    assert [example in part for part in parts.values()] == [False, True]
    assert '  #   # for example: gates: {accuracy: ">= 0.8"}' in parts["plain"]
    stated = "\n".join(line.replace("  # ", "  ", 1) for line in lines[lines.index("jobs:") :])
    assert not any({"gates", "metrics", "timeout"} & {*(job or ())} for job in yaml.safe_load(stated)["jobs"].values())


def test_its_comments_say_why_a_file_was_taken(repository: Repository) -> None:
    repository.write("models/lone.py", "model.fit(x, y)\n")
    repository.ask("init", cwd=repository.root)
    text = (repository.root / "jobs.yaml").read_text()
    assert "  # lone:\n  #   # models/lone.py: script\n  #   # taken: models/lone.py:1: calls model.fit\n" in text


@pytest.mark.parametrize(
    ("settings", "words", "jobs"),
    [
        ("", (), {"other", "parts", "lone"}),
        ("", ("--include", "fit_*.py", "--include", "l*.py"), {"fit_it", "lone"}),
        ("[tool.pytest.ini_options]\n", ("--exclude", r"lone\.py|parts"), {"other"}),
    ],
)
def test_a_run_takes_the_files_that_init_took(
    tmp_path: Path, settings: str, words: tuple[str, ...], jobs: set[str]
) -> None:
    repository = Repository(tmp_path, {"a/fit_it.py": "import x\n", "a/train_other.py": "print(1)\n"})
    repository.write("a/parts/train.py", "print(1)\n")
    repository.write("a/lone.py", "model.fit(x, y)\n")
    if settings:
        repository.write("pyproject.toml", settings)
    ended = repository.ask("init", *words, cwd=repository.root)
    lines = [line for line in ended.stdout.splitlines() if line.startswith("training_")]
    if settings:
        repository.write("pyproject.toml", settings + "\n".join(lines) + "\n")
    else:
        assert "training_include" in (repository.root / "pytest.ini").read_text()
    dry = repository.pytest("test_training_jobs.py", "--collect-only", "-q", cwd=repository.root)
    assert {line.partition("[")[2].rstrip("]") for line in dry.stdout.splitlines() if "::" in line} == jobs


def test_nothing_is_overwritten(repository: Repository) -> None:
    for name in ("test_training_jobs.py", "jobs.yaml", "pytest.ini"):
        repository.write(name, "# mine\n" if name != "pytest.ini" else "[pytest]\n")
    ended = repository.ask("init", cwd=repository.root)
    assert "left as it is: test_training_jobs.py" in ended.stdout
    assert "add to the section of pytest of pytest.ini:" in ended.stdout
    assert (repository.root / "jobs.yaml").read_text() == "# mine\n"
    assert (repository.root / "pytest.ini").read_text() == "[pytest]\n"


def test_an_empty_folder_gets_a_job_that_trains_at_once(tmp_path: Path) -> None:
    repository = Repository(tmp_path, {".venv/pyvenv.cfg": "", ".venv/lib/train_installed.py": "", "notes.md": ""})
    begun = repository.ask("init", cwd=repository.root)
    assert begun.stdout.startswith(
        "nothing here trains yet, so an example is written\nwritten: training/train_beetles.py"
    )
    assert "training_include" not in (repository.root / "pytest.ini").read_text()
    assert """  #   gates: {error: "<= 0.1"}\n""" in (repository.root / "training/jobs.yaml").read_text()
    ended = repository.pytest(cwd=repository.root)
    assert "1 job: 1 passed" in ended.stdout
    again = repository.ask("init", cwd=repository.root)
    assert "written" not in again.stdout
    assert "left as it is: pytest.ini" in again.stdout


@pytest.mark.parametrize("words", [("--include", "fit_*.py"), ("--root", ".")])
def test_an_empty_folder_gets_no_job_if_the_command_names_files(tmp_path: Path, words: tuple[str, str]) -> None:
    ended = Repository(tmp_path).ask("init", *words)
    assert ended.returncode == 2
    assert "no training jobs: expected files" in ended.stderr


def test_a_folder_with_what_looks_like_a_training_gets_no_job(tmp_path: Path) -> None:
    repository = Repository(
        tmp_path, {"fit.py": "def go(m, x):\n    m.fit(x, x)\nif __name__ == '__main__':\n    print(1)\n"}
    )
    ended = repository.ask("init", cwd=repository.root)
    assert "takes a file by its name: fit.py" in ended.stderr


def test_a_file_in_the_place_of_the_training_folder_is_told(tmp_path: Path) -> None:
    repository = Repository(tmp_path, {"training": ""})
    ended = repository.ask("init", cwd=repository.root)
    assert ended.returncode == 2
    assert "expected a folder of training files" in ended.stderr


@pytest.mark.parametrize("target", ["", "nowhere"])
def test_what_is_no_folder_in_the_place_of_the_training_folder_is_told_first(tmp_path: Path, target: str) -> None:
    repository = Repository(tmp_path, {"pytest.ini": "[pytest]\ntraining_root = jobs\n"})
    place = repository.root / "jobs"
    if target:
        place.symlink_to(target)
    else:
        place.touch()
    ended = repository.ask("init", cwd=repository.root)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "expected a folder of training files" in ended.stderr


def test_a_folder_that_utf8_cannot_hold_stays_as_it_is(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    place = tmp_path / "caf\udce9"
    place.mkdir()
    ended = repository.ask("init", cwd=place)
    assert (ended.returncode, ended.stdout, list(place.iterdir())) == (2, "", [])
    assert "caf\\udce9: expected a path that UTF-8 can hold" in ended.stderr


def test_the_folder_that_the_settings_name_is_the_one(tmp_path: Path) -> None:
    repository = Repository(tmp_path, {"pytest.ini": "[pytest]\ntraining_root = my/jobs\n"})
    assert "written: my/jobs/train_beetles.py" in repository.ask("init", cwd=repository.root).stdout


def test_another_folder_than_the_settings_name_is_refused(tmp_path: Path) -> None:
    files = {"pytest.ini": "[pytest]\ntraining_root = jobs\n", "jobs/train_a.py": "print(1)\n", "other/x.py": ""}
    repository = Repository(tmp_path, files)
    ended = repository.ask("init", "--root", "other", cwd=repository.root)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--root: pytest.ini has training_root = jobs: change it there, or leave --root out" in ended.stderr
    assert not (repository.root / "other/jobs.yaml").exists()
    assert repository.ask("init", "--root", "jobs", cwd=repository.root).returncode == 0
