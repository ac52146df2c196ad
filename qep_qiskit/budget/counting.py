"""Counting of the shots and circuits that a measurement requests."""

from __future__ import annotations

from qep_qiskit.execution import Request, ShotData
from qep_qiskit.measurement import MeasurementCoroutine, Result, Usage, relayed


def counted(work: MeasurementCoroutine[Result]) -> MeasurementCoroutine[tuple[Result, Usage]]:
    """Run a measurement; return its result with the shots and circuits of all its requests."""
    usage = Usage()

    def handle(request: Request) -> MeasurementCoroutine[ShotData]:
        nonlocal usage
        usage += Usage.of(request)
        return (yield request)

    return (yield from relayed(work, handle)), usage
