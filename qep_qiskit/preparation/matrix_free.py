"""Hamiltonians of several states applied to vectors, without dense matrices.

A commuting group is diagonal in its own basis, so H |psi> is, for every group, a change of basis, a product with the
diagonal, and the inverse change of basis. Fields, single Paulis with the same coefficients in all rows, need no change
of basis: their sum is one of small matrices on a few qubits each, at half the passes over the vector. Only for
Hamiltonians of many groups on few qubits are sparse matrices (`preparation.sparse`) faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from qep_qiskit.core.groups import blocks_of
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.transforms import Block, apply_sum, sum_blocks
from qep_qiskit.preparation.sparse import sparse_structure

_PAULIS = {
    "X": np.array([[0.0, 1.0], [1.0, 0.0]]),
    "Y": np.array([[0.0, -1.0j], [1.0j, 0.0]]),
    "Z": np.diag([1.0, -1.0]),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatrixFree:
    """One Hamiltonian per row.

    Args:
        matrices: Sparse matrices of all rows; empty where the other fields are used.
        diagonal: Shape (rows, 2^N), the part that is diagonal in Z.
        fields: Single Paulis of all rows, as blocks.
        rotated: Other groups with their diagonals, each of shape (rows, 2^N).
    """

    matrices: tuple[csr_array, ...] = ()
    diagonal: NDArray[np.float64]
    fields: tuple[Block, ...] = ()
    rotated: tuple[tuple[CommutingGroup, NDArray[np.float64]], ...] = ()

    @classmethod
    def of(cls, groups: Sequence[CommutingGroup], coefficients: NDArray) -> MatrixFree:
        """Return the Hamiltonians of some rows.

        Args:
            groups: The commuting groups.
            coefficients: Shape (rows, terms).
        """
        structure, diagonal = sparse_structure(tuple(groups)), np.zeros((len(coefficients), 1 << groups[0].num_qubits))
        if structure is not None:
            return cls(matrices=tuple(structure.matrix(row) for row in coefficients), diagonal=diagonal)
        fields, rotated = list[Block](), []
        for group, block in blocks_of(groups, coefficients):
            if group.is_classical:
                diagonal += group.diagonal(block)
            elif _is_of_fields(group, block):
                fields += _fields(group, block[0])
            else:
                rotated.append((group, group.diagonal(block)))
        return cls(diagonal=diagonal, fields=tuple(fields), rotated=tuple(rotated))

    def apply(self, vectors: NDArray) -> NDArray:
        """Return H |psi> of every row in a new array.

        Args:
            vectors: Shape (rows, 2^N), complex where a group contains Y.
        """
        if self.matrices:
            return np.stack([matrix @ row for matrix, row in zip(self.matrices, vectors, strict=True)])
        image = self.diagonal * vectors
        if self.fields:
            image += apply_sum(vectors, self.fields)
        for group, diagonal in self.rotated:
            image = image + group.basis.rotate_back(diagonal * group.basis.rotate(vectors))
        return image

    def picked(self, rows: NDArray) -> MatrixFree:
        """Return some of the Hamiltonians, by a mask of shape (rows,)."""
        return MatrixFree(
            matrices=tuple(self.matrices[row] for row in np.flatnonzero(rows)) if self.matrices else (),
            diagonal=self.diagonal[rows],
            fields=self.fields,
            rotated=tuple((group, diagonal[rows]) for group, diagonal in self.rotated),
        )


def _is_of_fields(group: CommutingGroup, coefficients: NDArray) -> bool:
    """Return whether a group is of single Paulis that have the same coefficients (rows, terms) in all rows."""
    is_single = group.basis.is_local and all(mask.bit_count() == 1 for mask in group.masks)
    return is_single and bool((coefficients == coefficients[:1]).all())


def _fields(group: CommutingGroup, coefficients: NDArray) -> list[Block]:
    assert isinstance(group.basis, LocalBasis)
    found: list[NDArray | None] = [None] * group.num_qubits
    for mask, coefficient in zip(group.masks, coefficients, strict=True):
        qubit = mask.bit_length() - 1
        found[qubit] = coefficient * _PAULIS[group.basis.letters[qubit]]
    return sum_blocks(found)
