"""`pytest-training VERB`: prepares a project, and answers questions about runs from their files."""
