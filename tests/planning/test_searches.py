"""Searches before anything trains."""

import sys
from typing import Any

import pytest
from msgspec.structs import replace

from pytest_training.errors import DeclarationError
from pytest_training.jobs.model import Job, Search, Space, Study
from pytest_training.planning.fingerprint import fingerprints
from pytest_training.planning.searches import check_searches

TRIAL = Job(id="als-trial-001", kind="function", source="", home="", root="", trial_of="als")
OTHER = Job(id="stroke", kind="function", source="", home="", root="")
SEARCH = Job(
    id="als",
    kind="study",
    source="",
    home="",
    root="",
    needs=("als-trial-001",),
    study=Study(
        search=Search(trials=1, parameters={"rate": Space(low=0.1, high=0.2)}), place="training/jobs.yaml:3: jobs.als"
    ),
)


def test_without_optuna_one_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(DeclarationError) as raised:
        check_searches([TRIAL, SEARCH, OTHER], [], is_resumed=False)
    assert str(raised.value) == (
        "training/jobs.yaml:3: jobs.als: a search needs Optuna, which is not installed: "
        "pip install 'pytest-training[search]'"
    )
    check_searches([OTHER], [TRIAL, SEARCH], is_resumed=False)


SECOND = replace(TRIAL, id="als-trial-002")
SEEDED = [replace(TRIAL, id=f"crossed-{number}", trial_of="crossed") for number in range(2)]
CROSSED = replace(SEARCH, id="crossed", study=Study(seeds=(0, 1)))


@pytest.mark.parametrize(
    ("jobs", "others", "new", "resumed"),
    [
        ([TRIAL, OTHER], [SECOND, SEARCH], False, False),  # -k als-trial-001
        ([TRIAL], [SEARCH], False, False),
        ([TRIAL, SEARCH], [SECOND, OTHER], False, True),  # --lf
        ([TRIAL, SECOND, SEARCH], [OTHER], True, True),
        ([OTHER], [TRIAL, SECOND, SEARCH], True, True),
        ([SEARCH], [TRIAL, SECOND], True, True),  # it is judged again
        ([SEEDED[0]], [SEEDED[1], CROSSED, TRIAL, SEARCH], True, True),
        ([SEEDED[0], CROSSED], [SEEDED[1]], True, True),
    ],
)
def test_trials_that_would_draw_other_parameters_than_before_are_a_mistake(
    jobs: list[Job], others: list[Job], *, new: bool, resumed: bool
) -> None:
    pytest.importorskip("optuna")
    for is_resumed, is_right in ((False, new), (True, resumed)):
        if is_right:
            check_searches(jobs, others, is_resumed=is_resumed)
            continue
        with pytest.raises(
            DeclarationError, match=r"^als-trial-001 is selected without all of its search als, and would"
        ):
            check_searches(jobs, others, is_resumed=is_resumed)


@pytest.mark.parametrize(
    ("change", "is_changed"),
    [
        ({"parameters": {"rate": Space(low=0.1, high=0.3)}}, True),
        ({"parameters": {"rate": Space(low=0.1, high=0.2, log=True)}}, True),
        ({"parameters": {"rate": Space(choices=(0.1, 0.2))}}, True),
        ({"parameters": {"rate": Space(low=0.1, high=0.2), "depth": Space(low=1, high=3)}}, True),
        ({"trials": 9}, False),
        ({"pruner": "asha"}, False),
        ({"time_s": 3.0}, False),
    ],
)
def test_a_trial_has_changed_if_what_it_was_drawn_from_has(change: dict[str, Any], *, is_changed: bool) -> None:
    assert SEARCH.study is not None
    assert SEARCH.study.search is not None
    other = replace(SEARCH, study=replace(SEARCH.study, search=replace(SEARCH.study.search, **change)))
    digests = [fingerprints({"als-trial-001": TRIAL, "als": own}, ["als"], (), seed=0) for own in (SEARCH, other)]
    assert digests[0]["als-trial-001"]
    assert (digests[0]["als-trial-001"] != digests[1]["als-trial-001"]) == is_changed
