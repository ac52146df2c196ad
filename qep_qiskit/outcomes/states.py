"""What is measured: circuits to run, or states that are known. Batches are flat: one row per state.

A kind of states is one class. Circuits are bound and run by an executor; known states give their outcomes themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.transforms import num_qubits_of
from qep_qiskit.outcomes.bits import BitMemory, BitOutcomes
from qep_qiskit.outcomes.drawing import draw
from qep_qiskit.outcomes.interface import Outcomes

StateName = tuple[LayerProgram, CommutingGroup | None, int, bytes]
"""What a distribution of outcomes is of: a program, the group, how often two-qubit gates run, and the state."""


class PreparedStates(ABC):
    """Prepared states."""

    __slots__ = ()

    is_certain: ClassVar[bool] = False
    """Whether every shot reads the same: then no shots are counted."""

    @property
    @abstractmethod
    def num_states(self) -> int:
        """Number of states."""

    @property
    @abstractmethod
    def num_qubits(self) -> int | None:
        """Number of qubits or spins; None for atoms in space."""

    @property
    def circuits(self) -> ProgramStates | None:
        """These states where circuits prepare them, or None where they are known."""
        return None

    def rows(self, chosen: NDArray[np.int64]) -> PreparedStates:
        """Some of them, with repeats."""
        raise NotImplementedError

    def measured(
        self, group: Any, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator
    ) -> Outcomes:
        """Outcomes of known states.

        Args:
            group: The group to measure.
            rows: Shape (measured,), the states.
            shots: Shots of each, or None for exact outcomes.
            generator: The stream of random numbers of this group.

        Raises:
            ConfigError: The states have no outcomes in this group.
            ResourceError: The shots do not fit in memory.
            ResultError: Probabilities are none.
        """
        raise NotImplementedError

    def as_circuits(self) -> CircuitStates:
        """These states, for what runs circuits alone.

        Raises:
            ConfigError: No circuit prepares them.
        """
        on_qubits(self)
        raise ConfigError("execution.backend: a device runs circuits; use preparation.kind = 'adiabatic'")


class ProgramStates(PreparedStates):
    """States that circuits of a program prepare, or the circuits that belong to it."""

    __slots__ = ()

    program: LayerProgram

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return self.program.num_qubits

    @property
    def circuits(self) -> ProgramStates:
        """Themselves."""
        return self

    @abstractmethod
    def vectors_by(self, evolve: Callable[[CircuitStates], NDArray]) -> NDArray:
        """State vectors (states, 2^N), by a function that has those of circuits."""

    @abstractmethod
    def bound_by(
        self,
        circuits: Any,
        group: CommutingGroup,
        rows: NDArray[np.int64],
        folding: int,
        flips: NDArray[np.bool_] | None = None,
    ) -> Any:
        """Bound circuits of some states, made by `MeasuredCircuits`; arguments as in its `bound`."""

    @abstractmethod
    def names(self, group: CommutingGroup, rows: NDArray[np.int64], folding: int) -> list[StateName]:
        """What the outcomes of some states are of."""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CircuitStates(ProgramStates):
    """States that one parametrised program prepares.

    Args:
        program: The layer program, the same for the whole batch.
        parameters: Shape (states, parameters), one binding of the program per state.

    Example:
        >>> states = qep.CircuitStates(program=qep.hardware_efficient(2, depth=0), parameters=np.zeros((3, 4)))
        >>> states.num_states
        3
    """

    program: LayerProgram
    parameters: NDArray[np.float64]

    @property
    def num_states(self) -> int:
        """Number of states."""
        return self.parameters.shape[0]

    def rows(self, chosen: NDArray[np.int64]) -> CircuitStates:
        """Some of them, with repeats."""
        return CircuitStates(program=self.program, parameters=self.parameters[chosen])

    def as_circuits(self) -> CircuitStates:
        """Themselves."""
        return self

    def vectors_by(self, evolve: Callable[[CircuitStates], NDArray]) -> NDArray:
        """What the function has."""
        return evolve(self)

    def bound_by(
        self,
        circuits: Any,
        group: CommutingGroup,
        rows: NDArray[np.int64],
        folding: int,
        flips: NDArray[np.bool_] | None = None,
    ) -> Any:
        """Circuits measured in the group."""
        return circuits.bound(self.program, group, self.parameters[rows], folding, flips)

    def names(self, group: CommutingGroup, rows: NDArray[np.int64], folding: int) -> list[StateName]:
        """By the parameters."""
        return [(self.program, group, folding, row.tobytes()) for row in self.parameters[rows]]


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class CalibrationStates(ProgramStates):
    """All qubits 0, and all qubits 1, on the very qubits that a program is read from.

    Args:
        program: The program.
    """

    program: LayerProgram

    @property
    def num_states(self) -> int:
        """Two."""
        return 2

    def as_circuits(self) -> CircuitStates:
        """Never: a device has them in the job of a request."""
        raise ConfigError("execution: a device calibrates with the request that needs it, not on its own")

    @property
    def vectors(self) -> NDArray[np.float64]:
        """The two states as vectors, shape (2, 2^N)."""
        vectors = np.zeros((2, 1 << self.num_qubits))
        vectors[0, 0] = vectors[1, -1] = 1.0
        return vectors

    def vectors_by(self, evolve: Callable[[CircuitStates], NDArray]) -> NDArray:
        """Known without."""
        return self.vectors

    def bound_by(
        self,
        circuits: Any,
        group: CommutingGroup,
        rows: NDArray[np.int64],
        folding: int,
        flips: NDArray[np.bool_] | None = None,
    ) -> Any:
        """Circuits of the calibration; the group is Z on every qubit."""
        return circuits.bound_calibration(self.program, rows, flips)

    def names(self, group: CommutingGroup, rows: NDArray[np.int64], folding: int) -> list[StateName]:
        """By the state, 0 or 1."""
        return [(self.program, None, 1, bytes([state])) for state in rows]


class KnownStates(PreparedStates):
    """States of qubits whose probabilities are known."""

    __slots__ = ()

    @property
    @abstractmethod
    def num_qubits(self) -> int:
        """Number of qubits or spins."""

    @abstractmethod
    def probabilities(self, group: CommutingGroup, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probabilities of all outcomes in the basis of a group, shape (chosen, 2^N); a fresh array."""

    def measured(
        self, group: CommutingGroup, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator
    ) -> BitOutcomes:
        """Drawn from the probabilities."""
        return draw(
            lambda part: self.probabilities(group, rows[part]),
            (len(rows), 1 << self.num_qubits),
            shots,
            generator,
            f"simulation: circuit '{group.name}'",
        )


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorStates(KnownStates):
    """States known as vectors, from an exact solver.

    Args:
        vectors: Shape (states, 2^N), normalised, index bit k = qubit k.
        energies: Shape (states,).
        gaps: Shape (states,), distance to the nearest other level.

    Example:
        >>> qep.VectorStates(vectors=np.eye(4)[:2], energies=np.zeros(2), gaps=np.ones(2)).num_qubits
        2
    """

    vectors: NDArray
    energies: NDArray[np.float64]
    gaps: NDArray[np.float64]

    @property
    def num_states(self) -> int:
        """Number of states."""
        return self.vectors.shape[0]

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return num_qubits_of(self.vectors.shape[1])

    def rows(self, chosen: NDArray[np.int64]) -> VectorStates:
        """Some of them, with repeats."""
        return VectorStates(vectors=self.vectors[chosen], energies=self.energies[chosen], gaps=self.gaps[chosen])

    def probabilities(self, group: CommutingGroup, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Squares of the amplitudes in the basis of the group; one state alone is not copied before it is rotated."""
        return _squares(self.vectors[chosen[0]][None] if len(chosen) == 1 else self.vectors[chosen], group)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpinConfigurations(PreparedStates):
    """Classical spins: what they are when Z is measured is certain, and nothing else can be measured.

    Args:
        spins: Shape (states, N) of int8, +1 or -1; +1 is the bit 0.
        energies: Shape (states,).
    """

    is_certain: ClassVar[bool] = True

    spins: NDArray[np.int8]
    energies: NDArray[np.float64]

    @property
    def num_states(self) -> int:
        """Number of states."""
        return self.spins.shape[0]

    @property
    def num_qubits(self) -> int:
        """Number of spins."""
        return self.spins.shape[1]

    def rows(self, chosen: NDArray[np.int64]) -> SpinConfigurations:
        """Some of them, with repeats."""
        return SpinConfigurations(spins=self.spins[chosen], energies=self.energies[chosen])

    def measured(
        self, group: CommutingGroup, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator
    ) -> BitMemory:
        """One shot that is certain: spin k is bit k, and bytes are big-endian."""
        require_classical(group)
        bits = np.packbits(self.spins[rows] < 0, axis=1, bitorder="little")[:, ::-1]
        return BitMemory(bits=np.ascontiguousarray(bits)[:, None], num_qubits=self.num_qubits, certain=True)


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class MixedStates(KnownStates):
    """Mixtures of state vectors.

    Args:
        vectors: Shape (states, levels, 2^N), each vector as long as the root of its probability.
    """

    vectors: NDArray

    @property
    def num_states(self) -> int:
        """Number of states."""
        return self.vectors.shape[0]

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return num_qubits_of(self.vectors.shape[2])

    def probabilities(self, group: CommutingGroup, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Sums over the levels."""
        return np.array([_squares(self.vectors[row], group).sum(axis=0) for row in chosen])

    def rows(self, chosen: NDArray[np.int64]) -> MixedStates:
        """Some of them, with repeats."""
        return MixedStates(self.vectors[chosen])


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class SpinEnsembles(KnownStates):
    """Distributions of classical spins.

    Args:
        weights: Shape (states, 2^N), probabilities of all bit strings; bit k = spin k.
    """

    weights: NDArray[np.float64]

    @property
    def num_states(self) -> int:
        """Number of states."""
        return self.weights.shape[0]

    @property
    def num_qubits(self) -> int:
        """Number of spins."""
        return num_qubits_of(self.weights.shape[1])

    def probabilities(self, group: CommutingGroup, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Their rows.

        Raises:
            ConfigError: The group is not that of the spins themselves.
        """
        require_classical(group)
        return self.weights[chosen]

    def rows(self, chosen: NDArray[np.int64]) -> SpinEnsembles:
        """Some of them, with repeats."""
        return SpinEnsembles(self.weights[chosen])


def require_classical(group: CommutingGroup) -> None:
    """Check that classical spins have outcomes in a group.

    Raises:
        ConfigError: They have none.
    """
    if not group.is_classical:
        raise ConfigError(f"group {group.name}: classical spins have outcomes in the Z basis only")


def _squares(vectors: NDArray, group: CommutingGroup) -> NDArray[np.float64]:
    """Probabilities of all outcomes of vectors (..., 2^N) in the basis of a group; a fresh array."""
    rotated = group.basis.rotate(vectors)
    probabilities = np.square(rotated.real)
    if np.iscomplexobj(rotated):
        probabilities += np.square(rotated.imag)
    return probabilities


def on_qubits(states: PreparedStates) -> int:
    """How many qubits states have.

    Raises:
        ConfigError: They are atoms in space, which no circuit prepares.
    """
    if states.num_qubits is None:
        raise ConfigError("atoms in space are read without circuits, by CoordinateExecutor; this executor reads qubits")
    return states.num_qubits
