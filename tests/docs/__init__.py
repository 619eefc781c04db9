"""Pages that must stay true."""
