"""Spectra of sums of commuting groups: dense for small systems, matrix-free Lanczos for larger ones.

A commuting group is diagonal in its own basis, so H |psi> is, for every group, a change of basis, a product with the
diagonal, and the inverse change of basis. Only for Hamiltonians of many groups on few qubits are sparse matrices
(`preparation.sparse`) faster.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, aslinearoperator, eigsh

from qep_qiskit.core.errors import QepError
from qep_qiskit.core.groups import blocks_of
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.preparation.sparse import sparse_structure

_LANCZOS_VECTORS = 24
_MIXED_IN = 0.1


def is_real(groups: Sequence[CommutingGroup]) -> bool:
    """Return whether the Hamiltonian is a real matrix (no group has Y)."""
    return all(group.basis.is_real for group in groups)


def dense_hamiltonians(groups: Sequence[CommutingGroup], coefficients: NDArray) -> NDArray:
    """Return matrices of H, shape (states, 2^N, 2^N), real where no group contains Y.

    Args:
        groups: The commuting groups.
        coefficients: Shape (states, terms).
    """
    size, computational = 1 << groups[0].num_qubits, LocalBasis("Z" * groups[0].num_qubits)
    identity = np.eye(size, dtype=float if is_real(groups) else complex)
    total = np.zeros((len(coefficients), size, size), dtype=identity.dtype)
    for group, block in blocks_of(groups, coefficients):
        if group.basis == computational:  # its matrix is its diagonal
            places = np.arange(size)
            total[:, places, places] += group.diagonal(block)
            continue
        columns = group.basis.rotate(identity).T
        total += np.matmul(columns.conj().T, group.diagonal(block)[:, :, None] * columns)
    return total


def diagonals_of(groups: Sequence[CommutingGroup], coefficients: NDArray) -> list[NDArray]:
    """Return the diagonal of every group in its own basis, each of shape (..., 2^N).

    Args:
        groups: The commuting groups.
        coefficients: Shape (..., terms).
    """
    return [group.diagonal(block) for group, block in blocks_of(groups, coefficients)]


def apply_diagonals(groups: Sequence[CommutingGroup], diagonals: Sequence[NDArray], vector: NDArray) -> NDArray:
    """Return H |psi> from the diagonals of the groups, shape (2^N,).

    Args:
        groups: The commuting groups.
        diagonals: For every group, its diagonal in its own basis, shape (2^N,).
        vector: Shape (2^N,), the state.
    """
    image = np.zeros_like(vector)
    for group, diagonal in zip(groups, diagonals, strict=True):
        image = image + group.basis.rotate_back(diagonal * group.basis.rotate(vector))
    return image


def apply_hamiltonian(groups: Sequence[CommutingGroup], coefficients: NDArray, vector: NDArray) -> NDArray:
    """Return H |psi> without building a matrix, shape (2^N,).

    Args:
        groups: The commuting groups.
        coefficients: Shape (terms,).
        vector: Shape (2^N,), the state.
    """
    return apply_diagonals(groups, diagonals_of(groups, coefficients), vector)


def term_expectations(groups: Sequence[CommutingGroup], vectors: NDArray) -> NDArray:
    """Return exact means of all terms, shape (states, terms).

    Args:
        groups: The commuting groups.
        vectors: Shape (states, 2^N), the states.
    """
    return np.concatenate([group.expectations(vectors) for group in groups], axis=-1)


def lanczos(
    groups: Sequence[CommutingGroup],
    coefficients: NDArray,
    count: int,
    *,
    tolerance: float = 0.0,
    near: NDArray | None = None,
) -> tuple[NDArray, NDArray]:
    """Return the lowest levels of one Hamiltonian.

    The initial vector has a component in every symmetry sector, because Lanczos never leaves the sector it starts in,
    and the lowest excited state may be in another one.

    Args:
        groups: The commuting groups.
        coefficients: Shape (terms,).
        count: Number of levels, fewer than 2^N.
        tolerance: Relative tolerance; zero is machine precision.
        near: Shape (2^N,), an initial vector near the states, or None.

    Returns:
        Levels (count,) in ascending order, and states (2^N, count).

    Raises:
        QepError: Lanczos does not converge.
    """
    size = 1 << groups[0].num_qubits
    dtype = float if is_real(groups) else complex
    mixture = np.random.default_rng(0).normal(size=size) / np.sqrt(size)
    start = mixture + 1.0 / np.sqrt(size) if near is None else near + _MIXED_IN * mixture
    operator = as_operator(groups, coefficients, dtype)
    kept = min(size, max(_LANCZOS_VECTORS, 3 * count))
    try:
        levels, states = eigsh(operator, k=count, which="SA", v0=start.astype(dtype), tol=tolerance, ncv=kept)
    except RuntimeError as error:
        raise QepError(f"Lanczos did not converge ({error}); use preparation.solver = 'dense'") from error
    order = np.argsort(levels)
    return levels[order], states[:, order]


def as_operator(groups: Sequence[CommutingGroup], coefficients: NDArray, dtype: type) -> LinearOperator:
    """Return H as a linear operator, in the faster of two representations."""
    structure = sparse_structure(tuple(groups))
    if structure is not None:
        return aslinearoperator(structure.matrix(coefficients))
    size, diagonals = 1 << groups[0].num_qubits, diagonals_of(groups, coefficients)
    return LinearOperator(
        (size, size), matvec=lambda vector: apply_diagonals(groups, diagonals, vector.reshape(-1)), dtype=dtype
    )
