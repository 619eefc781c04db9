"""Sessions on a real pseudo-terminal: what a person sees while jobs run, and what stands there afterwards.

Each session takes a second of CPU or two; further ways of asking for the same are slow tests.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from sessions import Project, command
from terminal import Terminal
from watching import eventually

HIDDEN = b"\x1b[?25l"  # the live view hides the cursor while it is there
COLOUR = re.compile(rb"\x1b\[(?:\d+;)*(?:3[1-7]|9[0-7]|1|2)(?:;\d+)*m")
SLOW = pytest.mark.slow
WAITING = """
import pathlib, time
run.log(epoch=3, loss=0.25)
run.progress(1, 4)
while not pathlib.Path("go").exists():
    time.sleep(0.01)
return {"score": 0.5}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project where one job passes, one fails, and one waits for the file `go`."""
    project = Project(tmp_path)
    project.job("als", 'return {"score": 0.9}')
    project.job("broken", 'raise ValueError("no data")')
    project.job("waiting", WAITING)
    return project


def go(project: Project) -> None:
    (project.root / "go").touch()


def finished(terminal: Terminal) -> Counter[str]:
    """Return how often each job has a finished line."""
    lines = [re.match(r"(PASSED|FAILED|INTERRUPTED|SKIPPED) +(\w+) ", row) for row in terminal.all_rows()]
    return Counter(f"{line[1]} {line[2]}" for line in lines if line)


def normal(rows: list[str]) -> Counter[str]:
    """Return the letters of each row, without what differs from run to run: numbers, which job was faster, waiting."""
    rows = [
        re.sub(r", waited [\d.]+ s", "", row) for row in rows if not re.search(r"jobs waited| of training in ", row)
    ]
    return Counter("".join(sorted(re.sub(r"\s|[-\d.a-f]*\d[-\d.a-f]*", "", row))) for row in rows if row)


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "slot"), [("-n2", r"gw[01]"), pytest.param("-n0", "main", marks=SLOW)])
def test_the_live_view_shows_a_row_per_running_job_and_one_for_the_run(
    project: Project, workers: str, slot: str
) -> None:
    with Terminal(project.root, workers) as terminal:
        terminal.until_shown("1 done · 1 running · 0 waiting · 1 failed · done about ")
        terminal.until_shown(" MiB")
        terminal.until_shown("~")
        *above, job, run = terminal.rows()
        row = rf"{slot} +waiting +━━━━─{{10}} +25 %  epoch 3 · loss 0.250 +(\d+):(\d\d) +~(\d+):(\d\d) left +(\d+) MiB"
        found = re.fullmatch(row, job)
        assert found, job
        minutes, seconds, minutes_left, seconds_left, memory = map(int, found.groups())
        elapsed, left = 60 * minutes + seconds, 60 * minutes_left + seconds_left
        assert abs(left - 3 * elapsed) <= 4  # a quarter is done; both are rounded
        assert 1 < memory < 2_000
        assert re.search(r"done about \d\d:\d\d, \d+:\d\d left$", run), run
        assert sum("PASSED  als" in line for line in above) == 1
        assert sum("FAILED  broken" in line for line in above) == 1
        assert terminal.is_cursor_hidden
        go(project)
        assert terminal.end() == 1
        assert finished(terminal) == {"PASSED als": 1, "FAILED broken": 1, "PASSED waiting": 1}
        assert not [row for row in terminal.all_rows() if "running ·" in row or "MiB" in row]
        assert not terminal.is_cursor_hidden


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-n2"], marks=SLOW),
        pytest.param(["-n2", "-v"], marks=SLOW),
        pytest.param(["-n2", "-q"], marks=SLOW),
        pytest.param(["-n2", "-qq"], marks=SLOW),
        pytest.param(["-n0", "-v"], marks=SLOW),
        pytest.param(["-n0", "-q"], marks=SLOW),
        ["-n0", "-s", "--tb=short"],
        pytest.param(["-n2", "-s", "--tb=no", "--no-header", "--color=no"], marks=SLOW),
    ],
)
def test_at_the_end_all_stands_as_it_would_without_the_live_view(project: Project, arguments: list[str]) -> None:
    with Terminal(project.root, *arguments) as terminal:
        terminal.until(lambda: any("25 %" in row for row in terminal.rows()))
        go(project)
        assert terminal.end() == 1
        live = terminal.all_rows()
        assert HIDDEN in terminal.written
        assert not terminal.is_cursor_hidden
    with Terminal(project.root, *arguments, "--training-progress=off") as terminal:
        assert terminal.end() == 1
        assert HIDDEN not in terminal.written
        assert normal(live) == normal(terminal.all_rows())


@pytest.mark.parametrize(("arguments", "env"), [(["--color=no"], {}), pytest.param([], {"NO_COLOR": "1"}, marks=SLOW)])
def test_without_colour_the_live_view_has_none(project: Project, arguments: list[str], env: dict[str, str]) -> None:
    with Terminal(project.root, "-n0", *arguments, env=env) as terminal:
        terminal.until_shown("25 %")
        go(project)
        terminal.end()
        assert HIDDEN in terminal.written
        assert not COLOUR.search(terminal.written)


@pytest.mark.parametrize(
    ("arguments", "env", "shown"),
    [
        pytest.param([], {}, "live", marks=SLOW),
        pytest.param(["--training-progress=auto"], {}, "live", marks=SLOW),
        ([], {"CI": "true"}, "lines"),
        pytest.param(["--training-progress=live"], {"CI": "true"}, "live", marks=SLOW),
        pytest.param(["--training-progress=live"], {"TERM": "dumb"}, "lines", marks=SLOW),
        pytest.param(["--training-progress=lines"], {}, "lines", marks=SLOW),
        pytest.param(["--training-progress=off"], {}, "off", marks=SLOW),
        pytest.param(["-o", "training_progress=lines"], {}, "lines", marks=SLOW),
        pytest.param(["--training-in-process"], {}, "off", marks=SLOW),
    ],
)
def test_how_a_run_is_shown_is_chosen(project: Project, arguments: list[str], env: dict[str, str], shown: str) -> None:
    with Terminal(project.root, "-n0", *arguments, env=env) as terminal:
        if shown == "live":
            terminal.until_shown("25 %")
        go(project)
        terminal.end()
        assert (HIDDEN in terminal.written) == (shown == "live")
        assert any(row == "started waiting" for row in terminal.all_rows()) == (shown == "lines")


@pytest.mark.parametrize("arguments", [[], pytest.param(["--training-progress=live"], marks=SLOW)])
def test_in_a_pipe_there_are_plain_lines_without_colours(project: Project, arguments: list[str]) -> None:
    go(project)
    result = project.run("-n2", *arguments, env={"TERM": "xterm-256color"})
    assert "\x1b" not in result.stdout.str() + result.stderr.str()
    lines = [re.match(r"started +(\w+)|(?:PASSED|FAILED) +(\w+) .*\[.\d?/3\]$", line) for line in result.outlines]
    told = Counter(line[1] or line[2] for line in lines if line)
    assert told == {"als": 2, "broken": 2, "waiting": 2}


@pytest.mark.parametrize(
    ("workers", "how"),
    [
        ("-n2", "Ctrl-C"),
        pytest.param("-n2", "SIGTERM", marks=SLOW),
        pytest.param("-n0", "Ctrl-C", marks=SLOW),
        pytest.param("-n0", "SIGTERM", marks=SLOW),
    ],
)
def test_a_run_that_is_ended_leaves_the_terminal_as_it_was(project: Project, how: str, workers: str) -> None:
    with Terminal(project.root, workers) as terminal:
        terminal.until_shown("1 done · 1 running · 0 waiting · 1 failed")
        if how == "Ctrl-C":
            terminal.press_ctrl_c()
        else:
            terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == int(pytest.ExitCode.INTERRUPTED)
        assert not terminal.is_cursor_hidden
        assert not [row for row in terminal.all_rows() if "running ·" in row or "25 %" in row]
        assert [row for row in terminal.all_rows() if "3 jobs:" in row and "1 interrupted" in row]


@SLOW
def test_after_a_first_failure_with_x_the_view_goes_on_until_the_last_job_has_ended(project: Project) -> None:
    with Terminal(project.root, "-n3", "-x") as terminal:
        terminal.until_shown("FAILED  broken")
        go(project)
        assert terminal.end() == int(pytest.ExitCode.INTERRUPTED)
        assert finished(terminal)["FAILED broken"] == 1
        assert not terminal.is_cursor_hidden
        assert not [row for row in terminal.all_rows() if "running ·" in row]


@SLOW
def test_two_hundred_jobs_on_a_small_terminal_have_one_line_each(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.jobs(*(f"job{number}" for number in range(200)))
    with Terminal(project.root, "-n2", size=(60, 20)) as terminal:
        assert terminal.end() == 0
        assert HIDDEN in terminal.written
        assert finished(terminal) == {f"PASSED job{number}": 1 for number in range(200)}
        assert not [row for row in terminal.all_rows() if "running ·" in row]


def test_a_terminal_that_becomes_larger_and_lower_is_redrawn_right(project: Project) -> None:
    with Terminal(project.root, "-n0", size=(60, 12)) as terminal:
        terminal.until_shown("25 %")
        assert not [row for row in terminal.rows() if "MiB" in row]
        terminal.resize(120, 40)
        terminal.until_shown(" MiB")
        assert sum("25 %" in row for row in terminal.rows()) == 1
        terminal.resize(120, 10)
        terminal.until_shown("done about")
        go(project)
        assert terminal.end() == 1
        assert finished(terminal) == {"PASSED als": 1, "FAILED broken": 1, "PASSED waiting": 1}
        assert not [row for row in terminal.all_rows() if "running ·" in row]


@SLOW
def test_a_stderr_that_nobody_reads_any_more_hurts_nothing(project: Project) -> None:
    go(project)
    reader, writer = os.pipe()
    os.close(reader)
    with Terminal(project.root, "-n2", stderr=writer) as terminal:
        os.close(writer)
        assert terminal.end() == 1
        assert finished(terminal) == {"PASSED als": 1, "FAILED broken": 1, "PASSED waiting": 1}


@SLOW
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_in_tmux_the_view_is_right_after_the_window_became_narrower_and_wider_again(project: Project) -> None:
    def tmux(*arguments: str) -> str:
        ended = subprocess.run(
            ["tmux", "-L", project.root.name, *arguments], capture_output=True, encoding="utf-8", check=True
        )
        return ended.stdout

    def shown() -> list[str]:
        return [row for row in tmux("capture-pane", "-p", "-t", "run").splitlines() if row]

    def view(columns: int) -> list[str]:
        """Return the live view's lines once it has been drawn for that width, and nothing else is left of it."""
        eventually(lambda: len(seen := shown()) > 1 and "1 failed" in seen[-1] and _width_of_bar(seen[-2]) == columns)
        return [row for row in shown() if "25 %" in row or "running ·" in row]

    line = shlex.join(["env", "-u", "CI", *command("-n2")]) + "; echo ended; cat"
    tmux("-f", "/dev/null", "new-session", "-d", "-s", "run", "-x", "100", "-y", "30", "-c", str(project.root), line)
    try:
        for width, bar in ((100, 14), (60, 6), (110, 14)):
            tmux("resize-window", "-t", "run", "-x", str(width), "-y", "24")
            assert len(view(bar)) == 2, shown()
        go(project)
        eventually(lambda: shown()[-1] == "ended")
        assert tmux("display-message", "-p", "-t", "run", "#{cursor_flag}").strip() == "1"  # visible
        everything = tmux("capture-pane", "-p", "-S", "-", "-t", "run").splitlines()
    finally:
        tmux("kill-server")
    assert sum(row.startswith("PASSED  als") for row in everything) == 1
    assert sum(row.startswith("FAILED  broken") for row in everything) == 1
    assert sum(row.startswith("PASSED  waiting") for row in everything) == 1
    assert not [row for row in everything if "25 %" in row or "running ·" in row]


def _width_of_bar(row: str) -> int:
    return row.count("━") + row.count("─")
