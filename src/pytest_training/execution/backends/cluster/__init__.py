"""A backend that executes attempts on the nodes of a Dask cluster; needs the extra `cluster`.

Only `connect`, `pool`, `launcher` and `node` import Dask, on demand. A node is one Dask worker process. The pool is the
nodes as the session sees them. A lease is the part of a node that one attempt holds.
"""
