"""`python run_all_training.py`, as users start it."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from pytest_training.run_all.selection import PLUGIN

from .miniature import IDS, TOP, Miniature, run

pytestmark = pytest.mark.slow

WARNING = "⚠️  Parallel mode enabled. Ensure sufficient resources.\n"
FLAG = re.compile(r"--[a-z][a-z-]+")
JOB_KEYS = {
    *("id", "name", "status", "attempts", "start_time_utc", "end_time_utc", "duration_s", "optional", "command"),
    *("error", "metrics", "gates", "data", "seed", "exit_status", "log", "output"),
}


def test_the_command_of_the_original_trains_everything(miniature: Miniature) -> None:
    ended = miniature.run("--parallel", "--max-workers", "4")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.startswith(WARNING)
    assert "4/4 workers" in ended.stdout
    assert miniature.statuses() == dict.fromkeys(IDS, "SUCCESS")


def test_parameters_reach_the_jobs(miniature: Miniature) -> None:
    arguments = ("--parallel", "--max-workers", "6", "--epochs", "50", "--folds", "7", "--only", "als", "stroke")
    assert miniature.run(*arguments).returncode == 0
    [als, stroke] = miniature.summary()["jobs"]
    assert als["command"] == "train_als.train(run, epochs=50, folds=7)"
    assert Path(miniature.root, stroke["log"]).read_text() == "epochs 50 folds 7\n"
    assert stroke["metrics"]["epochs"] == 50


def test_the_summary_says_all_that_is_known(miniature: Miniature) -> None:
    assert miniature.run("--only", "als", "--summary-dir", "sums").returncode == 0
    summary = miniature.summary("sums")
    assert summary["pipeline"] == "pytest-training"
    assert summary["start_time_utc"].endswith("+00:00")
    assert summary["duration_s"] > 0
    assert summary["python"] == sys.version.split()[0]
    assert summary["working_directory"] == str(miniature.root)
    assert summary["gpu_info"].keys() == {"available", "devices"}
    assert summary["arguments"] == ["--only", "als", "--summary-dir", "sums"]
    assert "git_commit" in summary
    [job] = summary["jobs"]
    assert job.keys() == JOB_KEYS
    assert (job["status"], job["attempts"], job["optional"], job["error"]) == ("SUCCESS", 1, False, None)
    assert (job["exit_status"], job["seed"], job["name"]) == (0, 0, "The als job.")
    assert [gate["passed"] for gate in job["gates"]] == [True]


def test_the_summary_says_from_what_each_job_came(miniature: Miniature) -> None:
    miniature.write("training/visits.csv", "a,b\n1,2\n")
    miniature.write(
        "training/train_als.py",
        'DATA = ["visits"]\n\ndef train(run):\n    return {"rows": len(run.data("visits").read_text().split())}\n',
    )
    miniature.write("training/train_stroke.py", "def train(run):\n    return {}\n")
    miniature.write("more/train_script.py", "import argparse\np = argparse.ArgumentParser()\np.add_argument('--out')\n")
    miniature.write(
        "training/jobs.yaml",
        "jobs:\n  als: {data: [visits], gates: {rows: '> 2'}, optional: true}\n  stroke: {needs: [als]}\n"
        "data:\n  visits: {path: visits.csv, license: CC0, citation: mine, real: true}\n",
    )
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        assert run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=miniature.root).returncode == 0
    commit = run(["git", "rev-parse", "HEAD"], cwd=miniature.root).stdout.strip()
    ended = miniature.run("--discover-root", "more", "--only", "als", "stroke", "script")
    summary = miniature.summary()
    assert summary["git_commit"] == commit
    assert summary["start_time_utc"] <= summary["end_time_utc"]
    assert summary["totals"] == {"SUCCESS": 1, "FAILED": 1, "INTERRUPTED": 0, "SKIPPED": 1}
    jobs = {job["id"]: job for job in summary["jobs"]}
    als, stroke, script = jobs["als"], jobs["stroke"], jobs["script"]
    assert (als["status"], als["optional"], als["metrics"]) == ("FAILED", True, {"rows": 2.0}), als["error"]
    assert als["error"] == "rows is 2, required > 2"
    assert [(gate["gate"]["metric"], gate["passed"]) for gate in als["gates"]] == [("rows", False)]
    assert [data["name"] for data in als["data"]] == ["visits"]
    assert (stroke["status"], stroke["attempts"], stroke["log"]) == ("SKIPPED", 0, None)
    assert stroke["error"] == "needs als, which did not pass in this run"
    assert script["command"] == f"{sys.executable} {miniature.root}/more/train_script.py --out {script['output']}"
    assert Path(script["output"]).is_dir()
    assert als["start_time_utc"] <= als["end_time_utc"] <= script["start_time_utc"], ended.stdout


def test_one_job_runs_without_workers_and_so_does_a_run_without_parallel(miniature: Miniature) -> None:
    one = miniature.run("--parallel", "--only", "als")
    assert "workers" not in one.stdout
    assert "Parallel mode" not in one.stdout
    assert "workers" not in miniature.run("--only", "als", "stroke").stdout


def test_never_more_workers_than_jobs(miniature: Miniature) -> None:
    assert "2/2 workers" in miniature.run("--parallel", "--max-workers", "6", "--only", "als", "stroke").stdout


def test_a_dry_run_shows_calls_and_the_pytest_command_and_trains_nothing(miniature: Miniature) -> None:
    ended = miniature.run("--parallel", "--dry-run", "--epochs", "9", "--only", "als", "stroke")
    assert ended.returncode == 0
    warning, number, als, stroke, equivalent = ended.stdout.splitlines()
    assert (warning + "\n", number) == (WARNING, "Selected jobs: 2")
    assert als == "[als] (dry-run) Command: train_als.train(run, epochs=9, folds=5)"
    assert stroke.startswith("[stroke] (dry-run) Command: train_stroke.train(")
    assert not (miniature.root / "reports").exists()
    words = shlex.split(equivalent.removeprefix("Equivalent: "))
    trained = run([sys.executable, "-m", *words], cwd=miniature.root)
    assert trained.returncode == 0, trained.stdout
    assert "2/2 workers" in trained.stdout


def test_a_dry_run_of_a_script_shows_its_exact_command(miniature: Miniature) -> None:
    script = miniature.write(
        "more/train_script.py",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--batch-size')\np.add_argument('--out')\n",
    )
    ended = miniature.run(
        *("--dry-run", "--no-default-jobs", "--discover-root", "more", "--batch", "8", "--extra-arg", "--fast")
    )
    command = f"{sys.executable} {script} --batch-size 8 --out {{folder}} --fast"
    assert f"[script] (dry-run) Command: {command}\n" in ended.stdout


def test_the_list_shows_ids_scripts_and_what_each_takes(miniature: Miniature) -> None:
    miniature.write("training/train_zz.py", "print(1)\n")
    lines = miniature.run("--list").stdout.splitlines()
    assert lines[0] == f"{len(IDS) + 1} jobs"
    found = {words[0]: " ".join(words[1:]) for line in lines[2:] if (words := line.split())}
    assert found["als"] == "training/train_als.py epochs, folds, output"
    assert found["zz"] == "training/train_zz.py -"


def test_the_list_loads_neither_what_the_scripts_import_nor_what_trains(miniature: Miniature) -> None:
    miniature.write("training/train_heavy.py", f"import numpy\nopen({str(miniature.root / 'ran')!r}, 'w')\n")
    heavy = {"numpy", "pytest", "_pytest", "xdist", "rich", "jinja2", "psutil", "sqlite3"}
    code = "import sys; from pytest_training.run_all import main; main(['--list']); "
    code += f"print({heavy} & {{*sys.modules}})"
    told = run([sys.executable, "-c", code], cwd=miniature.root).stdout.splitlines()
    assert told[0] == f"{len(IDS) + 1} jobs"
    assert told[-1] == "set()"
    assert not (miniature.root / "ran").exists()


@pytest.mark.parametrize("flag", ["--only", "--exclude"])
def test_an_unknown_id_is_an_error_that_lists_the_ids(miniature: Miniature, flag: str) -> None:
    ended = miniature.run(flag, "asl")
    assert ended.returncode == 2
    assert f"{flag}: no job 'asl': did you mean 'als'? Expected one of als, " in ended.stderr
    assert all(job_id in ended.stderr for job_id in IDS)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--nonsense",), "unrecognized arguments: --nonsense"),
        (("--max-workers", "0"), "expected a whole number of at least 1, found '0'"),
        (("--folds", "1"), "--folds: expected a whole number of at least 2"),
        (("--sample", "5"), "--sample: no job has a parameter sample or samples or sample_size"),
        (("--config", "none.yaml"), "no such catalogue"),
        (("--discover-root", "nowhere"), "--discover-root: no folder "),
        (("--exclude-regex", "("), "--exclude-regex: expected a regular expression"),
        (("--extra-arg", "--fast"), "an extra argument applies to script and command jobs"),
        (("--exclude", *IDS), "leaves no job to train"),
        (("--no-default-jobs",), "no training jobs"),
    ],
)
def test_bad_usage_ends_with_2(miniature: Miniature, arguments: tuple[str, ...], told: str) -> None:
    ended = miniature.run(*arguments)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert not (miniature.root / "reports").exists()


def test_exclude_leaves_out(miniature: Miniature) -> None:
    assert miniature.run("--exclude", *IDS[1:]).returncode == 0
    assert miniature.statuses() == {IDS[0]: "SUCCESS"}


def failing(miniature: Miniature, job_id: str = "als") -> None:
    miniature.write(
        f"training/train_{job_id}.py", "def train(run, *, epochs=1, folds=2):\n    raise ValueError('no')\n"
    )


def test_a_failed_job_ends_with_1_and_is_told(miniature: Miniature) -> None:
    failing(miniature)
    assert miniature.run("--only", "als", "stroke").returncode == 1
    assert miniature.statuses() == {"als": "FAILED", "stroke": "SUCCESS"}
    assert miniature.summary()["jobs"][0]["error"] == "raised ValueError: no"


def test_partial_success_is_enough_where_that_is_allowed_and_there_is_some(miniature: Miniature) -> None:
    failing(miniature)
    assert miniature.run("--only", "als", "stroke", "--allow-partial-success").returncode == 0
    assert miniature.run("--only", "als", "--allow-partial-success").returncode == 1


def test_an_optional_job_may_fail(miniature: Miniature) -> None:
    failing(miniature)
    miniature.write("training/jobs.yaml", "jobs:\n  als: {optional: true}\n")
    assert miniature.run("--only", "als").returncode == 0
    [job] = miniature.summary()["jobs"]
    assert (job["status"], job["optional"]) == ("FAILED", True)


def test_retries(miniature: Miniature) -> None:
    failing(miniature)
    assert miniature.run("--only", "als", "--retries", "2").returncode == 1
    assert miniature.summary()["jobs"][0]["attempts"] == 3


def test_artifacts_and_logs_are_copied_where_asked(miniature: Miniature) -> None:
    miniature.write(
        "more/train_writer.py",
        """
        import argparse, pathlib
        p = argparse.ArgumentParser()
        p.add_argument("--output-dir")
        pathlib.Path(p.parse_args().output_dir, "model.txt").write_text("weights")
        print("done")
        """,
    )
    arguments = ("--discover-root", "more", "--only", "writer", "--base-output-dir", "models", "--logs-dir", "logs")
    assert miniature.run(*arguments).returncode == 0
    assert (miniature.root / "models" / "writer" / "model.txt").read_text() == "weights"
    assert (miniature.root / "logs" / "writer.log").read_text() == "done\n"


def test_it_runs_from_any_folder(miniature: Miniature, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    ended = miniature.run("--parallel", "--only", "als", "stroke", cwd=here)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert miniature.statuses() == {"als": "SUCCESS", "stroke": "SUCCESS"}
    assert not list(here.iterdir())


def test_every_id_can_be_selected(miniature: Miniature) -> None:
    miniature.write("training/a/train_größe.py", "print(1)\n")
    miniature.write("training/b/train_größe.py", "print(1)\n")
    assert miniature.run("--only", "a/größe").returncode == 0
    assert miniature.statuses() == {"a/größe": "SUCCESS"}


def test_jobs_are_found_elsewhere(miniature: Miniature) -> None:
    for name in ("one", "two", "three"):
        miniature.write(f"more/train_{name}.py", f"raise SystemExit({int(name == 'one')})\n")
    miniature.write("more/fit_four.py", "print(4)\n")
    common = ("--no-default-jobs", "--discover-root", "more")
    assert miniature.run(*common, "--exclude-regex", "one").returncode == 0
    assert miniature.statuses().keys() == {"two", "three"}
    assert miniature.run("--discover-root", "more", "--mark-discovered-optional", "--only", "one").returncode == 0
    assert miniature.run(*common, "--include-pattern", "fit_*.py").returncode == 0
    assert miniature.statuses().keys() == {"fit_four"}
    assert miniature.run(*common, "--discovery-limit", "1", "--list").stdout.startswith("1 job\n")
    assert miniature.run("--no-auto-discover", "--discover-root", "more", "--list").stdout.startswith(f"{len(IDS)} ")


def test_strict_discovery_that_finds_nothing_ends_with_3(miniature: Miniature) -> None:
    (miniature.root / "empty").mkdir()
    assert miniature.run("--strict-discovery", "--discover-root", "empty").returncode == 3
    assert miniature.run("--strict-discovery", "--list").returncode == 0


def test_a_job_found_elsewhere_replaces_one_only_where_that_is_allowed(miniature: Miniature) -> None:
    miniature.write("more/train_als.py", "print('other')\n")
    found = miniature.run("--discover-root", "more", "--list").stdout
    assert re.search(r"^als +training/train_als.py", found, re.MULTILINE)
    assert re.search(r"^more/als +more/train_als.py", found, re.MULTILINE)
    assert miniature.run("--discover-root", "more", "--allow-discovery-overrides", "--only", "als").returncode == 0
    assert (miniature.root / miniature.summary()["jobs"][0]["log"]).read_text() == "other\n"


def test_the_originals_yaml_is_a_catalogue_for_pytest_too(miniature: Miniature) -> None:
    miniature.write("more/train_script.py", "import sys\nprint(sys.argv[1:])\n")
    miniature.write(
        "list.yaml",
        "jobs:\n  - {name: The Script, script: more/train_script.py, args: [--fast], optional: true,"
        " supports_epochs: true, use_output_dir: true}\n",
    )
    words = ["--training-exclude", ".", "--training-catalogue", "list.yaml", "--epochs", "4", "-v"]
    ended = run([sys.executable, "-m", "pytest", *words], cwd=miniature.root)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    [log] = miniature.root.glob("reports/runs/*/jobs/the_script/attempt-1/log.txt")
    folder = log.with_name("artifacts")
    assert log.read_text() == f"['--epochs', '4', '--output-dir', '{folder}', '--fast']\n"


def test_options_that_only_the_originals_flags_need_are_not_pytests(miniature: Miniature) -> None:
    further = {*("--training-limit", "--training-overrides", "--training-optional"), "--training-argument"}
    further |= {"--training-retries", "--training-job"}
    for words, expected in (([], set()), (["-p", PLUGIN], further)):
        helped = run([sys.executable, "-m", "pytest", *words, "--help"], cwd=miniature.root).stdout
        assert set(FLAG.findall(helped)) & further == expected


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_dry_runs_command_does_what_the_flags_do(miniature: Miniature, workers: str) -> None:
    script = "import argparse\np = argparse.ArgumentParser()\np.parse_known_args()\nraise SystemExit(1)\n"
    for name in ("als", "other"):
        miniature.write(f"more/train_{name}.py", script)
    flags = ["--discover-root", "more", "--retries", "1", "--extra-arg", "--x", "--discovery-limit", "1"]
    flags += ["--allow-discovery-overrides", "--mark-discovered-optional", "--only", "als", "stroke"]
    equivalent = miniature.run("--dry-run", *flags).stdout.splitlines()[-1]
    words = shlex.split(equivalent.removeprefix("Equivalent: "))
    ended = run([sys.executable, "-m", *words, "-n", workers], cwd=miniature.root)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    tests = json.loads((miniature.root / "reports/report.json").read_text())["tests"]
    found = {test["metadata"]["id"]: test["metadata"] for test in tests}
    assert {name: (each["status"], len(each["attempts"]), each["optional"]) for name, each in found.items()} == {
        "als": ("failed", 2, True),
        "stroke": ("passed", 1, False),
    }


def test_a_job_that_does_not_exist_is_named(miniature: Miniature) -> None:
    words = ["-p", PLUGIN, "--training-job", "asl"]
    ended = run([sys.executable, "-m", "pytest", *words], cwd=miniature.root)
    assert ended.returncode == 4
    assert "--training-job: no job 'asl': did you mean 'als'? Expected one of als" in ended.stderr


HOOKS = """
import msgspec
from pytest_training.jobs.kinds.protocol import Command, Kind

class Shell(Kind):
    name, suffixes = "shell", (".sh",)

    def recognise(self, file):
        return file.job("shell")

    def start(self, job, *, folder, seed):
        return Command(argv=("sh", job.path))

def pytest_training_register(registry):
    registry.add_kind(Shell())

def pytest_training_jobs(config, jobs):
    jobs[:] = [msgspec.structs.replace(job, optional=True) for job in jobs if job.id != "als"]
"""


def test_jobs_that_hooks_add_and_remove_are_listed_shown_and_trained(miniature: Miniature) -> None:
    miniature.write("conftest.py", HOOKS)
    script = miniature.write("training/train_z.sh", "echo trained\n")
    listed = miniature.run("--list", "--retries", "2").stdout
    assert re.search(r"^z +training/train_z\.sh +- +optional$", listed, re.MULTILINE)
    assert not re.search(r"^als ", listed, re.MULTILINE)
    assert f"[z] (dry-run) Command: sh {script}" in miniature.run("--dry-run", "--only", "z").stdout
    assert "--only: no job 'als'" in miniature.run("--only", "als").stderr
    assert miniature.run("--only", "z").returncode == 0
    assert miniature.statuses() == {"z": "SUCCESS"}
    assert miniature.summary()["jobs"][0]["command"] == f"sh {script}"


def test_what_a_hook_raises_is_a_mistake_of_the_list(miniature: Miniature) -> None:
    miniature.write("conftest.py", "def pytest_training_jobs(config, jobs):\n    raise ValueError('no')\n")
    ended = miniature.run("--list")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "pytest_training_jobs of conftest.py raised ValueError: no" in ended.stderr


def test_a_folder_without_this_repositorys_files_is_trained_too(miniature: Miniature, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    (bare / "training").mkdir(parents=True)
    for name in ("a", "b"):
        (bare / "training" / f"train_{name}.py").write_text(f"print({name!r})\n")
    ended = run([sys.executable, "-m", "pytest_training.run_all", "--only", "b"], cwd=bare)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [path.name for path in (bare / "reports" / "runs").glob("*/jobs/*")] == ["b"]


def test_where_nothing_is_installed_it_says_what_to_install(miniature: Miniature) -> None:
    ended = run([sys.executable, "-I", "-S", *miniature.command()[1:]], cwd=miniature.root)
    assert ended.returncode == 2
    assert ended.stderr == (
        "run_all_training.py: error: No module named 'pytest_training': first pip install -e '.[medical]'\n"
    )


def test_the_guide_explains_every_flag() -> None:
    helped = run([sys.executable, str(TOP / "run_all_training.py"), "--help"], cwd=TOP).stdout
    guide = (TOP / "docs/RUN_ALL_GUIDE.md").read_text()
    table = guide.partition("## What each flag is in pytest")[2].partition("\n## ")[0]
    cells = " ".join(line.partition(" | ")[0] for line in table.splitlines())
    assert set(FLAG.findall(helped)) - {"--help"} == set(FLAG.findall(cells))


def test_the_real_list_names_the_twelve() -> None:
    ended = run([sys.executable, str(TOP / "run_all_training.py"), "--list"], cwd=TOP)
    assert ended.stdout.startswith(f"{len(IDS)} jobs\n")
