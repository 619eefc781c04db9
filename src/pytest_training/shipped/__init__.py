"""What a project without files of its own is trained with: `pytest --training-root DIR` anywhere."""
