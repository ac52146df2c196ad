"""Positions and momenta at complex nudges: Gaussian ground states, and elastic networks at rest.

Means of Gaussian states are functions of the stiffness K(beta) and the forces f(beta), which are linear in beta; they
stay holomorphic as long as K has no eigenvalue zero. Elastic networks are at rest at roots of the forces, which
Newton steps follow outward from beta = 0, as long as the energy is smooth there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from qep_qiskit.continuous.coordinates import CoordinateGroup
from qep_qiskit.continuous.elastic import PotentialEnergy
from qep_qiskit.continuous.gaussian import quadratic_energies
from qep_qiskit.core.errors import NudgeError

_STEPS = 8
_NEWTON_STEPS = 12
_TOLERANCE = 1e-14
_ACCEPTED = 1e-9


def gaussian_means(
    groups: Sequence[CoordinateGroup], free: NDArray, nudge: NDArray, betas: NDArray, *, hbar: float
) -> NDArray:
    """Return means of all terms in Gaussian ground states at complex nudges, shape (nudges, terms).

    Args:
        groups: The groups of positions and momenta.
        free: Shape (terms,), coefficients of H.
        nudge: Shape (terms,), coefficients of C.
        betas: Shape (nudges,), complex.
        hbar: Reduced Planck constant.
    """
    layout, energies = groups[0].coordinate_layout, quadratic_energies(groups, np.stack([free, free + nudge]))
    stiffness, forces = energies.stiffness[energies.which], energies.forces
    root, moving, found = np.sqrt(energies.masses[energies.which[0]]), layout.moving_coordinates, []
    for beta in betas:
        curvature = stiffness[0] + beta * (stiffness[1] - stiffness[0])
        pull = forces[0] + beta * (forces[1] - forces[0])
        frequencies = scipy.linalg.sqrtm((curvature / root[:, None] / root).astype(complex))
        covariances = {
            False: np.linalg.inv(frequencies) / root[:, None] / root,
            True: frequencies * root[:, None] * root,
        }
        flat = np.zeros(layout.num_atoms * layout.dims, dtype=complex)
        flat[layout.clamped_coordinates] = energies.clamped[0]
        flat[moving] = np.linalg.solve(curvature, pull)
        parts = []
        for group in groups:
            whole = np.zeros((flat.size, flat.size), dtype=complex)
            whole[np.ix_(moving, moving)] = hbar / 2.0 * covariances[group.of_momenta]
            centre = np.zeros_like(flat) if group.of_momenta else flat
            parts.append(group.values(centre.reshape(layout.num_atoms, layout.dims)) + group.contracted(whole))
        found.append(np.concatenate(parts))
    return np.array(found)


def nearest_instability(stiffness: NDArray, change: NDArray) -> float:
    """Return the smallest |beta| at which K + beta dK has an eigenvalue zero; infinite where there is none.

    Args:
        stiffness: Shape (moving, moving), K, positive definite.
        change: Shape (moving, moving), dK, symmetric.
    """
    largest = float(np.abs(scipy.linalg.eigh(change, stiffness, eigvals_only=True)).max())
    return 1.0 / largest if largest > 0.0 else np.inf


def equilibrium_values(
    groups: Sequence[CoordinateGroup], free: NDArray, nudge: NDArray, points: NDArray, beta: complex
) -> NDArray:
    """Return all terms at the equilibrium that a free one deforms into, shape (terms,).

    Args:
        groups: The groups of positions and momenta.
        free: Shape (terms,), coefficients of H.
        nudge: Shape (terms,), coefficients of C.
        points: Shape (atoms, dims), the free equilibrium.
        beta: The nudge, complex.

    Raises:
        NudgeError: Newton steps do not converge.
    """
    moving = points.ravel()[groups[0].coordinate_layout.moving_coordinates].astype(complex)
    for step in range(1, _STEPS + 1):
        potential = PotentialEnergy.of(groups, free + step / _STEPS * beta * nudge)
        moving = _root(potential, moving)
    size = float(np.linalg.norm(potential.gradient(moving)))
    if not size <= _ACCEPTED * potential.scale:
        raise NudgeError(
            f"contrast.radius: the equilibrium cannot be followed to the nudge {beta:.3g}, a force of {size:.2g} is "
            f"left; use contrast.radius = {abs(beta) / 4.0:.2g}"
        )
    values = groups[0].values(potential.points(moving))
    return np.concatenate([values, *(np.zeros(group.num_terms) for group in groups[1:])])


def _root(potential: PotentialEnergy, moving: NDArray) -> NDArray:
    """Return the root of the forces that Newton steps reach."""
    for _ in range(_NEWTON_STEPS):
        force = potential.gradient(moving)
        if not np.linalg.norm(force) > _TOLERANCE * potential.scale:
            break
        moving = moving - np.linalg.lstsq(potential.dense_hessian(moving), force, rcond=None)[0]
    return moving
