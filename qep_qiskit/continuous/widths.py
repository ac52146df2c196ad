"""Means and widths of Gaussian ground states of atoms, from which a position grid is chosen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.gaussian import NormalModes, quadratic_energies
from qep_qiskit.continuous.position_grid import GaussianWidths
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.errors import NetworkError


def variance_of(atoms: SpringNetwork, weights: NDArray, inputs: NDArray) -> GaussianWidths:
    """Return means and widths of the free ground states, in the order of the coordinates that move.

    Args:
        atoms: Atoms and springs.
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).

    Raises:
        NetworkError: There is no ground state.
    """
    energies = quadratic_energies(atoms.groups, atoms.coefficients(weights, inputs))
    pairs = zip(energies.stiffness, energies.masses, strict=True)
    modes = [NormalModes.of(stiffness, masses, atoms.hbar) for stiffness, masses in pairs]
    if not all(found.is_stable for found in modes):
        raise NetworkError("grid: the atoms have no ground state at the starting weights; tie them down")
    means = np.stack(
        [modes[k].equilibrium_of(force[None])[0] for k, force in zip(energies.which, energies.forces, strict=True)]
    )
    roots = ([found.covariance_root(of_momenta=of_momenta) for found in modes] for of_momenta in (False, True))
    widths, momenta = (np.sqrt([np.square(root).sum(axis=1) for root in own])[energies.which] for own in roots)
    return GaussianWidths(means=means, widths=widths, wave_widths=momenta / atoms.hbar)
