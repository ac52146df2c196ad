"""Whether nudged states belong to the free one: jumps between branches of the spectrum, and nudges that may cause them.

A contrast of ground states is the exact gradient of a contrastive function whatever crossings lie between the nudges,
for (F(beta) - F(-beta)) / (2 beta) is a difference of ground-state energies (Scellier 2024, arXiv:2406.00879); what a
crossing costs is that this function stays near <C>. Where states are followed from the free one, a jump makes the
contrast a difference of unrelated energies. So the first is a note and the second a warning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    """A quantity at every sample and phase, with its variance by shots; NaN where unknown."""

    values: NDArray[np.float64]
    variances: NDArray[np.float64]

    def slope(self, one: int, other: int, distance: float) -> tuple[float, float]:
        """Mean over samples of (value at other - value at one) / distance, and its standard error."""
        slopes = (self.values[:, other] - self.values[:, one]) / distance
        variance = (self.variances[:, one] + self.variances[:, other]).sum() / distance**2
        return float(slopes.mean()), float(np.sqrt(max(variance, 0.0)) / len(slopes))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Jumps:
    """Where branches were changed.

    Args:
        torn: Shape (samples, phases - 1): an energy does not follow its slope between neighbouring phases.
        crossed: Shape (samples, phases - 1): <C> crosses nearly its whole range, and overlaps are unknown.
        lost: Shape (samples, phases): the state hardly overlaps with the free one.
    """

    torn: NDArray[np.bool_]
    crossed: NDArray[np.bool_]
    lost: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Pairs of neighbouring phases on different branches, and phases that have lost the free one."""
        return int((self.torn | self.crossed).sum() + self.lost.sum())

    @property
    def samples(self) -> NDArray[np.bool_]:
        """Samples with any of them, shape (samples,)."""
        return np.asarray(np.concatenate([self.torn, self.crossed, self.lost], axis=1).any(axis=1))


def find_jumps(betas: NDArray, cost: Curve, ranges: NDArray, report: ConvergenceReport) -> Jumps:
    """Neighbouring phases on different branches.

    Either the nudged state hardly overlaps with the free one; or, where overlaps are unknown, <C> crosses nearly its
    whole range; or an energy that a converged solver knows does not follow its slope <C>: then it has jumped itself.
    Shot noise is taken as that of a typical sample, because a few shots that agree show none of their own.

    Args:
        betas: Shape (phases,).
        cost: <C> at every sample and phase.
        ranges: Shape (samples,), largest minus smallest eigenvalue of C.
        report: Of the preparation.
    """
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
    lost = report.overlaps < _SAME_BRANCH_OVERLAP
    return Jumps(torn=torn, crossed=far & unseen, lost=lost & (len(betas) > 1))


def warn_of_jumps(jumps: Jumps, report: ConvergenceReport) -> None:
    """Say for how many samples the nudged states lie on different branches."""
    affected, of = int(jumps.samples.sum()), len(jumps.samples)
    detail = f"{affected} of {of} samples"
    if report.lowest and not jumps.torn.any():
        warn(
            BranchJumpWarning,
            "ground states cross between the nudges. The contrast stays the exact gradient of its contrastive "
            "function, (F(beta) - F(-beta)) / (2 beta), which need not be near the cost; a smaller contrast.beta or "
            "larger fields bring it nearer",
            detail=detail,
            affected=affected,
            of=of,
            severity="note",
        )
        return
    warn(
        BranchJumpWarning,
        "nudged states lie on another branch than their neighbours in beta (no overlap with the free state, or a jump "
        "in energy or cost): the contrast is no derivative of the cost. Use a smaller contrast.beta, or keep the gap "
        "open with larger fields",
        detail=detail,
        affected=affected,
        of=of,
    )


def weyl_betas(gaps: NDArray, ranges: NDArray) -> NDArray[np.float64]:
    """|beta| = gap / range(C) of every sample, shape (samples,); infinite without a nudge, NaN where unknown.

    Args:
        gaps: Shape (samples, phases).
        ranges: Shape (samples,).
    """
    smallest = np.where(np.isfinite(gaps), gaps, np.inf).min(axis=1)
    smallest[~np.isfinite(gaps).any(axis=1)] = np.nan
    return np.divide(smallest, ranges, out=np.full(len(gaps), np.inf), where=ranges > 0)


def warn_of_strength(family: HamiltonianFamily, limits: NDArray) -> None:
    """Note that a nudge is past Weyl's bound; the best one at few shots often is."""
    beta = float(np.abs(family.betas).max())
    affected = int((limits < beta).sum())
    smallest = float(np.nanmin(limits)) if affected else np.nan
    warn(
        NudgeBeyondGapWarning,
        "the nudge is past gap / range(C), up to which it surely keeps the branch of the free state. A contrast of "
        "ground states is exact all the same, for a contrastive function that may stray from the cost: watch chi and "
        "the overlap, or compare with a smaller contrast.beta",
        detail=f"|beta| = {beta:.3g} against {smallest:.3g}, in {affected} of {len(limits)} samples",
        affected=affected,
        of=len(limits),
    )
