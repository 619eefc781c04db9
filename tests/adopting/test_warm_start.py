"""Scripts in forks of the job server: what they compute there is what they compute in an interpreter of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_training.jobs.loading import load_jobs

from .repository import Repository

pytestmark = pytest.mark.slow

MODEL = """
import argparse, atexit, json, os, pathlib, random, sys, threading
import numpy as np
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

parser = argparse.ArgumentParser()
parser.add_argument("--output-dir", default="out")
folder = pathlib.Path(parser.parse_args().output_dir)

class Model(LogisticRegression):
    pass

def main():
    x, y = make_classification(random_state=0)
    scores = cross_val_score(Model(), x, y)
    np.random.seed(3)
    metrics = {"accuracy": float(scores.mean()), "drawn": float(np.random.rand())}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    atexit.register(print, "at exit")
    threading.Timer(0.2, print, ["from a thread"]).start()
    names = [name for name in sys.modules if name.startswith("pytest")]
    print(__name__, Model.__module__, sys.argv[1:2], os.getcwd(), sys.path[0], os.environ["OMP_NUM_THREADS"])
    print(sys.modules["__main__"].Model is Model, __file__, "__spec__" in globals() and __spec__ is None)
    sys.stderr.write(f"{hash('a')}\\n")
    open(folder / "unseeded.txt", "w").write(repr((random.random(), np.random.RandomState().rand())))
    open(folder / "global.txt", "w").write(repr(GLOBAL))

GLOBAL = np.random.rand()
if __name__ == "__main__":
    main()
"""
PRINTS = """
import atexit, os, sys
import numpy as np
import shown
accuracy = np.mean(np.array([1, 1, 0, 1]) == np.ones(4))
print(accuracy, 4)
shown.show(0.5)
if os.fork() == 0:
    sys.exit(0)  # a copy leaves no notes of its own
os.wait()
atexit.register(print, "at exit")
"""
FRESH = {
    "reads sys.executable": "import sys\nprint(sys.executable)\n",
    "sets OMP_NUM_THREADS": "import os\nos.environ['OMP_NUM_THREADS'] = '2'\nimport numpy\n",
    "sets MY_SWITCH before an import": "import os\nos.environ.setdefault('MY_SWITCH', '2')\nimport numpy\n",
    "starts processes by spawn": "import multiprocessing as mp\nmp.set_start_method('spawn')\n",
    "starts processes by forkserver": "import multiprocessing as mp\nmp.get_context(method='forkserver')\n",
    "calls os.execv": "import os\nif 0: os.execv('a', [])\n",
}


def write_both(repository: Repository, text: str) -> None:
    repository.write("models/train_warm.py", text)
    repository.write("models/train_cold.py", text)
    repository.write("jobs.yaml", "jobs:\n  cold: {fresh: true}\n")


def train_both(repository: Repository, *arguments: str) -> dict[str, dict[str, object]]:
    ended = repository.pytest("--training-root", str(repository.root), "-k", "warm or cold", *arguments)
    assert ended.returncode in (0, 1), ended.stdout + ended.stderr
    return repository.outcomes()


def test_results_are_equal(repository: Repository) -> None:
    write_both(repository, MODEL)
    found = train_both(repository)
    assert found["warm"]["status"] == found["cold"]["status"] == "passed", found
    assert found["warm"]["metrics"] == found["cold"]["metrics"]
    assert len(found["warm"]["metrics"]) == 2  # type: ignore[arg-type]  # a dict
    warm, cold = (repository.log(job_id).replace("train_cold", "train_warm") for job_id in ("warm", "cold"))
    assert warm == cold
    assert "at exit" in warm
    assert "from a thread" in warm


def test_numbers_have_the_names_of_their_prints_in_both(repository: Repository) -> None:
    write_both(repository, PRINTS)
    repository.write("models/shown.py", "def show(loss):\n    print(loss)\n")
    found = train_both(repository)
    assert found["warm"]["metrics"] == found["cold"]["metrics"] == {"accuracy": 0.75, "loss": 0.5}, found
    places = [found[job_id]["sources"]["loss"].rpartition("/")[2] for job_id in ("warm", "cold")]  # type: ignore[index]  # a dict
    assert places == ["shown.py line 2"] * 2
    assert repository.log("warm") == repository.log("cold") == "0.75 4\n0.5\nat exit\n"


def test_unseeded_numbers_differ_from_fork_to_fork(repository: Repository) -> None:
    for name in ("one", "two"):
        repository.write(f"models/train_{name}.py", MODEL)
    ended = repository.pytest("--training-root", str(repository.root), "-k", "one or two")
    assert ended.returncode == 0, ended.stdout
    drawn = [path.read_text() for path in repository.user.glob("reports/runs/*/jobs/*/attempt-1/artifacts/global.txt")]
    assert len(set(drawn)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "import sys\nprint('so far')\nsys.exit(3)\n",
        "import sys\nsys.exit('no data')\n",
        "def f():\n    raise ValueError('wrong')\nf()\n",
        "import os\nprint('a', flush=True)\nos._exit(4)\n",
        "raise SystemExit\n",
        "import sys\nsys.exit(256)\n",
    ],
)
def test_an_end_is_the_same_end(repository: Repository, text: str) -> None:
    write_both(repository, text)
    found = train_both(repository)
    assert [found["warm"][key] for key in ("status", "cause", "reason")] == [
        found["cold"][key] for key in ("status", "cause", "reason")
    ]
    assert repository.log("warm") == repository.log("cold").replace("train_cold", "train_warm")


def test_the_imports_are_loaded_once(repository: Repository) -> None:
    write_both(
        repository,
        "import sys\nprint('pytest_training.execution.backends.fork_server.server' in sys.modules)\nimport numpy\n",
    )
    train_both(repository)
    assert (repository.log("warm"), repository.log("cold")) == ("True\n", "False\n")


def test_a_module_that_several_scripts_import_is_imported_once_in_all(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "counted.py").write_text(f"open({str(tmp_path / 'count')!r}, 'a').write('imported\\n')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in ("one", "two", "three"):
        repository.write(f"models/train_{name}.py", "import counted\nprint(counted.__name__)\n")
    ended = repository.pytest("--training-root", str(repository.root), "-k", "one or two or three", "-n", "2")
    assert ended.returncode == 0, ended.stdout
    assert (tmp_path / "count").read_text() == "imported\n"


def test_a_local_module_that_bears_a_loaded_name_is_imported(repository: Repository) -> None:
    repository.write("models/selectors.py", "MINE = True\n")
    write_both(repository, "import selectors\nprint(selectors.MINE)\n")
    train_both(repository)
    assert repository.log("warm") == repository.log("cold") == "True\n"


@pytest.mark.parametrize("reason", FRESH)
def test_a_script_that_would_notice_gets_an_interpreter_of_its_own(repository: Repository, reason: str) -> None:
    repository.write("models/train_x.py", FRESH[reason])
    jobs = {job.id: job for job in load_jobs(repository.root, repository.root)[0]}
    assert (jobs["x"].fresh or "").endswith(f": {reason}")
    assert jobs["plain"].fresh is None


def test_so_does_one_whose_local_module_would(repository: Repository) -> None:
    repository.write("models/helper.py", FRESH["reads sys.executable"])
    repository.write("models/train_x.py", "import helper\n")
    jobs = {job.id: job for job in load_jobs(repository.root, repository.root)[0]}
    assert jobs["x"].fresh == "models/helper.py:2: reads sys.executable"


def test_variables_that_no_library_reads_may_be_set_after_the_imports(repository: Repository) -> None:
    repository.write("models/train_x.py", "import os\nimport numpy\nos.environ['MINE'] = '1'\n")
    jobs = {job.id: job for job in load_jobs(repository.root, repository.root)[0]}
    assert jobs["x"].fresh is None


def test_multiprocessing_by_fork_works_in_a_fork(repository: Repository) -> None:
    write_both(
        repository,
        """
        from concurrent.futures import ProcessPoolExecutor
        import multiprocessing
        import numpy

        def double(number):
            return 2 * number

        if __name__ == "__main__":
            with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
                print(list(pool.map(double, [1, 2, 3])))
        """,
    )
    train_both(repository)
    assert repository.log("warm") == repository.log("cold") == "[2, 4, 6]\n"
