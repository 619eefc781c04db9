"""What people and CI read of a run."""
