"""Spectra of sums of commuting groups: dense for small systems, matrix-free Lanczos for larger ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from qep_qiskit.core.groups import blocks_of
from qep_qiskit.core.operators import Basis, CommutingGroup, LocalBasis
from qep_qiskit.preparation.lanczos import lowest_levels
from qep_qiskit.preparation.matrix_free import MatrixFree

_MIXED_IN = 0.1
_KEPT_UP_TO_QUBITS = 7


def is_real(groups: Sequence[CommutingGroup]) -> bool:
    """Return whether the Hamiltonian is a real matrix (no group has Y)."""
    return all(group.basis.is_real for group in groups)


def dense_hamiltonians(groups: Sequence[CommutingGroup], coefficients: NDArray) -> NDArray:
    """Return matrices of H, shape (states, 2^N, 2^N), real where no group contains Y.

    Args:
        groups: The commuting groups.
        coefficients: Shape (states, terms).
    """
    num_qubits, dtype = groups[0].num_qubits, float if is_real(groups) else complex
    size, computational = 1 << num_qubits, LocalBasis("Z" * num_qubits)
    columns_of = _kept_columns if num_qubits <= _KEPT_UP_TO_QUBITS else _columns
    total = np.zeros((len(coefficients), size, size), dtype=dtype)
    for group, block in blocks_of(groups, coefficients):
        if group.basis == computational:  # its matrix is its diagonal
            total.reshape(-1, size**2)[:, :: size + 1] += group.diagonal(block)
            continue
        columns = columns_of(group.basis, dtype)
        total += np.matmul(columns.conj().T, group.diagonal(block)[:, :, None] * columns)
    return total


def _columns(basis: Basis, dtype: type) -> NDArray:
    """Return V as a matrix whose column x is that of the basis state x."""
    return basis.rotate(np.eye(1 << basis.num_qubits, dtype=dtype)).T


_kept_columns = lru_cache(maxsize=64)(_columns)


def term_expectations(groups: Sequence[CommutingGroup], vectors: NDArray) -> NDArray:
    """Return exact means of all terms, shape (states, terms).

    Args:
        groups: The commuting groups.
        vectors: Shape (states, 2^N), the states.
    """
    return np.concatenate([group.expectations(vectors) for group in groups], axis=-1)


def lanczos(
    groups: Sequence[CommutingGroup], coefficients: NDArray, tolerances: NDArray, *, near: NDArray | None = None
) -> tuple[NDArray, NDArray]:
    """Return the lowest levels of every Hamiltonian.

    The initial vector has a component in every symmetry sector, because Lanczos never leaves the sector it starts in,
    and the lowest excited state may be in another one. Without initial vectors, levels are confirmed by another search.

    Args:
        groups: The commuting groups.
        coefficients: Shape (states, terms).
        tolerances: Shape (levels,), largest residual of every level, relative to the norm of its Hamiltonian; zero is
            machine precision.
        near: Shape (states, 2^N), initial vectors near the states, or None.

    Returns:
        Levels (states, levels) in ascending order, and states (states, levels, 2^N).

    Raises:
        QepError: Lanczos does not converge.
    """
    size = 1 << groups[0].num_qubits
    mixture = np.random.default_rng(0).normal(size=size) / np.sqrt(size)
    shape = (len(coefficients), size)
    starts = np.broadcast_to(mixture + 1.0 / np.sqrt(size), shape) if near is None else near + _MIXED_IN * mixture
    starts = starts.astype(float if is_real(groups) else complex)
    # In units of a power of two, which changes no bit, or squares of tiny energies would vanish.
    unit = int(np.frexp(np.abs(coefficients).max(initial=0.0))[1])
    hamiltonians = MatrixFree.of(groups, np.ldexp(coefficients, -unit))
    levels, states = lowest_levels(hamiltonians, starts, tolerances, confirmed=near is None)
    return np.ldexp(levels, unit), states


def as_operator(groups: Sequence[CommutingGroup], coefficients: NDArray, dtype: type) -> LinearOperator:
    """Return H as a linear operator of scipy, from coefficients of shape (terms,)."""
    size, hamiltonian = 1 << groups[0].num_qubits, MatrixFree.of(groups, coefficients[None])
    return LinearOperator((size, size), matvec=lambda vector: hamiltonian.apply(vector.reshape(1, -1))[0], dtype=dtype)
