"""How one attempt at a job runs, in a process of its own."""
