"""The errors that the plugin raises. Each message says what was expected, found, where, and what to do."""


class TrainingError(Exception):
    """Base of every error that this package raises itself."""


class DeclarationError(TrainingError):
    """A job file, the catalogue or an option names what does not exist, or has a value that is not allowed.

    The plugin turns it into `pytest.UsageError` before anything runs.
    """


class DataError(TrainingError):
    """A dataset is missing, or is not the one that the catalogue declares."""


class ResultError(TrainingError):
    """What a job returned or wrote is no mapping of metric names to finite numbers."""


FROM_OTHERS = (Exception, SystemExit)
"""What a hook, kind, limit, reader or backend from outside may raise: it must not harm the run."""
