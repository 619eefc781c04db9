"""Write docs/faults.md from a real run: `python tests/faults/write_table.py`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]
    from faults.test_fault_table import PAGE, WORKERS, faulty_run, page

    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(faulty_run(Path(folder), WORKERS)))
