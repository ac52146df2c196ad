"""What is measured: circuits to run, states that are known, or atoms in space. Batches are flat: one row per state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.coordinates import CoordinateGroup
from qep_qiskit.errors import ConfigError
from qep_qiskit.gaussian import GaussianStates
from qep_qiskit.operators import CommutingGroup
from qep_qiskit.program import LayerProgram
from qep_qiskit.short_repr import short_repr
from qep_qiskit.transforms import num_qubits_of

__all__ = [
    "CalibrationStates",
    "CircuitStates",
    "GaussianStates",
    "KnownStates",
    "MixedStates",
    "Prepared",
    "QubitStates",
    "RestingStates",
    "SpinEnsembles",
    "SpinStates",
    "VectorStates",
    "on_qubits",
    "outcome_probabilities",
    "require_classical",
]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CircuitStates:
    """States that one parametrised program prepares.

    Args:
        program: The layer program, the same for the whole batch.
        parameters: Shape (states, parameters), one binding of the program per state.
    """

    program: LayerProgram
    parameters: NDArray[np.float64]

    @property
    def num_states(self) -> int:
        """Number of states."""
        return self.parameters.shape[0]

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return self.program.num_qubits

    def rows(self, chosen: NDArray[np.int64]) -> CircuitStates:
        """Some of them, with repeats."""
        return CircuitStates(program=self.program, parameters=self.parameters[chosen])


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorStates:
    """States known as vectors, from an exact solver.

    Args:
        vectors: Shape (states, 2^N), normalised, index bit k = qubit k.
        energies: Shape (states,).
        gaps: Shape (states,), distance to the nearest other level.
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


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpinStates:
    """Classical spins: what they are when Z is measured is certain, and nothing else can be measured.

    Args:
        spins: Shape (states, N) of int8, +1 or -1; +1 is the bit 0.
        energies: Shape (states,).
    """

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

    def rows(self, chosen: NDArray[np.int64]) -> SpinStates:
        """Some of them, with repeats."""
        return SpinStates(spins=self.spins[chosen], energies=self.energies[chosen])


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class MixedStates:
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
        """Probabilities of all outcomes in the basis of a group, shape (chosen, 2^N)."""
        return np.array([outcome_probabilities(self.vectors[row], group).sum(axis=0) for row in chosen])

    def rows(self, chosen: NDArray[np.int64]) -> MixedStates:
        """Some of them, with repeats."""
        return MixedStates(self.vectors[chosen])


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class SpinEnsembles:
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
        """Probabilities of all outcomes, shape (chosen, 2^N).

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


def outcome_probabilities(vectors: NDArray, group: CommutingGroup) -> NDArray[np.float64]:
    """Probabilities of all outcomes of vectors (..., 2^N) in the basis of a group; a fresh array."""
    rotated = group.basis.rotate(vectors)
    probabilities = np.square(rotated.real)
    if np.iscomplexobj(rotated):
        probabilities += np.square(rotated.imag)
    return probabilities


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationStates:
    """All qubits 0, and all qubits 1, on the very qubits that a program is read from.

    Args:
        program: The program.
    """

    program: LayerProgram

    @property
    def num_states(self) -> int:
        """Two."""
        return 2

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return self.program.num_qubits

    @property
    def vectors(self) -> NDArray[np.float64]:
        """The two states as vectors, shape (2, 2^N)."""
        vectors = np.zeros((2, 1 << self.num_qubits))
        vectors[0, 0] = vectors[1, -1] = 1.0
        return vectors


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class RestingStates:
    """Classical atoms at rest.

    Args:
        points: Shape (states, atoms, dims).
    """

    points: NDArray[np.float64]

    @property
    def num_states(self) -> int:
        """Number of states."""
        return len(self.points)

    def rows(self, chosen: NDArray[np.int64]) -> RestingStates:
        """Some of them, with repeats."""
        return RestingStates(self.points[chosen])

    def expectations(self, group: CoordinateGroup, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """All generators, shape (rows, generators); momenta are zero."""
        points = self.points[rows]
        return group.values(np.zeros_like(points) if group.of_momenta else points)

    def sampled(
        self, group: CoordinateGroup, rows: NDArray[np.int64], shots: int, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """The same point in every shot, shape (rows, shots, atoms, dims)."""
        points = self.points[rows][:, None]
        still = np.zeros_like(points) if group.of_momenta else points
        return np.broadcast_to(still, (len(rows), shots, *points.shape[2:]))


KnownStates = VectorStates | SpinStates | MixedStates | SpinEnsembles
QubitStates = CircuitStates | CalibrationStates | KnownStates
Prepared = QubitStates | GaussianStates | RestingStates


def on_qubits(states: Prepared) -> QubitStates:
    """The same states, where they are states of qubits.

    Raises:
        ConfigError: They are atoms in space, which no circuit prepares.
    """
    if isinstance(states, GaussianStates | RestingStates):
        raise ConfigError("atoms in space are read without circuits, by PointExecutor; this executor reads qubits")
    return states
