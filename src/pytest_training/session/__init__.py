"""A pytest session that trains."""
