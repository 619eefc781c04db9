"""Datasets: from a declaration to a verified local path."""
