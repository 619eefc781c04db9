"""The callbacks of docs/tracking.md pass the numbers of real trainers to `run.log`."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from sessions import Project

from pytest_training.records.events import read_events

PAGE = Path(__file__).parents[2] / "docs/tracking.md"
EXAMPLES = dict(
    re.findall(r"```python\n# training/train_(\w+)\.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
)
NEEDED = {
    "hugging_face": ("transformers", "accelerate", "torch"),
    "lightning": ("lightning", "torch"),
    "keras": ("keras", "torch"),
}
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", NEEDED)
def test_a_trainer_logs_its_curve(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if missing := [each for each in NEEDED[name] if find_spec(each) is None]:
        pytest.skip(f"needs {', '.join(missing)}")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    project = Project(pytester.path, pytester)
    project.write(f"training/train_{name}.py", EXAMPLES[name])
    result = project.run()
    assert result.ret == 0, result.stdout.str()
    [events] = project.reports.glob("runs/*/jobs/*/attempt-1/events.jsonl")
    logged = [event.log for event in read_events(events, largest=2**20) if event.log and "loss" in event.log]
    losses = [log["loss"] for log in logged]
    assert len(losses) == 5
    assert losses[-1] < losses[0]  # type: ignore[operator]  # numbers, as the callbacks log them
