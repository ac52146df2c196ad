"""When to trust a gradient: gaps, susceptibility, bounds of the cost, and jumps between branches.

Everything here is read from what a gradient measures and what its preparation reports; nothing is measured for it. With
F(beta) the energy of the nudged state, which is concave in beta for ground states,

    chi_C = (<C>_-beta - <C>_beta) / (2 beta) >= 0
    (F(beta) - F(0)) / beta  <=  <C>_0  <=  (F(-beta) - F(0)) / (-beta)             (beta > 0)

(Scellier 2024, arXiv:2406.00879: the contrast is the exact gradient of these contrastive functions). The bounds hold
for true minima only; where nobody vouches for that, they are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.errors import BranchJumpWarning, NudgeBeyondGapWarning
from qep_qiskit.measurement import StateMoments, spread_of
from qep_qiskit.network import Group
from qep_qiskit.preparation import Family, SolverReport

__all__ = ["Diagnostics", "Watched", "diagnose", "nudge_sizes", "spectral_ranges"]

_SAME_BRANCH_OVERLAP = 0.05
_WHOLE_RANGE = 0.8
_ERRORS_OF_DOUBT = 5.0
_CURVED = 0.05
_ROUNDING = 1e-9
_ROUNDING_OF_ENERGIES = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watched:
    """What a gradient has measured.

    Args:
        family: The Hamiltonians.
        moments: Means of the terms, shape (samples, phases, terms), NaN where not measured.
        constants: Shape (samples,), the constant part of C.
    """

    family: Family
    moments: StateMoments
    constants: NDArray[np.float64]


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
        lower: Lower bound of <C>_0.
        lower_se: Its standard error by shots.
        upper: Upper bound of <C>_0.
        upper_se: Its standard error by shots.
        residual: Largest stationarity residual.
        evaluations: Energies evaluated by the preparation.
        unconverged: States that are not converged.
        judged: Whether somebody has looked at that.
        jumps: Pairs of neighbouring phases that lie on different branches.
    """

    gap: float = np.nan
    weyl_beta: float = np.nan
    overlap: float = np.nan
    chi: float = np.nan
    chi_se: float = np.nan
    surrogate_gap: float = np.nan
    lower: float = np.nan
    lower_se: float = np.nan
    upper: float = np.nan
    upper_se: float = np.nan
    residual: float = np.nan
    evaluations: int = 0
    unconverged: int = 0
    judged: bool = False
    jumps: int = 0

    def record(self) -> dict[str, float | int]:
        """What is known, by the names it has in the metrics."""
        numbers = {
            "gap": self.gap,
            "weyl_beta": self.weyl_beta,
            "overlap": self.overlap,
            "chi": self.chi,
            "chi_se": self.chi_se,
            "surrogate_gap": self.surrogate_gap,
            "cost_lower": self.lower,
            "cost_lower_se": self.lower_se,
            "cost_upper": self.upper,
            "cost_upper_se": self.upper_se,
            "residual": self.residual,
        }
        known: dict[str, float | int] = {name: value for name, value in numbers.items() if np.isfinite(value)}
        if self.evaluations:
            known["evaluations"] = self.evaluations
        if self.judged:
            known["unconverged"] = self.unconverged
        return known | ({"branch_jumps": self.jumps} if self.jumps else {})


def spectral_ranges(groups: Sequence[Group], coefficients: NDArray) -> NDArray[np.float64]:
    """Largest minus smallest eigenvalue of operators, shape (operators,), of coefficients (operators, terms).

    Exact for operators in one group; else the sum over groups, an upper bound, which is safe for Weyl's. NaN where the
    spectrum has no end, as that of positions.
    """
    total, start = np.zeros(len(coefficients)), 0
    for group in groups:
        block = coefficients[:, start : start + group.num_generators]
        start += group.num_generators
        total += group.ranges(block)
    return total


def nudge_sizes(groups: Sequence[Group], coefficients: NDArray) -> NDArray[np.float64]:
    """The same as a scale for nudges: where a spectrum has no end, twice the sum of the coefficients' sizes."""
    ranges = spectral_ranges(groups, coefficients)
    return np.where(np.isnan(ranges), 2.0 * np.abs(coefficients).sum(axis=1), ranges)


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """A quantity at every sample and phase, with its variance by shots; NaN where unknown."""

    values: NDArray[np.float64]
    variances: NDArray[np.float64]

    def slope(self, one: int, other: int, distance: float) -> tuple[float, float]:
        """Mean over samples of (value at other - value at one) / distance, and its standard error."""
        slopes = (self.values[:, other] - self.values[:, one]) / distance
        variance = (self.variances[:, one] + self.variances[:, other]).sum() / distance**2
        return float(slopes.mean()), float(np.sqrt(max(variance, 0.0)) / len(slopes))


def diagnose(
    watched: Watched, report: SolverReport, free: SolverReport | None = None, *, quiet: bool = False
) -> Diagnostics:
    """Judge the states behind a gradient, and warn of nudges past the gap and of jumps.

    Args:
        watched: What was measured.
        report: Of the preparation, for the phases of the family.
        free: Of the preparation of the free phase, where that was a stage of its own.
        quiet: Give no warnings, for nudges that are large on purpose.
    """
    family = watched.family
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
    diagnostics = Diagnostics(
        **found,
        overlap=_extreme(report.overlaps, np.min),
        residual=_extreme(np.concatenate([part.residuals for part in reports], axis=1), np.max),
        evaluations=sum(part.evaluations for part in reports),
        unconverged=sum(len(part.unconverged) for part in reports),
        judged=any(part.judged for part in reports),
        jumps=_count_jumps(family.betas, cost, ranges, report) if report.branches else 0,
    )
    if report.branches and not quiet:
        _warn(diagnostics, float(np.abs(family.betas).max()))
    return diagnostics


def _extreme(values: NDArray, pick: object) -> float:
    known = values[np.isfinite(values)]
    return float(pick(known)) if known.size else float("nan")  # type: ignore[operator]


def _expectation(watched: Watched, coefficients: NDArray) -> _Curve:
    """Means of an operator per sample and phase, from the shot batches; NaN where a term was not measured."""
    terms = np.where(coefficients != 0.0, watched.moments.means, 0.0)
    values = np.einsum("spt,spt->sp", coefficients, terms)
    return _Curve(values, spread_of(coefficients, watched.moments.covariance))


def _energies(watched: Watched, report: SolverReport) -> _Curve:
    """F(beta) from the solver where it knows, else from the batches of all groups."""
    measured = _expectation(watched, watched.family.coefficients())
    known = np.isfinite(report.energies)
    return _Curve(np.where(known, report.energies, measured.values), np.where(known, 0.0, measured.variances))


def _gap_and_weyl(gaps: NDArray, ranges: NDArray) -> dict[str, float]:
    if not np.isfinite(gaps).any():
        return {}
    smallest = np.nanmin(gaps, axis=1)
    nudged = ranges > 0
    weyl = float((smallest[nudged] / ranges[nudged]).min()) if nudged.any() else float("nan")
    return {"gap": float(smallest.min()), "weyl_beta": weyl}


def _phase(betas: NDArray, beta: float) -> int | None:
    where = np.flatnonzero(np.isclose(betas, beta, rtol=1e-9, atol=0.0))
    return int(where[0]) if where.size else None


def _susceptibility(betas: NDArray, cost: _Curve) -> dict[str, float]:
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


def _bounds(watched: Watched, energy: _Curve, report: SolverReport, free: SolverReport | None) -> dict[str, float]:
    """Contrastive bounds of <C>_0 where the states are minima."""
    betas = watched.family.betas
    zero = _phase(betas, 0.0)
    if not report.minima or (free is not None and not free.minima):
        return {}
    if zero is None and free is not None:
        energy = _Curve(
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
            found[name] = bound + float(watched.constants.mean())
    return found


def _count_jumps(betas: NDArray, cost: _Curve, ranges: NDArray, report: SolverReport) -> int:
    """Neighbouring phases on different branches.

    Either the nudged state hardly overlaps with the free one; or, where overlaps are unknown, <C> crosses nearly its
    whole range; or an energy that a converged solver knows does not follow its slope <C>: then it has jumped itself.
    Shot noise is taken as that of a typical sample, because a few shots that agree show none of their own.
    """
    if len(betas) < 2:
        return 0
    step = np.diff(betas)
    change, middle = np.diff(cost.values, axis=1), (cost.values[:, 1:] + cost.values[:, :-1]) / 2.0
    noise = np.maximum(cost.variances.mean(axis=0), 0.0)
    doubt = _ERRORS_OF_DOUBT * np.sqrt(noise[1:] + noise[:-1]) + _ROUNDING * ranges[:, None]
    far = np.abs(change) > _WHOLE_RANGE * ranges[:, None] + doubt
    energies = np.full_like(report.energies, np.nan) if report.unconverged else report.energies
    mismatch = np.abs(np.diff(energies, axis=1) - step * middle)
    rounding = _ROUNDING_OF_ENERGIES * np.abs(energies).max(axis=1, keepdims=True)
    torn = mismatch > step * (np.abs(change) / 2.0 + _CURVED * ranges[:, None] + doubt) + rounding
    unseen = np.isnan(report.overlaps[:, 1:]) | np.isnan(report.overlaps[:, :-1])
    return int((torn | (far & unseen)).sum() + (report.overlaps < _SAME_BRANCH_OVERLAP).sum())


def _warn(diagnostics: Diagnostics, beta: float) -> None:
    if diagnostics.weyl_beta < beta:
        warnings.warn(
            f"the nudge |beta| = {beta:.3g} is past {diagnostics.weyl_beta:.3g} = gap / range(C), up to which it "
            "surely keeps the branch of the free state; more may be best at few shots, but watch chi and the overlap",
            NudgeBeyondGapWarning,
            stacklevel=3,
        )
    if diagnostics.jumps:
        warnings.warn(
            f"{diagnostics.jumps} nudged states lie on another branch than their neighbours in beta (no overlap with "
            "the free state, or a jump in energy or cost); the contrast is then no derivative. Use a smaller "
            "contrast.beta, or keep the gap open with larger fields",
            BranchJumpWarning,
            stacklevel=3,
        )
