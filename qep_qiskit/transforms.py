"""Fast transforms on batches of state vectors and diagonals.

Two kernels carry everything: the Walsh-Hadamard transform, which turns probabilities into the means of
all products of Z (and coefficients of such products into the diagonal they make), and a product of
single-qubit matrices. Both work on the last axis of an array of length 2^N, index bit k = qubit k, in
blocks of a few qubits at a time so that the work is done by matrix products.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, reduce

import numpy as np
from numpy.typing import NDArray

__all__ = ["apply_product", "apply_product_between", "num_qubits_of", "walsh_hadamard", "walsh_hadamard_of_columns"]

_BLOCK_QUBITS = 4
_SIGNS = np.array([[1.0, 1.0], [1.0, -1.0]])


def num_qubits_of(length: int) -> int:
    """The N of a vector of length 2^N."""
    return length.bit_length() - 1


def _kron_pair(low: NDArray, high: NDArray) -> NDArray:
    """Kronecker product of two square matrices; numpy's own spends ten times as long on shapes."""
    size = len(low) * len(high)
    return (high[:, None, :, None] * low[None, :, None, :]).reshape(size, size)


def _kron(matrices: Sequence[NDArray]) -> NDArray:
    """Kronecker product with the first matrix on the lowest index bit."""
    return reduce(_kron_pair, matrices)


@lru_cache(maxsize=8)
def _hadamard(num_qubits: int) -> NDArray[np.float64]:
    """Matrix of the Walsh-Hadamard transform of a few qubits."""
    return _kron([_SIGNS] * num_qubits)


def _apply_block(vectors: NDArray, matrix: NDArray, width: int, out: NDArray | None = None) -> NDArray:
    """Apply a matrix on an index of len(matrix) values that has `width` contiguous numbers below it.

    A real matrix on complex vectors works on real and imaginary parts side by side, at half the products.

    Args:
        vectors: Contiguous.
        matrix: Square, of a power of two.
        width: Numbers between two neighbours of the index: 2^(lowest bit), times what lies below the vectors.
        out: Where to write, of the result's shape and type and contiguous; a new array by default.
    """
    size = matrix.shape[0]
    if out is None:
        out = np.empty(vectors.shape, dtype=np.result_type(vectors, matrix))
    source, target = np.ascontiguousarray(vectors), out
    if np.iscomplexobj(vectors) and not np.iscomplexobj(matrix):
        source, target = source.view(np.float64), out.view(np.float64)
        if width == 1:
            matrix, size = _kron_pair(np.eye(2), matrix), 2 * size
        else:
            width *= 2
    if width == 1:
        np.matmul(source.reshape(-1, size), matrix.T, out=target.reshape(-1, size))
    else:
        np.matmul(matrix, source.reshape(-1, size, width), out=target.reshape(-1, size, width))
    return out


def _blocks(num_qubits: int) -> Iterator[tuple[int, int]]:
    """First and last qubit of blocks of nearly equal size."""
    count = -(-num_qubits // _BLOCK_QUBITS)
    return ((part * num_qubits // count, (part + 1) * num_qubits // count) for part in range(count))


def _block_matrices(matrices: Sequence[NDArray | None]) -> Iterator[tuple[int, NDArray]]:
    """Lowest qubit and matrix of every block that is not the identity."""
    for low, end in _blocks(len(matrices)):
        block = matrices[low:end]
        if any(matrix is not None for matrix in block):
            yield low, _kron([np.eye(2) if matrix is None else matrix for matrix in block])


def apply_product(vectors: NDArray, matrices: Sequence[NDArray | None]) -> NDArray:
    """Apply one 2x2 matrix to every qubit.

    Args:
        vectors: Shape (..., 2^N).
        matrices: N matrices, entry k acts on qubit k (index bit k); ``None`` is the identity.

    Returns:
        Array of the same shape; real stays real where the matrices are real.
    """
    for low, matrix in _block_matrices(matrices):
        vectors = _apply_block(vectors, matrix, 1 << low)
    return vectors


def apply_product_between(
    vectors: NDArray, spare: NDArray, matrices: Sequence[NDArray | None]
) -> tuple[NDArray, NDArray]:
    """The same on a batch in columns, between two buffers: fresh memory would cost more than the work.

    Args:
        vectors: Shape (2^N, states), complex.
        spare: Of the same shape and type; is written to.
        matrices: One per qubit, or None.

    Returns:
        The buffer that holds the result, and the other one.
    """
    for low, matrix in _block_matrices(matrices):
        vectors, spare = _apply_block(vectors, matrix, vectors.shape[1] << low, out=spare), vectors
    return vectors, spare


def walsh_hadamard(vectors: NDArray) -> NDArray:
    """Walsh-Hadamard transform of the last axis, without normalisation.

    ``out[..., m] = sum_x (-1)^popcount(m & x) vectors[..., x]``. Applied to probabilities, entry m is the
    mean of the product of Z over the qubits of the bit mask m.

    Args:
        vectors: Shape (..., 2^N), real or complex.

    Returns:
        Array of the same shape in floating point.
    """
    for low, end in _blocks(num_qubits_of(vectors.shape[-1])):
        vectors = _apply_block(vectors, _hadamard(end - low), 1 << low)
    return vectors


def walsh_hadamard_of_columns(columns: NDArray) -> NDArray:
    """The same on the first axis, for a batch in columns: shape (2^N, states)."""
    for low, end in _blocks(num_qubits_of(len(columns))):
        columns = _apply_block(columns, _hadamard(end - low), columns.shape[1] << low)
    return columns
