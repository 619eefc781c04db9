"""`python -m … -m MODULE ARGUMENTS…`: executes a module, and ends with the SSH connection that started it."""

import os
import runpy
import sys
import threading


def main() -> None:
    """Execute the module that the command line names; exit when stdin ends, for then nobody needs it any more."""
    threading.Thread(target=_watch, daemon=True).start()
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _watch() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)  # the processes that Dask has started see it, and end


if __name__ == "__main__":
    main()
