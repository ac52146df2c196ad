"""Arrays that several processes fill: large results are written to shared memory, because sending them is slow."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.shared_memory import SharedMemory
from typing import TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from qep_qiskit.core.memory import available_bytes

FillsRows: TypeAlias = Callable[[slice, NDArray], None]
"""A function that writes the rows of a slice of an array."""

_SHARED_FILES = "/dev/shm"
_COPIES = 3  # of an array: itself, the shared one, and what the workers need


def has_space_to_share(num_bytes: int) -> bool:
    """Return whether shared memory holds twice this size; a container may have 64 MiB, and to write more is a crash.

    An array and its shared copy must also fit in the memory of the machine.
    """
    if _COPIES * num_bytes > available_bytes():
        return False
    if not os.path.isdir(_SHARED_FILES):
        return True  # macOS and Windows keep it elsewhere, without a limit of its own
    space = os.statvfs(_SHARED_FILES)
    return 2 * num_bytes <= space.f_bavail * space.f_frsize


def fill_elsewhere(
    out: NDArray,
    rows: Sequence[slice],
    fill: FillsRows,
    run: Callable[[Callable[[slice], None], Sequence[slice]], object],
) -> None:
    """Fill rows of an array in other processes.

    Args:
        out: The array.
        rows: Parts of it.
        fill: Fills a part; it can be pickled.
        run: Calls a function with every part, in other processes.
    """
    memory = SharedMemory(create=True, size=out.nbytes)
    try:
        run(partial(_fill_shared, fill, memory.name, out.shape, out.dtype), rows)
        for part in rows:
            out[part] = np.ndarray(out.shape, out.dtype, memory.buf)[part]
    finally:
        memory.close()
        memory.unlink()


def _fill_shared(fill: FillsRows, name: str, shape: tuple[int, ...], dtype: DTypeLike, rows: slice) -> None:
    memory = SharedMemory(name)
    try:
        fill(rows, np.ndarray(shape, dtype, memory.buf))
    finally:
        memory.close()
