"""The frames of a traceback that are the plugin's: what a job raises is shown from the job's own code on."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

PACKAGE = str(Path(__file__).resolve().parents[2])


def own_frames(frames: TracebackType | None) -> TracebackType | None:
    """Leave out the plugin's frames, and the import machinery's, above the job's own."""
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith((PACKAGE, "<frozen importlib")):
        frames = frames.tb_next
    return frames
