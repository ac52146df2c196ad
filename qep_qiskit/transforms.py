"""Fast transforms on batches of state vectors and diagonals.

Two kernels carry everything: the Walsh-Hadamard transform, which turns probabilities into the means of
all products of Z (and coefficients of such products into the diagonal they make), and a product of
single-qubit matrices. Both work on the last axis of an array of length 2^N, index bit k = qubit k, in
blocks of a few qubits at a time so that the work is done by matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

__all__ = ["apply_product", "num_qubits_of", "walsh_hadamard"]

_BLOCK_QUBITS = 5
_SIGNS = np.array([[1.0, 1.0], [1.0, -1.0]])


def num_qubits_of(length: int) -> int:
    """The N of a vector of length 2^N."""
    return length.bit_length() - 1


def _kron(matrices: Sequence[NDArray]) -> NDArray:
    """Kronecker product with the first matrix on the lowest index bit."""
    return reduce(lambda low, high: np.kron(high, low), matrices)


def _apply_block(vectors: NDArray, matrix: NDArray, low: int) -> NDArray:
    """Apply a matrix on the index bits low .. low + log2(len(matrix)) - 1 of the last axis."""
    size = matrix.shape[0]
    if low == 0:
        return (vectors.reshape(-1, size) @ matrix.T).reshape(vectors.shape)
    return np.matmul(matrix, vectors.reshape(-1, size, 1 << low)).reshape(vectors.shape)


def apply_product(vectors: NDArray, matrices: Sequence[NDArray | None]) -> NDArray:
    """Apply one 2x2 matrix to every qubit.

    Args:
        vectors: Shape (..., 2^N).
        matrices: N matrices, entry k acts on qubit k (index bit k); ``None`` is the identity.

    Returns:
        Array of the same shape; real stays real where the matrices are real.
    """
    low = 0
    while low < len(matrices):
        block = list(matrices[low : low + _BLOCK_QUBITS])
        if any(matrix is not None for matrix in block):
            factors = [np.eye(2) if matrix is None else matrix for matrix in block]
            vectors = _apply_block(vectors, _kron(factors), low)
        low += len(block)
    return vectors


def walsh_hadamard(vectors: NDArray) -> NDArray:
    """Walsh-Hadamard transform of the last axis, without normalisation.

    ``out[..., m] = sum_x (-1)^popcount(m & x) vectors[..., x]``. Applied to probabilities, entry m is the
    mean of the product of Z over the qubits of the bit mask m.

    Args:
        vectors: Shape (..., 2^N), real or complex.

    Returns:
        Array of the same shape in floating point.
    """
    return apply_product(vectors, [_SIGNS] * num_qubits_of(vectors.shape[-1]))
