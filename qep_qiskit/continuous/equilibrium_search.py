"""The search for one equilibrium of atoms, and the modes in which it moves at no cost."""

from __future__ import annotations

import numpy as np
import scipy.optimize
import scipy.sparse.linalg
from numpy.typing import NDArray

from qep_qiskit.continuous.elastic import PotentialEnergy
from qep_qiskit.core.amounts import amount

FLAT = 1e-9
"""Eigenvalue of the second derivatives, by the largest, below which a mode is floppy."""

_DENSE_UP_TO = 400
_NEWTON_STEPS = 8
_UNSEEN = 1e-6  # slope of a term along a floppy mode, by the largest along the stiffest mode
_TOUCHING = 1e-9


def apart(potential: PotentialEnergy, moving: NDArray) -> NDArray[np.float64]:
    """Return the point, displaced slightly where atoms coincide: a spring with a rest length has no direction there."""
    pairs = potential.group.pairs
    arms = pairs.vectors(potential.points(moving))[pairs.is_root]
    if not np.any(np.square(arms).sum(axis=1) < _TOUCHING**2):
        return moving
    return moving + 0.01 * np.random.default_rng(0).standard_normal(moving.shape)


def is_minimum(potential: PotentialEnergy, moving: NDArray, target: float) -> bool:
    """Whether Newton steps alone have reached a minimum, as they do from a nearby point."""
    if not np.linalg.norm(potential.gradient(moving)) <= target:
        return False
    lowest, highest, _ = softest(potential.hessian(moving))
    return lowest > -FLAT * highest


def minimised(potential: PotentialEnergy, moving: NDArray, target: float) -> NDArray[np.float64]:
    """Return a minimum found by scipy.

    The method uses full second derivatives for few coordinates, and matrix-vector products for many.
    """
    few = len(moving) <= _DENSE_UP_TO
    second = {"hess": potential.dense_hessian} if few else {"hessp": lambda at, along: potential.hessian(at) @ along}
    return scipy.optimize.minimize(
        potential.value,
        moving,
        jac=potential.gradient,
        method="trust-exact" if few else "trust-krylov",
        options={"gtol": max(target, 1e-8 * target / 1e-10), "maxiter": 2000},
        **second,
    ).x


def polished(potential: PotentialEnergy, moving: NDArray, target: float) -> NDArray[np.float64]:
    """Apply Newton steps as long as they reduce the force."""
    force = potential.gradient(moving)
    for _ in range(_NEWTON_STEPS):
        if np.linalg.norm(force) <= target or not np.isfinite(force).all():
            break
        trial = moving - solved(potential.hessian(moving), force)
        found = potential.gradient(trial)
        if not np.linalg.norm(found) < np.linalg.norm(force):
            break
        moving, force = trial, found
    return moving


def solved(matrix: scipy.sparse.csr_array, right: NDArray) -> NDArray[np.float64]:
    """Return the solution, or that of least norm for a singular matrix: no displacement along floppy modes."""
    if matrix.shape[0] <= _DENSE_UP_TO:
        return np.linalg.lstsq(matrix.toarray(), right, rcond=FLAT)[0]
    return scipy.sparse.linalg.splu(matrix.tocsc()).solve(right)


def dangles(potential: PotentialEnergy, moving: NDArray) -> bool:
    """Whether there are floppy modes on which nothing depends: no term of H or C changes along any of them.

    The response of all relevant terms is then that of the other modes. Full spectra are computed for few coordinates
    only.
    """
    if len(moving) > _DENSE_UP_TO:
        return False
    values, modes = np.linalg.eigh(potential.dense_hessian(moving))
    flat = np.abs(values) <= FLAT * np.abs(values).max()
    if not flat.any() or flat.all():
        return False
    slopes = [slopes_along(potential, moving, mode) for mode in modes.T[[*np.flatnonzero(flat), -1]]]
    return bool(np.abs(slopes[:-1]).max() <= _UNSEEN * np.abs(slopes[-1]).max())


def slopes_along(potential: PotentialEnergy, moving: NDArray, along: NDArray) -> NDArray[np.float64]:
    """Return the derivatives of all terms along a direction of the coordinates that move."""
    points = potential.points(moving)
    moved = np.zeros(points.size)
    moved[potential.moving] = along
    return potential.group.slopes(points, moved.reshape(points.shape))


def softest(hessian: scipy.sparse.csr_array) -> tuple[float, float, NDArray[np.float64]]:
    """Return the lowest eigenvalue, the one of largest size, and the mode of the lowest."""
    if hessian.shape[0] <= _DENSE_UP_TO:
        values, modes = np.linalg.eigh(hessian.toarray())
        place = int(np.abs(values).argmin()) if values[0] > 0.0 else 0
        return float(values[place]), float(np.abs(values).max()), modes[:, place]
    highest = float(scipy.sparse.linalg.eigsh(hessian, k=1, which="LM", return_eigenvectors=False)[0])
    start = np.ones(hessian.shape[0])
    below = -1e-6 * abs(highest)
    values, modes = scipy.sparse.linalg.eigsh(hessian.tocsc(), k=1, sigma=below, which="LM", v0=start)
    return float(values[0]), abs(highest), modes[:, 0]


def count_of_floppy_modes(hessian: scipy.sparse.csr_array, highest: float) -> str:
    """Return, as text, the number of directions in which an equilibrium moves at no cost."""
    if hessian.shape[0] > _DENSE_UP_TO:
        return "floppy modes"
    count = int((np.linalg.eigvalsh(hessian.toarray()) <= FLAT * highest).sum())
    return amount(count, "floppy mode")
