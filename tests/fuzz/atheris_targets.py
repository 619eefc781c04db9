"""Coverage-guided fuzzing of every place where text from outside comes in: `python tests/fuzz/atheris_targets.py`.

A run is bounded (`--seconds`, 60 by default, shared out among the targets). What it finds it prints, with the input,
and its exit status is 1. Where atheris cannot be installed it says so and exits with 0: hypothesis tests the same
functions (`test_inputs.py`).
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LONGEST_INPUT = 4096
SLOWEST_S = 10  # an input that takes longer is a hang

SEEDS: dict[str, tuple[bytes, ...]] = {
    "catalogue": (
        b"defaults: {timeout: 30m}\njobs:\n  one: {parameters: {epochs: 3}, gates: {r2: '>= 0.1'}, tags: [a]}\n",
        b"jobs:\n  x: {command: [python, '{folder}'], matrix: {a: [1, 2]}, needs: [one], secret: {a: B}}\n",
        b"jobs:\n  s: {command: [x, '{p}'], seeds: [1, 2], metric: auc}\n  t: {command: [x], search: {trials: 3}}\n",
        b"jobs: {t: {command: [x], search: {trials: 3, metric: auc, parameters: {p: {low: 1, high: 9}}}}}\n",
        b"data:\n  d: {package: os, file: x, sha256: &a 'x', real: true}\n  e: *a\n",
    ),
    "setting": (b"x.epochs=3", b"*.p_list=[1, 2]", b"x.p_dict={a: 1}"),
    "number": (b"1h30m", b"1.5GiB", b">= 0.6, <= 0.95"),
    "result": (b'{"metrics":{"a":1.0},"failure":{"cause":"error","message":"x"},"data":[],"schema_version":1}',),
    "metrics": (b'{"a": 0.5, "b": {"c": 1}}',),
    "record": (b'{"number":1,"status":"passed","started":"2026-01-01T00:00:00+00:00","ending":{"exit_status":0}}',),
    "events": (
        b'{"t":0,"pid":42}\n{"t":1.5,"log":{"fold":1,"epoch":2,"loss":0.5,"on":true}}\n{"t":2,"progress":[1,10]}\n',
        b'{"log":{"epoch":1,"loss":1}}\n{"log":{"epoch":2,"loss":5e-324}}\n{"log":{"epoch":3,"loss":1e308}}\n{"l',
    ),
    "lock": (b'{"datasets":{"d":{"url":"https://x","sha256":"00"}},"schema_version":1}',),
    "plan": (b'{"run_id":"r","seed":0,"workers":1,"threads":1,"jobs":[]}',),
    "history": (b"SQLite format 3\0",),
    "job_id": (b"a/b", b"../x"),
}
"""Targets are functions of `inputs.py`; from these inputs atheris starts."""
TEXT = {"setting", "number", "job_id"}


def main() -> int:
    """Fuzz each target in a process of its own, which libFuzzer ends."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="time for all targets together")
    parser.add_argument("--target", choices=sorted(SEEDS), help="fuzz this one alone, in this process")
    given, rest = parser.parse_known_args()
    try:
        importlib.import_module("atheris")
    except ImportError as error:
        sys.stdout.write(f"not fuzzed: atheris is not there for Python {sys.version.split()[0]} ({error})\n")
        return 0
    if given.target:
        _fuzz(given.target, rest)
    share = max(1, given.seconds // len(SEEDS))
    failed = [name for name in SEEDS if not _is_sound(name, share)]
    sys.stdout.write(f"{len(SEEDS) - len(failed)} of {len(SEEDS)} targets sound, {share} s each\n")
    return 1 if failed else 0


def _is_sound(name: str, seconds: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for number, seed in enumerate(SEEDS[name]):
            (corpus / str(number)).write_bytes(seed)
        limits = [f"-max_total_time={seconds}", f"-timeout={SLOWEST_S}", f"-max_len={LONGEST_INPUT}"]
        options = [*limits, f"-artifact_prefix={folder}/", "-verbosity=0", str(corpus)]
        command = [sys.executable, __file__, "--target", name, *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, cwd=folder)
        if done.returncode:
            sys.stdout.write(f"target {name}:\n{done.stdout.decode(errors='replace')[-6000:]}\n")
            for found in [*Path(folder).glob("crash-*"), *Path(folder).glob("timeout-*")]:
                sys.stdout.write(f"input: {found.read_bytes()!r}\n")
    return done.returncode == 0


def _fuzz(name: str, options: list[str]) -> None:
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["pytest_training", "yaml"]):
        sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]
        take: Callable[[Any], None] = getattr(importlib.import_module("fuzz.inputs"), name)

    def target(content: bytes) -> None:
        take(content.decode("utf-8", "surrogateescape") if name in TEXT else content)

    atheris.Setup([sys.argv[0], *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
