"""In which order jobs run, and on which slot."""
