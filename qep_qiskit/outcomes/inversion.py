"""Moments with known errors of the readout taken out.

A read sign z of a qubit with offset o and slope s is an unbiased reading g = (z - o) / s of its Z
(`ReadoutErrors`), whatever the other qubits do. A generator, the product of Z over a mask, is therefore read without
bias by the product of g over the mask. This is one number for every shot, so its mean over shots has a covariance like
any other, and the covariance of two generators comes from the raw outcomes exactly: on shared qubits
g^2 = (1 + o^2 - 2 o z) / s^2 where an ideal reading has z^2 = 1.

The errors are those of a calibration and have noise of their own. It is not in the covariance: it is common to all
states that one calibration serves, and scales their means together. A contrast is scaled with them, so it is off by a
relative error (about sqrt(e / shots) a qubit, e the flip probability), not by one that a small nudge would blow up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.outcomes.moments import words_of_bits

_MULTIPLICATIONS_PER_PRODUCT = 1 << 18


def inverted_table(
    shares: NDArray, group: CommutingGroup, signs: NDArray, *, exact: bool = False
) -> tuple[NDArray, NDArray]:
    """Means of all generators, and the means of their products, errors of the readout taken out.

    Args:
        shares: Shape (measured, 2^N), how often every bit string came.
        group: The group that was measured.
        signs: Shape (2, N), what the bits 0 and 1 of every qubit count.
        exact: Whether shares are probabilities; the second moments are then those of no noise.

    Returns:
        Shapes (measured, generators) and (measured, generators, generators).
    """
    readings = _readings(np.arange(shares.shape[1], dtype=np.uint64)[None], group, signs)
    if exact:
        means = shares @ readings.T
        return means, means[:, :, None] * means[:, None, :]
    return _stacked([_of_what_came(readings, row) for row in shares])


def inverted_shots(bits: NDArray[np.uint8], group: CommutingGroup, signs: NDArray) -> tuple[NDArray, NDArray]:
    """The same from bits (measured, shots, bytes), of registers too wide for a table."""
    uniform = np.full(bits.shape[1], 1.0 / bits.shape[1])
    return _stacked([_weighted(_readings(words_of_bits(row), group, signs), uniform) for row in bits])


def _stacked(found: Sequence[tuple[NDArray, NDArray]]) -> tuple[NDArray, NDArray]:
    means, second = zip(*found, strict=True)
    return np.array(means), np.array(second)


def _readings(words: NDArray[np.uint64], group: CommutingGroup, signs: NDArray) -> NDArray[np.float64]:
    """What every generator reads in every bit string, shape (generators, strings)."""
    found = np.ones((group.num_terms, words.shape[1]))
    for qubit in range(group.num_qubits):
        holding = [place for place, mask in enumerate(group.masks) if mask >> qubit & 1]
        bits = words[qubit // 64] >> np.uint64(qubit % 64) & np.uint64(1)
        found[holding] *= np.where(bits, signs[1, qubit], signs[0, qubit])
    return found


def _of_what_came(readings: NDArray, weights: NDArray) -> tuple[NDArray, NDArray]:
    """Few shots leave most bit strings out."""
    came = np.flatnonzero(weights)
    return _weighted(readings[:, came], weights[came])


def _weighted(readings: NDArray, weights: NDArray) -> tuple[NDArray, NDArray]:
    """Means and second moments, in products too small to be shared out to threads (see `transforms`)."""
    second = np.zeros((len(readings), len(readings)))
    few = max(32, _MULTIPLICATIONS_PER_PRODUCT // len(readings) ** 2)
    for start in range(0, len(weights), few):
        part = readings[:, start : start + few]
        second += (part * weights[start : start + few]) @ part.T
    return (readings * weights).sum(axis=1), second
