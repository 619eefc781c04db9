"""Tests of `pytest_training.jobs`."""
