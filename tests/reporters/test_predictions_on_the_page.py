"""Pictures of predictions on the page: inside their drawing whatever the numbers, and nothing that a job wrote runs."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import make_run, publish

from pytest_training.evaluation.drawing import Drawing, Line
from pytest_training.evaluation.result import Evaluation, Subgroup
from pytest_training.reporters.html.predictions import HEIGHT, STYLES, WIDTH, chart

finite = st.floats(allow_nan=False, allow_infinity=False)
DIAGONAL = Line(points=((0.0, 0.0), (1.0, 1.0)))


@given(st.sampled_from(sorted(STYLES)), st.lists(st.tuples(finite, finite, finite, finite), max_size=30))
def test_every_point_is_inside_the_drawing(kind: str, values: list[tuple[float, ...]]) -> None:
    points = tuple((x, y) for x, y, _, _ in values)
    line = Line(label="a class", points=points, band=tuple((x, low, high) for x, _, low, high in values))
    drawing = msgspec.convert(
        {"kind": kind, "lines": (line, line), "reference": (DIAGONAL,), "points": points}, Drawing, from_attributes=True
    )
    drawn = chart(drawing, {}, most_points=20)
    pairs = [pair.split(",") for each in (*drawn.lines, *drawn.bands) for pair in each.points.split()]
    for across, up in [*((float(x), float(y)) for x, y in pairs), *drawn.dots]:
        assert 0 <= across <= WIDTH
        assert 0 <= up <= HEIGHT


def test_a_line_that_leaves_the_drawing_ends_at_its_edge() -> None:
    line = Line(points=((0.0, 0.2), (0.5, 0.0), (1.0, -8.0)))
    drawn = chart(Drawing(kind="decision", lines=(line,)), {})
    ends = [pair.split(",") for pair in drawn.lines[0].points.split()]
    assert len(ends) == 3
    assert float(ends[-1][0]) < 200


def evaluation(name: str = "") -> Evaluation:
    roc = Drawing(kind="roc", lines=(DIAGONAL,), points=((0.2, 0.7),))
    hostile = Drawing(
        kind="calibration", lines=(Line(label="<script>1</script>", points=((0.1, 0.1), (0.2, 0.3))), DIAGONAL)
    )
    group = Subgroup(column="sex", value="<b>f</b>", rows=70, people=35, events=9, metrics={"roc_auc": 0.8125})
    return Evaluation(
        question="binary",
        name=name,
        rows=126,
        people=63,
        events=31,
        cutoff=0.3,
        method="95 %: <i>over</i> people",
        metrics={f"{name}_roc_auc".strip("_"): 0.84375, f"{name}_roc_auc_low".strip("_"): 0.75},
        drawings=(roc, hostile),
        subgroups=(group,),
    )


def page(reports: Path, files: dict[str, bytes]) -> str:
    folder = make_run(reports, jobs=1, epochs=2)
    for name, content in files.items():
        (folder.job("job0000").attempt(1).path / name).write_bytes(content)
    publish(folder)
    return (reports / "index.html").read_text(encoding="utf-8")


def test_the_page_shows_pictures_method_and_subgroups_of_each_evaluation(tmp_path: Path) -> None:
    files = {"evaluation.json": evaluation(), "evaluation_external.json": evaluation("external")}
    written = page(tmp_path, {name: msgspec.json.encode(each) for name, each in files.items()})
    titles = re.findall(r"<h3>((?:Predictions|external).*)</h3>", written)
    assert titles == [f"{name}, 126 rows, 63 people, 31 with the event" for name in ("Predictions", "external")]
    assert written.count("<figcaption>ROC: AUC 0.844; the dot is at the cut-off</figcaption>") == 2
    assert "roc_auc_sex" not in written  # these are in their own table
    assert "Intervals: 95 %: &lt;i&gt;over&lt;/i&gt; people" in written
    assert "sex: &lt;b&gt;f&lt;/b&gt;</th>" in written
    assert '<td class="num">0.812</td>' in written
    assert "<script>1" not in written
    assert "&lt;script&gt;1" in written


BROKEN = {
    "torn": msgspec.json.encode(evaluation())[:-20],
    "no JSON": b"\xff\xfe",
    "a point without a height": msgspec.json.encode(evaluation()).replace(b"[0.0,0.0]", b"[0.0]"),
    "an unknown picture": msgspec.json.encode(evaluation()).replace(b'"roc",', b'"pie",'),
    "texts for numbers": msgspec.json.encode(evaluation()).replace(b"[0.0,0.0]", b'["a","b"]'),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_is_no_evaluation_is_left_out(tmp_path: Path, case: str) -> None:
    assert "with the event" not in page(tmp_path, {"evaluation.json": BROKEN[case]})


def test_a_link_to_another_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_bytes(msgspec.json.encode(evaluation()))
    folder = make_run(tmp_path / "reports", jobs=1, epochs=2)
    (folder.job("job0000").attempt(1).path / "evaluation.json").symlink_to(tmp_path / "other.json")
    publish(folder)
    assert "with the event" not in (tmp_path / "reports/index.html").read_text(encoding="utf-8")
