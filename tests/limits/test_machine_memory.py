"""Tests of limits/tree.py: what is left in containers of both kinds, and whether the kernel has killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_training.limits.tree import available_mb, oom_kills

MB = 2**20
GROUPS = {"v2": "0::/user/job\n", "v1": "4:memory:/user/job\n0::/\n", "none": "0::/\n"}
FOLDERS = {"v2": "sys/fs/cgroup/user", "v1": "sys/fs/cgroup/memory/user"}


def system(root: Path, groups: str, files: dict[str, str], *, free_kb: int = 8_000_000) -> Path:
    """Make a root folder as a system with these control groups has it; the files are those of the outer group."""
    for path, text in {
        "proc/self/cgroup": GROUPS[groups],
        "proc/meminfo": f"MemTotal:       16000000 kB\nMemAvailable:   {free_kb} kB\n",
        "proc/vmstat": "pgfault 9\noom_kill 3\n",
        **{f"{FOLDERS.get(groups, 'none')}/{name}": text for name, text in files.items()},
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("none", {}, 7812.5),
        ("v2", {"memory.max": f"{900 * MB}\n", "memory.current": f"{800 * MB}\n"}, 100),
        (
            "v2",
            {
                "memory.max": f"{900 * MB}\n",
                "memory.current": f"{800 * MB}\n",
                "memory.stat": f"anon 7\nactive_file 5\ninactive_file {50 * MB}\n",
            },
            150,
        ),
        ("v2", {"memory.max": "max\n", "memory.current": f"{800 * MB}\n"}, 7812.5),
        ("v2", {"memory.max": f"{900 * MB}\n", "memory.current": f"{950 * MB}\n"}, 0),
        ("v1", {"memory.limit_in_bytes": f"{900 * MB}\n", "memory.usage_in_bytes": f"{800 * MB}\n"}, 100),
        ("v1", {"memory.limit_in_bytes": "9223372036854771712\n", "memory.usage_in_bytes": f"{800 * MB}\n"}, 7812.5),
    ],
)
def test_the_least_of_the_machine_and_its_containers_is_left(
    tmp_path: Path, groups: str, files: dict[str, str], expected: float
) -> None:
    assert available_mb(system(tmp_path, groups, files)) == expected


def test_a_system_that_says_nothing_has_nothing_known(tmp_path: Path) -> None:
    assert available_mb(tmp_path) is None
    assert oom_kills(tmp_path) == 0


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("none", {}, 3),
        ("v2", {"memory.events": "low 0\noom 2\noom_kill 7\noom_group_kill 1\n"}, 7),
        ("v1", {"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 8\n"}, 8),
    ],
)
def test_kills_are_counted_in_the_container_else_on_the_machine(
    tmp_path: Path, groups: str, files: dict[str, str], expected: int
) -> None:
    assert oom_kills(system(tmp_path, groups, files)) == expected
