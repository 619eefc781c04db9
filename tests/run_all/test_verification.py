"""verify_run_all.py and demo_parallel_mode.py: they pass, and they fail when what they check fails."""

from __future__ import annotations

import re
import sys

import pytest

from .miniature import SIDE_BY_SIDE, Miniature, run


def verify(miniature: Miniature, test: str = "def test_it():\n    pass\n") -> tuple[int, str]:
    miniature.write("test_suite.py", test)
    ended = run([sys.executable, "verify_run_all.py", "--suite", "test_suite.py"], cwd=miniature.root)
    return ended.returncode, ended.stdout


def test_the_verification_passes(miniature: Miniature) -> None:
    code, told = verify(miniature)
    assert code == 0, told
    assert [line.split()[0] for line in told.splitlines()] == ["ok"] * 5


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_verification_fails_where_a_flag_is_not_obeyed(miniature: Miniature) -> None:
    command_line = miniature.root / "run_all_training.py"
    deaf = "    sys.argv = [word for word in sys.argv if word != '--dry-run']\n    sys.exit("
    command_line.write_text(command_line.read_text().replace("    sys.exit(main(", deaf + "main("))
    code, told = verify(miniature)
    assert code == 1
    assert [line.split()[0] for line in told.splitlines() if line.startswith(("ok ", "FAILED "))] == (
        ["ok", "ok", "FAILED", "FAILED", "FAILED"]
    )


def demonstrate(miniature: Miniature) -> tuple[int, str]:
    for job_id in ("als", "stroke", "diabetes"):
        if not (miniature.root / f"training/train_{job_id}.py").read_text().startswith("broken"):
            miniature.write(f"training/train_{job_id}.py", SIDE_BY_SIDE)
    command = [sys.executable, "demo_parallel_mode.py", "--jobs", "als", "stroke", "diabetes"]
    ended = run(command, cwd=miniature.root)
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.slow
def test_the_demonstrations_measure_the_speed_up(miniature: Miniature) -> None:
    code, told = demonstrate(miniature)
    assert code == 0, told
    assert re.findall(r"ideal ([0-9.]+) \((\d) rounds", told) == [("2.00", "1"), ("1.50", "2"), ("3.00", "1")]
    assert len(re.findall(r"speed-up +([0-9.]+)", told)) == 3


@pytest.mark.slow
def test_the_demonstrations_fail_with_a_job(miniature: Miniature) -> None:
    miniature.write("training/train_als.py", "broken(\n")
    code, told = demonstrate(miniature)
    assert code == 1
    assert "FAILED: als" in told


@pytest.mark.slow
def test_the_demonstrations_fail_where_parallel_is_not(miniature: Miniature) -> None:
    command_line = miniature.root / "run_all_training.py"
    sequential = "    sys.argv = [word for word in sys.argv if word != '--parallel']\n    sys.exit("
    command_line.write_text(command_line.read_text().replace("    sys.exit(", sequential))
    code, told = demonstrate(miniature)
    assert code == 1
    assert told.count("FAILED: jobs did not run as asked for") == 3
