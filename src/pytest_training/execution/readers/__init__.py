"""Places in which an attempt may leave its metrics."""

from pytest_training.execution.readers.declared import MetricsFileReader, PatternReader, ResultReader
from pytest_training.execution.readers.foreign import FilesReader, PrintedReader
from pytest_training.execution.readers.protocol import Reader

READERS: tuple[Reader, ...] = (ResultReader(), PatternReader(), MetricsFileReader(), PrintedReader(), FilesReader())
"""Declared ones in the order of trying, then foreign ones, which import in `follow` what only programs need."""
