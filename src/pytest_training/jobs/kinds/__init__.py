"""The kinds of job, one file each: which files are such jobs, their parameters, and how they are started."""

from pytest_training.jobs.kinds.command import CommandKind
from pytest_training.jobs.kinds.function import FunctionKind
from pytest_training.jobs.kinds.notebook import NotebookKind
from pytest_training.jobs.kinds.protocol import Kinds
from pytest_training.jobs.kinds.script.kind import ScriptKind
from pytest_training.jobs.kinds.study import StudyKind

KINDS: Kinds = {kind.name: kind for kind in (StudyKind(), CommandKind(), NotebookKind(), ScriptKind(), FunctionKind())}
"""Any Python file without a job's `train` is a script: the function kind recognises files first."""
