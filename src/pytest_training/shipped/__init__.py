"""The test for projects without one of their own: `pytest --training-root DIR` anywhere."""
