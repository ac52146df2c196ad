"""Parts of a network that no term couples, solved one by one: their product is the ground state of the whole.

A network of three triangles costs three diagonalisations of 8 levels each instead of one of 512.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.preparation.spectra import dense_hamiltonians


def components(groups: Sequence[CommutingGroup], coefficients: NDArray) -> tuple[tuple[int, ...], ...]:
    """Return the qubits of every part that no term of non-zero coefficient couples to another one.

    Args:
        groups: The commuting groups; those of entangled bases couple all qubits.
        coefficients: Shape (states, terms), in energy.
    """
    num_qubits = groups[0].num_qubits
    if not all(isinstance(group.basis, LocalBasis) for group in groups):
        return (tuple(range(num_qubits)),)
    part_of = list(range(num_qubits))
    used = (np.asarray(coefficients) != 0.0).any(axis=0).tolist()
    masks = [mask for group in groups for mask in group.masks]
    for mask, is_used in zip(masks, used, strict=True):
        qubits = [qubit for qubit in range(num_qubits) if mask >> qubit & 1] if is_used else []
        joined = {part_of[qubit] for qubit in qubits}
        part_of = [min(joined) if part in joined else part for part in part_of]
    return tuple(tuple(k for k in range(num_qubits) if part_of[k] == part) for part in sorted(set(part_of)))


def solve_components(
    groups: Sequence[CommutingGroup], coefficients: NDArray, parts: Sequence[Sequence[int]]
) -> tuple[NDArray, NDArray[np.float64], NDArray[np.float64]]:
    """Return ground states (states, 2^N), their energies and their gaps (states,), part by part.

    Args:
        groups: The commuting groups.
        coefficients: Shape (states, terms), in energy.
        parts: The qubits of every part, as of `components`.
    """
    order: list[int] = []
    vectors = np.ones((len(coefficients), 1))
    energies, gaps = np.zeros(len(coefficients)), np.full(len(coefficients), np.inf)
    for qubits in parts:
        own, terms = _restricted(groups, qubits)
        levels, states = np.linalg.eigh(dense_hamiltonians(own, coefficients[:, terms]))
        vectors = (states[:, :, 0][:, :, None] * vectors[:, None, :]).reshape(len(coefficients), -1)
        energies += levels[:, 0]
        gaps = np.minimum(gaps, levels[:, 1] - levels[:, 0])
        order += qubits
    return vectors[:, _places(order)], energies, gaps


def _restricted(
    groups: Sequence[CommutingGroup], qubits: Sequence[int]
) -> tuple[tuple[CommutingGroup, ...], NDArray[np.int64]]:
    """Return the groups of some qubits, numbered anew, and which terms of the whole theirs are."""
    inside = sum(1 << qubit for qubit in qubits)
    own, terms, first = [], [], 0
    for group in groups:
        assert isinstance(group.basis, LocalBasis)
        kept = [number for number, mask in enumerate(group.masks) if mask & ~inside == 0]
        masks = [sum(1 << place for place, k in enumerate(qubits) if group.masks[number] >> k & 1) for number in kept]
        basis = LocalBasis("".join(group.basis.letters[k] for k in qubits))
        own.append(CommutingGroup(name=group.name, basis=basis, masks=tuple(masks)))
        terms += [first + number for number in kept]
        first += group.num_terms
    return tuple(own), np.array(terms, dtype=np.int64)


def _places(order: Sequence[int]) -> NDArray[np.int64]:
    """Return, for every index of the whole, that of the same bits where place p holds the bit of qubit order[p]."""
    indices = np.arange(1 << len(order))
    places = np.zeros_like(indices)
    for place, qubit in enumerate(order):
        places |= (indices >> qubit & 1) << place
    return places
