"""Places in which an attempt may leave its metrics, one module each."""

from pytest_training.execution.readers.files import FilesReader
from pytest_training.execution.readers.metrics_file import MetricsFileReader
from pytest_training.execution.readers.printed import PatternReader, PrintedReader
from pytest_training.execution.readers.protocol import Reader
from pytest_training.execution.readers.result import ResultReader

READERS: tuple[Reader, ...] = (ResultReader(), PatternReader(), MetricsFileReader(), PrintedReader(), FilesReader())
"""Declared ones in the order of trying, then foreign ones, which import in `follow` what only programs need."""
