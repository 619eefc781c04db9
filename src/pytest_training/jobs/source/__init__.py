"""Python files as syntax trees: read, never imported."""
