"""The errors that the plugin raises. Each message says what was expected, found, where, and what to do."""


class TrainingError(Exception):
    """Base of every error that this package raises itself."""


class DeclarationError(TrainingError):
    """A job file, the catalogue or an option names what does not exist, or has a value that is not allowed.

    The plugin turns it into `pytest.UsageError` before anything runs.
    """


class Mistakes:
    """Collects mistakes, a sentence each, so that a user learns all of a file at once: `with mistakes: read(…)`."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _frames: object) -> bool:
        """Note a DeclarationError, which may have several lines."""
        if isinstance(error, DeclarationError):
            self.sentences += [line for line in str(error).splitlines() if line not in self.sentences]
        return isinstance(error, DeclarationError)

    def check(self) -> None:
        """Raise one DeclarationError with all mistakes, a line each, if there is one."""
        if self.sentences:
            raise DeclarationError("\n".join(self.sentences))


class DataError(TrainingError):
    """A dataset is missing, or is not the one that the catalogue declares."""


class ResultError(TrainingError):
    """What a job returned or wrote is no mapping of metric names to finite numbers."""


FROM_OTHERS = (Exception, SystemExit)  # what a hook, kind, limit, reader or backend from outside may raise
