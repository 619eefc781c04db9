"""`jobs.yaml`: read, checked key by key, and merged into the discovered jobs."""
