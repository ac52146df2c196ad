"""Holomorphic gradients: complex nudges on a circle about beta = 0 (Laborieux & Zenke 2022, arXiv:2209.00530).

Means A(beta) are holomorphic up to the nearest exceptional point, at the distance rho, where two levels meet. On a
circle of radius b < rho their Fourier coefficients are those of the power series, and the first one is the derivative:

    d<C>/dw = (1/N) sum_m A(b z_m) / (b z_m),   z_m = exp(2 pi i m / N),   up to a relative error of order (b/rho)^N

so that no limit of small nudges is taken. H and C are Hermitian, so A(conj(beta)) = conj(A(beta)), and points below the
real axis are not computed. States at complex nudges exist neither on a device nor with shots; real nudges at Chebyshev
nodes take their place there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError, NudgeBeyondGapWarning, NudgeError
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import warn
from qep_qiskit.learning.contrast import HOLOMORPHIC
from qep_qiskit.learning.diagnostics import Diagnostics
from qep_qiskit.learning.free_phase import FreePhase
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.gradient_batch import GradientBatch
from qep_qiskit.learning.gradient_estimate import MeasuredGradient
from qep_qiskit.learning.phases import Derivative
from qep_qiskit.measurement import MeasurementCoroutine
from qep_qiskit.preparation import HamiltonianFamily
from qep_qiskit.preparation.complex_branches import ComplexNudging

_EPS = float(np.finfo(float).eps)
_ROUNDING = 100.0 * _EPS  # of the largest coefficient, below which the others are rounding errors
_FEWEST_RATIOS = 2
_DOUBTFUL = 1.25  # estimated rho over the radius, below which rho is estimated anew from a circle inside
_WELL_INSIDE = 0.5
_TRUNCATED, _GOOD = 0.01, 1e-3  # relative errors by truncation: of a warning, and of the radius that it names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CircleSeries:
    """Fourier coefficients of means on a circle of complex nudges.

    Args:
        radius: Radius b of the circle.
        coefficients: Shape (samples, N, terms); c_k is the k-th power-series coefficient times b^k.
    """

    radius: float
    coefficients: NDArray[np.float64]

    @property
    def derivative(self) -> NDArray[np.float64]:
        """d(means)/d(beta) at beta = 0, shape (samples, terms)."""
        return self.coefficients[:, 1] / self.radius

    def convergence_radii(self, exponent: float) -> NDArray[np.float64]:
        """Return the distance to the nearest singularity for every sample; NaN where coefficients do not show it.

        Two conjugate singularities rho exp(+-i phi) give late coefficients k^-s rho^-k cos(k phi + ...), which obey
        c_(k+1) = p c_k - q c_(k-1) after multiplication by k^s, with the same p and q for all terms and
        1/rho the largest root of x^2 - p x + q.

        Args:
            exponent: s, 1/2 at an exceptional point of two levels, 0 at a pole.
        """
        return np.array([self._radius_of(own, exponent) for own in self.coefficients])

    def _radius_of(self, coefficients: NDArray, exponent: float) -> float:
        sizes = np.linalg.norm(coefficients, axis=1)
        known = sizes > _ROUNDING * sizes.max(initial=0.0)
        last = len(sizes) if known[1:].all() else 1 + int(np.argmin(known[1:]))
        series = coefficients[:last] * np.arange(last)[:, None] ** exponent
        rows = range(max(2, last // 2), last)
        if len(rows) < _FEWEST_RATIOS:
            return float("nan")
        weights = [1.0 / max(float(np.linalg.norm(series[k])), 1e-300) for k in rows]
        before = np.concatenate(
            [
                weight * np.stack([series[k - 1], -series[k - 2]], axis=1)
                for k, weight in zip(rows, weights, strict=True)
            ]
        )
        after = np.concatenate([weight * series[k] for k, weight in zip(rows, weights, strict=True)])
        p, q = np.linalg.lstsq(before, after, rcond=None)[0]
        largest = float(np.abs(np.roots([1.0, -p, q])).max(initial=0.0))
        return self.radius / largest if largest > 0.0 else float("inf")


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HolomorphicEstimator(GradientEstimator):
    """Computes gradients from exact states at complex nudges.

    Raises:
        ConfigError: The preparation has no states at complex nudges, shots are given, or each weight is measured on its
            own.
    """

    nudgeless: ClassVar[str | None] = HOLOMORPHIC

    def __post_init__(self) -> None:
        super(HolomorphicEstimator, self).__post_init__()
        instead = "contrast.kind = 'chebyshev' with order 4, 6 or 8 has real nudges"
        for shots in (*self.group_shots, self.test_shots):
            if shots is not None:
                raise ConfigError(
                    "kind: 'holomorphic' nudges are complex: their states exist on no device and give no shots, got "
                    f"measurement.shots = {shots}; use 'exact', or {instead}"
                )
        if not isinstance(self.preparation, ComplexNudging):
            raise ConfigError(
                "kind: 'holomorphic' nudges are complex and go with exact states of quantum spins or oscillators, "
                f"thermal states and elastic networks, not with {type(self.preparation).__name__}; {instead}"
            )
        if self.grouping == "per_weight":
            raise ConfigError("grouping: 'holomorphic' gives all weights at once; use 'shared'")

    def _measure_gradient(self, batch: GradientBatch, replicates: int) -> MeasurementCoroutine[MeasuredGradient]:
        """Compute the free phase, and the means on a circle of complex nudges."""
        hamiltonian, targets, key = self.hamiltonian, batch.targets, batch.key
        coefficients = hamiltonian.free_coefficients(batch.weights, batch.inputs)
        first = yield from self.free_phase(coefficients, targets, key, batch.warm_start)
        nudge = hamiltonian.nudge(targets, first.outputs if hamiltonian.cost.has_signals else None)
        family = replace(HamiltonianFamily.of_free(hamiltonian.groups, coefficients, key), nudge=nudge)
        limits = self._complex.analytic_radius(family, first.prepared_states)
        series = self._series(family, first, self._radius(family, limits))
        reached = self._convergence_radii(family, first, series, limits)
        _warn_of_truncation(series, reached)
        gradient = hamiltonian.jacobian(batch.weights, batch.inputs).pull_back(series.derivative).mean(axis=0)
        return MeasuredGradient(
            parts=[Derivative.of_first_group(gradient, np.zeros_like(gradient), len(self.measurement_plan.groups))],
            cost=first.cost,
            outputs=first.outputs,
            diagnostics=_diagnostics(first, nudge, series, limits, reached),
            warm_start=first.prepared_states.warm_start,
            bias=None,
        )

    @property
    def _complex(self) -> ComplexNudging:
        assert isinstance(self.preparation, ComplexNudging)
        return self.preparation

    def _radius(self, family: HamiltonianFamily, limits: NDArray) -> float:
        """Return the radius of the circle; by default that at which truncation and rounding are about equal."""
        if self.contrast.radius is not None:
            return self.contrast.radius
        known = limits[np.isfinite(limits) & (limits > 0.0)]
        size, pull = np.abs(family.free).max(initial=0.0), np.abs(family.nudge).max(initial=0.0)
        limit = float(known.min()) if known.size else float(size / pull) if size > 0.0 and pull > 0.0 else 1.0
        return limit * _EPS ** (1.0 / (self.contrast.points + 1))

    def _series(self, family: HamiltonianFamily, first: FreePhase, radius: float) -> CircleSeries:
        """Return the Fourier coefficients on a circle, from its points in the upper half-plane."""
        count = self.contrast.points
        upper = np.arange(count // 2 + 1)
        betas = radius * np.exp(2j * np.pi * upper / count)
        means = self._complex.complex_means(family, first.prepared_states, betas)
        whole = np.concatenate([means, means[:, (count - 1) // 2 : 0 : -1].conj()], axis=1)
        return CircleSeries(radius=radius, coefficients=np.fft.fft(whole, axis=1).real / count)

    def _convergence_radii(
        self, family: HamiltonianFamily, first: FreePhase, series: CircleSeries, limits: NDArray
    ) -> NDArray[np.float64]:
        """Estimate the distance to the nearest singularity of every sample.

        Raises:
            NudgeError: It is within the circle.
        """
        exponent = self._complex.singularity_exponent
        found = series.convergence_radii(exponent)
        smallest = float(limits.min(initial=np.inf))
        near = found < _DOUBTFUL * series.radius
        if not near.any() or series.radius <= smallest:
            return found
        # Past a singularity the coefficients of this circle do not show where it is.
        inside = self._series(family, first, _WELL_INSIDE * smallest).convergence_radii(exponent)
        found = np.where(near, inside, found)
        if (found < series.radius).any():
            nearest = float(np.nanmin(found))
            raise NudgeError(
                f"contrast.radius: expected less than the distance to the nearest exceptional point, about "
                f"{nearest:.3g}, got {series.radius:.3g}: beyond it no number of points gives the gradient; use "
                f"contrast.radius = {_WELL_INSIDE * nearest:.2g} or 'auto'"
            )
        return found


def _warn_of_truncation(series: CircleSeries, reached: NDArray) -> None:
    """Warn where the error of the Fourier coefficients, of order (radius / rho)^points, is large."""
    known = reached[np.isfinite(reached)]
    points = series.coefficients.shape[1]
    errors = (series.radius / known) ** points
    affected = int((errors > _TRUNCATED).sum())
    detail = ""
    if affected:
        wanted = float(known.min()) * _GOOD ** (1.0 / points)
        detail = (
            f"radius {series.radius:.3g} of rho = {known.min():.3g}, an error of about {errors.max():.0%}; a radius of "
            f"{wanted:.2g} leaves {_GOOD:g}"
        )
    warn(
        NudgeBeyondGapWarning,
        "the circle of complex nudges is near the nearest exceptional point, and its points are too few: the gradient "
        "is off by about (radius / rho)^points. Use a smaller contrast.radius, or 'auto', or more contrast.points",
        detail=detail,
        affected=affected,
        of=len(reached),
        severity="warning",
    )


def _diagnostics(
    first: FreePhase, nudge: NDArray, series: CircleSeries, limits: NDArray, reached: NDArray
) -> Diagnostics:
    """Return chi, the radii, and what the report of the free states says."""
    sure, found = limits[np.isfinite(limits)], reached[np.isfinite(reached)]
    return Diagnostics.of_free_states(
        first.prepared_states.report,
        weyl_beta=float(sure.min()) if sure.size else np.nan,
        chi=float(-np.einsum("st,st->s", nudge, series.derivative).mean()),
        convergence_radius=float(found.min()) if found.size else np.nan,
    )
