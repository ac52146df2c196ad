"""Hold outcomes of qubits: a number for every bit string, or the bits of every shot."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ResultError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.transforms import num_qubits_of
from qep_qiskit.outcomes.checks import num_bytes_of, require_probabilities, require_shape, require_unused_bits
from qep_qiskit.outcomes.interface import GroupMoments, Outcomes, ReadoutErrorModel
from qep_qiskit.outcomes.inversion import inverted_shots, inverted_table
from qep_qiskit.outcomes.moments import counts_of, from_bits, from_table, signs_of, with_covariance, words_of_bits

_TABLE_UP_TO_QUBITS = 13


class BitOutcomes(Outcomes):
    """Outcomes of qubits."""

    __slots__ = ()

    @abstractmethod
    def strings(self, row: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Return the distinct bit strings of one state in ascending order, and the frequency of each.

        The strings have the shape (distinct, bytes).
        """

    @abstractmethod
    def share_of(self, outcome: int) -> NDArray[np.float64]:
        """Return the frequency of one bit string, shape (measured,)."""

    @abstractmethod
    def ones(self) -> NDArray[np.float64]:
        """Return the frequency of 1 for each qubit, shape (measured, qubits)."""

    @abstractmethod
    def _second_moments(self, group: CommutingGroup, signs: NDArray | None) -> tuple[NDArray, NDArray]:
        """Return means of products of Z, and means of their products, for given values of the bits."""

    def moments(self, group: CommutingGroup, errors: ReadoutErrorModel | None = None) -> GroupMoments:
        """Return means of all terms and their covariance (<P_a P_b> - <P_a><P_b>) / (shots - 1), free of bias."""
        means, second = self._second_moments(group, None if errors is None else errors.signs())
        factors = None if errors is None else errors.factors(group.masks)
        if factors is not None:
            means, second = means / factors, second / np.outer(factors, factors)
        return with_covariance(means, second, group, self.shots)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distribution(BitOutcomes):
    """Hold outcomes as one number per bit string: counts, or exact probabilities.

    Args:
        weights: Shape (measured, 2^N): counts that sum to `shots`, or probabilities. Bit k = qubit k.
        shots: Shots of each, or None for probabilities.

    Example:
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> qep.Distribution(weights=np.array([[75, 25]]), shots=100).moments(group).means
        array([[0.5]])
    """

    mark: ClassVar[str] = "shots"

    weights: NDArray
    shots: int | None

    @property
    def _num_qubits(self) -> int:
        return num_qubits_of(self.weights.shape[1])

    @property
    def _frequencies(self) -> NDArray[np.float64]:
        return self.weights / (self.shots or 1)

    def strings(self, row: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Return the bit strings whose weight is not zero, and their frequencies."""
        came = np.flatnonzero(self.weights[row])
        bytes_ = came.astype(">u8")[:, None].view(np.uint8)[:, 8 - num_bytes_of(self._num_qubits) :]
        return np.ascontiguousarray(bytes_), self.weights[row, came] / (self.shots or 1)

    def share_of(self, outcome: int) -> NDArray[np.float64]:
        """Return the frequency of one bit string, shape (measured,)."""
        return self.weights[:, outcome] / (self.shots or 1)

    def ones(self) -> NDArray[np.float64]:
        """Return the frequency of 1 for each qubit, a sum over bit strings."""
        size = self._num_qubits
        return self.weights @ (np.arange(1 << size)[:, None] >> np.arange(size) & 1) / (self.shots or 1)

    def moments(self, group: CommutingGroup, errors: ReadoutErrorModel | None = None) -> GroupMoments:
        """Return means and covariance; exact probabilities have means alone."""
        if self.shots is None and errors is None:
            return GroupMoments.exact(group.means_of(self.weights))
        return BitOutcomes.moments(self, group, errors)

    def _second_moments(self, group: CommutingGroup, signs: NDArray | None) -> tuple[NDArray, NDArray]:
        if signs is None:
            return from_table(self._frequencies, group)
        return inverted_table(self._frequencies, group, signs, exact=self.shots is None)

    def check(self, measured: int, group: Any, num_qubits: int | None, name: str) -> None:
        """Check that there are counts or probabilities of all bit strings."""
        _require_qubits(self, num_qubits, name)
        require_shape(self.weights, (measured, 1 << (num_qubits or 0)), name)
        require_probabilities(self.weights, name, total=self.shots)

    def compact(self) -> Distribution:
        """Return counts in the smallest integers that hold them."""
        if self.shots is None:
            return self
        return replace(self, weights=self.weights.astype(np.min_scalar_type(self.shots)))

    def packed(self) -> tuple[dict[str, Any], NDArray]:
        """Return shots and weights, as a checkpoint stores them."""
        return {"shots": self.shots}, self.weights

    @classmethod
    def of_packed(cls, numbers: Mapping[str, Any], array: NDArray) -> Distribution:
        """Return the inverse of `packed`."""
        return cls(weights=array, shots=numbers["shots"])


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BitMemory(BitOutcomes):
    """Hold outcomes shot by shot.

    Args:
        bits: Shape (measured, shots, bytes) of uint8, big-endian as in Qiskit's BitArray: qubit 0 is the
            lowest bit of the last byte.
        num_qubits: Number of qubits.
        certain: Whether every other shot would read the same: then there is one, and it has no noise.

    Example:
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> bits = np.array([[[0], [0], [0], [1]]], dtype=np.uint8)  # one state, four shots, one byte
        >>> qep.BitMemory(bits=bits, num_qubits=1).moments(group).means
        array([[0.5]])
    """

    mark: ClassVar[str] = "num_qubits"

    bits: NDArray[np.uint8]
    num_qubits: int
    certain: bool = False

    @property
    def shots(self) -> int:
        """Return the shots of each measured state."""
        return self.bits.shape[1]

    @property
    def is_exact(self) -> bool:
        """Return whether the outcomes are certain."""
        return self.certain

    def strings(self, row: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Return the distinct bit strings, and their frequencies."""
        strings, counts = np.unique(self.bits[row], axis=0, return_counts=True)
        return strings, counts / self.shots

    def share_of(self, outcome: int) -> NDArray[np.float64]:
        """Return the fraction of shots with one bit string."""
        pattern = np.frombuffer(outcome.to_bytes(self.bits.shape[-1], "big"), dtype=np.uint8)
        return (self.bits == pattern).all(axis=2).mean(axis=1)

    def ones(self) -> NDArray[np.float64]:
        """Return the fraction of shots that give 1."""
        words = np.stack([words_of_bits(bits) for bits in self.bits])
        qubits = np.arange(self.num_qubits)
        bits = words[:, qubits // 64] >> (qubits % 64).astype(np.uint64)[:, None] & np.uint64(1)
        return bits.mean(axis=2)

    def moments(self, group: CommutingGroup, errors: ReadoutErrorModel | None = None) -> GroupMoments:
        """Return means and covariance; where outcomes are certain every term is +1 or -1, without covariance."""
        if not self.certain:
            return BitOutcomes.moments(self, group, errors)
        means = np.array([signs_of(words_of_bits(bits), group)[:, 0] for bits in self.bits], dtype=float)
        return GroupMoments.exact(means.reshape(len(self.bits), group.num_terms))

    def _second_moments(self, group: CommutingGroup, signs: NDArray | None) -> tuple[NDArray, NDArray]:
        if signs is None:
            return from_bits(self.bits, self.num_qubits, group)
        if self.num_qubits > _TABLE_UP_TO_QUBITS:
            return inverted_shots(self.bits, group, signs)
        return inverted_table(counts_of(self.bits, self.num_qubits) / self.shots, group, signs)

    def check(self, measured: int, group: Any, num_qubits: int | None, name: str) -> None:
        """Check that bytes are those of a register of this many qubits."""
        size = _require_qubits(self, num_qubits, name)
        if self.num_qubits != size:
            raise ResultError(f"{name}: expected {amount(size, 'bit')} a shot, got {self.num_qubits}")
        shots = 1 if self.certain else self.shots
        require_shape(self.bits, (measured, shots, num_bytes_of(size)), name)
        if self.bits.dtype != np.uint8:
            raise ResultError(f"{name}: expected bits in bytes (uint8), got {self.bits.dtype}")
        require_unused_bits(self.bits, size, name)

    def packed(self) -> tuple[dict[str, Any], NDArray]:
        """Return the number of qubits and the bits, as a checkpoint stores them."""
        return {"num_qubits": self.num_qubits}, self.bits

    @classmethod
    def of_packed(cls, numbers: Mapping[str, Any], array: NDArray) -> BitMemory:
        """Return the inverse of `packed`."""
        return cls(bits=array, num_qubits=numbers["num_qubits"])


def bits_of(outcomes: Outcomes) -> BitOutcomes:
    """Return outcomes that are outcomes of qubits, or raise.

    Raises:
        ResultError: They are not.
    """
    if not isinstance(outcomes, BitOutcomes):
        raise ResultError(f"expected bits, got {type(outcomes).__name__}")
    return outcomes


def _require_qubits(outcomes: BitOutcomes, num_qubits: int | None, name: str) -> int:
    if num_qubits is None:
        raise ResultError(f"{name}: expected points, got {type(outcomes).__name__}")
    return num_qubits
