"""Whether states have followed a nudge: their residuals against the force of the nudge.

A state that is stationary up to a residual g = dE/dp is displaced by H^-1 g, H the second derivatives, and the nudge
displaces it by H^-1 (beta C'), C' = d<C>/dp. A contrast of two phases is therefore off, as a part of itself, by about

    |g_1 - g_2| / |beta_1 - beta_2| |C'|

which is 0 for converged states and 1 for states that have not moved at all: what both leave undone cancels.

Where energies are sampled, slopes along the same few random directions d take the place of both gradients: the mean of
(g . d)^2 over directions of signs is |g|^2. Their shot noise is subtracted, and what is found has an error of its own.
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
    """The part of a contrast that is unknown, as far as that is known itself.

    Args:
        part: The part; NaN where nothing is known of it.
        square_error: Standard error of its square: zero where it is known exactly, infinite where slopes drown in shot
            noise or were not measured.
        shot_noise: What shot noise alone does to its square, one standard deviation.
        lag: The part of the nudge that states have not followed: 1 where they have not moved, 0 where they have arrived
            or miss the minimum in random directions. By default all of what is unknown counts as lag.
        lag_error: Its standard error.
    """

    part: float = np.nan
    square_error: float = 0.0
    shot_noise: float = 0.0
    lag: float = np.inf
    lag_error: float = 0.0

    @property
    def standard_error(self) -> float:
        """From the part to the root of a square that is one standard error larger."""
        if not np.isfinite(self.square_error):
            return self.square_error
        return float(np.sqrt(self.part**2 + self.square_error)) - self.part

    @property
    def is_too_much(self) -> bool:
        """Whether more is unknown than may be, for sure."""
        if not self.part > UNRESOLVED:
            return False
        by_noise = self.part**2 <= UNRESOLVED**2 + _SURE * self.shot_noise
        return not by_noise and self.part - _SURE * self.standard_error > UNRESOLVED

    @property
    def is_random(self) -> bool:
        """Whether nothing says that the states lag behind: what is unknown may have any sign in the next step."""
        return not self.lag - _SURE * self.lag_error > UNRESOLVED

    @property
    def is_undecided(self) -> bool:
        """Whether states that never left the free one cannot be told from those that followed."""
        if self.square_error == 0.0 or self.is_too_much:
            return False
        return not self.part**2 + _SURE * self.square_error < 1.0


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
        change = size_of(residuals[:, first + 1] - residuals[:, first])
        force = float(betas[first + 1] - betas[first]) * size_of(forces[:, first : first + 2].mean(axis=1))
        if force > 0.0:
            found = max(found, change / force)
    return found


def sampled_contrast_error(betas: NDArray, slopes: NDArray) -> Hidden:
    """The same from slopes along directions that all phases share, with its standard error.

    Args:
        betas: Shape (phases,), in order, two or more.
        slopes: Shape (samples, phases, directions, levels, 5), see `Minima.slopes`. Those of <C> are used where beta is
            not zero: free states may be read in fewer groups.
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
    """Root of sum left^2 / sum force^2, and sum left force / sum force^2, with shot noise subtracted all three.

    Slopes are normal over directions and shots to good accuracy. So u = left^2 - r^2 force^2, which is zero in the mean
    at the true ratio r, is the product of two normal numbers p = left - r force and q = left + r force, of variance
    <p^2> <q^2> + <pq>^2. That keeps what both have in common: states that never moved have p = 0.

    Args:
        change: Shape (samples, directions, levels), as all others: what residuals differ by.
        force: Of the nudge between the two phases.
        noise: Variances of `change` by shots.
        force_noise: Those of `force`.
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
    """Of the sum of products of normal numbers of mean zero, from their scatter over directions (axis 1)."""
    whole = np.square(one).sum(axis=1) * np.square(other).sum(axis=1) + np.square((one * other).sum(axis=1))
    return float(whole.sum() / (one.shape[1] + 2))


def units_of(coefficients: NDArray) -> NDArray[np.float64]:
    """The largest coefficient of every row in size, or 1 where all are zero, shape (rows,)."""
    largest: NDArray[np.float64] = np.abs(coefficients).max(axis=-1, initial=0.0)
    return np.where(largest > 0.0, largest, 1.0)
