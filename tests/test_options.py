"""Tests of options.py: where each value comes from, and every mistake as one sentence before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from sessions import Project, text

from pytest_training.option_values import read_options
from pytest_training.options import has_jobs
from pytest_training.planning.steps import Request

NO_TRACE = ("Traceback", "INTERNALERROR", "_pytest", "options.py")


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """Return a project with three jobs."""
    project = Project(pytester.path, pytester)
    project.job("als", parameters="epochs=3, rate=0.1")
    project.jobs("diabetes", "parkinsons")
    return project


def options(project: Project, *arguments: str, settings: str = "") -> Request:
    """Return what is read from a command line and the settings in pytest.ini."""
    assert project.pytester is not None
    project.write("pytest.ini", "[pytest]\n" + settings)
    return read_options(project.pytester.parseconfig(*arguments))


def mistake(project: Project, *arguments: str, settings: str = "") -> str:
    """Return the usage error that reading the options raises."""
    with pytest.raises(pytest.UsageError) as caught:
        options(project, *arguments, settings=settings)
    return str(caught.value)


# Values


def test_without_options_there_are_defaults(project: Project) -> None:
    found = options(project)
    assert found.root == project.root / "training"
    assert found.reports == project.root / "reports"
    assert (found.catalogue, found.plan_file, found.default_limits) == (None, None, {})
    assert (found.epochs, found.folds) == (None, None)
    assert (found.seed, found.settings) == (0, ())
    assert (found.run_settings.grace_s, found.run_settings.backend == "in-process") == (10.0, False)


def test_settings_are_read_and_relative_to_the_root(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.root / "sub").mkdir()
    monkeypatch.chdir(project.root / "sub")
    settings = "training_root = jobs\ntraining_catalogue = all.yaml\ntraining_reports = out\ntraining_seed = 7\n"
    limits = "training_timeout = 90s\ntraining_memory = 2GB\ntraining_grace = 3s\ntraining_start = subprocess\n"
    found = options(project, settings=settings + limits)
    assert found.root == project.root / "jobs"
    assert found.catalogue == project.root / "all.yaml"
    assert found.reports == project.root / "out"
    assert (found.seed, found.default_limits["timeout"], found.run_settings.grace_s, found.run_settings.backend) == (
        7,
        90.0,
        3.0,
        "subprocess",
    )
    assert found.default_limits["memory"] > 1000


def test_the_command_line_wins_and_is_relative_to_where_it_was_typed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = project.root / "sub"
    (here / "mine").mkdir(parents=True)
    monkeypatch.chdir(here)
    typed = [
        *("--training-root", "mine", "--training-catalogue", "mine.yaml", "--training-reports", "out"),
        *(
            "--training-seed",
            "8",
            "--training-timeout",
            "2h",
            "--training-memory",
            "1GB",
            "--training-plan",
            "plan.json",
        ),
    ]
    found = options(project, *typed, settings="training_root = jobs\ntraining_seed = 7\ntraining_timeout = 90s\n")
    assert (found.root, found.catalogue, found.reports) == (here / "mine", here / "mine.yaml", here / "out")
    assert (found.seed, found.default_limits["timeout"], found.plan_file) == (8, 7200.0, here / "plan.json")


def test_everyday_options_are_read(project: Project) -> None:
    found = options(project, "--epochs", "5", "--folds=3", "--set", "als.rate=1", "--set", "*.epochs=2")
    assert (found.epochs, found.folds, found.settings) == (5, 3, ("als.rate=1", "*.epochs=2"))


@pytest.mark.parametrize("option", ["--training-in-process", "--pdb", "--trace"])
def test_whoever_debugs_has_the_jobs_in_process(project: Project, option: str) -> None:
    assert options(project, option).run_settings.backend == "in-process"


# Is there anything to train?


@pytest.mark.parametrize(
    ("file", "arguments", "expected"),
    [
        ("training/train_x.py", (), True),
        ("training/deep/er/train_x.py", (), True),
        ("training/jobs.yaml", (), True),
        ("training/data.csv", (), False),
        ("training/trainer.py", (), False),
        ("training/.git/train_x.py", (), False),
        ("training/__pycache__/train_x.py", (), False),
        ("other/train_x.py", (), False),
        ("other/train_x.py", ("--training-root", "other"), True),
        ("other/x.txt", ("--training-root", "nowhere"), True),  # asked for: it is told that there are none
        ("other/x.txt", ("--training-catalogue", "nowhere.yaml"), True),
        ("training", (), False),
    ],
)
def test_jobs_are_recognised_by_name(
    pytester: pytest.Pytester, file: str, arguments: tuple[str, ...], *, expected: bool
) -> None:
    path = pytester.path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert has_jobs(pytester.parseconfig(*arguments)) == expected


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--epochs", "x"), "--epochs: expected a whole number of at least 1, found 'x'"),
        (("--folds", "2.5"), "--folds: expected a whole number of at least 1, found '2.5'"),
        (("--training-seed", "abc"), "--training-seed: expected a whole number of at least 0, *found 'abc'"),
        (("--training-seed", "-1"), "--training-seed: expected a whole number of at least 0, *found '-1'"),
        (("--training-timeout", "soon"), "--training-timeout: expected a duration like 90s, 15m or 2h, found 'soon'"),
        (("--training-memory", "much"), "--training-memory: expected a size like *, found 'much'"),
        (("--training-root", "nowhere"), "--training-root: no folder '*nowhere'"),
        *(
            (("--training-smoke", option), f"--training-smoke *: {option.partition('=')[0]} cannot go with it")
            for option in (
                *("--training-resume", "--training-skip-unchanged", "--training-audit", "--training-twice=als"),
                *("--training-compare=last", "--training-max-regression=0.1"),
            )
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_value_that_cannot_be_is_named_with_what_is_expected(
    project: Project, arguments: tuple[str, ...], sentence: str
) -> None:
    pytest.LineMatcher([mistake(project, *arguments)]).fnmatch_lines([sentence])


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("training_seed = x", "a whole number of at least 0, *found 'x'"),
        ("training_grace = long", "a duration like 90s, 15m or 2h, found 'long'"),
        (
            "training_start = spoon",
            "a backend, found 'spoon': expected one of auto, fork, subprocess, in-process, cluster",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_its_file(project: Project, setting: str, expected: str) -> None:
    name = setting.partition(" ")[0]
    sentence = f"{name} in {project.root / 'pytest.ini'}: expected {expected}"
    pytest.LineMatcher([mistake(project, settings=setting)]).fnmatch_lines([sentence])
    typed = mistake(project, "-o", setting.replace(" ", ""), settings=setting)
    pytest.LineMatcher([typed]).fnmatch_lines([f"-o {name}: expected {expected}"])


@pytest.mark.parametrize("session", [(), ("-n", "2"), ("--collect-only",)], ids=["run", "workers", "dry run"])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--set", "asl.epochs=3"), "--set asl.epochs: no job 'asl': did you mean 'als'[?] Expected one of als, *"),
        (
            ("--set", "als.epoch=3"),
            "--set als.epoch: als has no parameter 'epoch': did you mean 'epochs'[?] Expected one of epochs, rate",
        ),
        (("--set", "als.epochs=many"), "--set als.epochs: expected a whole number, found 'many'"),
        (("--set", "als"), "--set als: expected JOB.PARAMETER=VALUE, like als.epochs=80"),
        (("--epochs", "0"), "--epochs: expected a whole number of at least 1, found 0"),
        (("--folds", "3"), "--folds: no job has a parameter 'folds': *xpected one of epochs, rate"),
        (("--epochs", "x"), "--epochs: expected a whole number of at least 1, found 'x'"),
        (("--training-seed", "abc"), "--training-seed: expected a whole number of at least 0, *found 'abc'"),
        (("--training-root", "nowhere"), "--training-root: no folder *"),
        (("--training-root", "empty"), "no training jobs: expected files that train when they are run in *empty"),
        (("--training-catalogue", "nowhere.yaml"), "*nowhere.yaml: no such catalogue: *"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_on_the_command_line_ends_the_session_with_one_sentence(
    project: Project, session: tuple[str, ...], arguments: tuple[str, ...], sentence: str
) -> None:
    (project.root / "empty").mkdir()
    assert_mistake(project, [*session, *arguments], sentence)


def assert_mistake(project: Project, arguments: list[str], sentence: str) -> None:
    """Assert that a session ends with this sentence alone, before anything has run."""
    result = project.here(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    errors = [line for line in result.stderr.lines if line.strip()]
    assert len(errors) == 1, errors
    pytest.LineMatcher(errors).fnmatch_lines([f"ERROR: {sentence}"])
    assert not any(word in text(result) for word in NO_TRACE)
    assert not project.reports.exists()


@pytest.mark.parametrize(
    ("catalogue", "sentence"),
    [
        ("jobs: [", "training/jobs.yaml:*: not valid YAML: *"),
        (
            "jobs:\n  als: {tagz: [a]}",
            "training/jobs.yaml:2: jobs.als.tagz: unknown key 'tagz': did you mean 'tags'[?] Expected one of tags, *",
        ),
        ("jobs:\n  als: {timeout: soon}", "training/jobs.yaml:2: jobs.als.timeout: expected a duration *'soon'*"),
        (
            "jobs:\n  asl: {timeout: 1m}",
            "training/jobs.yaml:2: jobs.asl: no such job 'asl': did you mean 'als'[?] Expected one of als, *",
        ),
        ("jobs:\n  als: {needs: [nobody]}", "training/jobs.yaml:2: jobs.als.needs*: no such job 'nobody': expected *"),
        (
            "jobs:\n  als: {needs: [diabetes]}\n  diabetes: {needs: [als]}",
            "training/jobs.yaml: needs go round in a circle: als needs *",
        ),
    ],
)
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_mistake_in_the_catalogue_ends_the_session_with_one_sentence(
    project: Project, workers: str, catalogue: str, sentence: str
) -> None:
    project.write("training/jobs.yaml", catalogue)
    assert_mistake(project, ["-n", workers], sentence)


def test_a_required_parameter_is_set(project: Project) -> None:
    project.job("needy", parameters="cohort, epochs=3")
    project.here("-k", "needy", "--set", "needy.cohort=all").assert_outcomes(passed=1, deselected=3)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_file_in_the_place_of_the_reports_folder_is_left_alone(project: Project, workers: str) -> None:
    file = project.write("taken", "mine")
    sentence = f"cannot write reports to {file}: *; --training-reports DIR takes another folder"
    assert_mistake(project, ["-n", workers, "--training-reports", "taken"], sentence)
    assert file.read_text() == "mine"


@pytest.mark.parametrize("session", [(), ("-n", "2"), ("--collect-only",)], ids=["run", "workers", "dry run"])
def test_a_plan_that_cannot_be_written_is_an_error(project: Project, session: tuple[str, ...]) -> None:
    file = project.write("taken", "mine")
    sentence = f"--training-plan: cannot write {file / 'plan.json'}: *"
    assert_mistake(project, [*session, "--training-plan", "taken/plan.json"], sentence)


def test_a_job_that_cannot_run_as_declared_ends_nothing_that_is_not_selected(project: Project) -> None:
    project.job("needy", parameters="cohort")
    project.here("-k", "not needy").assert_outcomes(passed=3, deselected=1)


def test_every_option_has_a_help_that_fits(project: Project, tmp_path: Path) -> None:
    result = project.here("--help")
    result.stdout.fnmatch_lines(
        ["training jobs:", "  --training-root=DIR *", "*--epochs=N *", "*--set=JOB.PARAMETER=VALUE*"]
    )
    assert result.ret == 0


def test_a_folder_for_reports_elsewhere_leaves_the_projects_settings(project: Project, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    project.write("pytest.ini", "[pytest]\ntraining_root = training\nconsole_output_style = count\n")
    for workers in ("0", "2"):
        result = project.run("-n", workers, "--training-reports", elsewhere)
        result.assert_outcomes(passed=3)
        result.stdout.fnmatch_lines([f"rootdir: {project.root}", "configfile: pytest.ini"])
    assert len(list((elsewhere / "runs").iterdir())) == 2
    assert not (elsewhere / ".pytest_cache").exists()


def test_catalogues_are_applied_one_after_another(project: Project) -> None:
    read = options(project, "--training-catalogue", "first.yaml", "--training-catalogue", "second.yaml")
    assert (read.catalogue, read.lookup.catalogues) == (project.root / "first.yaml", (project.root / "second.yaml",))
    project.write("first.yaml", "jobs: {als: {optional: true, title: first}}")
    project.write("second.yaml", "jobs: {als: {title: second}}")
    words = ("--training-catalogue", "first.yaml", "--training-catalogue", "second.yaml", "-k", "als")
    assert project.run(*words).ret == 0
    job = project.metadata()["als"]
    assert (job["title"], job["optional"]) == ("second", True)
