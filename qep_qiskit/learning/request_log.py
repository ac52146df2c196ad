"""Log of the answers to requests of unfinished work, for checkpoints.

A measurement coroutine depends only on the answers to its requests. With the same answers it reaches the same point, so
the answers are its state: a run that stops in the middle of a step saves them and loses no shot. Exact probabilities
take no shots and can be large; they are not saved but computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.execution import Executor, Request, ShotData, answered
from qep_qiskit.measurement import MeasurementCoroutine, Result, completed
from qep_qiskit.outcomes import Outcomes, unpacked

RequestLog = list[ShotData | None]
"""Answers in the order of the requests, None where an answer is exact."""


def completed_with_log(
    work: MeasurementCoroutine[Result],
    request_log: RequestLog,
    executor: Executor,
    *,
    before: Callable[[], None],
    after: Callable[[Request], None],
) -> Result:
    """Run a measurement coroutine to its end, with the logged answers first if it was interrupted before.

    Args:
        work: Measurement coroutine.
        request_log: Answers to its first requests, None for an exact one that is computed again; new ones are added.
        executor: Measures what is not in the log.
        before: Called before every new request.
        after: Called with every new request when its answer is in the log.
    """
    numbers = count()

    def answer(request: Request) -> ShotData:
        number = next(numbers)
        known = number < len(request_log)
        written = request_log[number] if known else None
        if written is not None:
            return written
        if not known:
            before()
        data = answered(executor, request)
        if not known:
            request_log.append(kept(data))
            after(request)
        return data

    return completed(work, answer)


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
