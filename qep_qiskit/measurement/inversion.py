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

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.execution import BitMemory, Distribution, Outcomes, ReadoutErrors
from qep_qiskit.operators import CommutingGroup

__all__ = ["inverted", "words_of_bits"]

_TABLE_UP_TO_QUBITS = 13
_MULTIPLICATIONS_PER_PRODUCT = 1 << 18


def inverted(outcomes: Outcomes, group: CommutingGroup, errors: ReadoutErrors) -> tuple[NDArray, NDArray]:
    """Means of all generators, and the means of their products, errors of the readout taken out.

    Args:
        outcomes: Counts, probabilities or bits, one row per measured state.
        group: The group that was measured.
        errors: Of its qubits.

    Returns:
        Shapes (measured, generators) and (measured, generators, generators).
    """
    if isinstance(outcomes, BitMemory):
        words = map(words_of_bits, outcomes.bits)
        if outcomes.num_qubits > _TABLE_UP_TO_QUBITS:
            uniform = np.full(outcomes.shots, 1.0 / outcomes.shots)
            found = [_weighted(_readings(word, group, errors), uniform) for word in words]
            return _stacked(found)
        size = 1 << outcomes.num_qubits
        weights = np.array([np.bincount(word[0].astype(np.int64), minlength=size) for word in words]) / outcomes.shots
    else:
        assert isinstance(outcomes, Distribution)
        weights = outcomes.weights / (outcomes.shots or 1)
    readings = _readings(np.arange(weights.shape[1], dtype=np.uint64)[None], group, errors)
    if outcomes.shots is None:
        means = weights @ readings.T
        return means, means[:, :, None] * means[:, None, :]
    return _stacked([_of_what_came(readings, row) for row in weights])


def _stacked(found: list[tuple[NDArray, NDArray]]) -> tuple[NDArray, NDArray]:
    means, second = zip(*found, strict=True)
    return np.array(means), np.array(second)


def _readings(words: NDArray[np.uint64], group: CommutingGroup, errors: ReadoutErrors) -> NDArray[np.float64]:
    """What every generator reads in every bit string, shape (generators, strings)."""
    signs = errors.signs()
    found = np.ones((group.num_generators, words.shape[1]))
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


def words_of_bits(bits: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Bit strings as integers in words of 64 bits, the lowest word first: (shots, bytes) to (words, shots)."""
    words = -(-bits.shape[1] // 8)
    full = np.zeros((len(bits), 8 * words), dtype=np.uint8)
    full[:, : bits.shape[1]] = bits[:, ::-1]
    return np.ascontiguousarray(full.view("<u8").astype(np.uint64).T)
