"""The model card and the TRIPOD+AI checklist of a job: written beside its model from what a run has recorded."""
