"""What docs/cluster.md shows works as it stands there, with a Slurm of one node and a stand-in for Kubernetes."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from docs.test_commands import failures, shown
from sessions import Project, environment
from watching import eventually

from cluster.slurm.conftest import PAGE, page_settings
from cluster.slurm.one_node import Slurm

IN_THE_BACKGROUND = "dask "
"""A scheduler and a worker, which the last command uses."""
STAND_IN = """
from distributed import LocalCluster


def KubeCluster(*, name, image, n_workers, resources):
    assert resources["limits"]["cpu"] == "4"
    return LocalCluster(n_workers=1, threads_per_worker=4, host="127.0.0.1", dashboard_address=None)
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_command_of_the_page_runs(tmp_path: Path, slurm: Slurm) -> None:
    project = Project(tmp_path / "project")
    project.jobs("one", "two")
    for language, name in (("python", "clusters.py"), ("ini", "pytest.ini")):
        (block,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        project.write(name, block)
    project.write("dask_kubernetes/operator.py", STAND_IN)
    servers = []
    try:
        for command in shown(PAGE.read_text(encoding="utf-8")):
            if command.startswith(IN_THE_BACKGROUND):
                local = [*command.split(), "--host", "127.0.0.1", "--no-dashboard"]
                servers.append(subprocess.Popen(local, cwd=project.root, env=environment(), stderr=subprocess.DEVNULL))
                eventually((project.root / "scheduler.json").exists)
            else:
                assert failures([command], project.root) == []
    finally:
        for each in reversed(servers):
            each.terminate()
            each.wait()


def test_the_settings_of_the_page_are_those_of_dask_jobqueue() -> None:
    spec = importlib.util.find_spec("dask_jobqueue")
    assert spec is not None
    theirs = yaml.safe_load(Path(str(spec.origin)).with_name("jobqueue.yaml").read_text(encoding="utf-8"))
    assert yaml.safe_load(page_settings())["jobqueue"]["slurm"].keys() <= theirs["jobqueue"]["slurm"].keys()
