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
        check_searches([TRIAL, SEARCH, OTHER], [], is_dry=False)
    assert str(raised.value) == (
        "training/jobs.yaml:3: jobs.als: a search needs Optuna, which is not installed: "
        "pip install 'pytest-training[search]'"
    )
    assert check_searches([TRIAL, SEARCH], [], is_dry=True) == [TRIAL, SEARCH]  # it is listed
    assert check_searches([OTHER], [TRIAL, SEARCH], is_dry=False) == [OTHER]


def test_a_trial_without_its_search_has_a_problem() -> None:
    pytest.importorskip("optuna")
    alone, other = check_searches([TRIAL, OTHER], [SEARCH], is_dry=False)
    assert alone.problem == (
        "its search als draws its parameters and is not selected: select als too, or --training-resume"
    )
    assert other == OTHER
    assert check_searches([TRIAL, SEARCH], [OTHER], is_dry=False) == [TRIAL, SEARCH]


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
