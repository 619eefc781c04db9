"""What slots and the job server say to each other beside requests and replies: lines on a connection."""

STOP = b"stop"
"""Asks for the gentle end of the connection's attempt."""
STOP_ALL = b"stop all"
"""Asks for the gentle end of every attempt: the run is interrupted."""
PAUSE = b"pause"
"""Asks for an answer as soon as the run is interrupted, and for none otherwise."""
