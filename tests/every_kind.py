"""A project whose jobs come to every kind of outcome, for tests of what the reports say of each."""

from __future__ import annotations

from sessions import Project

REASONS = {
    "good": ("passed", ""),
    "retried": ("passed", ""),
    "weak": ("failed", "roc_auc is 0.5, required >= 0.7"),
    "broken": ("failed", "raised ValueError: no | data second <line>"),
    "crash": ("failed", "was killed by SIGSEGV after "),
    "killer": ("failed", "worker died: the pytest process gw"),
    "optional": ("failed", "raised ValueError: as so often"),
    "needy": ("not run", "needs broken, which did not pass in this run"),
    "left": ("skipped", "unconditional skip"),
}
"""Status and the beginning of the reason of each job, but for `same`."""
WORKER_WRITES_ITS_PID = """
import os, pathlib, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if "[killer]" in item.name:
        pathlib.Path("worker.pid").write_text(str(os.getpid()))
    if "[left]" in item.name:
        pytest.skip("unconditional skip")
"""
CATALOGUE = """
jobs:
  optional: {optional: true}
  retried: {retries: 1}
  needy: {needs: [broken]}
  same: {data: [panel]}
data:
  panel: {path: panel.csv, real: true, license: CC BY 4.0, citation: Doe 2020}
"""


def make(project: Project) -> None:
    """Write the jobs."""
    project.write("conftest.py", WORKER_WRITES_ITS_PID)
    project.write("training/jobs.yaml", CATALOGUE)
    project.write("training/panel.csv", "age,ill\n50,1\n")
    gate = 'GATES = {"roc_auc": ">= 0.7"}'
    good = 'run.log(epoch=1, loss=1.0)\nreturn {"roc_auc": 0.8, "roc_auc_low": 0.7, "roc_auc_high": 0.9}'
    project.job("good", good, top=gate, parameters="epochs=3")
    project.job("weak", 'return {"roc_auc": 0.5}', top=gate)
    project.job("broken", 'print("so near"); raise ValueError("no | data\\nsecond <line>")')
    project.job("crash", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    project.job("optional", 'raise ValueError("as so often")')
    project.job("retried", 'assert run.folder.parent.name != "attempt-1"\nreturn {"score": 1.0}')
    project.jobs("needy", "left")
    project.job("same", 'run.data("panel"); return {"score": 1.0}')
    kill = "os.kill(int(pathlib.Path('worker.pid').read_text()), signal.SIGKILL)\nrun.folder.joinpath('x').touch()"
    project.job("killer", f"{kill}\nsignal.pause()", top="import os, pathlib, signal")
