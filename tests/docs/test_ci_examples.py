"""The CI examples of docs/ci/: as their published schemas say, and their own commands run on this repository."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CI = ROOT / "docs/ci"
SCHEMAS = {"github.yml": "vendor.github-workflows", "gitlab.yml": "vendor.gitlab-ci"}
"""Names in check-jsonschema, which brings copies of the published schemas: nothing is fetched."""


def example(name: str) -> Any:
    return yaml.safe_load((CI / name).read_text(encoding="utf-8"))


def commands() -> Iterator[tuple[str, ...]]:
    """Yield each example's pytest commands: one for each part of the jobs."""
    github = example("github.yml")["jobs"]["train"]
    (run,) = (step["run"] for step in github["steps"] if step.get("run", "").startswith("pytest"))
    shards = github["strategy"]["matrix"]["shard"]
    words = {"${{ strategy.job-total }}": str(len(shards))}
    yield tuple(replaced(run, words | {"${{ matrix.shard }}": str(shard)}) for shard in shards)
    gitlab = example("gitlab.yml")["train"]
    (run,) = (line for line in gitlab["script"] if line.startswith("pytest"))
    words = {"$CI_NODE_TOTAL": str(gitlab["parallel"])}
    yield tuple(replaced(run, words | {"$CI_NODE_INDEX": str(1 + index)}) for index in range(gitlab["parallel"]))


def replaced(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_example_is_as_the_published_schema_says(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name]]
    assert subprocess.run([*command, CI / name], check=False).returncode == 0
    wrong = tmp_path / name
    wrong.write_text((CI / name).read_text(encoding="utf-8").replace("needs:", "need:"), encoding="utf-8")
    refused = subprocess.run([*command, wrong], capture_output=True, check=False)
    assert refused.returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("parts", list(commands()), ids=SCHEMAS)
def test_the_parts_of_an_example_are_all_jobs_each_once(parts: tuple[str, ...]) -> None:
    found = [job_id for command in parts for job_id in selected(command)]
    assert sorted(found) == sorted(selected("pytest"))


def selected(command: str) -> list[str]:
    words = shlex.split(command)
    assert words[0] == "pytest"
    command_line = [sys.executable, "-m", *words, "--collect-only", "-q"]
    done = subprocess.run(command_line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"test_training_job\[(.+)\]", done.stdout)


def test_the_paths_of_the_examples_are_those_that_a_run_writes() -> None:
    gitlab = example("gitlab.yml")["train"]
    assert gitlab["artifacts"]["reports"]["junit"] == "reports/junit.xml"
    assert gitlab["artifacts"]["when"] == "always"
    steps = example("github.yml")["jobs"]["train"]["steps"]
    upload = next(step for step in steps if "upload-artifact" in step.get("uses", ""))
    assert upload["with"]["path"] == "reports"
    assert upload["if"] == "always()"
    restore, save = (step for step in steps if "actions/cache" in step.get("uses", ""))
    assert save["if"] == "always()"
    assert save["with"]["key"].startswith(restore["with"]["restore-keys"])
    caches = [gitlab["cache"]["paths"], [restore["with"]["path"]], [save["with"]["path"]]]
    assert caches == [["reports/history.sqlite"]] * 3


def test_gitlab_publishes_the_page_of_each_part_and_comments_with_the_summaries(tmp_path: Path) -> None:
    found = example("gitlab.yml")
    for part in ("1", "2"):
        for name in ("index.html", "junit.xml", "summary.md"):
            path = tmp_path / "reports" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"part {part} & more\n", encoding="utf-8")
        run_lines(found["train"]["after_script"], tmp_path, {"CI_NODE_INDEX": part})
    run_lines(found["pages"]["script"], tmp_path, {})
    (kept,) = found["pages"]["artifacts"]["paths"]
    assert found["train"]["artifacts"]["paths"] == [kept]
    assert all((tmp_path / kept / part / "index.html").exists() for part in ("1", "2"))
    with Gitlab() as gitlab:
        address = {"CI_API_V4_URL": f"http://127.0.0.1:{gitlab.server_port}/api/v4", "TRAINING_TOKEN": "token"}
        run_lines(found["comment"]["script"], tmp_path, address | {"CI_PROJECT_ID": "7", "CI_MERGE_REQUEST_IID": "3"})
        gitlab.shutdown()
    [(place, token, body)] = gitlab.notes
    assert (place, token) == ("/api/v4/projects/7/merge_requests/3/notes", "token")
    assert body == "part 1 & more\npart 2 & more\n"


def test_github_comments_with_the_summaries_of_all_parts(tmp_path: Path) -> None:
    for part in (1, 2):
        folder = tmp_path / f"training-{part}"
        folder.mkdir()
        (folder / "summary.md").write_text(f"part {part}\n", encoding="utf-8")
    collect, comment = (step["run"] for step in example("github.yml")["jobs"]["comment"]["steps"] if "run" in step)
    run_lines([collect], tmp_path, {})
    assert (tmp_path / "comment.md").read_text(encoding="utf-8") == "part 1\npart 2\n"
    assert comment.endswith("--body-file comment.md")


class Gitlab(HTTPServer):
    """Takes notes of merge requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Notes)
        self.notes: list[tuple[str, str | None, str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Notes(BaseHTTPRequestHandler):
    server: Gitlab

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.notes.append((self.path, self.headers["PRIVATE-TOKEN"], form["body"][0]))
        self.send_response(201)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def run_lines(lines: list[str], folder: Path, more: dict[str, str]) -> None:
    for line in lines:
        subprocess.run(["bash", "-ec", line], cwd=folder, env=os.environ | more, check=True)
