"""What the nodes of a queue listen on, and where their keys are."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sessions import WAIT, Project
from watching import eventually, processes_with

from cluster.listening import assert_private, processes
from cluster.slurm.one_node import Slurm

TOP = f'{WAIT}\nfrom pathlib import Path\nnote = Path(__file__).with_name("began")\n'
UNTIL = 'note.write_text("")\nwait_for(note.with_name("go"))\nreturn {"score": 1.0}'


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("slurm")
def test_what_starts_in_a_queue_is_private_and_leaves_no_key(
    tmp_path: Path, daemons: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scheduler listens on every interface, as the nodes must reach it."""
    assert daemons.queue() == []
    project = Project(tmp_path / "project")
    project.job("stays", UNTIL, top=TOP)
    mark = f"QUEUE_OF={tmp_path}."
    monkeypatch.setenv(*mark.split("=", 1))
    with project.start("--training-cluster", "slurm") as session:
        eventually((project.root / "training/began").exists)
        assert_private(processes(processes_with(mark)))
        (folder,) = project.reports.glob(".cluster-*")
        modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert (stat.S_IMODE(folder.stat().st_mode), modes) == (0o700, {0o600})
        (project.root / "training/go").touch()
    assert session.returncode == 0, project.said
    assert [*project.reports.glob(".cluster-*")] == []
    assert "Exception ignored" not in project.said
