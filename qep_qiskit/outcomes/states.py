"""Hold the states that are measured: circuits to run, or known states. Batches have one row per state.

A kind of states is one class. An executor binds and runs circuits; known states give their outcomes themselves.
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
        """Return the number of states."""

    @property
    @abstractmethod
    def num_qubits(self) -> int | None:
        """Return the number of qubits or spins; None for atoms in space."""

    @property
    def circuits(self) -> ProgramStates | None:
        """Return these states where circuits prepare them, or None where they are known."""
        return None

    def rows(self, chosen: NDArray[np.int64]) -> PreparedStates:
        """Return some of the states, with repeats."""
        raise NotImplementedError

    def measured(
        self, group: Any, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator
    ) -> Outcomes:
        """Return outcomes of known states.

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
        """Return these states for an executor that runs circuits alone.

        Raises:
            ConfigError: No circuit prepares them.
        """
        on_qubits(self)
        raise ConfigError("execution.backend: a device runs circuits; use preparation.kind = 'adiabatic'")


class ProgramStates(PreparedStates):
    """States that circuits of a program prepare, or calibration states on the same qubits."""

    __slots__ = ()

    program: LayerProgram

    @property
    def num_qubits(self) -> int:
        """Return the number of qubits."""
        return self.program.num_qubits

    @property
    def circuits(self) -> ProgramStates:
        """Return these states."""
        return self

    @abstractmethod
    def vectors_by(self, evolve: Callable[[CircuitStates], NDArray]) -> NDArray:
        """Return state vectors (states, 2^N), by a function that computes those of circuits."""

    @abstractmethod
    def bound_by(
        self,
        circuits: Any,
        group: CommutingGroup,
        rows: NDArray[np.int64],
        folding: int,
        twirls: NDArray[np.bool_] | None = None,
    ) -> Any:
        """Return bound circuits of some states.

        Args:
            circuits: Makes them, a `MeasuredCircuits`.
            group: The group to measure.
            rows: Shape (measured,), the states.
            folding: How often two-qubit gates run, odd.
            twirls: Shape (measured, draws, N), qubits to flip before the readout; or None.
        """

    @abstractmethod
    def names(self, group: CommutingGroup, rows: NDArray[np.int64], folding: int) -> list[StateName]:
        """Return what identifies the outcomes of some states in a cache.

        Args:
            group: The group to measure.
            rows: Shape (measured,), the states.
            folding: How often two-qubit gates run, odd.
        """


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CircuitStates(ProgramStates):
    """Hold states that one parametrised program prepares.

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
        """Return the state vectors that the function computes."""
        return evolve(self)

    def bound_by(
        self,
        circuits: Any,
        group: CommutingGroup,
        rows: NDArray[np.int64],
        folding: int,
        twirls: NDArray[np.bool_] | None = None,
    ) -> Any:
        """Return bound circuits of some states, measured in a group.

        Args:
            circuits: Makes them, a `MeasuredCircuits`.
            group: The group to measure.
            rows: Shape (measured,), the states.
            folding: How often two-qubit gates run, odd.
            twirls: Shape (measured, draws, N), qubits to flip before the readout; or None.
        """
        return circuits.bound(self.program, group, self.parameters[rows], folding, twirls)

    def names(self, group: CommutingGroup, rows: NDArray[np.int64], folding: int) -> list[StateName]:
        """Return names made of the parameters.

        Args:
            group: The group to measure.
            rows: Shape (measured,), the states.
            folding: How often two-qubit gates run, odd.
        """
        return [(self.program, group, folding, row.tobytes()) for row in self.parameters[rows]]


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class CalibrationStates(ProgramStates):
    """Prepare all qubits 0, and all qubits 1, on the qubits that a program is measured on.

    Args:
        program: The program.
    """

    program: LayerProgram

    @property
    def num_states(self) -> int:
        """Return 2."""
        return 2

    def as_circuits(self) -> CircuitStates:
        """Raise: a device runs them in the job of a request."""
        raise ConfigError("execution: a device calibrates with the request that needs it, not on its own")

    @property
    def vectors(self) -> NDArray[np.float64]:
        """Return the two states as vectors, shape (2, 2^N)."""
        vectors = np.zeros((2, 1 << self.num_qubits))
        vectors[0, 0] = vectors[1, -1] = 1.0
        return vectors

    def vectors_by(self, evolve: Callable[[CircuitStates], NDArray]) -> NDArray:
        """Return the two vectors; the function is not needed."""
        return self.vectors

    def bound_by(
        self,
        circuits: Any,
        group: CommutingGroup,
        rows: NDArray[np.int64],
        folding: int,
        twirls: NDArray[np.bool_] | None = None,
    ) -> Any:
        """Return circuits of the calibration; the group is Z on every qubit.

        Args:
            circuits: Makes them, a `MeasuredCircuits`.
            group: The group to measure.
            rows: Shape (measured,), 0 for all qubits 0 and 1 for all qubits 1.
            folding: Unused.
            twirls: Shape (measured, draws, N), qubits to flip before the readout; or None.
        """
        return circuits.bound_calibration(self.program, rows, twirls)

    def names(self, group: CommutingGroup, rows: NDArray[np.int64], folding: int) -> list[StateName]:
        """Return names made of the state, 0 or 1.

        Args:
            group: The group to measure.
            rows: Shape (measured,), the states.
            folding: Unused.
        """
        return [(self.program, None, 1, bytes([state])) for state in rows]


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
        self, group: CommutingGroup, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator
    ) -> BitOutcomes:
        """Draw outcomes from the probabilities.

        Args:
            group: The group to measure.
            rows: Shape (measured,), the states.
            shots: Shots of each, or None for probabilities.
            generator: The random stream of this group.
        """
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
    """Hold states known as vectors, from an exact solver.

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
        """Return squares of the amplitudes in the basis of the group.

        One state alone is not copied before it is rotated.

        Args:
            group: The group to measure.
            chosen: Shape (chosen,), the states.
        """
        return _squares(self.vectors[chosen[0]][None] if len(chosen) == 1 else self.vectors[chosen], group)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpinConfigurations(PreparedStates):
    """Hold classical spins: a measurement of Z is certain, and nothing else can be measured.

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
        """Return one shot that is certain: spin k is bit k, and bytes are big-endian.

        Args:
            group: The group to measure, of Z alone.
            rows: Shape (measured,), the states.
            shots: Ignored: outcomes are certain.
            generator: Ignored.
        """
        require_classical(group)
        bits = np.packbits(self.spins[rows] < 0, axis=1, bitorder="little")[:, ::-1]
        return BitMemory(bits=np.ascontiguousarray(bits)[:, None], num_qubits=self.num_qubits, certain=True)


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class MixedStates(KnownStates):
    """Hold mixtures of state vectors.

    Args:
        vectors: Shape (states, levels, 2^N), each vector with the square root of its probability as its norm.
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
        """Return probabilities summed over the levels.

        Args:
            group: The group to measure.
            chosen: Shape (chosen,), the states.
        """
        return np.array([_squares(self.vectors[row], group).sum(axis=0) for row in chosen])

    def rows(self, chosen: NDArray[np.int64]) -> MixedStates:
        """Some of them, with repeats."""
        return MixedStates(self.vectors[chosen])


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class SpinEnsembles(KnownStates):
    """Hold distributions of classical spins.

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
        """Return the rows of the chosen states.

        Args:
            group: The group to measure, of Z alone.
            chosen: Shape (chosen,), the states.

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
    """Return probabilities of all outcomes of vectors (..., 2^N) in the basis of a group, a fresh array."""
    rotated = group.basis.rotate(vectors)
    probabilities = np.square(rotated.real)
    if np.iscomplexobj(rotated):
        probabilities += np.square(rotated.imag)
    return probabilities


def on_qubits(states: PreparedStates) -> int:
    """Return the number of qubits of states, or raise.

    Raises:
        ConfigError: They are atoms in space, which no circuit prepares.
    """
    if states.num_qubits is None:
        raise ConfigError("atoms in space are read without circuits, by CoordinateExecutor; this executor reads qubits")
    return states.num_qubits
