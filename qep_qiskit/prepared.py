"""What is measured: circuits to run, state vectors, or atoms in space. Batches are flat: one row per state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.coordinates import CoordinateGroup
from qep_qiskit.errors import ConfigError
from qep_qiskit.gaussian import GaussianStates
from qep_qiskit.program import LayerProgram
from qep_qiskit.transforms import num_qubits_of

__all__ = [
    "CalibrationStates",
    "CircuitStates",
    "GaussianStates",
    "Prepared",
    "QubitStates",
    "RestingStates",
    "VectorStates",
    "on_qubits",
]


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

    def take(self, rows: NDArray[np.int64]) -> RestingStates:
        """Some of the states, with repeats."""
        return RestingStates(self.points[rows])

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


QubitStates = CircuitStates | VectorStates | CalibrationStates
Prepared = QubitStates | GaussianStates | RestingStates


def on_qubits(states: Prepared) -> QubitStates:
    """The same states, where they are states of qubits.

    Raises:
        ConfigError: They are atoms in space, which no circuit prepares.
    """
    if isinstance(states, GaussianStates | RestingStates):
        raise ConfigError("atoms in space are read without circuits, by PointExecutor; this executor reads qubits")
    return states
