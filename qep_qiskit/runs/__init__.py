"""Sweeps and studies of many runs: worker pools, stored points, and result tables."""

from qep_qiskit.runs.points import Point, PointStore, Progress, Row, Store, run_points
from qep_qiskit.runs.pool import Pool, StudyStopped
from qep_qiskit.runs.processes import open_pool
from qep_qiskit.runs.table import require_table_format, write_table
from qep_qiskit.runs.workers import WorkStopped, stop_wanted

__all__ = [
    "Point",
    "PointStore",
    "Pool",
    "Progress",
    "Row",
    "Store",
    "StudyStopped",
    "WorkStopped",
    "open_pool",
    "require_table_format",
    "run_points",
    "stop_wanted",
    "write_table",
]
