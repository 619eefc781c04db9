"""Write the table of docs/adopting.md from a real run: `python tests/adopting/write_table.py`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]
    from adopting.test_styles import BEGIN, END, PAGE, table, trained

    with tempfile.TemporaryDirectory() as folder:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(before + BEGIN + table(trained(Path(folder))) + END + rest.partition(END)[2])
