"""Tests of scheduling/."""
