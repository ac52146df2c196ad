"""Hold a batch of matrix product states, which give their outcomes themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.outcomes.bits import BitMemory
from qep_qiskit.outcomes.interface import ExactMeans, Outcomes
from qep_qiskit.outcomes.matrix_product import MatrixProductState, local_basis_of
from qep_qiskit.outcomes.states import PreparedStates


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatrixProductStates(PreparedStates):
    """Hold states known as matrix products.

    Args:
        states: The states, at least one, all with the same number of qubits.
        energies: Shape (states,), NaN where unknown.

    Example:
        >>> up, down = np.array([1.0, 0.0]).reshape(1, 2, 1), np.array([0.0, 1.0]).reshape(1, 2, 1)
        >>> state = qep.MatrixProductState(tensors=(up, down), order=(0, 1))
        >>> states = qep.MatrixProductStates(states=(state,), energies=np.zeros(1))
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("ZZ"), masks=(0b01, 0b11))
        >>> states.measured(group, np.array([0]), 100, np.random.default_rng(0)).moments(group).means
        array([[ 1., -1.]])
    """

    per_state: ClassVar[tuple[str, ...]] = ("states", "energies")

    states: tuple[MatrixProductState, ...]
    energies: NDArray[np.float64]

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return self.states[0].num_qubits

    @property
    def discarded(self) -> float:
        """Largest weight that truncation has removed from a state."""
        return max(state.discarded for state in self.states)

    def rows(self, chosen: NDArray[np.int64]) -> MatrixProductStates:
        """Return some of the states, with repeats."""
        return replace(self, states=tuple(self.states[row] for row in chosen), energies=self.energies[chosen])

    def measured(
        self, group: CommutingGroup, rows: NDArray[np.int64], shots: int | None, generator: np.random.Generator | None
    ) -> Outcomes:
        """Draw shots from the states, one after the other from one stream, or compute exact means.

        Raises:
            ConfigError: The basis of the group couples qubits.
        """
        basis, size = local_basis_of(group), self.num_qubits
        if shots is None:
            means = [self.states[row].means(group) for row in rows]
            return ExactMeans(means=np.array(means).reshape(len(rows), group.num_terms))
        assert generator is not None
        found = np.zeros((len(rows), shots, -(-size // 8)), dtype=np.uint8)
        for place, row in enumerate(rows):
            drawn = self.states[row].sample(basis, shots, generator)
            found[place] = np.packbits(drawn, axis=1, bitorder="little")[:, ::-1]
        return BitMemory(bits=found, num_qubits=size)
