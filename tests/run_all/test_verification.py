"""verify_run_all.py, test_run_all_training.py and demo_parallel_mode.py pass, and fail when what they check fails."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta

import pytest

from demo_parallel_mode import Training, speed_up

from .miniature import SIDE_BY_SIDE, Miniature, run

pytestmark = pytest.mark.slow


def verify(miniature: Miniature, test: str = "def test_it():\n    pass\n") -> tuple[int, str]:
    miniature.write("test_suite.py", test)
    ended = run([sys.executable, "verify_run_all.py", "--suite", "test_suite.py"], cwd=miniature.root)
    return ended.returncode, ended.stdout


def test_the_verification_passes(miniature: Miniature) -> None:
    code, told = verify(miniature)
    assert code == 0, told
    assert [line.split()[0] for line in told.splitlines()] == ["ok"] * 5


def test_the_verification_fails_with_the_suite(miniature: Miniature) -> None:
    code, told = verify(miniature, "def test_it():\n    assert False\n")
    assert code == 1
    assert told.startswith("FAILED the suite passes\n")
    assert told.count("ok ") == 4


def test_the_verification_fails_with_the_command_line(miniature: Miniature) -> None:
    miniature.write("training/jobs.yaml", "jobs: {nobody: {}}\n")
    code, told = verify(miniature)
    assert code == 1
    assert told.startswith("FAILED the list names jobs\n")
    assert "training/jobs.yaml:1: jobs.nobody: no such job" in told


def test_the_verification_fails_where_a_flag_is_not_obeyed(miniature: Miniature) -> None:
    command_line = miniature.root / "run_all_training.py"
    deaf = "    sys.argv = [word for word in sys.argv if word != '--dry-run']\n    sys.exit("
    command_line.write_text(command_line.read_text().replace("    sys.exit(main(", deaf + "main("))
    code, told = verify(miniature)
    assert code == 1
    assert [line.split()[0] for line in told.splitlines() if line.startswith(("ok ", "FAILED "))] == (
        ["ok", "ok", "FAILED", "FAILED", "FAILED"]
    )


@pytest.mark.parametrize("command", [["test_run_all_training.py"], ["-m", "pytest", "test_run_all_training.py"]])
def test_the_four_tests_pass_by_themselves_and_with_pytest(miniature: Miniature, command: list[str]) -> None:
    ended = run([sys.executable, *command], cwd=miniature.root)
    assert ended.returncode == 0, ended.stdout
    assert "4 passed" in ended.stdout
    assert not (miniature.root / "reports").exists()


def test_the_four_tests_fail_with_the_command_line(miniature: Miniature) -> None:
    miniature.write("training/jobs.yaml", "jobs: {nobody: {}}\n")
    ended = run([sys.executable, "test_run_all_training.py"], cwd=miniature.root)
    assert ended.returncode == 1
    assert "4 failed" in ended.stdout
    assert "training/jobs.yaml:1: jobs.nobody: no such job" in ended.stdout


def demonstrate(miniature: Miniature) -> tuple[int, str]:
    for job_id in ("als", "stroke", "diabetes"):
        if not (miniature.root / f"training/train_{job_id}.py").read_text().startswith("broken"):
            miniature.write(f"training/train_{job_id}.py", SIDE_BY_SIDE)
    command = [sys.executable, "demo_parallel_mode.py", "--jobs", "als", "stroke", "diabetes"]
    ended = run(command, cwd=miniature.root)
    return ended.returncode, ended.stdout + ended.stderr


def training(*spans: tuple[float, float]) -> Training:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    moments = {str(n): (begin + timedelta(seconds=a), begin + timedelta(seconds=b)) for n, (a, b) in enumerate(spans)}
    return Training(moments, ())


@pytest.mark.parametrize(
    ("together", "expected"),
    [
        ([(0, 2), (0, 2), (2, 4), (2, 4)], (2.0, 2.0)),
        ([(0, 3), (0, 3), (3, 6), (3, 6)], (8 / 6, 2.0)),  # beside each other jobs are slower
        ([(0, 1), (0, 1), (1, 2), (1, 2)], (4.0, 4.0)),  # faster than alone: caches were cold, or the machine busy
        ([(0, 2), (0, 5), (2, 4), (4, 6)], (8 / 6, 2.0)),
    ],
)
def test_no_speed_up_is_above_its_ideal(together: list[tuple[float, float]], expected: tuple[float, float]) -> None:
    alone = training((0, 2), (2, 4), (4, 6), (6, 8))
    gained, ideal = speed_up(alone, training(*together), ["0", "1", "2", "3"], 2)
    assert (gained, ideal) == pytest.approx(expected)
    assert gained <= ideal


def test_the_demonstrations_measure_the_speed_up(miniature: Miniature) -> None:
    code, told = demonstrate(miniature)
    assert code == 0, told
    measured = re.findall(r"speed-up +([0-9.]+), ideal ([0-9.]+)\n", told)
    assert len(measured) == 3
    assert all(0 < float(gained) <= float(ideal) for gained, ideal in measured)


def test_the_demonstrations_fail_with_a_job(miniature: Miniature) -> None:
    miniature.write("training/train_als.py", "broken(\n")
    code, told = demonstrate(miniature)
    assert code == 1
    assert "FAILED: als" in told


def test_the_demonstrations_fail_where_parallel_is_not(miniature: Miniature) -> None:
    command_line = miniature.root / "run_all_training.py"
    sequential = "    sys.argv = [word for word in sys.argv if word != '--parallel']\n    sys.exit("
    command_line.write_text(command_line.read_text().replace("    sys.exit(", sequential))
    code, told = demonstrate(miniature)
    assert code == 1
    assert told.count("FAILED: jobs did not run as asked for") == 3
