"""What a run is compared with, in a real git repository, and what a regression does to job, reports and exit code."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from sessions import Project, properties, text

from pytest_training.reporters.markdown import plain

pytestmark = pytest.mark.slow

JOB = 'return {"roc_auc": float(score), "loss": float(loss), "oddity": float(score)}'
NOW = "--set=als.score=0.80"


@dataclass(frozen=True)
class Repository:
    """A project under git with a run at score 0.9 on main, and one at 0.85 on the branch topic."""

    project: Project
    commits: tuple[str, str]
    runs: tuple[str, str]


def git(root: Path, *arguments: str) -> str:
    author = ("-c", "user.name=A", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *author, *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def run_ids(project: Project) -> list[str]:
    return sorted(path.name for path in (project.reports / "runs").iterdir())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    project = Project(tmp_path_factory.mktemp("repository"))
    project.job("als", JOB, parameters="score=0.9, loss=0.5")
    project.write(".gitignore", "reports/\n__pycache__/\n")
    git(project.root, "init", "--quiet", "--initial-branch=main")
    commits = []
    for branch, score in (("main", "0.90"), ("topic", "0.85")):
        git(project.root, "checkout", "--quiet", *(("-b", branch) if branch != "main" else ("-B", branch)))
        project.write("notes.txt", branch)
        git(project.root, "add", ".")
        git(project.root, "commit", "--quiet", "-m", branch)
        commits.append(git(project.root, "rev-parse", "HEAD"))
        result = project.run("-p", "no:xdist", f"--set=als.score={score}")
        assert result.ret == 0, text(result)
    git(project.root, "tag", "released", "main")
    first, second = run_ids(project)
    return Repository(project, (commits[0], commits[1]), (first, second))


@pytest.fixture
def repository(made: Repository, tmp_path: Path) -> Repository:
    shutil.copytree(made.project.root, tmp_path / "copy")
    return Repository(Project(tmp_path / "copy"), made.commits, made.runs)


@pytest.mark.parametrize(
    ("wanted", "words", "before"),
    [
        ("last", "the last run of each job", "0.850"),
        ("{run}", "run {run}", "0.900"),
        ("{run:.18}", "run {run:.18}", "0.900"),
        ("main", "branch main", "0.900"),
        ("topic", "branch topic", "0.850"),
        ("{commit}", "commit {commit}", "0.900"),
        ("{commit:.8}", "commit {commit:.8}", "0.900"),
        ("HEAD~1", "HEAD~1 (commit {commit:.10})", "0.900"),
        ("released", "released (commit {commit:.10})", "0.900"),
    ],
)
def test_a_run_is_compared_with_what_is_named(repository: Repository, wanted: str, words: str, before: str) -> None:
    names = {"run": repository.runs[0], "commit": repository.commits[0]}
    project = repository.project
    result = project.run("-p", "no:xdist", NOW, "--training-compare", wanted.format(**names))
    assert result.ret == 0, text(result)
    change = f"als: roc_auc ▼ {before} → 0.800"
    result.stdout.fnmatch_lines([f"against {words.format(**names)}:", f"  {change} *other parameters: score*"])
    page = (project.reports / "index.html").read_text(encoding="utf-8")
    assert f"Changes against {words.format(**names)}</h2>" in page
    assert f"▼ {before} → 0.800" in page
    assert f"▼ {before} → 0.800" in (project.reports / "summary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("more", [(), ("--training-max-regression", "0.1")])
def test_an_unknown_name_is_a_usage_error_that_lists_what_there_is(
    repository: Repository, more: tuple[str, ...]
) -> None:
    result = repository.project.run("--training-compare", "mian", *more)
    assert result.ret == 4
    assert (
        "expected last, a run, a branch or a commit to compare with, found 'mian'; "
        f"branches in the history: main, topic; runs: {', '.join(reversed(repository.runs))}"
    ) in text(result)


def test_a_report_made_later_refuses_an_unknown_name_too(repository: Repository) -> None:
    result = repository.project.ask("report", "last", "--compare", "topic~x")
    assert result.ret == 2
    known = f"branches in the history: main; runs: {repository.runs[0]}"  # what came before the last run
    assert f"found 'topic~x'; {known}" in text(result)


def test_a_branch_that_only_the_server_has_is_found(repository: Repository) -> None:
    """As in CI, where main is origin/main only, and the history's runs were of another branch."""
    root = repository.project.root
    git(root, "update-ref", "refs/remotes/origin/release", "main")
    result = repository.project.run("-p", "no:xdist", NOW, "--training-compare", "release")
    result.stdout.fnmatch_lines([f"against release (commit {repository.commits[0][:10]}):", "*0.900 → 0.800*"])


@pytest.mark.parametrize("wanted", ["last", "main", "20260101"])
def test_without_a_history_that_is_said_and_nothing_fails(repository: Repository, wanted: str) -> None:
    project = repository.project
    shutil.rmtree(project.reports)
    result = project.run("-p", "no:xdist", "--training-compare", wanted, "--training-max-regression", "0.02")
    assert result.ret == 0, text(result)
    result.stdout.fnmatch_lines(["*nothing to compare with: the history has no passed outcome of these jobs from *"])
    assert "Nothing to compare with" in (project.reports / "summary.md").read_text(encoding="utf-8")


def test_a_regression_fails_the_job_everywhere_and_is_not_what_the_next_run_is_measured_by(
    repository: Repository,
) -> None:
    project = repository.project
    arguments = ("-p", "no:xdist", NOW, "--training-max-regression", "0.02")
    for _ in range(2):
        result = project.run(*arguments)
        assert result.ret == 1, text(result)
        told = (
            f"roc_auc got worse: 0.8, was 0.85 in run {repository.runs[1]} with other parameters (score), "
            "at most 0.02 worse; not judged against noise"
        )
        result.stdout.fnmatch_lines([f"*{told}*"])
        assert told in (project.reports / "index.html").read_text(encoding="utf-8")
        assert plain(told) in (project.reports / "summary.md").read_text(encoding="utf-8")
        case = project.cases()["test_training_job[als]"]
        assert properties(case)["reason"].startswith(told)
        failure = case.find("failure")
        assert failure is not None
        assert told in failure.attrib["message"]


@pytest.mark.parametrize(
    ("rules", "score", "loss", "status"),
    [
        ("0.06", 0.80, 0.5, 0),
        ("0.04", 0.80, 0.5, 1),
        ("0.04", 0.95, 0.9, 0),  # without gates the first metric counts
        ("loss = 0.1", 0.10, 0.55, 0),  # less of it is better, and no other metric is asked for
        ("loss = 0.1", 0.90, 0.65, 1),
        ("loss = 0.1", 0.90, 0.10, 0),
        ("roc_auc = 5%", 0.82, 0.5, 0),  # 5 % of 0.85 is 0.0425
        ("roc_auc = 5%", 0.80, 0.5, 1),
        ("0.5\n    roc_auc = 0.01", 0.80, 0.5, 1),  # a metric's own rule counts
    ],
)
def test_rules_in_pytest_ini_allow_as_much_as_they_say(
    repository: Repository, rules: str, score: float, loss: float, status: int
) -> None:
    project = repository.project
    (project.root / "pytest.ini").write_text(f"[pytest]\ntraining_max_regression =\n    {rules}\n")
    result = project.run("-p", "no:xdist", f"--set=als.score={score}", f"--set=als.loss={loss}")
    assert result.ret == status, text(result)


def test_a_gate_tells_the_direction_where_the_name_does_not(repository: Repository) -> None:
    project = repository.project
    unknown = project.run("-p", "no:xdist", NOW, "--training-max-regression", "oddity=0.01")
    assert unknown.ret == 0
    assert "oddity: not judged: neither a gate nor the name says whether more is better" in text(unknown)
    for gate, score, status in ((">= 0.1", 0.7, 1), ("<= 0.99", 0.7, 0), ("<= 0.99", 0.95, 1)):
        project.job("als", JOB, top=f'GATES = {{"oddity": "{gate}"}}', parameters="score=0.9, loss=0.5")
        rule = ("--training-compare", "topic", "--training-max-regression", "oddity=0.01")
        result = project.run("-p", "no:xdist", f"--set=als.score={score}", *rule)
        assert result.ret == status, text(result)


def test_the_history_lists_runs_oldest_first_with_metric_duration_and_commit(repository: Repository) -> None:
    project = repository.project
    lines = [
        f"als  * PASSED  roc_auc 0.{score}* s * {commit[:10]}  {run}"
        for score, commit, run in (
            ("900", repository.commits[0], repository.runs[0]),
            ("850", repository.commits[1], repository.runs[1]),
        )
    ]
    for arguments in (("history",), ("history", "als")):
        result = project.ask(*arguments)
        assert result.ret == 0
        result.stdout.fnmatch_lines(["job  when *  status  metric *  duration  commit *  run", *lines])
