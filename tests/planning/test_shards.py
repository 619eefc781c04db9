"""Shards of jobs for several machines: together they are all jobs, each once."""

from __future__ import annotations

import itertools

import pytest
from sessions import Project, text

from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import Job
from pytest_training.planning.shards import shard
from pytest_training.records.durations import JobDurations, Measured


def job(job_id: str, *needs: str) -> Job:
    return Job(id=job_id, kind="function", source="", home="", root="", needs=needs)


def known(**seconds: float) -> dict[str, JobDurations]:
    return {name: JobDurations(speed=1.0, measured=(Measured(seconds=each),)) for name, each in seconds.items()}


def ids(jobs: list[Job], durations: dict[str, JobDurations], count: int) -> list[list[str]]:
    return [[each.id for each in shard(jobs, durations, number, count)] for number in range(1, count + 1)]


def test_shards_take_about_as_long() -> None:
    jobs = [job(name) for name in "abcdef"]
    assert ids(jobs, known(a=1, b=2, c=9, d=4, e=3, f=1), 2) == [["a", "c"], ["b", "d", "e", "f"]]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_job_is_in_one_shard_with_all_that_it_needs(count: int) -> None:
    jobs = [job("a", "c"), job("b"), job("c"), job("d", "e", "gone"), job("e"), job("f")]
    shares = ids(jobs, known(a=5, d=2), count)
    assert sorted(itertools.chain(*shares)) == list("abcdef")
    assert all(share for share in shares)
    assert all(("a" in share) == ("c" in share) and ("d" in share) == ("e" in share) for share in shares)


def test_more_shards_than_groups_are_refused() -> None:
    with pytest.raises(DeclarationError, match="--training-shard 1/3: expected at most 2 shards of these jobs"):
        shard([job("a", "b"), job("b"), job("c")], {}, 1, 3)


def test_a_study_is_trained_whole_in_one_shard(pytester: pytest.Pytester) -> None:
    project = Project(pytester.path, pytester)
    project.jobs("als", "stroke")
    project.job("forest", 'return {"auc": trees / 10}', parameters="trees=1")
    project.write("training/jobs.yaml", "jobs: {forest: {matrix: {trees: [1, 2, 3]}}}\n")
    listed = [project.here("--collect-only", "-q", "--training-shard", f"{part}/2").outlines for part in (1, 2)]
    found = [[line for line in lines if "test_training_job[" in line] for lines in listed]
    assert sorted(map(len, found)) == [2, 4]
    (forest,) = (lines for lines in found if len(lines) == 4)
    assert all("[forest" in line for line in forest)
    for wrong in ("0/2", "3/2", "2", "a/b", "-1/2"):
        refused = project.here(f"--training-shard={wrong}")
        assert refused.ret == 4
        assert f"--training-shard: expected a part like 2/4, found '{wrong}'" in text(refused)
