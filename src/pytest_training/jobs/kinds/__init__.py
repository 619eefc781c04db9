"""The kinds of job, one file each: what a file is, its parameters, and how it is started."""
