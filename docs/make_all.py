"""Writes every page and schema that is made from the code: `python docs/make_all.py`."""

from __future__ import annotations

import make_failures
import make_options
import make_run
import make_schemas

if __name__ == "__main__":
    for maker in (make_failures, make_options, make_run, make_schemas):
        maker.main()
