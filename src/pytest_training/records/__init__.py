"""What is remembered: history and provenance."""
