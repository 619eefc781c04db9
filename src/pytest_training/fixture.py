"""The names that a run goes by everywhere: the fixture of a job, and where the plugin's own test for it lies."""

from __future__ import annotations

from pathlib import Path

FIXTURE = "training_job"
"""The fixture that a test asks for to get a job."""

SHIPPED_TEST = Path(__file__).parent / "shipped" / "test_training_jobs.py"
"""The test that trains where a project has none of its own."""
