"""Answers to requests of work that is not finished, in a form that a checkpoint can hold.

Measuring work is a term that is sent the outcomes of its requests. Sent the same outcomes again it comes to the
same point, so the outcomes are its state: a run that stops in the middle of a step keeps them and loses no shot. Exact
probabilities and certain outcomes cost no shots, and can be large; they are not kept but asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.execution import ShotData
from qep_qiskit.outcomes import Outcomes, unpacked

RequestLog = list[ShotData | None]
"""One entry per request, None where the answer is exact."""


def kept(data: ShotData) -> ShotData | None:
    """What of an answer is worth keeping, counts in as few bytes as hold them."""
    calibration = data.calibration
    if all(outcomes.is_exact for outcomes in (*data.outcomes, *([] if calibration is None else [calibration]))):
        return None
    return ShotData(
        outcomes=tuple(outcomes.compact() for outcomes in data.outcomes),
        calibration=None if calibration is None else calibration.compact(),
        discarded=data.discarded,
    )


def pack_request_log(request_log: RequestLog) -> tuple[list[list[dict[str, Any]] | None], dict[str, NDArray]]:
    """Numbers that JSON can hold, and arrays by name."""
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
    """The inverse of `pack_request_log`.

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
