"""Extrapolate to zero noise: measure circuits at several strengths of their gates' noise, and extrapolate linearly.

The noise is raised by gate folding: two-qubit gates run 1, 3, ... times (`folded`). The extrapolation is linear in the
means, so the covariance of the result is the sum of theirs with the squares of the coefficients: error bars stay
honest, and an error model fitted to them includes the cost. With factors 1 and 3 the coefficients are 3/2 and -1/2: the
variance of a batch is 2.5 times larger, at twice the shots.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.limits import check_limits
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import Request, ShotData
from qep_qiskit.measurement.driving import MeasurementCoroutine, Result, relayed
from qep_qiskit.outcomes import GroupMoments


@short_repr
@dataclass(frozen=True, slots=True)
class Extrapolation:
    """Extrapolate from several strengths of noise to none.

    Args:
        noise_factors: How often two-qubit gates run: odd, ascending, the first 1, and at least two.
        extrapolation: ``"linear"``, the straight line of least squares; or ``"polynomial"``, the one polynomial through
            all points (Richardson), which bends with their noise. They agree for two factors.

    Raises:
        ConfigError: The factors are others.

    Example:
        >>> [round(value, 6) for value in qep.Extrapolation(noise_factors=(1, 3)).coefficients]
        [1.5, -0.5]
    """

    noise_factors: tuple[int, ...] = (1, 3)
    extrapolation: Literal["linear", "polynomial"] = "linear"

    def __post_init__(self) -> None:
        check_limits(self)
        factors = self.noise_factors
        ascending = all(low < high for low, high in pairwise(factors))
        if len(factors) < 2 or factors[0] != 1 or not ascending or any(factor % 2 == 0 for factor in factors):
            raise ConfigError(
                "noise_factors: expected two or more odd numbers that ascend from 1, such as "
                f"[1, 3], got {list(factors)}"
            )

    @property
    def coefficients(self) -> tuple[float, ...]:
        """Return the coefficients of the means at each factor; they sum to 1."""
        degree = 1 if self.extrapolation == "linear" else len(self.noise_factors) - 1
        powers = np.vander(np.array(self.noise_factors, dtype=float), degree + 1, increasing=True)
        return tuple(np.linalg.pinv(powers)[0].tolist())


def extrapolated(
    work: MeasurementCoroutine[Result], extrapolation: Extrapolation | None
) -> MeasurementCoroutine[Result]:
    """Measure the circuits of a coroutine at several strengths of noise, and extrapolate its answers to none.

    All circuits of a request have the same shots, as jobs of devices need. States without circuits, and requests that
    need no means, are left alone.

    Args:
        work: The measurement coroutine.
        extrapolation: How; None leaves the coroutine as it is.
    """
    if extrapolation is None:
        return work

    def handle(request: Request) -> MeasurementCoroutine[ShotData]:
        if not request.has_noise_to_mitigate:
            return (yield request)
        data = yield _widened(request, extrapolation)
        return _Extrapolated(
            outcomes=data.outcomes, discarded=data.discarded, measured=data, coefficients=extrapolation.coefficients
        )

    return relayed(work, handle)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Extrapolated(ShotData):
    """Result of a request at several noise factors, with moments extrapolated to zero noise.

    Args:
        measured: Result of the wider request, in which several consecutive group measurements replace one.
        coefficients: Coefficient of each noise factor in the extrapolated mean.
    """

    measured: ShotData
    coefficients: tuple[float, ...]

    def moments(self, place: int, group: CommutingGroup) -> GroupMoments:
        """Return sums of independent batches with the coefficients."""
        first, factors = place * len(self.coefficients), np.array(self.coefficients)
        parts = [self.measured.moments(first + part, group) for part in range(len(factors))]
        return GroupMoments(
            means=np.tensordot(factors, np.array([part.means for part in parts]), axes=1),
            covariance=np.tensordot(factors**2, np.array([part.covariance for part in parts]), axes=1),
            shots=parts[0].shots,
        )


def _widened(request: Request, extrapolation: Extrapolation) -> Request:
    """Return every measurement at every factor, those of one measurement side by side."""
    measurements = (
        replace(measurement, folding=factor)
        for measurement in request.measurements
        for factor in extrapolation.noise_factors
    )
    return replace(request, measurements=tuple(measurements))
