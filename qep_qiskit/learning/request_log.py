"""Log of the answers to requests of unfinished work, for checkpoints.

A measurement coroutine depends only on the answers to its requests. With the same answers it reaches the same point, so
the answers are its state: a run that stops in the middle of a step saves them and loses no shot. Exact probabilities
take no shots and can be large; they are not saved but computed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.execution import ShotData
from qep_qiskit.outcomes import Outcomes, unpacked

RequestLog = list[ShotData | None]
"""Answers in the order of the requests, None where an answer is exact."""


def kept(data: ShotData) -> ShotData | None:
    """Return the part of an answer to keep in a log, with counts in the smallest integer type; None if it is exact."""
    calibration = data.calibration
    if all(outcomes.is_exact for outcomes in (*data.outcomes, *([] if calibration is None else [calibration]))):
        return None
    return ShotData(
        outcomes=tuple(outcomes.compact() for outcomes in data.outcomes),
        calibration=None if calibration is None else calibration.compact(),
        discarded=data.discarded,
    )


def pack_request_log(request_log: RequestLog) -> tuple[list[list[dict[str, Any]] | None], dict[str, NDArray]]:
    """Return a log as plain data for JSON, and its arrays by name."""
    shapes: list[list[dict[str, Any]] | None] = []
    arrays: dict[str, NDArray] = {}
    for number, data in enumerate(request_log):
        if data is None:
            shapes.append(None)
            continue
        row: list[dict[str, Any]] = []
        calibration = [] if data.calibration is None else [data.calibration]
        for place, outcomes in enumerate((*data.outcomes, *calibration)):
            shape, array = outcomes.packed()
            if not np.isnan(data.discarded):
                shape |= {"discarded": data.discarded}
            row.append(shape | {"calibrates": place == len(data.outcomes)})
            arrays[_name(number, place)] = array
        shapes.append(row)
    return shapes, arrays


def unpack_request_log(
    shapes: Sequence[Sequence[Mapping[str, Any]] | None], arrays: Mapping[str, NDArray]
) -> RequestLog:
    """Return the log from what `pack_request_log` gives.

    Args:
        shapes: Plain data, one entry per request.
        arrays: Arrays by name.

    Raises:
        KeyError: An array or a number is missing.
    """
    return [None if row is None else _unpacked(number, row, arrays) for number, row in enumerate(shapes)]


def _unpacked(number: int, row: Sequence[Mapping[str, Any]], arrays: Mapping[str, NDArray]) -> ShotData:
    found: dict[bool, list[Outcomes]] = {False: [], True: []}
    for place, shape in enumerate(row):
        found[shape["calibrates"]].append(unpacked(shape, arrays[_name(number, place)]))
    return ShotData(
        outcomes=tuple(found[False]),
        calibration=found[True][0] if found[True] else None,
        discarded=max((float(shape["discarded"]) for shape in row if "discarded" in shape), default=float("nan")),
    )


def _name(number: int, place: int) -> str:
    return f"request_log_{number}_{place}"
