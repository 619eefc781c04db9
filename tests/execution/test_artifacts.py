"""Tests of execution/attempt/saving.py: what a job saves can be read again, and never lands outside its folder."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from pytest_training.execution.attempt.saving import save_object

mpl.use("Agg")

TABLE = pd.DataFrame({"age": [61, 48], "als": ["yes", "no"]})


@pytest.mark.parametrize(
    "name",
    ["../x.txt", "../../x.txt", "a/../../x.txt", "/tmp/x.txt", "//tmp/x.txt", "", ".", "..", "a\0b.txt", "x" * 300],
)
def test_a_name_that_is_no_file_inside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    with pytest.raises(ValueError, match="expected a relative file name inside the job's folder"):
        save_object(folder, name, "text")
    assert [path.name for path in tmp_path.rglob("*")] == ["artifacts"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.sampled_from("./\\~ab\0\n"), max_size=12) | st.text(max_size=300))
def test_no_name_writes_outside_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir(exist_ok=True)
    try:
        path = save_object(folder, name, "text")
    except (ValueError, OSError):  # refused, or a name that is taken by a folder
        pass
    else:
        assert path.resolve().is_relative_to(folder.resolve())
    assert [path.name for path in tmp_path.iterdir()] == ["artifacts"]


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="a symbolic link leads out of the job's folder"):
        save_object(folder, "out/x.txt", "text")
    assert not (tmp_path / "x.txt").exists()


def test_a_link_with_the_artifacts_name_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (tmp_path / "precious").write_text("precious")
    (folder / "x.txt").symlink_to(tmp_path / "precious")
    save_object(folder, "x.txt", "text")
    assert (tmp_path / "precious").read_text() == "precious"


def test_folders_in_the_name_are_made(tmp_path: Path) -> None:
    assert save_object(tmp_path, "fold 1/scores.txt", "0.9").read_text() == "0.9"


def test_text_and_bytes_are_saved_as_they_are(tmp_path: Path) -> None:
    assert save_object(tmp_path, "a.md", "Größe\r\n").read_bytes() == "Größe\r\n".encode()
    assert save_object(tmp_path, "a.bin", bytearray(b"\x00\xff")).read_bytes() == b"\x00\xff"
    assert save_object(tmp_path, "picture.svg", "<svg/>").read_text() == "<svg/>"


@pytest.mark.parametrize("content", [np.arange(6.0).reshape(2, 3), [1, 2, 3], (0.5, 0.25), np.float32(2), TABLE["age"]])
def test_arrays_and_lists_of_numbers_are_read_again_as_npy(tmp_path: Path, content: Any) -> None:
    np.testing.assert_array_equal(np.load(save_object(tmp_path, "a.npy", content)), np.asarray(content))


def test_an_array_of_objects_is_refused_for_it_would_be_pickled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved when allow_pickle=False"):
        save_object(tmp_path, "a.npy", np.array([object()]))
    assert not list(tmp_path.iterdir())


def test_a_table_is_read_again_from_csv_with_its_named_index_alone(tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(pd.read_csv(save_object(tmp_path, "a.csv", TABLE)), TABLE)
    named = TABLE.rename_axis("patient")
    read = pd.read_csv(save_object(tmp_path, "b.CSV", named), index_col="patient")
    pd.testing.assert_frame_equal(read, named)


def test_a_table_is_read_again_from_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pd.testing.assert_frame_equal(pd.read_parquet(save_object(tmp_path, "a.parquet", TABLE)), TABLE)


def test_json_takes_the_scalars_and_arrays_of_numpy_and_paths(tmp_path: Path) -> None:
    content = {"auc": np.float64(0.5), "folds": np.arange(2), "n": np.int64(3), "data": Path("a/b"), "who": "Müller"}
    path = save_object(tmp_path, "a.json", content)
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "auc": 0.5,
        "folds": [0, 1],
        "n": 3,
        "data": "a/b",
        "who": "Müller",
    }


def test_json_never_holds_what_other_readers_refuse(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_object(tmp_path, "a.json", {"auc": float("nan")})
    with pytest.raises(TypeError, match="object has no JSON form"):
        save_object(tmp_path, "a.json", [object()])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_same_figure_gives_the_same_file(tmp_path: Path, kind: str, start: bytes) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415  (after the backend is chosen)

    def figure() -> Figure:
        drawn = Figure()
        drawn.subplots().plot([0, 1], [1, 0])
        return drawn

    first, second = (save_object(tmp_path, name, figure()).read_bytes() for name in (f"a.{kind}", f"b.{kind}"))
    assert first == second
    assert first.strip().startswith(start)


def test_an_estimator_is_read_again_from_skops_without_trusting_anything(tmp_path: Path) -> None:
    measured, labels = np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1]
    fitted = LogisticRegression().fit(measured, labels)
    path = save_object(tmp_path, "model.skops", fitted)
    assert skops.io.get_untrusted_types(file=path) == []
    np.testing.assert_array_equal(skops.io.load(path).predict(measured), fitted.predict(measured))


@pytest.mark.parametrize(
    ("name", "content"),
    [("model.pkl", LogisticRegression()), ("a.json", {1, 2}), ("a.csv", [1]), ("a", TABLE), ("a.svg", io.StringIO())],
)
def test_what_no_format_fits_is_refused_with_the_formats_that_exist(tmp_path: Path, name: str, content: Any) -> None:
    with pytest.raises(TypeError, match=r"cannot save a .* as .*expected an array \(\.npy\)"):
        save_object(tmp_path, name, content)
    assert not list(tmp_path.iterdir())
