"""From the files of a project to a plan: small steps, each from the result of the one before."""
