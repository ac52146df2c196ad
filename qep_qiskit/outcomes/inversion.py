"""Correct moments for known readout errors.

A measured sign z of a qubit with offset o and slope s gives an unbiased estimate g = (z - o) / s of its Z
(`ReadoutErrors`), whatever the other qubits do. The product of g over the mask of a term is therefore an unbiased
estimate of the term. This is one number for every shot, so its mean over shots has a covariance like any other, and the
covariance of two terms follows from the raw outcomes exactly: on shared qubits g^2 = (1 + o^2 - 2 o z) / s^2 where an
ideal readout has z^2 = 1.

The errors are those of a calibration and have noise of their own. It is not in the covariance: it is common to all
states that one calibration serves, and scales their means together. A contrast is scaled with them, so it has a
relative error (about sqrt(e / shots) a qubit, e the flip probability), not an error that a small nudge would amplify.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.outcomes.moments import words_of_bits

_MULTIPLICATIONS_PER_PRODUCT = 1 << 18


def inverted_table(
    frequencies: NDArray, group: CommutingGroup, signs: NDArray, *, exact: bool = False
) -> tuple[NDArray, NDArray]:
    """Return means of all terms, and the means of their products, corrected for readout errors.

    Args:
        frequencies: Shape (measured, 2^N), frequency of every bit string.
        group: The group that was measured.
        signs: Shape (2, N), values of the bits 0 and 1 of every qubit.
        exact: Whether frequencies are probabilities; the second moments are then those without noise.

    Returns:
        Shapes (measured, terms) and (measured, terms, terms).
    """
    values = _unbiased_values(np.arange(frequencies.shape[1], dtype=np.uint64)[None], group, signs)
    if exact:
        means = frequencies @ values.T
        return means, means[:, :, None] * means[:, None, :]
    seen = (row > 0.0 for row in frequencies)
    return _stacked([_weighted(values[:, own], row[own]) for own, row in zip(seen, frequencies, strict=True)])


def inverted_shots(bits: NDArray[np.uint8], group: CommutingGroup, signs: NDArray) -> tuple[NDArray, NDArray]:
    """Return the same from the bits of shots, for registers too wide for a table.

    Args:
        bits: Shape (measured, shots, bytes).
        group: The group that was measured.
        signs: Shape (2, N), values of the bits 0 and 1 of every qubit.

    Returns:
        Shapes (measured, terms) and (measured, terms, terms).
    """
    uniform = np.full(bits.shape[1], 1.0 / bits.shape[1])
    return _stacked([_weighted(_unbiased_values(words_of_bits(row), group, signs), uniform) for row in bits])


def _stacked(found: Sequence[tuple[NDArray, NDArray]]) -> tuple[NDArray, NDArray]:
    means, second = zip(*found, strict=True)
    return np.array(means), np.array(second)


def _unbiased_values(words: NDArray[np.uint64], group: CommutingGroup, signs: NDArray) -> NDArray[np.float64]:
    """Return the unbiased estimate of every term from every bit string, shape (terms, strings)."""
    found = np.ones((group.num_terms, words.shape[1]))
    for qubit in range(group.num_qubits):
        holding = [place for place, mask in enumerate(group.masks) if mask >> qubit & 1]
        bits = words[qubit // 64] >> np.uint64(qubit % 64) & np.uint64(1)
        found[holding] *= np.where(bits, signs[1, qubit], signs[0, qubit])
    return found


def _weighted(values: NDArray, weights: NDArray) -> tuple[NDArray, NDArray]:
    """Return means and second moments, in products small enough for one thread (see `transforms`)."""
    second = np.zeros((len(values), len(values)))
    few = max(32, _MULTIPLICATIONS_PER_PRODUCT // len(values) ** 2)
    for start in range(0, len(weights), few):
        part = values[:, start : start + few]
        second += (part * weights[start : start + few]) @ part.T
    return (values * weights).sum(axis=1), second
