"""Own the names of what arrays hold, for annotations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""Numbers, risks and weights."""
Voxels = NDArray[np.float32]
"""Values of a brain volume."""
Rows = NDArray[np.intp]
"""Positions of rows."""
Mask = NDArray[np.bool_]
"""True for the rows or voxels that are meant."""
Target = NDArray[np.integer | np.floating]
"""Numbers of classes, or the number that is predicted."""
People = NDArray[np.generic]
"""Ids of people, texts or numbers."""
Fold = tuple[Rows, Rows]
"""Rows to fit on, rows that are held out."""
