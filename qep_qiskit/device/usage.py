"""Prices of jobs, and the limit of the QPU seconds that a device charges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qep_qiskit.core.errors import ResourceError

_SECONDS_PER_JOB = 2.0
_SECONDS_BEYOND_CIRCUIT = 10e-6


QPU_SECONDS = "QPU seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Price of jobs, linear in what they contain, in the unit of the device.

    Args:
        unit: ``"QPU seconds"``, which count towards `execution.max_qpu_seconds`, another unit, such as ``"USD"``, or
            nothing where the price is unknown.
        per_job: Price of a job.
        per_circuit: Price of a circuit with all values bound.
        per_execution: Price of one execution of a circuit.
        per_second: Price of one second of the duration of a circuit, in each execution.

    Example:
        >>> qep.Price(unit="USD", per_circuit=0.3, per_execution=0.001).of(circuits=10, executions=1000)
        4.0
    """

    unit: str = QPU_SECONDS
    per_job: float = 0.0
    per_circuit: float = 0.0
    per_execution: float = 0.0
    per_second: float = 0.0

    @property
    def in_seconds(self) -> bool:
        """Whether the unit is QPU seconds."""
        return self.unit == QPU_SECONDS

    def of(self, *, jobs: int = 0, circuits: int = 0, executions: int = 0, circuit_seconds: float = 0.0) -> float:
        """Return the price of some jobs.

        Args:
            jobs: Number of jobs.
            circuits: Number of circuits with all values bound.
            executions: Shots times bound circuits.
            circuit_seconds: Duration of one circuit in seconds.
        """
        each = self.per_execution + self.per_second * circuit_seconds
        return self.per_job * jobs + self.per_circuit * circuits + each * executions


def price_of(backend: Any) -> Price:
    """Return the price that a backend states as its attribute ``price``; unknown without one."""
    found = getattr(backend, "price", None)
    return found if isinstance(found, Price) else Price(unit="")


def qpu_seconds_price(rep_delay: float = 250e-6) -> Price:
    """Return the price at IBM's service: 2 s a job, and for every execution its delay, its circuit and 10 us.

    The formula is a fit by third parties to actual charges, accurate to 0.4-4 %. The depth of a circuit hardly changes
    the price: executions times the delay between them dominate it.

    Args:
        rep_delay: Delay between executions in seconds: 250 us on Heron by default (0 to 2 ms), 4 ms on devices with a
            square lattice.
    """
    return Price(per_job=_SECONDS_PER_JOB, per_execution=rep_delay + _SECONDS_BEYOND_CIRCUIT, per_second=1.0)


def estimated_qpu_seconds(
    executions: int, jobs: int, *, rep_delay: float = 250e-6, circuit_seconds: float = 5e-6
) -> float:
    """QPU seconds that IBM's service charges (`qpu_seconds_price`); the defaults are those of Heron devices.

    Args:
        executions: Shots times bound circuits.
        jobs: Number of jobs.
        rep_delay: Delay between executions in seconds.
        circuit_seconds: Duration of one circuit in seconds.

    Example:
        >>> round(qep.estimated_qpu_seconds(executions=100_000, jobs=4), 1)
        34.5
    """
    return qpu_seconds_price(rep_delay).of(jobs=jobs, executions=executions, circuit_seconds=circuit_seconds)


def unbound(unit: str) -> str:
    """Return the sentence that says why `execution.max_qpu_seconds` does not limit what a device charges.

    Args:
        unit: Unit of the price, other than QPU seconds; empty where the price is unknown.
    """
    price = f"The price of this device is in {unit}" if unit else "The price of this device is not known"
    return f"{price}: execution.max_qpu_seconds counts QPU seconds, and does not limit it."


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
