"""What is measured: circuits to run, or state vectors. Batches are flat: one row per state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.program import LayerProgram
from qep_qiskit.transforms import num_qubits_of

__all__ = ["CalibrationStates", "CircuitStates", "Prepared", "VectorStates"]


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


Prepared = CircuitStates | VectorStates | CalibrationStates
