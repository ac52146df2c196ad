"""Hold states of qubits and classical spins that are known, and give their outcomes themselves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.transforms import num_qubits_of
from qep_qiskit.outcomes.bits import BitMemory, BitOutcomes
from qep_qiskit.outcomes.drawing import draw, draw_indices
from qep_qiskit.outcomes.states import PreparedStates

_AMPLITUDES_AT_ONCE = 1 << 16


class KnownStates(PreparedStates):
    """States of qubits whose probabilities are known."""

    __slots__ = ()

    @property
    @abstractmethod
    def num_qubits(self) -> int:
        """Return the number of qubits or spins."""

    @abstractmethod
    def probabilities(self, group: CommutingGroup, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return probabilities of all outcomes in the basis of a group, a fresh array.

        Args:
            group: The group to measure.
            chosen: Shape (chosen,), the states.

        Returns:
            Shape (chosen, 2^N), bit k = qubit k.
        """

    def measured(
        self, group: CommutingGroup, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator | None
    ) -> BitOutcomes:
        """Draw outcomes from the probabilities."""
        return draw(*self._source(group, rows), shots, generator, _name_of(group))

    def indices(
        self, group: CommutingGroup, rows: NDArray[np.int64], shots: int, generator: np.random.Generator
    ) -> NDArray[np.int64]:
        """Draw outcomes shot by shot, as indices of bit strings, shape (measured, shots).

        Args:
            group: The group to measure.
            rows: Shape (measured,), the states.
            shots: Shots of each.
            generator: The random stream of this group.
        """
        return draw_indices(*self._source(group, rows), shots, generator, _name_of(group))

    def _source(
        self, group: CommutingGroup, rows: NDArray[np.int64]
    ) -> tuple[Callable[[slice], NDArray[np.float64]], tuple[int, int]]:
        """Return probabilities of some of the measured states as a function, and the shape of all of them."""
        return lambda part: self.probabilities(group, rows[part]), (len(rows), 1 << self.num_qubits)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorStates(KnownStates):
    """Hold states known as vectors, from an exact solver.

    Args:
        vectors: Shape (states, 2^N), normalised, index bit k = qubit k.
        energies: Shape (states,).
        gaps: Shape (states,), distance to the nearest other level.

    Example:
        >>> qep.VectorStates(vectors=np.eye(4)[:2], energies=np.zeros(2), gaps=np.ones(2)).num_qubits
        2
    """

    per_state: ClassVar[tuple[str, ...]] = ("vectors", "energies", "gaps")

    vectors: NDArray
    energies: NDArray[np.float64]
    gaps: NDArray[np.float64]

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return num_qubits_of(self.vectors.shape[1])

    def probabilities(self, group: CommutingGroup, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return squares of the amplitudes in the basis of the group.

        One state alone is not copied before it is rotated.
        """
        found = _squares(self.vectors[chosen[0]][None] if len(chosen) == 1 else self.vectors[chosen], group)
        if self.vectors.dtype in (np.complex64, np.float32):  # lengths are 1 to single precision only
            found /= found.sum(axis=1, keepdims=True)
        return found


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpinConfigurations(PreparedStates):
    """Hold classical spins: a measurement of Z is certain, and nothing else can be measured.

    Args:
        spins: Shape (states, N) of int8, +1 or -1; +1 is the bit 0.
        energies: Shape (states,).

    Example:
        >>> states = qep.SpinConfigurations(spins=np.array([[1, -1]], dtype=np.int8), energies=np.zeros(1))
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("ZZ"), masks=(0b01, 0b11))
        >>> states.measured(group, np.array([0]), 1, np.random.default_rng(0)).moments(group).means
        array([[ 1., -1.]])
    """

    is_certain: ClassVar[bool] = True
    per_state: ClassVar[tuple[str, ...]] = ("spins", "energies")

    spins: NDArray[np.int8]
    energies: NDArray[np.float64]

    @property
    def num_qubits(self) -> int:
        """Number of spins."""
        return self.spins.shape[1]

    def measured(
        self, group: CommutingGroup, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator | None
    ) -> BitMemory:
        """Return one shot that is certain: spin k is bit k, and bytes are big-endian."""
        require_classical(group)
        return BitMemory(bits=_bits(self.spins[rows])[:, None], num_qubits=self.num_qubits, certain=True)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpinReads(PreparedStates):
    """Hold what an annealer read of classical spins: every read is one shot of a measurement of Z.

    Args:
        spins: Shape (states, reads, N) of int8, +1 or -1; +1 is the bit 0.
        energies: Shape (states,), the means over the reads.

    Example:
        >>> spins = np.array([[[1, -1], [1, 1]]], dtype=np.int8)  # one state, read twice
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("ZZ"), masks=(0b01, 0b10))
        >>> states = qep.SpinReads(spins=spins, energies=np.zeros(1))
        >>> states.measured(group, np.array([0]), 2, np.random.default_rng(0)).moments(group).means
        array([[1., 0.]])
    """

    per_state: ClassVar[tuple[str, ...]] = ("spins", "energies")

    spins: NDArray[np.int8]
    energies: NDArray[np.float64]

    @property
    def num_qubits(self) -> int:
        """Number of spins."""
        return self.spins.shape[2]

    def measured(
        self, group: CommutingGroup, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator | None
    ) -> BitMemory:
        """Return the reads.

        Raises:
            ConfigError: Another number of shots is asked for.
        """
        require_classical(group)
        if shots != self.spins.shape[1]:
            raise ConfigError(
                f"measurement.shots: expected the reads of the annealer, {self.spins.shape[1]}, each of which is one "
                f"shot; got {'exact' if shots is None else shots}"
            )
        return BitMemory(bits=_bits(self.spins[rows]), num_qubits=self.num_qubits)


def _bits(spins: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return spins (..., N) as bytes of bits: spin k is bit k, and bytes are big-endian."""
    return np.ascontiguousarray(np.packbits(spins < 0, axis=-1, bitorder="little")[..., ::-1])


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class MixedStates(KnownStates):
    """Hold mixtures of state vectors.

    Args:
        vectors: Shape (states, levels, 2^N), each vector with the square root of its probability as its norm.

    Example:
        >>> half = np.sqrt(0.5) * np.eye(2)[None]  # one state: |0> and |1> with probability 1/2 each
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> qep.MixedStates(half).probabilities(group, np.array([0])).round(3)
        array([[0.5, 0.5]])
    """

    per_state: ClassVar[tuple[str, ...]] = ("vectors",)

    vectors: NDArray

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return num_qubits_of(self.vectors.shape[2])

    def probabilities(self, group: CommutingGroup, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return probabilities summed over the levels."""
        count = max(1, _AMPLITUDES_AT_ONCE // self.vectors[0].size)
        blocks = [chosen[start : start + count] for start in range(0, len(chosen), count)]
        return np.concatenate([_squares(self.vectors[rows], group).sum(axis=1) for rows in blocks])


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class SpinEnsembles(KnownStates):
    """Hold distributions of classical spins.

    Args:
        weights: Shape (states, 2^N), probabilities of all bit strings; bit k = spin k.

    Example:
        >>> states = qep.SpinEnsembles(np.array([[0.75, 0.25]]))  # spin up with probability 3/4
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z"), masks=(1,))
        >>> states.measured(group, np.array([0]), None, np.random.default_rng(0)).moments(group).means
        array([[0.5]])
    """

    per_state: ClassVar[tuple[str, ...]] = ("weights",)

    weights: NDArray[np.float64]

    @property
    def num_qubits(self) -> int:
        """Number of spins."""
        return num_qubits_of(self.weights.shape[1])

    def probabilities(self, group: CommutingGroup, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the rows of the chosen states.

        Raises:
            ConfigError: The group is not that of the spins themselves.
        """
        require_classical(group)
        return self.weights[chosen]


def require_classical(group: CommutingGroup) -> None:
    """Check that classical spins have outcomes in a group.

    Raises:
        ConfigError: They have none.
    """
    if not group.is_classical:
        raise ConfigError(f"group {group.name}: classical spins have outcomes in the Z basis only")


def _name_of(group: CommutingGroup) -> str:
    return f"simulation: circuit '{group.name}'"


def _squares(vectors: NDArray, group: CommutingGroup) -> NDArray[np.float64]:
    """Return probabilities of all outcomes of vectors (..., 2^N) in the basis of a group, a fresh array.

    They are double also where vectors are single: sums over many outcomes in single precision have a bias.
    """
    rotated = group.basis.rotate(vectors)
    probabilities = np.square(rotated.real, dtype=np.float64)
    if np.iscomplexobj(rotated):
        probabilities += np.square(rotated.imag, dtype=np.float64)
    return probabilities
