"""What is read from `train(run, *, …)` and GATES."""

from __future__ import annotations

import pytest

from pytest_training.jobs.model import Gate, Parameter

from .project import Project


def parameters(project: Project, signature: str, before: str = "") -> dict[str, Parameter]:
    job = project.job(f"{before}\ndef train(run, *, {signature}):\n    pass\n")
    return {parameter.name: parameter for parameter in job.declared}


def mistake(project: Project, text: str) -> str:
    """Return the problem of a job that cannot be trained, beside one that can."""
    project.write("training/train_x.py", text)
    project.function("healthy", "epochs=1")
    jobs = project.jobs()
    assert jobs["healthy"].problem is None
    return jobs["x"].problem or ""


@pytest.mark.parametrize(
    ("signature", "kind", "default"),
    [
        ("p=5", "int", 5),
        ("p=-0.5", "float", -0.5),
        ("p=1e-2", "float", 0.01),
        ("p=True", "bool", True),
        ("p='adam'", "str", "adam"),
        ("p=(1, 2)", "list", [1, 2]),
        ("p={'a': 1}", "dict", {"a": 1}),
        ("p=None", "any", None),
        ("p: str | None = None", "str", None),
        ("p: 'str | None' = None", "str", None),
        ("p: Optional[int] = None", "int", None),
        ("p: typing.Union[None, float] = None", "float", None),
        ("p: Path | None = None", "str", None),
        ("p: list[int] | None = None", "list", None),
        ("p: int | str | None = None", "any", None),
        ("p: float = 1", "float", 1),
        ("p: int | float = 1", "float", 1),
        ("p: int | str = 1", "any", 1),
        ("p: Own = 1", "int", 1),
        ("p: Annotated[int, 'x'] = 1", "int", 1),
        ("p: 'not ( python' = 1", "int", 1),
        ("p=EPOCHS", "int", 30),
    ],
)
def test_a_default_gives_value_and_type(project: Project, signature: str, kind: str, default: object) -> None:
    read = parameters(project, signature, before="EPOCHS = 30")["p"]
    assert (read.type, read.default, read.required) == (kind, default, False)
    assert project.jobs()["x"].parameters == {"p": default}


def test_a_literal_annotation_gives_choices(project: Project) -> None:
    read = parameters(project, "p: Literal['a', 'b'] = 'a'")["p"]
    assert (read.type, read.choices) == ("str", ("a", "b"))


def test_a_parameter_without_default_is_required(project: Project) -> None:
    read = parameters(project, "p: int")["p"]
    assert (read.type, read.required) == ("int", True)
    assert project.jobs()["x"].parameters == {}


@pytest.mark.parametrize(
    "expression",
    ["60 * 60", "Path('x')", "TWICE", "UNKNOWN", "{1, 2}", "b'x'", "1e999", "2 ** 90", "10**30", "{1: 2}"],
)
def test_a_default_that_is_no_literal_stays_pythons_own(project: Project, expression: str) -> None:
    read = parameters(project, f"p: int = {expression}", before="TWICE = 1\nTWICE = 2")["p"]
    assert (read.type, read.default, read.required) == ("int", None, False)
    assert project.jobs()["x"].parameters == {}


@pytest.mark.parametrize(
    ("signature", "found"),
    [
        ("run, epochs=5", "train takes 'epochs' by position; put `*,` after `run`"),
        ("run, /, a, b", "train takes 'a', 'b' by position; put `*,` after `run`"),
        ("run, *args", "train takes *args, whose names cannot be read from the source"),
        ("run, **options", "train takes **options, whose names cannot be read from the source"),
    ],
)
def test_parameters_by_position_are_a_mistake(project: Project, signature: str, found: str) -> None:
    assert mistake(project, f"x = 1\ndef train({signature}):\n    pass\n") == (
        f"training/train_x.py:2: {found}: a job's function is train(run, *, epochs=50, …): "
        "`run`, then keyword-only parameters"
    )


def test_an_async_train_is_a_mistake(project: Project) -> None:
    assert "training/train_x.py:1: `async def train` cannot be a job" in mistake(
        project, "async def train(run):\n    pass\n"
    )


def test_run_may_be_known_by_its_annotation(project: Project) -> None:
    assert project.job("def train(r: pytest_training.Run, *, a=1):\n    pass\n").kind == "function"
    assert project.job("def train(r: 'Run', *, a=1):\n    pass\n").kind == "function"


def test_a_main_guard_leaves_a_function_job_one(project: Project) -> None:
    text = "def train(run, *, a=1):\n    pass\nif __name__ == '__main__':\n    train(None)\n"
    assert project.job(text).kind == "function"


def test_a_script_with_a_train_of_its_own_is_a_script(project: Project) -> None:
    text = """
        import argparse
        def train({}):
            pass
        if __name__ == "__main__":
            parser = argparse.ArgumentParser()
            parser.add_argument("--epochs", type=int)
            train(parser.parse_args())
        """
    for signature in ("args", "model, loader, epochs", "run, config", "*args"):
        job = project.job(text.format(signature))
        assert (job.kind, job.problem) == ("script", None)


def test_a_train_without_run_that_nothing_calls_is_a_problem(project: Project) -> None:
    job = project.job("import x\n\ndef train(model, *, epochs=5):\n    pass\n")
    assert job.problem == (
        "training/train_x.py:3: train has no first parameter `run`, and the file does nothing when it is run "
        "as a script: write def train(run, *, …)"
    )


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('"""\n  The module.  \n\nMore."""\ndef train(run):\n    """The function."""\n', "The module."),
        ('def train(run):\n    """The function.\n\n    More."""\n', "The function."),
        ("def train(run):\n    pass\n", ""),
    ],
)
def test_the_title_is_the_first_line_of_the_docstring(project: Project, text: str, title: str) -> None:
    (project.training / "train_x.py").write_text(text)
    assert project.jobs()["x"].title == title


def test_gates_are_read_and_several_may_hold_for_one_metric(project: Project) -> None:
    job = project.job('GATES: dict[str, str] = {"r2": ">= 0.6, <= 0.95", "mae": "< 2"}\ndef train(run):\n    pass\n')
    assert job.gates == (
        Gate(metric="r2", operator=">=", threshold=0.6),
        Gate(metric="r2", operator="<=", threshold=0.95),
        Gate(metric="mae", operator="<", threshold=2.0),
    )


@pytest.mark.parametrize(
    ("gates", "found"),
    [
        (
            '{\n  "r2": "=> 1"}',
            (
                ":2: gate of 'r2': expected one of >= <= > < == and a number, "
                "like '>= 0.85', found '=> 1': did you mean '>= 1'?"
            ),
        ),
        (
            '{"r2": 0.5}',
            (
                ":1: gate of 'r2': expected one of >= <= > < == and a number, "
                "like '>= 0.85', found 0.5: did you mean '>= 0.5'?"
            ),
        ),
        ('{"r2": "> 1",\n "r2": "> 2"}', ":2: GATES names 'r2' twice"),
        ("make()", ':1: GATES: expected one literal dict like {"roc_auc": ">= 0.85"}, found \'make()\''),
        (
            "{}\nGATES = {}",
            ': GATES: expected one literal dict like {"roc_auc": ">= 0.85"}, found several assignments',
        ),
    ],
)
def test_a_bad_gate_names_file_and_line(project: Project, gates: str, found: str) -> None:
    assert mistake(project, f"GATES = {gates}\ndef train(run):\n    pass\n") == f"training/train_x.py{found}"


def test_gates_of_a_script_are_read_only_where_they_look_like_ours(project: Project) -> None:
    assert project.job('GATES = {"r2": "> 1"}\nprint()\n').gates
    assert project.job("GATES = 4\nprint()\n").gates == ()
    assert project.job("GATES = {'forget': 1}\nprint()\n").gates == ()
