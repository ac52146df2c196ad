"""Estimate and limit of the QPU seconds that a device charges."""

from __future__ import annotations

from qep_qiskit.core.errors import ResourceError

_SECONDS_PER_JOB = 2.0
_SECONDS_BEYOND_CIRCUIT = 10e-6


def estimated_qpu_seconds(
    executions: int, jobs: int, *, rep_delay: float = 250e-6, circuit_seconds: float = 5e-6
) -> float:
    """QPU seconds that IBM's service charges: 2 s a job, and for every execution its delay, its circuit and 10 us.

    The formula is a fit by third parties to actual charges, accurate to 0.4-4 %; the defaults are those of Heron
    devices. The depth of a circuit hardly changes the price: executions times the delay between them dominate it.

    Args:
        executions: Shots times bound circuits.
        jobs: Number of jobs.
        rep_delay: Delay between executions in seconds: 250 us on Heron by default (0 to 2 ms), 4 ms on devices with a
            square lattice.
        circuit_seconds: Duration of one circuit in seconds.

    Example:
        >>> round(qep.estimated_qpu_seconds(executions=100_000, jobs=4), 1)
        34.5
    """
    return _SECONDS_PER_JOB * jobs + executions * (rep_delay + circuit_seconds + _SECONDS_BEYOND_CIRCUIT)


def require_qpu_seconds(seconds: float, limit: float, remaining: float | None = None) -> None:
    """Check that the charge of a run is within its limits.

    Args:
        seconds: Estimated charge of the run in QPU seconds.
        limit: Largest charge in QPU seconds (`execution.max_qpu_seconds`).
        remaining: QPU seconds that remain to the account, or None where this is unknown.

    Raises:
        ResourceError: The charge exceeds the limit, or what remains.
    """
    if seconds > limit:
        raise ResourceError(
            f"execution.max_qpu_seconds: the run is estimated at {seconds:,.1f} QPU seconds and may have {limit:,g}; "
            "make it cheaper ('qep plan' says how), or raise the limit"
        )
    if remaining is not None and seconds > remaining:
        raise ResourceError(
            f"execution.backend: the run is estimated at {seconds:,.1f} QPU seconds and the account has "
            f"{remaining:,.1f} left; make it cheaper ('qep plan' says how), or wait for the next period"
        )
