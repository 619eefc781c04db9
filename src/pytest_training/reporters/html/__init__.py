"""The page of a run: index.html, one file that needs no network."""
