"""Where an attempt may have left its metrics, one place a file."""

from __future__ import annotations

from pytest_training.execution.readers.metrics_file import MetricsFileReader
from pytest_training.execution.readers.protocol import Reader
from pytest_training.execution.readers.result import ResultReader

READERS: tuple[Reader, ...] = (ResultReader(), MetricsFileReader())
"""In the order in which they are asked; the first that finds metrics counts."""
