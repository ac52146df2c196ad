"""What measuring work asks for, counted on the way."""

from __future__ import annotations

from qep_qiskit.execution import Request, ShotData
from qep_qiskit.measurement import Measuring, Result, Usage, relayed

__all__ = ["counted"]


def counted(work: Measuring[Result]) -> Measuring[tuple[Result, Usage]]:
    """The same work; its result comes with the shots and circuits of all its requests."""
    usage = Usage()

    def handle(request: Request) -> Measuring[ShotData]:
        nonlocal usage
        usage += Usage.of(request)
        return (yield request)

    return (yield from relayed(work, handle)), usage
