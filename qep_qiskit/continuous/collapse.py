"""Elastic networks that collapse: without rest lengths, atoms connected to clamped atoms at one place move there.

Springs of zero length exert no force, so the equilibrium, and with it every output, is the same for all spring
constants: gradients are zero whatever the targets are.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from qep_qiskit.continuous.coordinates import coordinates_of
from qep_qiskit.continuous.elastic import PotentialEnergy
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import FloppyModesWarning
from qep_qiskit.core.warning_log import warn
from qep_qiskit.preparation.interface import HamiltonianFamily


def is_collapsed(potential: PotentialEnergy) -> bool:
    """Whether springs without rest lengths connect all moving atoms to one clamped atom each.

    False where a force acts on an atom.
    """
    group, coordinate_layout = potential.group, potential.coordinate_layout
    pairs, strength = group.pairs, potential.coefficients
    active = strength[pairs.where] != 0.0
    if not active.any() or pairs.is_root[active].any() or (pairs.second[active] < 0).any():
        return False
    where, coordinates = group.components
    pulls = np.isin(coordinates, coordinate_layout.moving_coordinates) & (strength[where] != 0.0)
    products, _, _ = group.products
    if pulls.any() or strength[products].any():
        return False
    first, second = pairs.first[active], pairs.second[active]
    joined = scipy.sparse.coo_array((np.ones(len(first)), (first, second)), shape=(coordinate_layout.num_atoms,) * 2)
    _, label = connected_components(joined, directed=False)
    clamped = np.unique(coordinate_layout.clamped_coordinates // coordinate_layout.dims)
    return bool(np.bincount(label[clamped], minlength=label.max() + 1).max() == 1)


def warn_of_collapse(family: HamiltonianFamily) -> int:
    """Return the number of samples in which no spring is stretched, whatever the inputs are, and warn of them."""
    groups, of = coordinates_of(family.groups), family.num_samples
    affected = sum(is_collapsed(PotentialEnergy.of(groups, row)) for row in family.free)
    warn(
        FloppyModesWarning,
        "the elastic network is held in one place and collapses onto it: no spring is stretched, outputs do not depend "
        "on the springs, and their gradients are zero. Clamp another atom elsewhere, add anchors, or give "
        "network.rest_lengths",
        detail=f"in {affected} of {amount(of, 'sample')}",
        affected=affected,
        of=of,
    )
    return affected
