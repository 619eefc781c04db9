"""The fixture of a job by its name, and the plugin's own test with it."""

from pathlib import Path

FIXTURE = "training_job"  # name of the fixture that gives a test its job
SHIPPED_TEST = Path(__file__).parent / "shipped" / "test_training_jobs.py"
"""The test for projects without one of their own."""
EXAMPLE = SHIPPED_TEST.with_name("train_beetles.py.template")
"""The job for folders without one."""
