"""What jobs can do to a run, and what must come of it."""
