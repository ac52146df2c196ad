"""Compute means and their full covariance from bits.

All terms of a group are products of Z in the rotated basis, and a product of two of them is one more: P_a P_b = P_(a
xor b). One Walsh-Hadamard transform of the outcome frequencies therefore gives every mean and every second moment of
the batch at once. Known readout errors are corrected by `inversion`; under readout twirling they are one factor a term.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.jobs import in_threads
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.transforms import walsh_hadamard
from qep_qiskit.outcomes.interface import GroupMoments

_DENSE_UP_TO_QUBITS = 13
_NEVER_DENSE_FROM_QUBITS = 21
_AMPLITUDES_PER_PART = 1 << 16
_MULTIPLICATIONS_PER_PRODUCT = 1 << 18
_WORTH_THREADS = 1 << 15


def with_covariance(means: NDArray, second: NDArray, group: CommutingGroup, shots: int | None) -> GroupMoments:
    """Return moments of a group from those of its products of Z.

    Args:
        means: Shape (measured, terms).
        second: Shape (measured, terms, terms), means of products of two.
        group: The group.
        shots: Shots of each state, or None where exact.
    """
    if group.signs is not None:
        means, second = means * group.signs, second * np.outer(group.signs, group.signs)
    if shots is None:
        return GroupMoments.exact(means)
    single_shot = second - means[:, :, None] * means[:, None, :]
    divisor = shots - 1 if shots > 1 else np.nan
    return GroupMoments(means=means, covariance=single_shot / divisor, shots=shots)


def from_bits(bits: NDArray[np.uint8], num_qubits: int, group: CommutingGroup) -> tuple[NDArray, NDArray]:
    """Return means and second moments of shots.

    Args:
        bits: Shape (measured, shots, bytes), big-endian.
        num_qubits: Number of qubits.
        group: The group that was measured.
    """
    shots = bits.shape[1]
    if _fits_a_table(num_qubits, shots, group):
        rows = max(1, _AMPLITUDES_PER_PART >> num_qubits)
        parts = (bits[start : start + rows] for start in range(0, len(bits), rows))
        found = [from_table(counts_of(part, num_qubits) / shots, group) for part in parts]
    else:
        side_by_side = in_threads if shots * group.num_terms >= _WORTH_THREADS else map
        found = list(side_by_side(lambda row: _from_signs(words_of_bits(row), group), list(bits)))
    means, second = (np.concatenate(part) for part in zip(*found, strict=True))
    return means, second


def counts_of(bits: NDArray[np.uint8], num_qubits: int) -> NDArray[np.int64]:
    """Return how often every bit string came, shape (measured, 2^N), of shots (measured, shots, bytes)."""
    measured, shots, size = *bits.shape[:2], 1 << num_qubits
    first = np.repeat(np.arange(measured) * size, shots)
    places = words_of_bits(bits.reshape(-1, bits.shape[2]))[0].astype(np.int64) + first
    return np.bincount(places, minlength=measured * size).reshape(measured, size)


def _fits_a_table(num_qubits: int, shots: int, group: CommutingGroup) -> bool:
    """Return whether a transform of all 2^N frequencies is less work than the signs of every shot."""
    if num_qubits <= _DENSE_UP_TO_QUBITS:
        return True
    transform = num_qubits << num_qubits
    return num_qubits < _NEVER_DENSE_FROM_QUBITS and transform < 2 * shots * group.num_terms


def from_table(frequencies: NDArray, group: CommutingGroup) -> tuple[NDArray, NDArray]:
    """Return means and second moments from one transform of frequencies.

    Args:
        frequencies: Shape (..., 2^N).
        group: The group that was measured.
    """
    transformed = walsh_hadamard(frequencies)
    masks = np.array(group.masks)
    return transformed[..., masks], transformed[..., masks[:, None] ^ masks[None, :]]


def _from_signs(words: NDArray, group: CommutingGroup) -> tuple[NDArray, NDArray]:
    """Return means and second moments of one state from signs of every shot, for registers too wide for a table.

    The bits have shape (words, shots), 64 bits a word. Few shots are summed at a time: float32 holds the sums exactly,
    in products small enough for one thread (see `transforms`).
    """
    signs, shots = signs_of(words, group), words.shape[1]
    means = signs.sum(axis=1, dtype=np.float64) / shots
    second = np.zeros((len(signs), len(signs)))
    few = max(32, _MULTIPLICATIONS_PER_PRODUCT // len(signs) ** 2)
    for start in range(0, shots, few):
        part = signs[:, start : start + few]
        second += part @ part.T
    return means[None], second[None] / shots


def signs_of(words: NDArray, group: CommutingGroup) -> NDArray[np.float32]:
    """Return the value of every term in every shot, shape (terms, shots).

    Args:
        words: Shape (words, shots), 64 bits a word.
        group: The group that was measured.
    """
    parity = np.zeros((group.num_terms, words.shape[1]), dtype=np.uint8)
    for place, column in enumerate(words):
        masks = np.array([mask >> 64 * place & 0xFFFFFFFFFFFFFFFF for mask in group.masks], dtype=np.uint64)
        parity ^= np.bitwise_count(masks[:, None] & column)
    return np.where(parity & 1, np.float32(-1.0), np.float32(1.0))


def words_of_bits(bits: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Convert bit strings (shots, bytes) to integers of 64 bits, shape (words, shots), the lowest word first."""
    words = -(-bits.shape[1] // 8)
    full = np.zeros((len(bits), 8 * words), dtype=np.uint8)
    full[:, : bits.shape[1]] = bits[:, ::-1]
    return np.ascontiguousarray(full.view("<u8").astype(np.uint64).T)
