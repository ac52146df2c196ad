"""Transform batches of state vectors and diagonals fast.

There are two kernels: the Walsh-Hadamard transform, which turns probabilities into the means of all products of Z (and
coefficients of such products into the diagonal they make), and a product of single-qubit matrices. Both work on index
bit k = qubit k in blocks of a few qubits at a time, so that matrix products do the work. The products are small: a
linear algebra library distributes a large one to its threads, and on a busy machine waiting for them takes a hundred
times as long as the product.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.arithmetic import cast_like, library_of

_WIDE_FROM_QUBITS = 11
_MULTIPLICATIONS_PER_PRODUCT = 1 << 18
_SIGNS = np.array([[1.0, 1.0], [1.0, -1.0]])


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Hold a matrix on a few adjacent qubits.

    Args:
        low: The lowest of the qubits.
        matrix: Square, of a power of two; index bit k is qubit low + k.
    """

    low: int
    matrix: NDArray


def num_qubits_of(length: int) -> int:
    """Return N of a vector of length 2^N."""
    return length.bit_length() - 1


def _kron_pair(low: NDArray, high: NDArray) -> NDArray:
    """Return the Kronecker product of square matrices in the last two axes.

    Numpy's own spends ten times as long on shapes.
    """
    size = low.shape[-1] * high.shape[-1]
    product = high[..., :, None, :, None] * low[..., None, :, None, :]
    return product.reshape(*product.shape[:-4], size, size)


def _block_ranges(num_qubits: int, *, passes_count: bool = False) -> Iterator[tuple[int, int]]:
    """Return the first qubit of every block and the one after its last; blocks are of nearly equal size.

    Four qubits make the fewest calls, three the fewest multiplications for each call that is worth making.

    Args:
        num_qubits: Number of qubits.
        passes_count: Whether every block costs more than its multiplications, so that few are best.
    """
    largest = 4 if passes_count or num_qubits < _WIDE_FROM_QUBITS else 3
    count = -(-num_qubits // largest)
    return ((part * num_qubits // count, (part + 1) * num_qubits // count) for part in range(count))


def kron_blocks(matrices: Sequence[NDArray | None]) -> list[Block]:
    """Return a product of single-qubit matrices as blocks.

    Args:
        matrices: N matrices of shape (..., 2, 2), entry k acts on qubit k; ``None`` is the identity.

    Returns:
        The blocks that are not the identity, with matrices of shape (..., 2^q, 2^q).
    """
    blocks = []
    for low, end in _block_ranges(len(matrices)):
        found = matrices[low:end]
        if any(matrix is not None for matrix in found):
            factors = [np.eye(2) if matrix is None else matrix for matrix in found]
            blocks.append(Block(low, reduce(_kron_pair, factors)))
    return blocks


def sum_blocks(matrices: Sequence[NDArray | None]) -> list[Block]:
    """Return a sum of single-qubit matrices as blocks, to apply with `apply_sum`.

    Args:
        matrices: N matrices of shape (2, 2), entry k acts on qubit k; ``None`` is zero.

    Returns:
        The blocks that are not zero, with matrices of shape (2^q, 2^q).
    """
    blocks = []
    for low, end in _block_ranges(len(matrices), passes_count=True):
        some = range(low, end)
        terms = [
            reduce(_kron_pair, [matrix if other == qubit else np.eye(2) for other in some])
            for qubit in some
            if (matrix := matrices[qubit]) is not None
        ]
        if terms:
            blocks.append(Block(low, np.sum(terms, axis=0)))
    return blocks


@lru_cache(maxsize=64)
def _hadamard_blocks(num_qubits: int) -> tuple[Block, ...]:
    """Return the Walsh-Hadamard transform as blocks."""
    return tuple(kron_blocks([_SIGNS] * num_qubits))


def _apply_block(vectors: NDArray, block: Block, width: int, out: NDArray) -> None:
    """Apply a block to contiguous vectors that have `width` contiguous numbers below qubit 0.

    A real matrix on complex vectors works on real and imaginary parts side by side, at half the products.
    """
    matrix, width, source, target = cast_like(block.matrix, vectors), width << block.low, vectors, out
    if vectors.dtype.kind == "c" and matrix.dtype.kind != "c":
        source, target = source.view(matrix.dtype), target.view(matrix.dtype)
        if width == 1 and source.size > len(matrix) * 64:
            matrix = _kron_pair(library_of(matrix).eye(2, dtype=matrix.dtype), matrix)
        else:
            width *= 2
    size = len(matrix)
    if width == 1:
        _multiply_rows(source.reshape(-1, size), matrix.T, target.reshape(-1, size))
        return
    columns = width
    while columns * size**2 > _MULTIPLICATIONS_PER_PRODUCT and columns % 2 == 0:
        columns //= 2
    shape = (-1, size, width) if columns == width else (-1, size, width // columns, columns)
    source, target = source.reshape(shape), target.reshape(shape)
    if columns < width:
        source, target = source.swapaxes(1, 2), target.swapaxes(1, 2)
    library_of(target).matmul(matrix, source, out=target)


def _multiply_rows(rows: NDArray, matrix: NDArray, out: NDArray) -> None:
    """Multiply rows by a matrix, in pieces of equal size and the remaining rows."""
    size, count = len(matrix), len(rows)
    piece = min(count, _MULTIPLICATIONS_PER_PRODUCT // size**2)
    whole = count // piece * piece
    matmul = library_of(out).matmul
    matmul(rows[:whole].reshape(-1, piece, size), matrix, out=out[:whole].reshape(-1, piece, size))
    if whole < count:
        matmul(rows[whole:], matrix, out=out[whole:])


def apply_blocks(vectors: NDArray, spare: NDArray, blocks: Sequence[Block], width: int = 1) -> tuple[NDArray, NDArray]:
    """Apply blocks between two buffers: allocating memory would cost more than the work.

    Args:
        vectors: Contiguous; qubit 0 is the lowest index bit above `width` contiguous numbers.
        spare: Of the same shape and type; is written to, and so are the vectors where there are several blocks.
        blocks: What to apply.
        width: 1 for vectors in rows, the number of columns for a batch in columns.

    Returns:
        The buffer that holds the result, and the other one.
    """
    for block in blocks:
        _apply_block(vectors, block, width, spare)
        vectors, spare = spare, vectors
    return vectors, spare


def _applied(vectors: NDArray, blocks: Sequence[Block], width: int) -> NDArray:
    """Apply blocks to vectors that must not change, in their precision; integers become real numbers."""
    if not blocks:
        return vectors
    library, dtype = library_of(vectors), vectors.dtype if vectors.dtype.kind in "fc" else np.dtype(float)
    if any(block.matrix.dtype.kind == "c" for block in blocks):
        dtype = np.result_type(dtype, np.complex64)
    source, out = library.ascontiguousarray(vectors, dtype=dtype), library.empty(vectors.shape, dtype=dtype)
    _apply_block(source, blocks[0], width, out)
    if len(blocks) == 1:
        return out
    spare = library.empty_like(out) if source is vectors else source
    return apply_blocks(out, spare, blocks[1:], width)[0]


def apply_product(vectors: NDArray, matrices: Sequence[NDArray | None]) -> NDArray:
    """Apply one 2x2 matrix to every qubit.

    Args:
        vectors: Shape (..., 2^N).
        matrices: N matrices, entry k acts on qubit k (index bit k); ``None`` is the identity.

    Returns:
        Array of the same shape; real stays real where the matrices are real.
    """
    return transform_rows(vectors, kron_blocks(matrices))


def transform_rows(vectors: NDArray, blocks: Sequence[Block]) -> NDArray:
    """Apply blocks to a copy of vectors.

    Args:
        vectors: Shape (..., 2^N); they stay as they are.
        blocks: What to apply, in order.

    Returns:
        The transformed vectors, shape (..., 2^N).
    """
    return _applied(vectors, blocks, 1)


def apply_sum(vectors: NDArray, blocks: Sequence[Block]) -> NDArray:
    """Return the sum of what every block makes of vectors.

    Args:
        vectors: Shape (..., 2^N), of a type that holds the result; they stay as they are.
        blocks: At least one.
    """
    library = library_of(vectors)
    source, total = library.ascontiguousarray(vectors), library.empty(vectors.shape, dtype=vectors.dtype)
    _apply_block(source, blocks[0], 1, total)
    spare = library.empty_like(total) if len(blocks) > 1 else total
    for block in blocks[1:]:
        _apply_block(source, block, 1, spare)
        total += spare
    return total


def walsh_hadamard(vectors: NDArray) -> NDArray:
    """Return the Walsh-Hadamard transform of the last axis, without normalisation.

    ``out[..., m] = sum_x (-1)^popcount(m & x) vectors[..., x]``. Applied to probabilities, entry m is the mean of the
    product of Z over the qubits of the bit mask m.

    Args:
        vectors: Shape (..., 2^N), real or complex.

    Returns:
        Array of the same shape in double precision.
    """
    vectors = vectors.astype(np.result_type(vectors, np.float64), copy=False)
    return _applied(vectors, _hadamard_blocks(num_qubits_of(vectors.shape[-1])), 1)


def walsh_hadamard_of_columns(columns: NDArray) -> NDArray:
    """Return the Walsh-Hadamard transform of the first axis, for a batch in columns: shape (2^N, states)."""
    return _applied(columns, _hadamard_blocks(num_qubits_of(len(columns))), columns.shape[1])
