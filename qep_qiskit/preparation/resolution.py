"""Whether states have followed a nudge: their residuals against the force of the nudge.

A state that is stationary up to a residual g = dE/dp is displaced by H^-1 g, H the second derivatives, and the nudge
displaces it by H^-1 (beta C'), C' = d<C>/dp. A contrast of two phases is therefore off, as a part of itself, by about

    |g_1 - g_2| / |beta_1 - beta_2| |C'|

which is 0 for converged states and 1 for states that have not moved at all: what both leave undone cancels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROUNDING", "UNRESOLVED", "WANTED", "contrast_error", "size_of", "units_of"]

WANTED = 3e-4
"""Residuals that are aimed at, as a part of the force of the nudge."""

UNRESOLVED = 0.05
"""The part of a contrast that may be unknown; with more the contrast counts as hidden."""

ROUNDING = 1e-13
"""Residuals that rounding leaves, as a part of the largest coefficient; nothing below is aimed at."""


def size_of(vectors: NDArray) -> float:
    """Root mean square length over samples of vectors (samples, ...)."""
    return float(np.sqrt(np.square(np.abs(vectors)).sum() / max(len(vectors), 1)))


def contrast_error(betas: NDArray, residuals: NDArray, forces: NDArray) -> float:
    """The largest part of a contrast between neighbouring phases that residuals leave unknown.

    Samples are taken together, as a gradient takes them: one on which the nudge hardly acts does not count for more.

    Args:
        betas: Shape (phases,), in order.
        residuals: Shape (samples, phases, parameters), gradients of the energy H + beta C.
        forces: Shape (samples, phases, parameters), gradients of <C>.

    Returns:
        Zero where C acts on no state; NaN where there are no two phases.
    """
    if len(betas) < 2:
        return float("nan")
    found = 0.0
    for first in range(len(betas) - 1):
        left = size_of(residuals[:, first + 1] - residuals[:, first])
        force = float(betas[first + 1] - betas[first]) * size_of(forces[:, first : first + 2].mean(axis=1))
        if force > 0.0:
            found = max(found, left / force)
    return found


def units_of(coefficients: NDArray) -> NDArray[np.float64]:
    """The largest coefficient of every row in size, or 1 where all are zero, shape (rows,)."""
    largest: NDArray[np.float64] = np.abs(coefficients).max(axis=-1, initial=0.0)
    return np.where(largest > 0.0, largest, 1.0)
