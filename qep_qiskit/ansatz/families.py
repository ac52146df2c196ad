"""Families of ansaetze, each defined by a name and a depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import Literal

import numpy as np

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import AnsatzError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import CxLayer, Layer, LayerProgram

Pairs = tuple[tuple[int, int], ...]


def _linear(num_qubits: int) -> Pairs:
    return tuple(pairwise(range(num_qubits)))


def _circular(num_qubits: int) -> Pairs:
    closing = ((num_qubits - 1, 0),) if num_qubits > 2 else ()
    return closing + _linear(num_qubits)


Entanglement = Literal["reverse_linear", "linear", "circular", "full", "pairwise"]

ENTANGLEMENTS: dict[str, Callable[[int], Pairs]] = {
    "linear": _linear,
    "reverse_linear": lambda num_qubits: _linear(num_qubits)[::-1],
    "circular": _circular,
    "full": lambda num_qubits: tuple(combinations(range(num_qubits), 2)),
    "pairwise": lambda num_qubits: _linear(num_qubits)[::2] + _linear(num_qubits)[1::2],
}
"""(control, target) pairs of one entangling layer, by name and number of qubits, as in Qiskit's circuit library."""


def hamiltonian_variational(groups: Sequence[CommutingGroup], depth: int) -> LayerProgram:
    """Build layers of the Hamiltonian's own groups with a free angle for every term, from |+>^N.

    The state is prod_l prod_g exp(-i sum_a p_lga P_ga / 2) |+>^N, l the first to vary slowest (Wecker, Hastings,
    Troyer, Phys. Rev. A 92, 042303 (2015), there with one angle a group).

    Args:
        groups: Commuting groups of the Hamiltonian, applied in their order.
        depth: Number of repetitions of all groups, at least 1.

    Returns:
        A program with ``depth * (number of terms)`` parameters: gate angles in radians, named as ``l0 Z0 Z1``.

    Raises:
        AnsatzError: There are no groups, they differ in their number of qubits, or the depth is below 1.

    Example:
        >>> groups = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).groups
        >>> qep.hamiltonian_variational(groups, depth=1).parameter_names
        ('l0 Z0 Z1', 'l0 Z0', 'l0 Z1', 'l0 X0', 'l0 X1')
    """
    if not groups or len({group.num_qubits for group in groups}) != 1:
        raise AnsatzError("Hamiltonian-variational ansatz: expected groups on the same qubits, at least one")
    if depth < 1:
        raise AnsatzError(f"Hamiltonian-variational ansatz: expected a depth of at least 1, got {depth}")
    layers: list[Layer] = []
    names: list[str] = []
    for number in range(depth):
        for index, group in enumerate(groups):
            layers.append(_free_layer(index, group, len(names)))
            names += [f"l{number} {string}" for string in group.terms]
    plus = np.full((groups[0].num_qubits, 2), np.sqrt(0.5), dtype=complex)
    return LayerProgram(groups=tuple(groups), initial=plus, layers=tuple(layers), parameter_names=tuple(names))


def _free_layer(index: int, group: CommutingGroup, start: int) -> Layer:
    """A layer whose gate angles are the parameters from `start` on, twice the angles of the terms."""
    size = group.num_terms
    return Layer(group=index, source=np.arange(start, start + size), scale=np.full(size, 0.5), offset=np.zeros(size))


def hardware_efficient(num_qubits: int, depth: int, entanglement: str = "reverse_linear") -> LayerProgram:
    """Build RY and RZ on every qubit, followed `depth` times by CX gates and the rotations again, from |0>^N.

    The state is that of Qiskit's ``efficient_su2(num_qubits, reps=depth, entanglement=entanglement)`` for the same
    angles in the same order.

    Args:
        num_qubits: Number of qubits.
        depth: Number of entangling layers; 0 is a product state.
        entanglement: A name in `ENTANGLEMENTS`.

    Returns:
        A program with ``2 * num_qubits * (depth + 1)`` parameters: gate angles in radians, named as ``l0 ry 3``.

    Raises:
        AnsatzError: No qubit, a negative depth, or an unknown entanglement.

    Example:
        >>> qep.hardware_efficient(1, depth=0).parameter_names
        ('l0 ry 0', 'l0 rz 0')
    """
    if num_qubits < 1 or depth < 0:
        raise AnsatzError(
            f"hardware-efficient ansatz: expected qubits and a depth of 0 or more, got {amount(num_qubits, 'qubit')} "
            f"and {depth}"
        )
    if entanglement not in ENTANGLEMENTS:
        raise AnsatzError(
            f"hardware-efficient ansatz: expected an entanglement among {', '.join(ENTANGLEMENTS)}, "
            f"got '{entanglement}'"
        )
    masks = tuple(1 << qubit for qubit in range(num_qubits))
    groups = tuple(CommutingGroup(name=c, basis=LocalBasis(c * num_qubits), masks=masks) for c in "YZ")
    entangler = CxLayer(ENTANGLEMENTS[entanglement](num_qubits))
    layers: list[Layer | CxLayer] = []
    for number in range(depth + 1):
        if number and entangler.pairs:
            layers.append(entangler)
        start = 2 * num_qubits * number
        layers += [_free_layer(g, group, start + num_qubits * g) for g, group in enumerate(groups)]
    names = [
        f"l{number} {gate} {qubit}"
        for number in range(depth + 1)
        for gate in ("ry", "rz")
        for qubit in range(num_qubits)
    ]
    zero = np.tile(np.array([1.0, 0.0], dtype=complex), (num_qubits, 1))
    return LayerProgram(groups=groups, initial=zero, layers=tuple(layers), parameter_names=tuple(names))
