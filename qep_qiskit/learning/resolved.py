"""Whether a contrast is resolved: a nudge too small for residuals or for rounding gives a gradient that is unknown.

Zero is no answer there: states that never left the free one show a contrast of exactly zero, without noise.
"""

from __future__ import annotations

import numpy as np

from qep_qiskit.errors import UnresolvedContrastWarning
from qep_qiskit.preparation import Family
from qep_qiskit.preparation.resolution import UNRESOLVED
from qep_qiskit.warning_log import warn

__all__ = ["contrast_error_of", "warn_unresolved"]

_GOOD = 0.01
_WORTH_SAYING = 1e-3


def contrast_error_of(family: Family, residuals: float) -> float:
    """The part of a contrast that is unknown; NaN where nothing is known and rounding does not count.

    Args:
        family: The Hamiltonians. Energies of sum |c| are rounded to eps sum |c|, so that a nudge of beta sum |c'| is
            known to about the ratio of the two.
        residuals: What residuals of iterative states leave unknown, or NaN.
    """
    free, nudge = np.abs(family.free).sum(), family.smallest_nudge * np.abs(family.nudge).sum()
    rounding = float(np.finfo(float).eps * free / nudge) if nudge > 0.0 else 0.0
    if rounding < _WORTH_SAYING:
        return residuals
    return rounding if np.isnan(residuals) else residuals + rounding


def warn_unresolved(contrast_error: float, smallest: float) -> None:
    """Say that a contrast is unknown, and which nudge would do.

    Args:
        contrast_error: The part of the contrast that is unknown.
        smallest: The smallest distance between the nudges of its phases.
    """
    affected = int(contrast_error > UNRESOLVED)
    wanted = smallest * contrast_error / _GOOD
    warn(
        UnresolvedContrastWarning,
        "nudged states have not followed the nudge: what is left of their residuals, or rounding, hides the contrast, "
        "and the gradient is unknown, not zero. Give a larger contrast.beta, or a smaller preparation.tolerance "
        "(left out, it follows beta)",
        detail=f"{min(contrast_error, 1.0):.0%} of the contrast is unknown; phases that differ by {wanted:.1g} in beta "
        f"instead of {smallest:.1g} would know it to 1 %",
        affected=affected,
        of=1,
    )
