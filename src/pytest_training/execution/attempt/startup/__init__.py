"""A folder for PYTHONPATH: what an interpreter of a script's own does before the script."""
