"""Whether states have followed a nudge: their residuals compared with the force of the nudge.

A state that is stationary up to a residual g = dE/dp is displaced by H^-1 g, with H the second derivatives, and the
nudge displaces it by H^-1 (beta C'), C' = d<C>/dp. A contrast of two phases therefore has a relative error of about

    |g_1 - g_2| / |beta_1 - beta_2| |C'|

which is 0 for converged states and 1 for states that have not moved at all: residuals that are equal in both phases
cancel.

Where energies are sampled, slopes along the same few random directions d replace both gradients: the mean of (g . d)^2
over random signs is |g|^2. Shot noise is subtracted, and the result has a standard error of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WANTED = 3e-4
"""Residuals that are aimed at, as a part of the force of the nudge."""

UNRESOLVED = 0.05
"""The part of a contrast that may be unknown; with more the contrast counts as hidden."""

ROUNDING = 1e-13
"""Residuals that rounding leaves, as a part of the largest coefficient; nothing below is aimed at."""


_SURE = 2.0  # standard errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """The relative part of a contrast that remains unknown because of residuals, with its uncertainty.

    Args:
        part: The relative part; NaN where it cannot be estimated.
        square_error: Standard error of its square: zero where it is known exactly, infinite where slopes are below the
            shot noise or were not measured.
        shot_noise: Standard deviation of its square from shot noise alone.
        lag: The relative part of the nudge that states have not followed: 1 where they have not moved, 0 where they
            have followed, or miss the minimum in random directions. By default all of `part` counts as lag.
        lag_error: Standard error of `lag`.
    """

    part: float = np.nan
    square_error: float = 0.0
    shot_noise: float = 0.0
    lag: float = np.inf
    lag_error: float = 0.0

    @property
    def standard_error(self) -> float:
        """Upper error bar of the part: the root of its square plus one standard error, minus the part."""
        if not np.isfinite(self.square_error):
            return self.square_error
        return float(np.sqrt(self.part * self.part + self.square_error)) - self.part

    @property
    def is_too_much(self) -> bool:
        """Whether the unknown part is significantly larger than the limit `UNRESOLVED`."""
        if not self.part > UNRESOLVED:
            return False
        by_noise = self.part * self.part <= UNRESOLVED**2 + _SURE * self.shot_noise
        return not by_noise and self.part - _SURE * self.standard_error > UNRESOLVED

    @property
    def is_random(self) -> bool:
        """Whether no lag is significant: the unknown part may then have any sign in the next step."""
        return not self.lag - _SURE * self.lag_error > UNRESOLVED

    @property
    def is_undecided(self) -> bool:
        """Whether states that never left the free one cannot be distinguished from states that followed."""
        if self.square_error == 0.0 or self.is_too_much:
            return False
        return not self.part * self.part + _SURE * self.square_error < 1.0


def size_of(vectors: NDArray) -> float:
    """Return the root mean square norm of vectors (samples, ...) over samples."""
    return float(np.sqrt(np.square(np.abs(vectors)).sum() / max(len(vectors), 1)))


def contrast_error(betas: NDArray, residuals: NDArray, forces: NDArray) -> float:
    """Return the largest relative part of a contrast of adjacent phases that residuals leave unknown.

    Norms are summed over samples, as in a gradient: a sample on which the nudge hardly acts contributes little.

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
        change = size_of(residuals[:, first + 1] - residuals[:, first])
        force = float(betas[first + 1] - betas[first]) * size_of(forces[:, first : first + 2].mean(axis=1))
        if force > 0.0:
            found = max(found, change / force)
    return found


def sampled_contrast_error(betas: NDArray, slopes: NDArray) -> Hidden:
    """Return the same as `contrast_error`, with its standard error, from slopes along directions that all phases share.

    Args:
        betas: Shape (phases,), in order; at least two.
        slopes: Shape (samples, phases, directions, levels, 5), see `Minima.slopes`. Slopes of <C> are used where beta
            is not zero, because free states may be measured in fewer groups.
    """
    worst = Hidden(part=0.0, lag=0.0)
    for first in range(len(betas) - 1):
        pair, nudged = slopes[:, first : first + 2], betas[first : first + 2] != 0.0
        size = float(betas[first + 1] - betas[first]) * nudged / nudged.sum()
        found = _compared(
            change=pair[:, 1, ..., 0] - pair[:, 0, ..., 0],
            force=np.einsum("p,spdl->sdl", size, pair[..., 1]),
            noise=pair[..., 2].sum(axis=1),
            force_noise=np.einsum("p,spdl->sdl", size**2, pair[..., 3]),
            both=np.einsum("p,spdl->sdl", size * np.array([-1.0, 1.0]), pair[..., 4]),
        )
        if not found.part <= worst.part:
            worst = found
    return worst


def _compared(*, change: NDArray, force: NDArray, noise: NDArray, force_noise: NDArray, both: NDArray) -> Hidden:
    """Return the root of sum left^2 / sum force^2, and sum left force / sum force^2, all with shot noise subtracted.

    Slopes are normally distributed over directions and shots to good accuracy. At the true ratio r, u = left^2 - r^2
    force^2 has mean zero and is the product of two normal numbers p = left - r force and q = left + r force, of
    variance <p^2> <q^2> + <pq>^2. This includes their correlation: states that never moved have p = 0.

    Args:
        change: Shape (samples, directions, levels), as all others: the differences of residuals.
        force: Slopes of the nudge between the two phases.
        noise: Shot-noise variances of `change`.
        force_noise: Shot-noise variances of `force`.
        both: Their covariances.
    """
    forces, forces_error = float((force**2 - force_noise).sum()), np.sqrt(_variance(force, force))
    if (noise.any() or force_noise.any()) and forces <= _SURE * forces_error:
        return Hidden(square_error=np.inf)
    if forces <= 0.0:
        return Hidden(part=0.0, lag=0.0)
    square = max(float((change**2 - noise).sum()), 0.0) / forces
    own, lag = float(np.sqrt(square)), float((change * force - both).sum()) / forces
    return Hidden(
        part=own,
        square_error=float(np.sqrt(_variance(change - own * force, change + own * force))) / forces,
        shot_noise=float(np.sqrt(2.0 * np.square(noise).sum())) / forces,
        lag=lag,
        lag_error=float(np.sqrt(_variance(change - lag * force, force))) / forces,
    )


def _variance(one: NDArray, other: NDArray) -> float:
    """Return the variance of a sum of products of normal numbers of mean zero.

    It is estimated from their scatter over directions (axis 1).
    """
    whole = np.square(one).sum(axis=1) * np.square(other).sum(axis=1) + np.square((one * other).sum(axis=1))
    return float(whole.sum() / (one.shape[1] + 2))


def units_of(coefficients: NDArray) -> NDArray[np.float64]:
    """Return the largest absolute coefficient of every row, or 1 where all are zero, shape (rows,)."""
    largest: NDArray[np.float64] = np.abs(coefficients).max(axis=-1, initial=0.0)
    return np.where(largest > 0.0, largest, 1.0)
