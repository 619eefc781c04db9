"""The own jobs of studies: they train nothing, the slot judges them from their trials."""

from pytest_training.errors import DeclarationError
from pytest_training.jobs.kinds.protocol import Call, Kind
from pytest_training.jobs.model import STUDY, Job


class StudyKind(Kind):
    """What a job is that is trained in several trials."""

    name = STUDY
    is_program = False

    def start(self, job: Job, *, folder: str, seed: int) -> Call:  # noqa: ARG002  (nothing is started)
        """Raise DeclarationError: its trials are started in its place."""
        raise DeclarationError(f"{job.id} is judged from its {len(job.needs)} trials")
