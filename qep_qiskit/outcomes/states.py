"""Hold the states that are measured: circuits to run, or known states. Batches have one row per state.

A kind of states is one class. An executor binds and runs circuits; known states give their outcomes themselves
(`known_states`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.rows import take_rows
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.outcomes.interface import Outcomes

StateName = tuple[LayerProgram, CommutingGroup | None, int, bytes]
"""What a distribution of outcomes is of: a program, the group, how often two-qubit gates run, and the state."""


class PreparedStates(ABC):
    """Prepared states.

    Example:
        >>> exact = qep.VectorStates(vectors=np.eye(4)[:2], energies=np.zeros(2), gaps=np.ones(2))
        >>> circuits = qep.CircuitStates(program=qep.hardware_efficient(2, depth=0), parameters=np.zeros((3, 4)))
        >>> [(states.num_states, states.num_qubits, states.circuits is None) for states in (exact, circuits)]
        [(2, 2, True), (3, 2, False)]
    """

    __slots__ = ()

    is_certain: ClassVar[bool] = False
    """Whether every shot reads the same: then no shots are counted."""

    always_draws: ClassVar[bool] = False
    """Whether random numbers are drawn without shots too, as for means over Markov chains."""

    per_state: ClassVar[tuple[str, ...]] = ()
    """Names of the fields with one row per state."""

    @property
    def num_states(self) -> int:
        """Return the number of states."""
        return len(getattr(self, self.per_state[0]))

    @property
    @abstractmethod
    def num_qubits(self) -> int | None:
        """Return the number of qubits or spins; None for atoms in space."""

    @property
    def circuits(self) -> ProgramStates | None:
        """Return these states where circuits prepare them, or None where they are known."""
        return None

    @property
    def discarded(self) -> float:
        """Return the largest weight that truncation has removed from a state; NaN where nothing is truncated."""
        return float("nan")

    def rows(self, chosen: NDArray[np.int64]) -> Self:
        """Return some of the states, with repeats."""
        return take_rows(self, chosen, *self.per_state)

    def measured(
        self, group: Any, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator | None
    ) -> Outcomes:
        """Return outcomes of known states.

        Args:
            group: The group to measure.
            rows: Shape (measured,), the states.
            shots: Shots of each, or None for exact outcomes.
            generator: The stream of random numbers of this group, or None where nothing is drawn.

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

    per_state: ClassVar[tuple[str, ...]] = ("parameters",)

    program: LayerProgram
    parameters: NDArray[np.float64]

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
        """Return bound circuits of some states, measured in a group."""
        return circuits.bound(self.program, group, self.parameters[rows], folding, twirls)

    def names(self, group: CommutingGroup, rows: NDArray[np.int64], folding: int) -> list[StateName]:
        """Return names made of the parameters."""
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
        """Return circuits of the calibration in Z: row 0 prepares all qubits in 0, row 1 all in 1."""
        return circuits.bound_calibration(self.program, rows, twirls)

    def names(self, group: CommutingGroup, rows: NDArray[np.int64], folding: int) -> list[StateName]:
        """Return names made of the state, 0 or 1."""
        return [(self.program, None, 1, bytes([state])) for state in rows]


def on_qubits(states: PreparedStates) -> int:
    """Return the number of qubits of states, or raise.

    Raises:
        ConfigError: They are atoms in space, which no circuit prepares.
    """
    if states.num_qubits is None:
        raise ConfigError("atoms in space are read without circuits, by CoordinateExecutor; this executor reads qubits")
    return states.num_qubits
