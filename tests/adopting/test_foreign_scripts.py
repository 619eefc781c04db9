"""`pytest --training-root DIR` on a repository that nobody prepared."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.lookup import FileFilter, Lookup, project_of
from pytest_training.jobs.model import Job

from .repository import FILES, IDS, Repository

pytestmark = pytest.mark.slow


def jobs_of(repository: Repository, lookup: Lookup | None = None) -> dict[str, Job]:
    return {job.id: job for job in load_jobs(repository.root, repository.root, None, lookup)[0]}


def test_every_script_is_one_job_and_hidden_installed_and_built_ones_are_none(trained: Repository) -> None:
    assert trained.outcomes().keys() == IDS


def test_only_the_script_that_is_no_python_fails(trained: Repository) -> None:
    failed = {job_id: found["reason"] for job_id, found in trained.outcomes().items() if found["status"] != "passed"}
    assert failed.keys() == {"broken"}
    assert failed["broken"].startswith("models/train_broken.py:1: SyntaxError")


def test_a_script_runs_from_its_repository_as_main_with_src_importable(trained: Repository) -> None:
    log = trained.log("plain")
    assert f"argv ['{trained.root}/train_plain.py'] cwd {trained.root} __main__ 0.75 <class '__main__.Net'>" in log


def test_a_file_with_relative_imports_is_part_of_its_package_in_a_fork_and_in_an_interpreter_of_its_own(
    trained: Repository,
) -> None:
    assert trained.log("parts") == f"3 __main__ parts [] {trained.root}/models/parts/__init__.py\n"
    assert trained.log("apart") == "4 __main__ apart\n"


def test_json_in_the_output_folder_is_the_metrics_without_what_is_no_number(trained: Repository) -> None:
    assert trained.outcomes()["forest"]["metrics"] == {"accuracy": 0.9, "epochs": 7.0}


def test_the_last_row_of_a_table_is_the_metrics(trained: Repository) -> None:
    assert trained.outcomes()["table"]["metrics"] == {"epoch": 2.0, "loss": 0.25}


def test_what_a_script_prints_is_its_metrics(trained: Repository) -> None:
    found = trained.outcomes()["printing"]
    assert (found["metrics"], found["sources"]) == ({"accuracy": 0.91}, {"accuracy": "stdout line 1"})


@pytest.mark.parametrize("job_id", ["early", "commented", "models/a/same"])
def test_without_metrics_the_exit_status_decides_and_the_report_says_so(trained: Repository, job_id: str) -> None:
    found = trained.outcomes()[job_id]
    missed = "--epochs not passed: no such option in its source"
    assert (found["status"], found["metrics"], found["notes"]) == ("passed", {}, ["no metrics found", missed])


def test_defaults_are_recorded_as_the_script_has_them_and_what_it_computes_as_unknown(trained: Repository) -> None:
    recorded = trained.outcomes()["table"]
    assert (recorded["parameters"]["amp"], recorded["unread"]) == (True, ["workers"])
    assert "workers" not in recorded["parameters"]
    assert "unknown: a default that the source does not show" in (trained.user / "reports" / "index.html").read_text()


def test_two_scripts_with_one_name_are_two_jobs(trained: Repository) -> None:
    assert [trained.log(f"models/{folder}/same") for folder in "ab"] == ["a\n", "b\n"]


def test_typer_gets_its_options_and_its_folder(trained: Repository) -> None:
    assert trained.log("typed").startswith(f"epochs 7 folder {trained.user}/reports/runs/")


def test_options_of_a_subcommand_that_nobody_chose_are_not_given(trained: Repository) -> None:
    assert trained.log("net") == 'argv ["--seed", "0"]\n'
    assert "warning: net: epochs not passed: it is an option of " in trained.told


def test_the_console_says_that_no_metrics_were_found(trained: Repository) -> None:
    assert re.search(r"PASSED +early +no metrics found ", trained.told)


def test_an_option_that_reaches_some_scripts_names_the_others_on_the_console_and_in_the_report(
    trained: Repository,
) -> None:
    sentence = "--epochs: 9 of 12 jobs have no such parameter: "
    assert f"warning: {sentence}" in trained.told
    [problem] = [text for text in trained.report()["training"]["problems"] if text.startswith(sentence)]
    names = problem.removeprefix(sentence).removesuffix(" and 3 more").split(", ")
    assert {*names} < {
        "models/a/same",
        "models/b/same",
        "commented",
        "early",
        "printing",
        "table",
        "plain",
        "parts",
        "apart",
    }
    assert trained.outcomes()["forest"]["notes"] == []


def test_nothing_is_written_into_the_repository(trained: Repository) -> None:
    found = [path.relative_to(trained.root).as_posix() for path in trained.root.rglob("*") if path.is_file()]
    assert sorted(found) == sorted(FILES)
    assert (trained.user / ".pytest_cache").is_dir()


def test_the_repositorys_own_settings_of_pytest_are_not_the_users(repository: Repository) -> None:
    repository.write("pyproject.toml", "[tool.pytest.ini_options]\naddopts = '--theirs'\ntestpaths = ['models']\n")
    (repository.user / "pytest.ini").write_text("[pytest]\naddopts = -v\ntraining_reports = mine\n")
    for words in (["--training-root", str(repository.root)], [f"--training-root={repository.root}"]):
        ended = repository.pytest(*words, "-k", "early")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert f"rootdir: {repository.user}\nconfigfile: pytest.ini\n" in ended.stdout
        assert "test_training_job[early]" in ended.stdout  # what -v shows
    assert len(list((repository.user / "mine" / "runs").iterdir())) == 2


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_options_of_a_plugin_that_is_not_there_do_not_keep_a_repository_from_training(
    repository: Repository, workers: tuple[str, ...]
) -> None:
    (repository.user / "setup.cfg").write_text("[tool:pytest]\naddopts = --theirs --their-report some -v\n")
    ended = repository.pytest("--training-root", str(repository.root), "-k", "early", *workers)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said = f"addopts of {repository.user / 'setup.cfg'} are left out: no plugin here knows --theirs"
    assert ended.stdout.count(said) == 1
    assert repository.outcomes()["early"]["status"] == "passed"
    typed = repository.pytest("--training-root", str(repository.root), "--theirs")
    assert (typed.returncode, "unrecognized arguments: --theirs" in typed.stderr) == (4, True)


NEEDY = """
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", required=True)
    print(parser.parse_args().corpus)
    """


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_script_that_demands_a_value_fails_alone_and_says_how_to_give_it(
    repository: Repository, workers: tuple[str, ...]
) -> None:
    repository.write("models/train_needy.py", NEEDY)
    common = ("--training-root", str(repository.root), "-k", "needy or early", *workers)
    ended = repository.pytest(*common, "-p", "pytest_training.run_all.pytest_options", "--training-retries", "2")
    found = repository.outcomes()
    assert (ended.returncode, found["early"]["status"], found["needy"]["status"]) == (1, "passed", "failed")
    assert found["needy"]["reason"] == (
        "models/train_needy.py: needy needs a value for corpus: give it with --set needy.corpus=VALUE, "
        "or under jobs.needy.parameters in the catalogue"
    )
    assert len(found["needy"]["attempts"]) == 1  # another would come to the same
    assert repository.pytest(*common, "--set", "needy.corpus=words").returncode == 0
    assert repository.log("needy") == "words\n"


def test_a_subcommand_stands_between_the_parsers_options(repository: Repository) -> None:
    values = ["net.command=fit", "net.seed=3", "net.epochs=5", "net.sizes=[8, 4]", "net.files=[a, b]", "net.all=true"]
    arguments = [word for value in values for word in ("--set", value)]
    ended = repository.pytest("--training-root", str(repository.root), *arguments, "-k", "net")
    assert ended.returncode == 0, ended.stdout
    assert repository.log("net").strip() == (
        'argv ["--seed", "3", "fit", "--epochs", "5", "a", "b", "--sizes", "8", "4"]'
    )


def test_a_subcommand_that_does_not_exist_is_refused_before_anything_runs(repository: Repository) -> None:
    ended = repository.pytest("--training-root", str(repository.root), "--set", "net.command=fitt")
    assert ended.returncode == 4
    assert "--set net.command: expected one of fit, show, found 'fitt'" in ended.stderr


def test_files_are_chosen_by_pattern_expression_and_number(repository: Repository) -> None:
    repository.write("models/fit_more.py", "print(1)\n")
    files = FileFilter(include=("fit_*.py", "models/[ab]/*.py"), exclude=(r"/b/",))
    assert jobs_of(repository, Lookup(files=files)).keys() == {"same", "fit_more"}
    assert len(jobs_of(repository, Lookup(files=FileFilter(limit=2)))) == 2


def test_a_file_with_and_one_without_the_prefix_have_two_ids(repository: Repository) -> None:
    repository.write("models/plain.py", "print(1)\n")
    repository.write("models/train_plain.py", "print(1)\n")
    found = jobs_of(repository, Lookup(files=FileFilter(include=("*plain.py",))))
    assert found.keys() == {"plain", "models/plain", "models/train_plain"}


def test_a_file_that_two_folders_hold_is_one_job_and_no_id_is_taken_twice(repository: Repository) -> None:
    other = repository.write("elsewhere/train_plain.py", "print('other')\n")
    (repository.root / "elsewhere" / "train_link.py").symlink_to(repository.root / "models" / "train_early.py")
    lookup = Lookup(folders=(repository.root / "models", repository.root / "elsewhere"))
    found = load_jobs(repository.root / "models", repository.root, None, lookup)[0]
    assert "link" not in {job.id for job in found}
    repository.write("models/train_plain.py", "print('first')\n")
    found = load_jobs(repository.root / "models", repository.root, None, lookup)[0]
    assert {job.id: job.path for job in found if job.id.endswith("plain")} == {
        "plain": str(repository.root / "models" / "train_plain.py"),
        "elsewhere/plain": str(other),
    }


def test_a_found_job_replaces_one_with_its_id_where_that_is_allowed(repository: Repository) -> None:
    other = repository.write("elsewhere/train_early.py", "print('other')\n")
    lookup = Lookup(folders=(repository.root / "elsewhere",), overrides=True, optional=True)
    found = load_jobs(repository.root / "models", repository.root, None, lookup)[0]
    [early] = [job for job in found if job.id.endswith("early")]
    assert (early.id, early.path, early.optional) == ("early", str(other), True)


def test_scripts_are_run_from_the_nearest_project_above_their_folder(repository: Repository) -> None:
    assert project_of(repository.root / "models", repository.user, has_settings=False) == repository.root
    assert project_of(repository.root, repository.root.parent) == repository.root
    assert project_of(repository.user, repository.user.parent, has_settings=False) == repository.user


def test_the_users_own_test_is_taken_where_there_is_one(repository: Repository) -> None:
    (repository.user / "test_mine.py").write_text("def test_mine(training_job):\n    training_job.train()\n")
    ended = repository.pytest("--training-root", str(repository.root), "-k", "early", "-v")
    assert "test_mine.py::test_mine[early]" in ended.stdout


def test_other_tests_of_the_users_folder_are_left_alone(repository: Repository) -> None:
    (repository.user / "test_other.py").write_text("def test_other():\n    assert False\n")
    ended = repository.pytest("--training-root", str(repository.root), "-k", "early or other")
    assert ended.returncode == 0, ended.stdout


def test_metrics_in_the_root_are_taken_only_where_the_script_names_the_file(repository: Repository) -> None:
    repository.write("models/train_early.py", "import json\nopen('metrics.json', 'w').write('{\"a\": 1}')\n")
    repository.write("models/train_printing.py", "open('metrics' + '.json', 'w').write('{\"b\": 1}')\n")
    ended = repository.pytest("--training-root", str(repository.root), "-k", "early or printing")
    assert ended.returncode == 0, ended.stdout
    found = repository.outcomes()
    assert found["early"]["metrics"] == {"a": 1.0}
    assert found["printing"]["metrics"] == {}


def test_the_catalogue_says_which_file_and_where_in_it_metrics_are(repository: Repository) -> None:
    repository.write(
        "models/train_nested.py",
        """
        import json, os
        os.makedirs("out", exist_ok=True)
        for step in (1, 2):
            json.dump({"test": {"scores": {"f1": step / 4, "by": "me"}}}, open(f"out/step_{step}.json", "w"))
            os.utime(f"out/step_{step}.json", (4e9 + step, 4e9 + step))
        """,
    )
    repository.write(
        "jobs.yaml", "jobs:\n  nested: {metrics: {file: 'out/*.json', path: test.scores}, gates: {f1: '> 0.4'}}\n"
    )
    ended = repository.pytest("--training-root", str(repository.root), "-k", "nested")
    assert ended.returncode == 0, ended.stdout
    assert repository.outcomes()["nested"]["metrics"] == {"f1": 0.5}


def test_collecting_imports_nobodys_code(repository: Repository) -> None:
    repository.write("models/train_printing.py", f"open({str(repository.user / 'ran')!r}, 'w')\n")
    ended = repository.pytest("--training-root", str(repository.root), "--collect-only", "-q")
    assert ended.returncode == 0, ended.stdout
    assert not (repository.user / "ran").exists()
    assert Path(sys.executable).exists()
