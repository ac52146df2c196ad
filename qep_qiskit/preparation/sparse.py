"""Sums of Pauli strings as sparse matrices, assembled repeatedly with other coefficients.

A Pauli string is i^|Y| X^x Z^z with bit masks x and z, so all Pauli strings with the same x share one diagonal. A
Hamiltonian of many commuting groups, such as all couplings of a few spins, has few of them, and applying it takes fewer
passes over the vector than a change of basis for every group.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.transforms import walsh_hadamard

_MOST_QUBITS = 14
_PASSES_PER_GROUP = 8
_PHASES = (1.0, 1.0j, -1.0, -1.0j)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SparseStructure:
    """Positions of the non-zero entries of a Hamiltonian.

    Args:
        z: Shape (terms,), masks z of the Pauli strings.
        diagonal: Shape (terms,), index of the diagonal of each Pauli string.
        factor: Shape (terms,), i^|Y|; real where all are.
        indices: Shape (2^N, diagonals), the column of every entry.
    """

    z: NDArray[np.int64]
    diagonal: NDArray[np.int64]
    factor: NDArray
    indices: NDArray[np.int32]

    def matrix(self, coefficients: NDArray) -> csr_array:
        """Return H as a sparse matrix, from coefficients of shape (terms,)."""
        size, count = self.indices.shape
        by_mask = np.zeros((count, size), dtype=self.factor.dtype)
        np.add.at(by_mask, (self.diagonal, self.z), self.factor * coefficients)
        numbers = np.take_along_axis(walsh_hadamard(by_mask).T, self.indices, axis=0)
        starts = np.arange(0, size * count + 1, count, dtype=np.int32)
        return csr_array((numbers.ravel(), self.indices.ravel(), starts), shape=(size, size))


@lru_cache(maxsize=32)
def sparse_structure(groups: tuple[CommutingGroup, ...]) -> SparseStructure | None:
    """Return the structure of the groups' Pauli strings, or None where changes of basis are faster.

    Changes of basis are faster for narrow registers with few groups and for wide registers; None is also returned for
    terms that are not Pauli strings.
    """
    num_qubits = groups[0].num_qubits
    terms = [string for group in groups for string in group.terms]
    if num_qubits > _MOST_QUBITS or any(letter == "P" for string in terms for _, letter in string.factors):
        return None
    masks = [_masks(string) for string in terms]
    x_masks = sorted({x for x, _, _ in masks})
    if len(x_masks) > _PASSES_PER_GROUP * sum(not group.is_classical for group in groups):
        return None
    factor = np.array([_PHASES[power % 4] for _, _, power in masks])
    return SparseStructure(
        z=np.array([z for _, z, _ in masks], dtype=np.int64),
        diagonal=np.array([x_masks.index(x) for x, _, _ in masks], dtype=np.int64),
        factor=factor if factor.imag.any() else factor.real,
        indices=(np.arange(1 << num_qubits)[:, None] ^ np.array(x_masks)).astype(np.int32),
    )


def _masks(string: PauliString) -> tuple[int, int, int]:
    """Return the masks x and z, and the number of Y."""
    x = sum(1 << qubit for qubit, letter in string.factors if letter in "XY")
    z = sum(1 << qubit for qubit, letter in string.factors if letter in "YZ")
    return x, z, (x & z).bit_count()
