"""What measuring work asks for, counted on the way."""

from __future__ import annotations

from typing import TypeVar

from qep_qiskit.measurement import Measuring, Usage

__all__ = ["counted"]

Result = TypeVar("Result")


def counted(work: Measuring[Result]) -> Measuring[tuple[Result, Usage]]:
    """The same work; its result comes with the shots and circuits of all its requests."""
    usage = Usage()
    try:
        request = next(work)
        while True:
            usage += Usage(request.num_shots, request.num_circuits)
            data = yield request
            request = work.send(data)
    except StopIteration as finished:
        return finished.value, usage
    finally:
        work.close()
