"""Searches as a slot takes part in them, beside Optuna used directly."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pytest_training.execution.folder import RunFolder
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.execution.slot import save_outcome
from pytest_training.jobs.model import Job, NeededOutcome, PlannedJob, Search, Space, Study
from pytest_training.records.pruning import OURS

optuna = pytest.importorskip("optuna")
search = pytest.importorskip("pytest_training.execution.search")

SPACES = {
    "rate": Space(low=1e-5, high=0.1, log=True),
    "depth": Space(low=2, high=8),
    "share": Space(low=0.0, high=1.0, step=0.25),
    "layers": Space(choices=("none", [8], [8, 8])),
}
GRID = {"share": Space(low=0.0, high=1.0, step=0.5), "depth": Space(low=1, high=3), "kind": Space(choices=("a", None))}


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[RunFolder]:
    """Folders of new runs, one after the other."""

    def make() -> Iterator[RunFolder]:
        for number in count(1):
            folder = RunFolder(tmp_path, f"run-{number}")
            folder.path.mkdir(parents=True)
            yield folder

    return make()


def study(trials: int, parameters: dict[str, Space] = SPACES, **fields: Any) -> Job:
    searched = Study(metric="loss", search=Search(trials=trials, parameters=parameters, **fields))
    ids = tuple(f"als-trial-{number:03}" for number in range(1, trials + 1))
    return Job(id="als", kind="study", source="", home="", root="", study=searched, needs=ids)


def opened(job: Job, folder: RunFolder, *, taken: dict[str, str] | None = None, **fields: Any) -> Any:
    """Open the search; `taken` are trials of earlier runs, with the run of each."""
    needed = {name: NeededOutcome(run_id=run_id, path="") for name, run_id in (taken or {}).items()}
    own = PlannedJob(job=job, expected_s=None, expected_from="unknown", needed=needed)
    return search.OptunaSearch(own, folder, **fields)


def outcome(job_id: str, loss: float | None = None, **fields: Any) -> Outcome:
    fields = {"status": Status.PASSED, **fields}
    return Outcome(job_id=job_id, kind="function", title="", metrics={} if loss is None else {"loss": loss}, **fields)


def loss_of(parameters: dict[str, Any]) -> float:
    layers = parameters["layers"] if isinstance(parameters["layers"], list) else []
    return float(abs(parameters["rate"] - 0.01) + abs(parameters["depth"] - 5) + parameters["share"] - len(layers) / 4)


def trials_of(folder: RunFolder) -> list[Any]:
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder.journal)))
    return list(optuna.load_study(study_name="als", storage=storage).trials)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_one_slot_draws_what_optuna_draws(sampler: str, folders: Iterator[RunFolder]) -> None:
    job, losses = study(25, sampler=sampler), []
    mine = opened(job, next(folders), seed=7)
    for job_id in job.needs:
        losses.append(loss_of(mine.draw(job_id)))
        mine.end(outcome(job_id, losses[-1]))

    def objective(trial: Any) -> float:
        drawn = {
            "rate": trial.suggest_float("rate", 1e-5, 0.1, log=True),
            "depth": trial.suggest_int("depth", 2, 8),
            "share": trial.suggest_float("share", 0, 1, step=0.25),
        }
        layers = trial.suggest_categorical("layers", ["none", "[8]", "[8,8]"])
        return loss_of({**drawn, "layers": layers if layers == "none" else [8] * layers.count("8")})

    sampler_of = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}[sampler]
    direct = optuna.create_study(sampler=sampler_of(seed=7))
    direct.optimize(objective, n_trials=25)
    assert losses == [trial.value for trial in direct.trials]


def test_slots_share_a_grid(folders: Iterator[RunFolder]) -> None:
    job, folder, drawn = study(18, GRID, sampler="grid"), next(folders), []
    slots = [opened(job, folder, slot=number) for number in range(3)]
    for number, job_id in enumerate(job.needs):
        drawn.append(slots[number % 3].draw(job_id))
        slots[number % 3].end(outcome(job_id, 1.0))
    assert len({str(each) for each in drawn}) == 18
    assert {each["kind"] for each in drawn} == {"a", None}
    assert {path.name for path in folder.path.iterdir()} <= OURS, "pytest-training prune keeps runs with other files"


def test_slots_and_resumed_runs_draw_other_numbers(folders: Iterator[RunFolder]) -> None:
    job, folder = study(4, sampler="random"), next(folders)
    first, second = (opened(job, folder, slot=number) for number in range(2))
    drawn = [first.draw(job.needs[0]), second.draw(job.needs[1])]
    drawn.append(opened(job, next(folders), resumed=[folder.run_id]).draw(job.needs[2]))
    assert len({each["rate"] for each in drawn}) == 3


def test_a_search_goes_on_wherever_it_was_killed(folders: Iterator[RunFolder]) -> None:
    job, folder = study(4, {"rate": SPACES["rate"], "depth": SPACES["depth"]}), next(folders)
    mine, ended = opened(job, folder), {}
    for number, job_id in enumerate(job.needs):
        drawn = mine.draw(job_id)
        size = folder.journal.stat().st_size
        mine.end(outcome(job_id, float(number)))
        saved = size if number % 2 else folder.journal.stat().st_size  # killed before, or after its outcome was saved
        ended[job_id] = outcome(job_id, float(number)), drawn, size, saved
    content = folder.journal.read_bytes()
    for cut in range(0, len(content), 131):
        killed, after = next(folders), next(folders)
        killed.journal.write_bytes(content[:cut])
        done = {job_id: each for job_id, (each, _, _, saved) in ended.items() if saved <= cut}
        for each in done.values():
            save_outcome(killed, each)
        goes_on = opened(job, after, resumed=[killed.run_id])
        for job_id in job.needs:
            if job_id not in done:
                drawn = goes_on.draw(job_id)
                assert cut < ended[job_id][2] or drawn == ended[job_id][1]
                goes_on.end(outcome(job_id, 9.0))
        trials = trials_of(after)
        assert sorted(each.user_attrs["job"] for each in trials) == list(job.needs)
        assert all(each.state.name == "COMPLETE" for each in trials)
        assert {each.user_attrs["job"]: each.value for each in trials} == {
            job_id: ended[job_id][0].metrics["loss"] if job_id in done else 9.0 for job_id in job.needs
        }
        shutil.rmtree(after.path)


@pytest.mark.parametrize(
    ("ended", "state"),
    [
        (outcome("als-trial-001", 1.0), "COMPLETE"),
        (outcome("als-trial-001", status=Status.SKIPPED, cause="pruned"), "PRUNED"),
        (outcome("als-trial-001", status=Status.FAILED, cause="error"), "FAIL"),
        (outcome("als-trial-001", status=Status.FAILED, cause="result"), "FAIL"),
        (outcome("als-trial-001", status=Status.INTERRUPTED, cause="interrupted"), "RUNNING"),
    ],
    ids=["passed", "pruned", "failed", "without-metric", "interrupted"],
)
def test_how_a_trial_ended(ended: Outcome, state: str, folders: Iterator[RunFolder]) -> None:
    job, first, second = study(2), next(folders), next(folders)
    mine = opened(job, first)
    drawn = mine.draw("als-trial-001")
    mine.end(ended)
    mine.end(ended)
    assert [trial.state.name for trial in trials_of(first)] == [state]
    save_outcome(first, ended)
    again = opened(job, second, resumed=[first.run_id])
    assert again.draw("als-trial-001") == drawn  # also one that failed is not drawn again
    assert len(trials_of(second)) == 1 + (state == "FAIL")


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_learns_of_trials_that_it_takes_over_and_repeats_none(
    sampler: str, folders: Iterator[RunFolder]
) -> None:
    job, first, folder = study(18, sampler=sampler), next(folders), next(folders)
    mine, drawn, taken = opened(job, first), dict[str, Any](), dict[str, str]()
    for number, job_id in enumerate(job.needs[:6]):
        drawn[job_id] = mine.draw(job_id)
        cause = {2: "error", 3: "pruned"}.get(number)
        status = {2: Status.FAILED, 3: Status.SKIPPED}.get(number, Status.PASSED)
        ended = outcome(job_id, float(number), status=status, cause=cause, parameters={"epochs": 3, **drawn[job_id]})
        mine.end(ended)
        save_outcome(first, ended)
        if number != 2:  # it is trained again
            taken[job_id] = first.run_id
    slots = [opened(job, folder, slot=number, taken=taken) for number in range(2)]
    told = {each.user_attrs["job"]: (each.state.name, each.value) for each in trials_of(folder)}
    assert told == {each.user_attrs["job"]: (each.state.name, each.value) for each in trials_of(first)}
    again = [slots[number % 2].draw(job_id) for number, job_id in enumerate([job.needs[2], *job.needs[6:]])]
    assert again[0] == drawn[job.needs[2]]
    save_outcome(folder, outcome(job.needs[6], status=Status.FAILED, cause="error", parameters=again[1]))
    assert opened(job, next(folders), taken=taken).draw(job.needs[6]) == again[1]  # as drawn where it failed last
    assert opened(job, next(folders)).draw(job.needs[0]) == drawn[job.needs[0]]  # a run that takes nothing over is new
    assert len({str(each) for each in [*drawn.values(), *again]}) == 18


def test_trials_of_another_space_are_not_taken_over(folders: Iterator[RunFolder]) -> None:
    job, first = study(2, {"depth": Space(low=1, high=3)}), next(folders)
    save_outcome(first, outcome("als-trial-001", 1.0, parameters={"depth": 9}))
    save_outcome(first, outcome("als-trial-002", 1.0, parameters={}))
    taken = dict.fromkeys(job.needs, first.run_id)
    assert 1 <= opened(job, next(folders), taken=taken).draw("als-trial-001")["depth"] <= 3


@pytest.mark.parametrize("pruner", ["median", "asha", "hyperband"])
@pytest.mark.parametrize("cause", [None, "error", "result", "interrupted"])
def test_a_trial_that_failed_is_trained_again_and_never_pruned(
    pruner: str, cause: Any, folders: Iterator[RunFolder]
) -> None:
    job, first, second, third = study(8, pruner=pruner), *(next(folders) for _ in range(3))
    worst, failed = job.needs[0], Status.INTERRUPTED if cause == "interrupted" else Status.FAILED

    def train(mine: Any, job_id: str, loss: float) -> bool:
        assert mine.draw(job_id)
        return bool("".join(mine.report(step, loss) for step in range(1, 6)))

    mine = opened(job, first)
    if cause:
        mine.draw(worst)
        mine.end(outcome(worst, status=failed, cause=cause))
    for job_id in job.needs[1:]:
        train(mine, job_id, 1.0)
        mine.end(outcome(job_id, 1.0))
    again = opened(job, second, resumed=[first.run_id])
    again.draw(worst)
    again.end(outcome(worst, status=Status.INTERRUPTED, cause="interrupted"))  # killed before it was ever compared
    is_pruned = train(opened(job, third, resumed=[second.run_id, first.run_id]), worst, 9.0)
    assert is_pruned == (cause in {None, "interrupted"})


def test_the_time_of_a_search_is_that_of_its_runs(folders: Iterator[RunFolder]) -> None:
    job, first, second = study(3, time_s=3600.0), next(folders), next(folders)
    mine = opened(job, first)
    assert mine.draw("als-trial-001")
    mine.end(outcome("als-trial-001", 1.0))
    mine._study.set_user_attr(search.TIMES, {"run-0": [0.0, 3590.0]})
    assert opened(job, second, resumed=[first.run_id]).draw("als-trial-002")
    mine._study.set_user_attr(search.TIMES, {"run-0": [0.0, 3600.0]})
    assert mine.draw("als-trial-003") is None
