"""From outcomes to means and their full covariance.

All generators of a group are products of Z in the rotated frame, and a product of two of them is one more:
P_a P_b = P_(a xor b). One Walsh-Hadamard transform of the outcome frequencies therefore gives every mean and
every second moment of the batch at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.execution import BitMemory, Distribution, Outcomes
from qep_qiskit.operators import CommutingGroup
from qep_qiskit.transforms import walsh_hadamard

__all__ = ["GroupMoments", "moments"]

_DENSE_UP_TO_QUBITS = 13


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupMoments:
    """Means of a group's generators, and the covariance of these means.

    Args:
        means: Shape (measured, generators).
        covariance: Shape (measured, generators, generators), of the means (already divided by the shots).
            NaN where one shot gives no estimate; zero where exact.
        shots: Shots per state, or None where exact.
    """

    means: NDArray[np.float64]
    covariance: NDArray[np.float64]
    shots: int | None


def moments(outcomes: Outcomes, group: CommutingGroup) -> GroupMoments:
    """Means of all generators of a group, with an unbiased estimate of their covariance.

    The covariance of two means is (<P_a P_b> - <P_a><P_b>) / (shots - 1), with the estimates on the right.

    Args:
        outcomes: Counts, probabilities or bits, one row per measured state.
        group: The group that was measured.
    """
    if isinstance(outcomes, BitMemory) and outcomes.num_qubits > _DENSE_UP_TO_QUBITS:
        means, second = _from_bits(outcomes, group)
    else:
        means, second = _from_frequencies(_frequencies(outcomes), group)
    single_shot = second - means[:, :, None] * means[:, None, :]
    if outcomes.shots is None:
        return GroupMoments(means=means, covariance=np.zeros_like(single_shot), shots=None)
    divisor = outcomes.shots - 1 if outcomes.shots > 1 else np.nan
    return GroupMoments(means=means, covariance=single_shot / divisor, shots=outcomes.shots)


def _frequencies(outcomes: Outcomes) -> NDArray[np.float64]:
    """Relative frequencies, shape (measured, 2^N)."""
    if isinstance(outcomes, Distribution):
        return outcomes.weights / (outcomes.shots or 1)
    place = 256 ** np.arange(outcomes.bits.shape[-1])[::-1]
    values = outcomes.bits.astype(np.int64) @ place
    rows, size = values.shape[0], 1 << outcomes.num_qubits
    flat = (values + size * np.arange(rows)[:, None]).ravel()
    return np.bincount(flat, minlength=rows * size).reshape(rows, size) / outcomes.shots


def _from_frequencies(frequencies: NDArray, group: CommutingGroup) -> tuple[NDArray, NDArray]:
    """Means and second moments from one transform."""
    transformed = walsh_hadamard(frequencies)
    masks = np.array(group.masks)
    return transformed[:, masks], transformed[:, masks[:, None] ^ masks[None, :]]


def _from_bits(outcomes: BitMemory, group: CommutingGroup) -> tuple[NDArray, NDArray]:
    """Means and second moments from products of signs, for registers too wide for a table."""
    select = np.array([[mask >> k & 1 for mask in group.masks] for k in range(outcomes.num_qubits)])
    means, second = [], []
    for row in outcomes.bits:
        bits = np.unpackbits(row[:, ::-1], axis=1, bitorder="little")[:, : outcomes.num_qubits]
        signs = 1.0 - 2.0 * ((bits.astype(np.float64) @ select) % 2)
        means.append(signs.mean(axis=0))
        second.append(signs.T @ signs / outcomes.shots)
    return np.array(means), np.array(second)
