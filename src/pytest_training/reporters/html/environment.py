"""Jinja's environment for the page: where its templates are, and what its filters write."""

import contextlib
import functools
import hashlib
import re
import sys
from pathlib import Path
from typing import Any

import jinja2
from jinja2.bccache import Bucket

from pytest_training.jobs.directions import direction
from pytest_training.records.strict_json import encode
from pytest_training.reporters.console import gate_row, sentence
from pytest_training.reporters.html.importances import importances
from pytest_training.reporters.html.words import gate_words, moment, worker
from pytest_training.reporters.studies import shown, trial_counts, verdict
from pytest_training.text import clean_lines, one_line
from pytest_training.units import duration, number

TEMPLATES = Path(__file__).parent / "templates"
ANCHOR = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class _CompiledTemplates(jinja2.FileSystemBytecodeCache):
    """A cache of compiled templates in a __pycache__: to compile takes longer than to write a page."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):  # somebody else's folder, or a full disk: compiled anew each time
            Path(self.directory).mkdir(exist_ok=True)
            super().dump_bytecode(bucket)


@functools.cache  # a run in progress is written again and again
def templates() -> jinja2.Environment:
    """Return the environment with the filters that the templates use."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        bytecode_cache=None if sys.dont_write_bytecode else _CompiledTemplates(str(TEMPLATES / "__pycache__")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "line": one_line,
        "lines": clean_lines,
        "duration": duration,
        "number": number,
        "moment": moment,
        "age": functools.partial(moment, kind="age"),
        "worker": worker,
        "gate_words": gate_words,
        "better": direction,
        "anchor": anchor,
        "gate_row": gate_row,
        "sentence": sentence,
        "setting": setting,
        "shown": shown,
        "trial_counts": trial_counts,
        "study_verdict": verdict,
        "importances": importances,
    }
    return environment


def setting(value: Any) -> str:
    """Return a parameter's value as one types it."""
    return value if isinstance(value, str) else encode(value).decode()


def anchor(job_id: str) -> str:
    """Return the id of a job's section, which is also the end of its address."""
    digest = hashlib.sha256(job_id.encode("utf-8", "replace")).hexdigest()[:12]
    return f"job-{job_id if ANCHOR.fullmatch(job_id) else digest}"
