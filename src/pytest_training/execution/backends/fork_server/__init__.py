"""The job server: imports once, forks once per attempt."""
