"""From outcomes to means and their full covariance.

All generators of a group are products of Z in the rotated frame, and a product of two of them is one more:
P_a P_b = P_(a xor b). One Walsh-Hadamard transform of the outcome frequencies therefore gives every mean and
every second moment of the batch at once. Where errors of the readout are known, `inverted` takes them out; under
random flips they are one factor a generator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.coordinates import CoordinateGroup
from qep_qiskit.execution import (
    BitMemory,
    ExactMeans,
    Outcomes,
    PointMemory,
    ReadoutErrors,
    ShotData,
    TwirledErrors,
)
from qep_qiskit.measurement.covariances import no_covariance
from qep_qiskit.measurement.inversion import inverted, words_of_bits
from qep_qiskit.memory import require_bytes
from qep_qiskit.operators import CommutingGroup
from qep_qiskit.short_repr import short_repr
from qep_qiskit.transforms import walsh_hadamard

__all__ = ["GroupMoments", "StateMoments", "moments", "moments_of_readouts"]

_DENSE_UP_TO_QUBITS = 13
_NEVER_DENSE_FROM_QUBITS = 21
_MULTIPLICATIONS_PER_PRODUCT = 1 << 18


@short_repr
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


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StateMoments:
    """Means in a block of states: of all terms, or of the columns of a reading plan.

    Args:
        means: Shape (samples, phases, terms); NaN where a group was not measured.
        covariance: Shape (samples, phases, terms, terms), of the means; zero between groups, and NaN
            within a group where one shot gives no estimate.
        discarded: The weight that truncation took from one of the states, where somebody looked; else NaN.
    """

    means: NDArray[np.float64]
    covariance: NDArray[np.float64]
    discarded: float = float("nan")


def moments(outcomes: Outcomes, group: Any) -> GroupMoments:
    """Means of all generators of a group, with an unbiased estimate of their covariance.

    The covariance of two means is (<P_a P_b> - <P_a><P_b>) / (shots - 1), with the estimates on the right.

    Args:
        outcomes: Counts, probabilities, bits, points or exact means, one row per measured state.
        group: The group that was measured.
    """
    if isinstance(outcomes, ExactMeans):
        return GroupMoments(means=outcomes.means, covariance=no_covariance(outcomes.means.shape), shots=None)
    if isinstance(outcomes, PointMemory):
        return _of_points(outcomes.points, group)
    if isinstance(outcomes, BitMemory) and outcomes.certain:
        return _certain(outcomes, group)
    errors = outcomes.readout
    if isinstance(errors, ReadoutErrors) and not errors.is_ideal:
        means, second = inverted(outcomes, group, errors)
    elif isinstance(outcomes, BitMemory):
        rows = _from_frequencies if _fits_a_table(outcomes, group) else _from_signs
        found = [rows(values, outcomes, group) for values in map(words_of_bits, outcomes.bits)]
        means, second = (np.array(part) for part in zip(*found, strict=True))
    else:
        means, second = _from_table(outcomes.weights / (outcomes.shots or 1), group)
    if isinstance(errors, TwirledErrors):
        factors = errors.factors(group.masks)
        means, second = means / factors, second / np.outer(factors, factors)
    if group.signs is not None:
        means, second = means * group.signs, second * np.outer(group.signs, group.signs)
    single_shot = second - means[:, :, None] * means[:, None, :]
    if outcomes.shots is None:
        return GroupMoments(means=means, covariance=no_covariance(means.shape), shots=None)
    divisor = outcomes.shots - 1 if outcomes.shots > 1 else np.nan
    return GroupMoments(means=means, covariance=single_shot / divisor, shots=outcomes.shots)


def _certain(outcomes: BitMemory, group: CommutingGroup) -> GroupMoments:
    """Every generator is +1 or -1, with no covariance."""
    means = np.array([_signs(words, group)[:, 0] for words in map(words_of_bits, outcomes.bits)], dtype=float)
    means = means.reshape(len(outcomes.bits), group.num_generators)
    return GroupMoments(means=means, covariance=no_covariance(means.shape), shots=None)


def moments_of_readouts(data: ShotData, groups: Sequence[Any]) -> Iterator[GroupMoments]:
    """Moments of every readout that the work asked for, each from one batch of outcomes or from several.

    Args:
        data: The answer.
        groups: The group of each readout.
    """
    parts = len(data.coefficients)
    for place, group in enumerate(groups):
        own = data.outcomes[place * parts : (place + 1) * parts]
        yield _combined([moments(outcomes, group) for outcomes in own], data.coefficients)


def _combined(parts: Sequence[GroupMoments], coefficients: Sequence[float]) -> GroupMoments:
    """The sum of independent batches with coefficients."""
    if len(parts) == 1:
        return parts[0]
    factors = np.array(coefficients)
    return GroupMoments(
        means=np.tensordot(factors, np.array([part.means for part in parts]), axes=1),
        covariance=np.tensordot(factors**2, np.array([part.covariance for part in parts]), axes=1),
        shots=parts[0].shots,
    )


def _of_points(points: NDArray, group: CoordinateGroup) -> GroupMoments:
    """Moments of functions of points, one state after the other; deviations from the means do not cancel."""
    shots, size = points.shape[1], group.num_generators
    require_bytes(4 * 8 * len(points) * size**2, f"covariances of {size} terms in {len(points)} states")
    means, covariance = np.empty((len(points), size)), np.empty((len(points), size, size))
    divisor = shots * (shots - 1) if shots > 1 else np.nan
    for row, batch in enumerate(points):
        values = group.values(batch)
        means[row] = values.mean(axis=0)
        values -= means[row]
        covariance[row] = values.T @ values / divisor
    return GroupMoments(means=means, covariance=covariance, shots=shots)


def _fits_a_table(outcomes: BitMemory, group: CommutingGroup) -> bool:
    """Whether a transform of all 2^N frequencies is less work than the signs of every shot."""
    if outcomes.num_qubits <= _DENSE_UP_TO_QUBITS:
        return True
    transform = outcomes.num_qubits << outcomes.num_qubits
    return outcomes.num_qubits < _NEVER_DENSE_FROM_QUBITS and transform < 2 * outcomes.shots * group.num_generators


def _from_table(frequencies: NDArray, group: CommutingGroup) -> tuple[NDArray, NDArray]:
    """Means and second moments from one transform of frequencies, shape (..., 2^N)."""
    transformed = walsh_hadamard(frequencies)
    masks = np.array(group.masks)
    return transformed[..., masks], transformed[..., masks[:, None] ^ masks[None, :]]


def _from_frequencies(values: NDArray, outcomes: BitMemory, group: CommutingGroup) -> tuple[NDArray, NDArray]:
    """The same of shots, shape (1, shots)."""
    counts = np.bincount(values[0].astype(np.int64), minlength=1 << outcomes.num_qubits)
    return _from_table(counts / outcomes.shots, group)


def _from_signs(values: NDArray, outcomes: BitMemory, group: CommutingGroup) -> tuple[NDArray, NDArray]:
    """Means and second moments from signs of every shot, shape (words, shots), for registers too wide for a table.

    Few shots at a time: their sums are whole numbers that float32 holds exactly, in products too small to be shared out
    to threads (see `transforms`).
    """
    signs = _signs(values, group)
    means = signs.sum(axis=1, dtype=np.float64) / outcomes.shots
    second = np.zeros((len(signs), len(signs)))
    few = max(32, _MULTIPLICATIONS_PER_PRODUCT // len(signs) ** 2)
    for start in range(0, outcomes.shots, few):
        part = signs[:, start : start + few]
        second += part @ part.T
    return means, second / outcomes.shots


def _signs(values: NDArray, group: CommutingGroup) -> NDArray[np.float32]:
    """What every generator reads in every shot, shape (generators, shots), of words (words, shots)."""
    parity = np.zeros((group.num_generators, values.shape[1]), dtype=np.uint8)
    for word, column in enumerate(values):
        masks = np.array([mask >> 64 * word & 0xFFFFFFFFFFFFFFFF for mask in group.masks], dtype=np.uint64)
        parity ^= np.bitwise_count(masks[:, None] & column)
    return np.where(parity & 1, np.float32(-1.0), np.float32(1.0))
