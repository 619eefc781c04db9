"""What anybody may write into files and on the command line: never a traceback of ours, a hang, or a file elsewhere."""
