"""When to trust a gradient: gaps, susceptibility, bounds of the cost, and jumps between branches.

Everything here is read from what a gradient measures and what its preparation reports; nothing is measured for it. With
F(beta) the energy of the nudged state, which is concave in beta for ground states,

    chi_C = (<C>_-beta - <C>_beta) / (2 beta) >= 0
    (F(beta) - F(0)) / beta  <=  <C>_0  <=  (F(-beta) - F(0)) / (-beta)             (beta > 0)

(Scellier 2024, arXiv:2406.00879: the contrast is the exact gradient of these contrastive functions). The bounds hold
for true minima only; where nobody can know that (ansaetze, annealing, elastic networks with rest lengths), they are
left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.groups import Group
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.branches import Curve, find_jumps, warn_of_jumps, warn_of_strength, weyl_betas
from qep_qiskit.learning.resolved import hidden_in, warn_unresolved
from qep_qiskit.measurement import StateMoments
from qep_qiskit.outcomes import variance_of
from qep_qiskit.preparation import ConvergenceReport, HamiltonianFamily
from qep_qiskit.preparation.resolution import Hidden


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientMeasurements:
    """What a gradient has measured.

    Args:
        family: The Hamiltonians.
        moments: Means of the terms, shape (samples, phases, terms), NaN where not measured.
        constants: Shape (samples,), the constant part of C. None where C is made of error signals: it has the gradient
            of the cost, and is not the cost.
        is_at_optimum: Whether there are no error signals left: the gradient is then zero, and not unknown.
    """

    family: HamiltonianFamily
    moments: StateMoments
    constants: NDArray[np.float64] | None
    is_at_optimum: bool = False


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """Means over a batch where not said otherwise; NaN where unknown.

    Args:
        gap: Smallest gap of all states, in energy.
        weyl_beta: Smallest |beta| = gap / range(C) of all samples: below it the nudge surely keeps the branch.
        overlap: Smallest |<free|nudged>|^2.
        chi: Susceptibility chi_C of the nudged cost.
        chi_se: Its standard error.
        surrogate_gap: |beta| chi, the distance between the upper and the lower contrastive bound to first order.
        of_signals: Whether C is made of error signals and not the cost; bounds of <C>_0 are then none of the cost.
        lower: Lower bound of <C>_0, where states are known to be the lowest.
        lower_se: Its standard error by shots.
        upper: Upper bound of <C>_0.
        upper_se: Its standard error by shots.
        residual: Largest stationarity residual.
        evaluations: Energies evaluated by the preparation.
        unconverged: States that are not converged.
        judged: Whether somebody has looked at that.
        contrast_error: The part of the contrast that residuals of iterative states and rounding leave unknown: 1 where
            nudged states never left the free one. Below 1e-3 of rounding nothing is said.
        contrast_error_se: Its standard error, where slopes are measured with shots; infinite where shots do not say.
        discarded: The weight that truncation of matrix product states took from the state with the strongest nudge.
        collapsed: Samples in which no spring of an elastic network is stretched: gradients of springs are zero.
        jumps: Pairs of neighbouring phases that lie on different branches, and phases that have lost the free one.
    """

    gap: float = np.nan
    weyl_beta: float = np.nan
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

    def record(self) -> dict[str, float | int]:
        """What is known, by the names it has in the metrics."""
        bounds = {
            "cost_lower": self.lower,
            "cost_lower_se": self.lower_se,
            "cost_upper": self.upper,
            "cost_upper_se": self.upper_se,
        }
        numbers = {
            "gap": self.gap,
            "weyl_beta": self.weyl_beta,
            "overlap": self.overlap,
            "chi": self.chi,
            "chi_se": self.chi_se,
            "surrogate_gap": self.surrogate_gap,
            **({} if self.of_signals else bounds),
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
    """Largest minus smallest eigenvalue of operators, shape (operators,), of coefficients (operators, terms).

    Exact for operators in one group; else the sum over groups, an upper bound, which is safe for Weyl's. NaN where the
    spectrum has no end, as that of positions.
    """
    total, start = np.zeros(len(coefficients)), 0
    for group in groups:
        block = coefficients[:, start : start + group.num_terms]
        start += group.num_terms
        total += group.ranges(block)
    return total


def nudge_sizes(groups: Sequence[Group], coefficients: NDArray) -> NDArray[np.float64]:
    """The same as a scale for nudges: where a spectrum has no end, twice the sum of the coefficients' sizes."""
    ranges = spectral_ranges(groups, coefficients)
    return np.where(np.isnan(ranges), 2.0 * np.abs(coefficients).sum(axis=1), ranges)


def diagnose(
    watched: GradientMeasurements,
    report: ConvergenceReport,
    free: ConvergenceReport | None = None,
    *,
    quiet: bool = False,
) -> Diagnostics:
    """Judge the states behind a gradient, and warn of nudges past the gap and of jumps.

    Args:
        watched: What was measured.
        report: Of the preparation, for the phases of the family.
        free: Of the preparation of the free phase, where that was a stage of its own.
        quiet: Give no warnings, for nudges that are large on purpose.
    """
    family = watched.family
    hidden = Hidden(part=0.0) if watched.is_at_optimum else hidden_in(family, report.hidden)
    ranges = spectral_ranges(family.groups, family.nudge)
    cost = _expectation(watched, np.broadcast_to(family.nudge[:, None], watched.moments.means.shape))
    energy = _energies(watched, report)
    gaps = report.gaps if free is None else np.concatenate([free.gaps, report.gaps], axis=1)
    found = {
        **_gap_and_weyl(gaps, ranges),
        **_susceptibility(family.betas, cost),
        **_bounds(watched, energy, report, free),
    }
    reports = [report] if free is None else [free, report]
    jumps = find_jumps(family.betas, cost, ranges, report)
    diagnostics = Diagnostics(
        **found,
        overlap=_extreme(report.overlaps, np.min),
        residual=_extreme(np.concatenate([part.residuals for part in reports], axis=1), np.max),
        evaluations=sum(part.evaluations for part in reports),
        unconverged=sum(len(part.unconverged) for part in reports),
        judged=any(part.judged for part in reports),
        contrast_error=hidden.part,
        contrast_error_se=hidden.standard_error,
        discarded=watched.moments.discarded,
        collapsed=sum(part.collapsed for part in reports),
        of_signals=watched.constants is None,
        jumps=jumps.count if report.branches else 0,
    )
    warn_unresolved(hidden, family.smallest_nudge)
    if report.branches and not quiet:
        warn_of_strength(family, weyl_betas(gaps, ranges))
        warn_of_jumps(jumps, report)
    return diagnostics


def _extreme(values: NDArray, pick: object) -> float:
    known = values[np.isfinite(values)]
    return float(pick(known)) if known.size else float("nan")  # type: ignore[operator]


def _expectation(watched: GradientMeasurements, coefficients: NDArray) -> Curve:
    """Means of an operator per sample and phase, from the shot batches; NaN where a term was not measured."""
    terms = np.where(coefficients != 0.0, watched.moments.means, 0.0)
    values = np.einsum("spt,spt->sp", coefficients, terms)
    return Curve(values, variance_of(coefficients, watched.moments.covariance))


def _energies(watched: GradientMeasurements, report: ConvergenceReport) -> Curve:
    """F(beta) from the solver where it knows, else from the batches of all groups."""
    measured = _expectation(watched, watched.family.coefficients())
    known = np.isfinite(report.energies)
    return Curve(np.where(known, report.energies, measured.values), np.where(known, 0.0, measured.variances))


def _gap_and_weyl(gaps: NDArray, ranges: NDArray) -> dict[str, float]:
    if not np.isfinite(gaps).any():
        return {}
    limits = weyl_betas(gaps, ranges)
    limits = limits[np.isfinite(limits)]
    return {"gap": float(np.nanmin(gaps)), "weyl_beta": float(limits.min()) if limits.size else float("nan")}


def _phase(betas: NDArray, beta: float) -> int | None:
    where = np.flatnonzero(np.isclose(betas, beta, rtol=1e-9, atol=0.0))
    return int(where[0]) if where.size else None


def _susceptibility(betas: NDArray, cost: Curve) -> dict[str, float]:
    """chi_C between the innermost nudges on both sides, or between the free phase and the one nudge."""
    size = float(np.abs(betas[betas != 0.0]).min())
    innermost = (_phase(betas, side) for side in (-size, size))
    high = max(phase for phase in innermost if phase is not None)
    low = _phase(betas, -betas[high])
    if low is None:
        low = _phase(betas, 0.0)
    if low is None:
        return {}
    low, high = sorted((low, high), key=lambda p: betas[p])
    chi, error = cost.slope(high, low, float(betas[high] - betas[low]))
    return {"chi": chi, "chi_se": error, "surrogate_gap": size * chi}


def _bounds(
    watched: GradientMeasurements, energy: Curve, report: ConvergenceReport, free: ConvergenceReport | None
) -> dict[str, float]:
    """Contrastive bounds of <C>_0 where the states are minima."""
    betas = watched.family.betas
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
    for name, chosen in (("lower", betas[betas > 0]), ("upper", betas[betas < 0])):
        if chosen.size:
            beta = float(chosen[np.abs(chosen).argmin()])
            phase = _phase(betas, beta)
            assert phase is not None
            bound, found[f"{name}_se"] = energy.slope(zero, phase, beta)
            found[name] = bound + (0.0 if watched.constants is None else float(watched.constants.mean()))
    return found
