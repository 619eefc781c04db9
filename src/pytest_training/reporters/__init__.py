"""What a run leaves for people and programs, one file per reporter."""
