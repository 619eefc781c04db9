"""What runs inside a job's own process."""
