"""Tests of src/pytest_training/evaluation/."""
