"""Diagnostics of a gradient: gaps, susceptibility, bounds of the cost, and jumps between branches.

All quantities follow from the measurements of the gradient and the convergence report of the preparation; nothing
further is measured. With F(beta) the energy of the nudged state, which is concave in beta for ground states,

    chi_C = (<C>_-beta - <C>_beta) / (2 beta) >= 0
    (F(beta) - F(0)) / beta  <=  <C>_0  <=  (F(-beta) - F(0)) / (-beta)             (beta > 0)

(Scellier 2024, arXiv:2406.00879: the contrast is the exact gradient of these contrastive functions). The bounds hold
for true minima only. They are left out where states may be other than minima (ansaetze, annealing, elastic networks
with rest lengths).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.groups import Group, blocks_of
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.branches import Curve, find_jumps, warn_of_jumps, warn_of_strength, weyl_betas
from qep_qiskit.learning.resolved import hidden_in, warn_unresolved
from qep_qiskit.measurement import StateMoments
from qep_qiskit.outcomes import variance_of
from qep_qiskit.preparation import ConvergenceReport, HamiltonianFamily
from qep_qiskit.preparation.resolution import Hidden


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """Diagnostics of a gradient: means over a batch where not said otherwise, NaN where unknown.

    Args:
        gap: Smallest energy gap of all states.
        weyl_beta: Smallest gap / range(C) of all samples; a nudge of smaller |beta| keeps the branch of the free state.
            With complex nudges of other than eigenstates, the |beta| below which means are known to be holomorphic.
        convergence_radius: Smallest estimate of rho, the |beta| of the nearest exceptional point; from complex nudges.
        overlap: Smallest |<free|nudged>|^2.
        chi: Susceptibility chi_C of the nudged cost.
        chi_se: Standard error of `chi`.
        surrogate_gap: |beta| chi, the distance between the upper and the lower contrastive bound to first order.
        of_signals: Whether C is made of error signals; bounds of <C>_0 are then not bounds of the cost.
        lower: Lower bound of <C>_0, where states are known to be the lowest.
        lower_se: Standard error of `lower` by shots.
        upper: Upper bound of <C>_0.
        upper_se: Standard error of `upper` by shots.
        residual: Largest stationarity residual.
        evaluations: Energies evaluated by the preparation.
        unconverged: Number of states that are not converged.
        judged: Whether the preparation checks convergence.
        contrast_error: Fraction of the contrast that is unknown because of residuals of iterative states and rounding;
            1 where nudged states stay at the free state. Rounding below 1e-3 is ignored.
        contrast_error_se: Standard error of `contrast_error` where slopes are measured with shots; infinite where shots
            do not determine it.
        discarded: Weight that truncation of matrix product states removed from the state with the strongest nudge.
        collapsed: Samples in which no spring of an elastic network is stretched, so that gradients of springs are zero.
        jumps: Number of adjacent phases on different branches, plus phases without overlap with the free state.
    """

    gap: float = np.nan
    weyl_beta: float = np.nan
    convergence_radius: float = np.nan
    overlap: float = np.nan
    chi: float = np.nan
    chi_se: float = np.nan
    surrogate_gap: float = np.nan
    of_signals: bool = False
    lower: float = np.nan
    lower_se: float = np.nan
    upper: float = np.nan
    upper_se: float = np.nan
    residual: float = np.nan
    evaluations: int = 0
    unconverged: int = 0
    judged: bool = False
    contrast_error: float = np.nan
    contrast_error_se: float = 0.0
    discarded: float = np.nan
    collapsed: int = 0
    jumps: int = 0

    @classmethod
    def of_free_states(cls, report: ConvergenceReport, **others: Any) -> Diagnostics:
        """Return what the report of free states says, where there are no nudged ones."""
        known, gaps = report.residuals[np.isfinite(report.residuals)], report.gaps[np.isfinite(report.gaps)]
        return cls(
            gap=float(gaps.min()) if gaps.size else np.nan,
            residual=float(known.max()) if known.size else np.nan,
            evaluations=report.evaluations,
            unconverged=len(report.unconverged),
            judged=report.judged,
            **others,
        )

    def record(self) -> dict[str, float | int]:
        """Return the known values by their names in the metrics."""
        lower = {"cost_lower": self.lower, "cost_lower_se": self.lower_se}
        upper = {"cost_upper": self.upper, "cost_upper_se": self.upper_se}
        own = ("gap", "weyl_beta", "convergence_radius", "overlap", "chi", "chi_se", "surrogate_gap")
        numbers = {
            **{name: getattr(self, name) for name in own},
            **({} if self.of_signals else lower | upper),
            "residual": self.residual,
            "contrast_error": self.contrast_error,
            "discarded_weight": self.discarded,
        }
        known: dict[str, float | int] = {name: value for name, value in numbers.items() if np.isfinite(value)}
        if self.evaluations:
            known["evaluations"] = self.evaluations
        if "contrast_error" in known and 0.0 < self.contrast_error_se < np.inf:
            known["contrast_error_se"] = self.contrast_error_se
        if self.judged:
            known["unconverged"] = self.unconverged
        if self.collapsed:
            known["collapsed"] = self.collapsed
        return known | ({"branch_jumps": self.jumps} if self.jumps else {})


def spectral_ranges(groups: Sequence[Group], coefficients: NDArray) -> NDArray[np.float64]:
    """Return the largest minus the smallest eigenvalue of every operator, shape (operators,).

    Exact for operators in one group; otherwise the sum over groups, an upper bound, so that Weyl's bound stays safe.

    Args:
        groups: Commuting groups.
        coefficients: Shape (operators, terms), terms numbered group after group.

    Returns:
        The ranges; NaN where the spectrum is unbounded, as that of positions.
    """
    total = np.zeros(len(coefficients))
    for group, block in blocks_of(groups, coefficients):
        total += group.ranges(block)
    return total


def nudge_sizes(groups: Sequence[Group], coefficients: NDArray) -> NDArray[np.float64]:
    """Return the sizes of nudging operators, shape (operators,).

    The size is the spectral range or, for an unbounded spectrum, twice the sum of the magnitudes of the coefficients.

    Args:
        groups: Commuting groups.
        coefficients: Shape (operators, terms), terms numbered group after group.
    """
    ranges = spectral_ranges(groups, coefficients)
    return np.where(np.isnan(ranges), 2.0 * np.abs(coefficients).sum(axis=1), ranges)


def typical_nudge_size(groups: Sequence[Group], coefficients: NDArray) -> float:
    """Return the median size of the nudging operators that are not zero, or 0 where all are.

    Samples that are right beyond a margin have no nudge, and say nothing about the size of the others.

    Args:
        groups: Commuting groups.
        coefficients: Shape (operators, terms), terms numbered group after group.
    """
    sizes = nudge_sizes(groups, coefficients)
    return float(np.median(sizes[sizes > 0.0])) if sizes.any() else 0.0


def diagnose(
    family: HamiltonianFamily,
    moments: StateMoments,
    report: ConvergenceReport,
    free: ConvergenceReport | None = None,
    *,
    constants: NDArray | None,
    is_at_optimum: bool = False,
    quiet: bool = False,
    shot_fractions: NDArray | None = None,
    sizes: NDArray | None = None,
) -> Diagnostics:
    """Return the diagnostics of a gradient, and warn of unresolved contrasts, nudges beyond the gap and jumps.

    Args:
        family: The Hamiltonians H + beta C.
        moments: Moments of the terms, shape (samples, phases, terms), NaN where not measured.
        report: Convergence report of the phases of the family.
        free: Convergence report of the free phase, where it was prepared separately.
        constants: Constant part of C, shape (samples,). None where C is made of error signals: this C has the gradient
            of the cost but not its value.
        is_at_optimum: Whether all error signals vanish because the loss is at its minimum; the gradient is then zero.
        quiet: Whether warnings about nudge strength and jumps are left out, for nudges that are large on purpose.
        shot_fractions: Shots of every phase over their mean, shape (phases,); equal by default.
        sizes: What the nudges of samples were divided by, shape (samples,), or None; susceptibility and bounds are
            those of the cost.
    """
    sizes = np.ones(family.num_samples) if sizes is None else sizes
    hidden = Hidden(part=0.0) if is_at_optimum else hidden_in(family, report.hidden)
    ranges = spectral_ranges(family.groups, family.nudge)
    cost = _expectation(moments, np.repeat(family.nudge[:, None], len(family.betas), axis=1))
    energy = _energies(family, moments, report)
    gaps = report.gaps if free is None else np.concatenate([free.gaps, report.gaps], axis=1)
    limits = weyl_betas(gaps, ranges)
    found = {
        **_gap_and_weyl(gaps, limits),
        **_susceptibility(family.betas, cost, sizes),
        **_bounds(family.betas, energy, sizes, 0.0 if constants is None else float(constants.mean()), report, free),
    }
    reports = [report] if free is None else [free, report]
    jumps = find_jumps(family.betas, cost, ranges, report, shot_fractions)
    diagnostics = Diagnostics(
        **found,
        overlap=_extreme(report.overlaps, np.min),
        residual=_extreme(np.concatenate([part.residuals for part in reports], axis=1), np.max),
        evaluations=sum(part.evaluations for part in reports),
        unconverged=sum(len(part.unconverged) for part in reports),
        judged=any(part.judged for part in reports),
        contrast_error=hidden.part,
        contrast_error_se=hidden.standard_error,
        discarded=moments.discarded,
        collapsed=sum(part.collapsed for part in reports),
        of_signals=constants is None,
        jumps=jumps.count if report.branches else 0,
    )
    warn_unresolved(hidden, family.smallest_nudge)
    if report.branches and not quiet:
        warn_of_strength(family, limits)
        warn_of_jumps(jumps, report)
    return diagnostics


def _extreme(values: NDArray, pick: object) -> float:
    known = values[np.isfinite(values)]
    return float(pick(known)) if known.size else float("nan")  # type: ignore[operator]


def _expectation(moments: StateMoments, coefficients: NDArray) -> Curve:
    """Means of an operator at every sample and phase, with variances by shots; terms of coefficient 0 are ignored."""
    terms = np.where(coefficients != 0.0, moments.means, 0.0)
    values = np.einsum("spt,spt->sp", coefficients, terms)
    return Curve(values, variance_of(coefficients, moments.covariance))


def _energies(family: HamiltonianFamily, moments: StateMoments, report: ConvergenceReport) -> Curve:
    """F(beta) from the solver where known, otherwise from the measured means of all groups."""
    known = np.isfinite(report.energies)
    if known.all():
        return Curve(report.energies, np.zeros_like(report.energies))
    measured = _expectation(moments, family.coefficients())
    return Curve(np.where(known, report.energies, measured.values), np.where(known, 0.0, measured.variances))


def _gap_and_weyl(gaps: NDArray, limits: NDArray) -> dict[str, float]:
    if not np.isfinite(gaps).any():
        return {}
    limits = limits[np.isfinite(limits)]
    return {"gap": float(np.nanmin(gaps)), "weyl_beta": float(limits.min()) if limits.size else float("nan")}


def _phase(betas: NDArray, beta: float) -> int | None:
    return next((phase for phase, own in enumerate(betas.tolist()) if isclose(own, beta, rel_tol=1e-9)), None)


def _susceptibility(betas: NDArray, cost: Curve, sizes: NDArray) -> dict[str, float]:
    """chi_C between the smallest nudges of both signs, or between the free phase and the smallest nudge.

    The curve is that of C over the sizes, by beta over the sizes.
    """
    size = min(abs(beta) for beta in betas.tolist() if beta != 0.0)
    innermost = (_phase(betas, side) for side in (-size, size))
    high = max(phase for phase in innermost if phase is not None)
    low = _phase(betas, -betas[high])
    if low is None:
        low = _phase(betas, 0.0)
    if low is None:
        return {}
    low, high = sorted((low, high), key=lambda p: betas[p])
    distance = float(betas[high] - betas[low])
    chi, error = cost.slope(high, low, distance, sizes**2)
    return {"chi": chi, "chi_se": error, "surrogate_gap": size * cost.slope(high, low, distance, sizes)[0]}


def _bounds(
    betas: NDArray,
    energy: Curve,
    sizes: NDArray,
    constant: float,
    report: ConvergenceReport,
    free: ConvergenceReport | None,
) -> dict[str, float]:
    """Contrastive bounds of <C>_0 where the states are minima."""
    zero = _phase(betas, 0.0)
    if not report.minima or (free is not None and not free.minima):
        return {}
    if zero is None and free is not None:
        energy = Curve(
            np.concatenate([energy.values, free.energies], axis=1),
            np.concatenate([energy.variances, np.zeros_like(free.energies)], axis=1),
        )
        zero = len(betas)
    if zero is None:
        return {}
    found: dict[str, float] = {}
    for name, side in (("lower", 1.0), ("upper", -1.0)):
        chosen = [(abs(beta), phase, beta) for phase, beta in enumerate(betas.tolist()) if side * beta > 0.0]
        if chosen:
            _, phase, beta = min(chosen)
            bound, found[f"{name}_se"] = energy.slope(zero, phase, beta, sizes)
            found[name] = bound + constant
    return found
