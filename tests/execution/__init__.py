"""Tests of `pytest_training.execution`."""
