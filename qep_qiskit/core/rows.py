"""Take rows of the arrays of a record, such as some samples of a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Record = TypeVar("Record")


def take_rows(record: Record, rows: NDArray | slice, *names: str) -> Record:
    """Return a dataclass object with some rows of its arrays.

    Args:
        record: Object of a dataclass.
        rows: Indices on the first axis, with repeats, or a slice.
        names: Fields to take rows of: arrays, records that have a method `rows`, or None, which stays None.
    """
    parts = {name: getattr(record, name) for name in names}
    taken: dict[str, Any] = {
        name: part[rows] if isinstance(part, np.ndarray) else part.rows(rows)
        for name, part in parts.items()
        if part is not None
    }
    return replace(record, **taken)  # type: ignore[type-var]
