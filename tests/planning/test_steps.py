"""Each step of the plan alone: from one draft to the next."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from jobs.project import Project, message
from made_runs import make_run
from msgspec.structs import replace

from pytest_training.planning.steps import (
    PLAN,
    Draft,
    Request,
    advance,
    compare,
    fingerprint,
    load,
    note_unreached,
    order,
    resume,
    searches,
    select,
    set_parameters,
    shard,
    smoke,
    studies,
    twins,
)
from pytest_training.records.run_record import BegunRun


@pytest.fixture
def draft(project: Project) -> Draft:
    """Return the draft of a project with three jobs, before the first step."""
    project.function("a", "epochs=1")
    project.function("b", "epochs=2, rate=0.5")
    project.write("training/train_c.py", "import argparse\nargparse.ArgumentParser().add_argument('x')\n")
    project.write("training/jobs.yaml", "jobs:\n  a: {timeout: 5s, expected: 1s}\n  b: {expected: 9s}\n")
    return Draft(request=request(project.root))


def request(root: Path) -> Request:
    return Request(project=root, root=root / "training", reports=root / "reports")


def asking(draft: Draft, **what: object) -> Draft:
    """Return the draft with these fields of its request."""
    return replace(draft, request=replace(draft.request, **what))


def ids(draft: Draft) -> list[str]:
    return [job.id for job in draft.jobs]


def prepared(draft: Draft) -> Draft:
    return set_parameters(load(draft))


def test_the_plan_is_made_in_thirteen_steps() -> None:
    prepare = (load, resume, smoke, studies, set_parameters, twins, shard)
    assert (*prepare, select, searches, note_unreached, order, fingerprint, compare) == PLAN


def test_load_reads_jobs_and_datasets(draft: Draft, project: Project) -> None:
    project.write("training/jobs.yaml", "data:\n  cohort: {path: cohort.csv}\n")
    loaded = load(draft)
    assert ids(loaded) == ["a", "b", "c"]
    assert [dataset.name for dataset in loaded.datasets] == ["cohort"]


def test_resume_without_a_run_to_resume_changes_nothing(draft: Draft) -> None:
    loaded = load(draft)
    assert resume(loaded) == loaded


def test_nothing_to_train_is_a_mistake(draft: Draft) -> None:
    assert message(lambda: resume(draft)) == (
        f"no training jobs: expected files like train_als.py in {draft.request.root}"
    )


def test_resume_takes_jobs_seed_and_run_of_the_earlier_run(draft: Draft, project: Project) -> None:
    make_run(project.root / "reports", jobs=2)
    project.function("job0000", "epochs=1")
    project.function("job0001", "epochs=1")
    resumed = resume(asking(load(draft), resume="last", seed=9))
    assert ids(resumed) == ["job0000", "job0001"]
    assert resumed.request.seed == 0
    assert resumed.earlier is not None
    assert resumed.earlier.is_done("job0000")
    assert not resumed.earlier.is_done("job0001")
    folder = resumed.earlier.folder
    assert list(resumed.earlier.chain) == [folder.run_id]
    begun = BegunRun(run_id=folder.run_id, started="", pid=1, pid_started=0.0, resumed=("r2", "r1"))
    folder.begun.write_bytes(msgspec.json.encode(begun))
    assert list(resumed.earlier.chain) == [folder.run_id, "r2", "r1"]


def test_set_parameters_gives_values_and_limits_to_the_jobs_that_have_none(draft: Draft) -> None:
    asked = asking(load(draft), epochs=7, settings=("b.rate=1",), default_limits={"timeout": 60.0, "memory": 100.0})
    a, b, c = set_parameters(asked).jobs
    assert (a.parameters, b.parameters) == ({"epochs": 7}, {"epochs": 7, "rate": 1.0})
    assert a.limits == {"timeout": 5.0, "memory": 100.0}
    assert b.limits == {"timeout": 60.0, "memory": 100.0}
    assert "needs a value for x" in str(c.problem)


@pytest.mark.parametrize("setting", ["a.epochs=7", "*.epochs=7", "[ab].epochs=7"])
def test_a_secret_is_refused_on_the_command_line_before_any_job_is_left_out(
    draft: Draft, project: Project, setting: str
) -> None:
    project.write("training/jobs.yaml", "jobs: {a: {secret: {epochs: MY_EPOCHS}}}\n")
    assert message(lambda: load(asking(draft, settings=(setting,)))) == (
        f"--set {setting.partition('=')[0]}: a takes epochs from the environment variable MY_EPOCHS: set that instead"
    )
    load(asking(draft, settings=("b.epochs=7",)))


def test_select_keeps_the_selected_jobs_in_the_order_of_the_selection(draft: Draft) -> None:
    loaded = load(draft)
    assert ids(select(loaded)) == ["a", "b", "c"]
    assert ids(select(replace(loaded, selected=("c", "a")))) == ["c", "a"]


def test_order_puts_the_longest_first_and_shares_out_the_cores(draft: Draft) -> None:
    ordered = order(replace(prepared(asking(draft, seed=4)), workers=10_000))
    assert [planned.job.id for planned in ordered.plan.jobs] == ["c", "b", "a"]
    assert (ordered.plan.seed, ordered.plan.workers, ordered.plan.threads) == (4, 10_000, 1)


def test_a_job_that_lacks_a_value_has_a_problem(draft: Draft, project: Project) -> None:
    project.function("a", "cohort")
    problems = {planned.job.id: planned.job.problem for planned in order(prepared(draft)).plan.jobs}
    assert "a needs a value for cohort" in (problems["a"] or "")
    assert [job_id for job_id in problems if problems[job_id]] == ["a", "c"]


def test_fingerprint_notes_what_decides_the_metrics_unless_nothing_trains(draft: Draft, project: Project) -> None:
    ordered = order(prepared(draft))
    first = {planned.job.id: planned.fingerprint for planned in fingerprint(ordered).plan.jobs}
    assert all(first.values())
    project.function("a", "epochs=3")
    second = {planned.job.id: planned.fingerprint for planned in fingerprint(ordered).plan.jobs}
    assert [job_id for job_id in first if first[job_id] != second[job_id]] == ["a"]
    dry = replace(ordered, is_dry=True)
    assert fingerprint(dry) == dry


def test_the_fingerprint_of_a_script_contains_its_raw_arguments(draft: Draft, project: Project) -> None:
    def fingerprints(arguments: str) -> dict[str, str]:
        project.write("training/jobs.yaml", f"jobs:\n  c: {{arguments: [{arguments}]}}\n")
        return {planned.job.id: planned.fingerprint for planned in fingerprint(order(prepared(draft))).plan.jobs}

    slow, fast = fingerprints("--slow"), fingerprints("--fast")
    assert [job_id for job_id in slow if slow[job_id] != fast[job_id]] == ["c"]


def test_compare_adds_the_gates_of_the_run_that_is_compared(draft: Draft, project: Project) -> None:
    make_run(project.root / "reports", jobs=2)
    project.function("job0000", "epochs=1")
    project.function("job0001", "epochs=1")
    ordered = order(select(replace(load(draft), selected=("job0000", "job0001"))))
    assert compare(ordered) == ordered
    compared = compare(asking(ordered, max_regression=("roc_auc=0.1",)))
    gates = {planned.job.id: [gate.metric for gate in planned.job.gates] for planned in compared.plan.jobs}
    assert gates == {"job0000": ["roc_auc"], "job0001": []}
    assert compared.problems == (
        "no regression is judged without a passed outcome from the last run of each job: job0001",
    )


def test_a_run_that_does_not_exist_is_a_mistake_before_anything_trains(draft: Draft, project: Project) -> None:
    make_run(project.root / "reports", jobs=1)
    ordered = order(prepared(draft))
    assert "to compare with, found 'nowhere'" in message(lambda: compare(asking(ordered, compare="nowhere")))


def test_the_steps_make_one_plan_of_what_is_asked_for(draft: Draft) -> None:
    plan = advance(replace(draft, selected=("b", "a")), PLAN).plan
    assert [(planned.job.id, bool(planned.fingerprint)) for planned in plan.jobs] == [("b", True), ("a", True)]
    assert plan.makespan_s == 10.0
