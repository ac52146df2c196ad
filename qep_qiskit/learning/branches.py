"""Warnings about nudged states on another branch of the spectrum than the free state.

For ground states a contrast is the exact gradient of a contrastive function whatever level crossings lie between the
nudges, because (F(beta) - F(-beta)) / (2 beta) is a difference of ground-state energies (Scellier 2024,
arXiv:2406.00879). A crossing may take this function away from <C>, so it gives a note. Where states are followed from
the free state, a jump makes the contrast a difference of unrelated energies, so it gives a warning.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import BranchJumpWarning, NudgeBeyondGapWarning
from qep_qiskit.core.warning_log import warn
from qep_qiskit.preparation import ConvergenceReport, HamiltonianFamily

_SAME_BRANCH_OVERLAP = 0.05
_WHOLE_RANGE = 0.8
_ERRORS_OF_DOUBT = 5.0
_CURVED = 0.05
_ROUNDING = 1e-9
_ROUNDING_OF_ENERGIES = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A quantity at every sample and phase, with its shot-noise variance.

    Args:
        values: Shape (samples, phases), NaN where unknown.
        variances: Shape (samples, phases), NaN where unknown.
    """

    values: NDArray[np.float64]
    variances: NDArray[np.float64]

    def slope(self, one: int, other: int, distance: float, sizes: NDArray) -> tuple[float, float]:
        """Return the mean over samples of (value at `other` - value at `one`) / distance, and its standard error.

        Args:
            one: Index of a phase.
            other: Index of another phase.
            distance: Nudge of `other` minus nudge of `one`.
            sizes: Factors of the samples, shape (samples,).
        """
        slopes = sizes * (self.values[:, other] - self.values[:, one]) / distance
        variance = (sizes**2 * (self.variances[:, one] + self.variances[:, other])).sum() / distance**2
        return float(slopes.mean()), float(np.sqrt(max(variance, 0.0)) / len(slopes))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Jumps:
    """Jumps between branches of the spectrum.

    Args:
        torn: Shape (samples, phases - 1): the energy does not follow its slope between adjacent phases.
        crossed: Shape (samples, phases - 1): <C> changes by nearly its whole range, and overlaps are unknown.
        lost: Shape (samples, phases): the state has nearly no overlap with the free state.
    """

    torn: NDArray[np.bool_]
    crossed: NDArray[np.bool_]
    lost: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Number of adjacent phases on different branches, plus phases without overlap with the free state."""
        return int((self.torn | self.crossed).sum() + self.lost.sum())

    @property
    def samples(self) -> NDArray[np.bool_]:
        """Mask of the samples with any jump, shape (samples,)."""
        return np.asarray(np.concatenate([self.torn, self.crossed, self.lost], axis=1).any(axis=1))


def find_jumps(
    betas: NDArray, cost: Curve, ranges: NDArray, report: ConvergenceReport, shot_fractions: NDArray | None = None
) -> Jumps:
    """Find adjacent phases on different branches of the spectrum.

    A jump is one of three things: the nudged state has nearly no overlap with the free state; <C> changes by nearly its
    whole range where overlaps are unknown; or the energy from a converged solver does not follow its slope <C>. Shot
    noise is at least that of the average sample and phase, because a few equal shots would show none.

    Args:
        betas: Nudges, shape (phases,), ascending.
        cost: <C> at every sample and phase.
        ranges: Largest minus smallest eigenvalue of C, shape (samples,).
        report: Convergence report of the preparation.
        shot_fractions: Shots of every phase over their mean, shape (phases,); equal by default.
    """
    step = np.diff(betas)
    change, middle = np.diff(cost.values, axis=1), (cost.values[:, 1:] + cost.values[:, :-1]) / 2.0
    noise = _noise(cost.variances, np.ones(len(betas)) if shot_fractions is None else shot_fractions)
    doubt = _ERRORS_OF_DOUBT * np.sqrt(noise[1:] + noise[:-1]) + _ROUNDING * ranges[:, None]
    far = np.abs(change) > _WHOLE_RANGE * ranges[:, None] + doubt
    energies = np.full_like(report.energies, np.nan) if report.unconverged else report.energies
    mismatch = np.abs(np.diff(energies, axis=1) - step * middle)
    rounding = _ROUNDING_OF_ENERGIES * np.abs(energies).max(axis=1, keepdims=True)
    torn = mismatch > step * (np.abs(change) / 2.0 + _CURVED * ranges[:, None] + doubt) + rounding
    unseen = np.isnan(report.overlaps[:, 1:]) | np.isnan(report.overlaps[:, :-1])
    lost = report.overlaps < _SAME_BRANCH_OVERLAP
    return Jumps(torn=torn, crossed=far & unseen, lost=lost & (len(betas) > 1))


def _noise(variances: NDArray, shot_fractions: NDArray) -> NDArray[np.float64]:
    """Return the variance of the average sample in every phase, not below that of the average phase at its shots."""
    own = np.maximum(variances.mean(axis=0), 0.0)
    known = np.isfinite(own)
    average = float((own * shot_fractions)[known].mean()) if known.any() else np.nan
    return np.asarray(np.maximum(own, average / shot_fractions))


def warn_of_jumps(jumps: Jumps, report: ConvergenceReport) -> None:
    """Warn that nudged states of some samples lie on different branches; a note for ground states that cross."""
    affected, of = int(jumps.samples.sum()), len(jumps.samples)
    jumped = partial(warn, BranchJumpWarning, detail=f"{affected} of {amount(of, 'sample')}", affected=affected, of=of)
    if report.lowest and not jumps.torn.any():
        jumped(
            "ground states cross between the nudges. The contrast stays the exact gradient of its contrastive "
            "function, (F(beta) - F(-beta)) / (2 beta), which may differ from the cost; a smaller contrast.beta or "
            "larger fields reduce the difference",
            severity="note",
        )
        return
    jumped(
        "nudged states lie on another branch than their neighbours in beta (no overlap with the free state, or a jump "
        "in energy or cost): the contrast is not the derivative of the cost. Use a smaller contrast.beta, or keep the "
        "gap open with larger fields",
    )


def weyl_betas(gaps: NDArray, ranges: NDArray) -> NDArray[np.float64]:
    """Return |beta| = gap / range(C) of every sample, shape (samples,); infinite without a nudge, NaN where unknown.

    By Weyl's inequality a smaller nudge keeps the branch of the free state.

    Args:
        gaps: Energy gaps, shape (samples, phases), NaN where unknown.
        ranges: Largest minus smallest eigenvalue of C, shape (samples,).
    """
    smallest = np.where(np.isfinite(gaps), gaps, np.inf).min(axis=1)
    smallest[~np.isfinite(gaps).any(axis=1)] = np.nan
    return np.divide(smallest, ranges, out=np.full(len(gaps), np.inf), where=ranges > 0)


def warn_of_strength(family: HamiltonianFamily, limits: NDArray) -> None:
    """Give a note that a nudge exceeds Weyl's bound; at few shots the best nudge often does.

    Args:
        family: The Hamiltonians and nudges.
        limits: Weyl's bound on |beta|, shape (samples,).
    """
    beta = float(np.abs(family.betas).max())
    affected = int((limits < beta).sum())
    smallest = float(np.nanmin(limits)) if affected else np.nan
    warn(
        NudgeBeyondGapWarning,
        "the nudge exceeds gap / range(C), below which a state certainly stays on the branch of the free state. A "
        "contrast of ground states is still the exact gradient of a contrastive function, which may differ from the "
        "cost: check chi and the overlap, or compare with a smaller contrast.beta",
        detail=f"|beta| = {beta:.3g} against {smallest:.3g}, in {affected} of {amount(len(limits), 'sample')}",
        affected=affected,
        of=len(limits),
    )
