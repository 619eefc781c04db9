"""Prepares a project: `pytest-training init` overwrites nothing; `save-durations` writes a file to be committed."""

import argparse
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_training.commands.answers import remark, say
from pytest_training.errors import TrainingError
from pytest_training.execution.folder import ReportsFolder
from pytest_training.fixture import EXAMPLE, SHIPPED_TEST
from pytest_training.jobs import discovery, kinds, loading, model
from pytest_training.jobs.kinds.script.arguments import outputs
from pytest_training.jobs.lookup import FileFilter, Lookup, checked_folders, is_usual_root
from pytest_training.jobs.plan_file import read_plan
from pytest_training.jobs.source.sources import Sources
from pytest_training.project import Project, find_settings
from pytest_training.records.durations import FILE, machine_speed, read_durations, updated, write_durations
from pytest_training.records.history import History
from pytest_training.records.recorded_run import find_run, run_ids
from pytest_training.records.strict_json import encode
from pytest_training.wording import counted, listing, printable

SETTINGS = """\
# The folder with train_*.py and jobs.yaml.
training_root = {root}
# Where report.json, junit.xml, history.sqlite and the run folders go.
training_reports = reports
"""
HEAD = """\
# What discovery cannot know, or what should be other than in the files. Every key is optional.
# Remove the # before a job and before what you want to state. A second # is before remarks and examples.
#
# defaults: {timeout: 30m, memory: 4GB}
jobs:"""


def init(arguments: argparse.Namespace, project: Project) -> None:
    """Write what is missing, say what was written and what was left alone."""
    here, include, exclude = Path.cwd(), arguments.include or project.include, arguments.exclude or project.exclude
    files = FileFilter.of(include, exclude, "--exclude", is_usual=False)
    lookup = Lookup(files=files)
    if any("\udc80" <= letter <= "\udcff" for letter in str(here)):
        raise TrainingError(f"{printable(str(here))}: expected a path that UTF-8 can hold; rename the folder")
    settings, values = find_settings(here)
    stated = project.training_root if settings and "training_root" in values else None
    named = checked_folders([here / arguments.root], "--root")[0] if arguments.root else stated
    if settings and named and stated and named.resolve() != stated.resolve():
        other = values["training_root"]
        raise TrainingError(
            f"--root: {settings.name} has training_root = {other}: change it there, or leave --root out"
        )
    root = named or _find_root(here, lookup)
    jobs, _ = loading.load_jobs(root, here, None, lookup)
    is_asked = arguments.root or include or exclude
    if not (jobs or is_asked or discovery.candidates(Sources(here, here), here, files, kinds.KINDS)):
        root, files = stated or here / "training", FileFilter()
        if os.path.lexists(root) and not root.is_dir():
            raise TrainingError(f"{root}: expected a folder of training files, found a file or a link to nowhere")
        say("nothing here trains yet, so an example is written")
        _write(root / EXAMPLE.stem, EXAMPLE.read_text(encoding="utf-8"), here)
        jobs, _ = loading.load_jobs(root, here, None, Lookup(files=files))
    if not jobs:
        reason = discovery.nothing_below(root, here, files, option="--include")
        raise TrainingError(f"{reason}; --root names another folder")
    relative = os.path.relpath(root, here)
    say(f"{counted(len(jobs), 'job')} found below {relative}: {', '.join(job.id for job in jobs)}")
    _write(here / "test_training_jobs.py", SHIPPED_TEST.read_text(encoding="utf-8"), here)
    _write(root / "jobs.yaml", commented_catalogue(jobs), here)
    _settle(SETTINGS.format(root=relative) + "".join(_patterns(files, arguments)), here)
    say("dry run: pytest test_training_jobs.py --collect-only    train: pytest test_training_jobs.py -n 4")


def _patterns(files: FileFilter, arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the settings without which a run would not find the same files."""
    if arguments.include or files.reads:
        yield f"# Files that are jobs; auto: those that train.\ntraining_include = {shlex.join(files.include)}\n"
    if arguments.exclude:
        yield f"# Files that are no jobs.\ntraining_exclude = {shlex.join(files.exclude)}\n"


def _settle(settings: str, here: Path) -> None:
    """Write the settings, or say where to add them."""
    file, stated = find_settings(here)
    if file is None or "training_root" in stated:
        _write(file or here / "pytest.ini", f"[pytest]\n{settings}", here)
    else:
        section = "the section of pytest"
        if file.suffix == ".toml":
            section = "[tool.pytest.ini_options]"
            settings = re.sub("(?<= = ).+", lambda value: encode(value[0]).decode(), settings)
        say(f"add to {section} of {file.name}:\n{settings}")


def _find_root(here: Path, lookup: Lookup) -> Path:
    """Return the deepest folder that has all the jobs below it."""
    jobs, _ = loading.load_jobs(here, here, None, lookup)
    folders = [str(Path(job.path).parent) for job in jobs if job.path]
    return Path(os.path.commonpath(folders)) if folders else here


def _write(path: Path, text: str, here: Path) -> None:
    name = os.path.relpath(path, here)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        say(f"left as it is: {name}")
    except OSError as error:
        raise TrainingError(f"cannot write {name}: {error.strerror}") from None
    else:
        say(f"written: {name}")


def commented_catalogue(jobs: Sequence[model.Job]) -> str:
    """Return a catalogue that changes nothing: what discovery found, as comments to uncomment."""
    return "\n".join([HEAD, *(line for job in jobs for line in _comments(job))]) + "\n"


def _comments(job: model.Job) -> Iterator[str]:
    yield f"  # {job.id}:"
    yield f"  #   # {job.source}: {job.problem or job.title or job.kind}"
    if job.evidence:
        yield f"  #   # taken: {job.evidence}"
    if job.declared:
        names = [each.name for each in job.declared if each.name not in outputs(job, ".")]
        values = ", ".join(f"{name}: {encode(job.parameters.get(name)).decode()}" for name in names)
        yield f"  #   parameters: {{{values}}}"
    gates = [f"{gate.metric}: {encode(f'{gate.operator} {gate.threshold:g}').decode()}" for gate in job.gates]
    yield f"  #   gates: {{{', '.join(gates)}}}" if gates else '  #   # for example: gates: {accuracy: ">= 0.8"}'
    if kinds.KINDS[job.kind].is_program and job.path and "metrics.json" in Path(job.path).read_text("utf-8", "replace"):
        yield "  #   # for example: metrics: {file: metrics.json}"
    if job.fresh:
        yield f"  #   # gets an interpreter of its own: {job.fresh}"
    yield "  #   # for example: timeout: 30m"


def save_durations(arguments: argparse.Namespace, project: Project) -> None:  # noqa: ARG001  (as every verb)
    """Write what the history of this machine knows, and say what changed."""
    (root,) = checked_folders([project.training_root], "training_root")
    path, history = root / FILE, History(ReportsFolder(project.reports).history)
    saved, job_ids = read_durations(path), _job_ids(project, root)
    measured = history.measured(job_ids)
    durations = updated(saved, measured, speed=machine_speed())
    for problem in history.problems:
        remark(f"warning: {problem}")
    if not any(measured.values()):
        raise TrainingError(f"no job has passed on this machine, by {history.path}: train first, on this machine")
    changed = [job_id for job_id, entry in durations.jobs.items() if saved.jobs.get(job_id) != entry]
    if unknown := [job_id for job_id in job_ids if job_id not in durations.jobs]:
        remark(f"no duration of {listing('', unknown)}: never passed on this machine")
    name = os.path.relpath(path, Path.cwd())
    if not changed:
        say(f"left as it is: {name}, {counted(len(durations.jobs), 'job')}")
        return
    write_durations(durations, path)
    say(f"written: {name}, {counted(len(durations.jobs), 'job')}, {len(changed)} new or changed; to be committed")


def _job_ids(project: Project, root: Path) -> list[str]:
    """Return the ids of the project's jobs, and of those of the last run: options may have added folders."""
    is_usual = is_usual_root(project.training_root, project.root)
    files = FileFilter.of(project.include, project.exclude, "training_exclude", is_usual=is_usual)
    jobs, _ = loading.load_jobs(root, project.root, project.catalogue, Lookup(files=files))
    last = read_plan(find_run(project.reports, "last").plan).jobs if run_ids(project.reports) else ()
    return list(dict.fromkeys([*(job.id for job in jobs), *(planned.job.id for planned in last)]))
