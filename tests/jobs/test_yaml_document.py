"""YAML with its lines, and the ways in which it can be wrong."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_training.errors import DeclarationError
from pytest_training.jobs.catalogue.document import read_document, read_file, read_scalar

from .project import message


def plain(text: str) -> Any:
    return read_document(text, "f").plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-7", -7),
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("null", None),
        ("~", None),
        ("", None),
        ("2024-01-31", "2024-01-31"),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("9" * 5000, float("inf")),
        ("None", "None"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    assert read_scalar(text) == value


def test_quoted_scalars_are_text() -> None:
    assert plain('["1", \'true\', ""]') == ["1", "true", ""]


def test_every_entry_knows_file_line_and_key() -> None:
    entry = read_document("a:\n  b:\n    - x\n    - [y]\n", "f.yaml").mapping()["a"].mapping()["b"].items()[1]
    assert entry.where == "f.yaml:4: a.b[1]"
    assert entry.items()[0].where == "f.yaml:4: a.b[1][0]"


def test_anchors_aliases_and_merges_are_understood() -> None:
    text = "base: &b {x: 1, y: 2}\none: *b\ntwo: {<<: *b, y: 3}\nthree: {<<: [*b, {z: 4}]}\n"
    assert plain(text) == {
        "base": {"x": 1, "y": 2},
        "one": {"x": 1, "y": 2},
        "two": {"x": 1, "y": 3},
        "three": {"x": 1, "y": 2, "z": 4},
    }


def test_a_billion_laughs_are_refused() -> None:
    lines = ["l0: &l0 [lol, lol]"] + [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert message(lambda: plain("\n".join(lines))).endswith("the aliases stand for more than 10000 values")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3: the key 'a' stands here and in line 1: leave one"),
        ("a: &x [*x]\n", "f:1: the alias *x stands for nothing that ends above it"),
        ("a: *nothing\n", "f:1: the alias *nothing stands for nothing that ends above it"),
        ("a: 1\n---\nb: 1\n", "f:2: expected one YAML document, found a second one"),
        ("a: !!python/object:os.system x\n", "f:1: expected plain YAML without tags, found the tag "),
        ("? [1, 2]\n: 3\n", "f:1: expected a plain word as key"),
        ("<<: 3\n", "f:1: expected << to name a mapping"),
        (
            "a:\n\tb: 1\n",
            "f:2: not valid YAML: found character that cannot start any token: a tab stands there",
        ),
        ("a: [1\nb: 2\n", "f:2: not valid YAML: did not find expected ',' or ']'"),
        ("a: " + "[" * 40 + "]" * 40, "f:1: expected at most 30 levels of nesting"),
        ("[" * 100_000, "f:1: not valid YAML: exceeded maximum nesting depth"),
        ("b: ü\na: \x07\n", "f:2: not valid YAML: control characters are not allowed"),
    ],
)
def test_mistakes_are_one_sentence_with_the_line(text: str, found: str) -> None:
    assert message(lambda: plain(text)).startswith(found)


def test_questions_say_what_they_expected(tmp_path: Path) -> None:
    entry = read_document("a: [1]\nb: {}\nc:\nd: text\n", "f").mapping()
    assert message(entry["a"].mapping) == "f:1: a: expected a mapping, found a list"
    assert message(entry["b"].items) == "f:2: b: expected a list, found a mapping"
    assert message(entry["c"].text) == "f:3: c: expected text, found nothing"
    assert message(entry["d"].flag) == "f:4: d: expected true or false, found 'text'"
    assert message(lambda: entry["d"].whole(minimum=2)) == "f:4: d: expected a whole number of at least 2, found 'text'"


def test_a_file_that_is_not_utf8_names_line_and_byte(tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_bytes(b"a: 1\nb: \xe9\n")
    assert message(lambda: read_file(file, "jobs.yaml")) == "jobs.yaml:2: expected text in UTF-8, found the byte 0xe9"


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_file(file, "f").plain == {"a": 1}


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    with file.open("wb") as stream:
        stream.truncate(2**33)
    assert message(lambda: read_file(file, "f")) == "f: expected at most 4 MiB of YAML"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert message(lambda: read_file(tmp_path, "f")) == "f: cannot be read: Is a directory"


@given(st.text(alphabet=st.sampled_from(list("ab:-[]{}&*!|>'\"#%@`,?~<=1.e \n\t\0é")), max_size=40))
def test_any_text_is_yaml_or_a_declaration_error(text: str) -> None:
    with contextlib.suppress(DeclarationError):
        plain(text)


_WORDS = st.text(alphabet="abcxyz -:#", max_size=8)
_TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | _WORDS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(_WORDS.filter(bool), below, max_size=4),
    max_leaves=12,
)


@given(_TREES, st.booleans())
def test_what_pyyaml_writes_is_read_back(tree: object, flow: bool) -> None:  # noqa: FBT001  (by hypothesis)
    assert plain(yaml.safe_dump(tree, default_flow_style=flow)) == tree


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        ("gates: {acc: >= 0.5}", "put the gate in quotes: '>= 0.5'"),
        ("gates:\n  acc: > .5", "put the gate in quotes: '> .5'"),
        ("acc: [>= 0.5, <= 1]", "put the gate in quotes: '>= 0.5'"),
        ("title: *best*", "put a text that begins with * in quotes"),
        ("title: %x", "put a text that begins with % in quotes"),
        ("title: @x", "put a text that begins with @ in quotes"),
        ("command: [python, {folder}/x]", "put a text with braces in quotes: '{folder}/x'"),
        ("command: [python, --out={folder}]", "put a text with braces in quotes: '--out={folder}'"),
        ("timeout: 1m\n  retries: 2", "the lines of one list or mapping begin in the same column"),
        ("a:\n    timeout: 1m\n   retries: 2", "the lines of one list or mapping begin in the same column"),
        ("- a\nb: c", "the lines of one list or mapping begin in the same column"),
        ("title: ALS: progression", "put a text with a colon in quotes"),
        ("timeout:1m\nretries: 2", "a space belongs behind the colon of timeout:1m"),
        ("tags:\n- a\n-b\nc: d", "line 3 has no colon, or no space behind its dash"),
        ('title: "C:\\users"', "a backslash in double quotes begins a code: use single quotes"),
        ('title: "open\nretries: 2', "the quote that opens in line 1 is not closed"),
        ("title: 'it's'", "text stands behind the closing quote"),
        ("tags: [a, b\nretries: 2", "the list or mapping that opens in line 1 is not closed, or a comma is missing"),
        ("a:\n\tb: 1", "a tab stands there: YAML is indented with spaces"),
        ("a:\n\u00a0 b: {}\n c: {}", "a character in line 2 only looks like a space"),
        ("als\uff1a\n  x: 1", "a character in line 1 only looks like a colon"),
    ],
)
def test_yamls_own_riddles_have_a_sentence_that_helps(lines: str, hint: str) -> None:
    assert hint in message(lambda: read_document(lines, "f"))
