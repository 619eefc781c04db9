"""What a job imports and which datasets it names, local modules followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_training.jobs.source.sources import LARGEST_FOLLOWED

from .project import Project

TRAIN = "def train(run):\n    pass\n"


def test_installed_modules_are_named_and_the_standard_library_is_not(project: Project) -> None:
    job = project.job(
        "from __future__ import annotations\nimport os, json.decoder\nimport numpy as np\n"
        "import scipy.stats\nfrom sklearn import svm\nfrom pandas import *\n" + TRAIN
    )
    assert job.imports == ("numpy", "scipy.stats", "sklearn", "sklearn.svm", "pandas")


def test_only_what_runs_on_import_counts(project: Project) -> None:
    job = project.job(
        """
        from typing import TYPE_CHECKING
        import typing
        if TYPE_CHECKING:
            import a1
        else:
            import b1
        if typing.TYPE_CHECKING:
            import a2
        try:
            import b2
        except ImportError:
            import b3
        finally:
            with open("x"):
                import b4
        if __name__ == "__main__":
            import a3
        def train(run):
            import a4
        class C:
            def f(self):
                import a5
        """
    )
    assert job.imports == ("b1", "b2", "b3", "b4")


def test_local_modules_are_followed_wherever_the_job_finds_them(project: Project) -> None:
    project.write("training/deep/beside.py", "import m1\n")
    project.write("training/cohorts/als.py", "import m2\nfrom . import shared\nfrom .shared import x\n")
    project.write("training/cohorts/shared.py", "import m3\nfrom ..top import y\n")
    project.write("training/top.py", "import m4\n")
    project.write("tools/__init__.py", "import m5\n")
    project.write("tools/kit.py", "import m6\n")
    project.write("src/package/__init__.py", "import m7\n")
    project.write(
        "training/deep/train_x.py",
        f"import beside, tools.kit\nfrom cohorts import als\nimport package\n{TRAIN}",
    )
    assert set(project.jobs()["x"].imports) == {f"m{number}" for number in range(1, 8)}


ADDED = {
    "a name and a part": "ROOT = Path(__file__).resolve().parent.parent\nsys.path.insert(0, str(ROOT / 'lib'))",
    "parents": "sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'lib'))",
    "os.path": "sys.path.append(os.path.join(os.path.dirname(__file__), '..', 'lib'))",
    "relative": "sys.path.insert(0, 'lib')",
    "a name of a name": "ROOT = Path(__file__).parent.parent\nLIB = ROOT / 'lib'\nsys.path += [str(LIB)]",
    "a second one": "HERE = 'lib'\nsys.path.append(HERE + '/no')\nsys.path.append(HERE)",
    "a loop": "for each in ('no', 'lib'):\n    sys.path.append(each)",
    "a slice": "sys.path[:0] = ['lib']",
    "site": "site.addsitedir('lib')",
    "inside": "def main():\n    sys.path.append('lib')\n    import kit",
}


@pytest.mark.parametrize("case", ADDED)
def test_modules_in_folders_that_a_job_adds_to_the_search_path_are_its_files(case: str, project: Project) -> None:
    kit = project.write("lib/kit.py", "import beside\n")
    beside = project.write("lib/beside.py", "")
    job = project.job(f"import os, pathlib, site, sys\nfrom pathlib import Path\n{ADDED[case]}\nimport kit\n{TRAIN}")
    assert {Path(each).resolve() for each in job.files[1:]} == {kit, beside}
    assert job.imports == ()


def test_a_folder_of_another_project_is_no_local_one(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "kit.py").write_text("def train(run):\n    run.data('theirs')\n")
    for folder in (str(other), os.path.relpath(other, project.root), os.path.relpath(other, project.training)):
        job = project.job(f"import sys\nsys.path.insert(0, {folder!r})\nimport kit\n{TRAIN}")
        assert (len(job.files), job.imports, job.data) == (1, ("kit",), ())


def test_a_module_in_a_folder_above_is_found_where_the_job_adds_that(project: Project) -> None:
    kit = project.write("training/kit.py", "")
    path = project.write("training/deep/train_x.py", f"import sys\nsys.path.append('..')\nimport kit\n{TRAIN}")
    assert project.jobs()["x"].files == (str(path), str(kit))


@pytest.mark.parametrize("place", ["own", "site-packages"])
def test_a_module_on_the_search_path_is_a_file_unless_it_is_installed(
    place: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = project.write(f"{place}/kit.py", "import m1\n")
    monkeypatch.syspath_prepend(str(kit.parent))
    job = project.job(f"import kit\n{TRAIN}")
    is_followed = str(kit) in job.files
    assert (is_followed, job.imports) == ((True, ("kit", "m1")) if place == "own" else (False, ("kit",)))


def test_a_module_beside_the_job_is_local_though_a_folder_around_it_is_on_the_search_path(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(project.training / "deep"))
    kit = project.write("training/deep/own/kit.py")
    path = project.write("training/deep/own/train_x.py", f"import kit\n{TRAIN}")
    job = project.jobs()["x"]
    assert (job.files, job.imports) == ((str(path), str(kit)), ())


def test_a_module_that_is_imported_by_its_name_as_text_is_followed(project: Project) -> None:
    kit = project.write("training/kit.py", "")
    job = project.job(f"import importlib\nMODEL = 'kit'\n{TRAIN}    importlib.import_module(MODEL)\n")
    assert str(kit) in job.files


def test_modules_that_import_each_other_end(project: Project) -> None:
    project.write("training/a.py", "import b, m1\n")
    project.write("training/b.py", "import a, m2\n")
    assert project.job(f"import a\n{TRAIN}").imports == ("m1", "m2")


def test_a_folder_without_modules_hides_no_installed_package(project: Project) -> None:
    project.write("wandb/run-1/files/output.log")
    assert project.job(f"import wandb\n{TRAIN}").imports == ("wandb",)


def test_a_relative_import_above_the_file_system_is_ignored(project: Project) -> None:
    assert project.job(f"from {'.' * 60} import x\n{TRAIN}").imports == ()


def test_a_local_module_that_cannot_be_read_is_left_to_python(project: Project) -> None:
    project.write("training/broken.py", "def (\n")
    job = project.job(f"import broken, numpy\n{TRAIN}")
    assert (job.imports, job.problem) == (("numpy",), None)


def test_datasets_are_found_in_the_job_and_in_what_it_imports(project: Project) -> None:
    project.write("training/cohorts/als.py", "def load(run):\n    return run.data('als_cohort')\n")
    project.write("training/later.py", "def f(self):\n    self.run.dataset('later')\n")
    job = project.job(
        """
        from cohorts import als
        NAME = "named"
        def train(run):
            "run.data('in a text')"
            import later
            run.data("own")  # run.data("in a comment")
            run.data(NAME)
            run.data(unknown)
            run.data()
            other.data("no")
            run.database("no")
        """
    )
    assert job.data == ("own", "named", "als_cohort", "later")


def test_a_huge_repository_is_followed_only_so_far(project: Project) -> None:
    for number in range(LARGEST_FOLLOWED + 50):
        project.write(f"training/package/m{number}.py", f"import package.m{number + 1}\nimport installed{number}\n")
    imports = project.job(f"import package.m0\n{TRAIN}").imports
    assert f"installed{LARGEST_FOLLOWED - 1}" in imports
    assert f"installed{LARGEST_FOLLOWED}" not in imports
