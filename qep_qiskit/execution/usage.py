"""What a device would charge."""

from __future__ import annotations

__all__ = ["estimated_qpu_seconds"]

_SECONDS_PER_JOB = 2.0
_SECONDS_BEYOND_CIRCUIT = 10e-6


def estimated_qpu_seconds(
    executions: int, jobs: int, *, rep_delay: float = 250e-6, circuit_seconds: float = 5e-6
) -> float:
    """QPU seconds that IBM's service charges: 2 s a job, and for every execution its delay, its circuit and 10 us.

    The formula is third parties' fit to what was charged, good to 0.4-4 %; the defaults are those of Heron machines.
    Depth hardly matters to the price, only to fidelity: executions times the delay between them are what is paid for.

    Args:
        executions: Shots times bound circuits.
        jobs: Jobs they are sent in.
        rep_delay: Delay between executions in seconds: 250 us on Heron by default (0 to 2 ms), 4 ms on machines with
            a square lattice.
        circuit_seconds: Duration of one circuit.
    """
    return _SECONDS_PER_JOB * jobs + executions * (rep_delay + circuit_seconds + _SECONDS_BEYOND_CIRCUIT)
