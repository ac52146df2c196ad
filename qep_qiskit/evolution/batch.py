"""A batch of states in columns, and what the steps of a program do to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.evolution.phases import Factor
from qep_qiskit.evolution.plan import sources_of
from qep_qiskit.program import CxLayer
from qep_qiskit.transforms import Block, apply_blocks, num_qubits_of

__all__ = ["Batch", "Change", "Multiply", "Operation", "Permute"]


@dataclass(frozen=True, slots=True, eq=False)
class Multiply:
    """Multiply by the phases of layer `layer` of stack `stack`."""

    stack: int
    layer: int


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Apply matrices: a change of basis, or rotations that all states share."""

    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True, eq=False)
class Permute:
    """Apply a layer of CX gates."""

    layer: CxLayer


Operation = Multiply | Change | Permute


@dataclass(slots=True, eq=False)
class Batch:
    """States in columns, shape (2^N, states).

    Args:
        states: The states; contiguous.
        spare: A buffer of the same shape. After an operation the two may have changed places.
    """

    states: NDArray[np.complex128]
    spare: NDArray[np.complex128]

    @classmethod
    def of(cls, start: NDArray[np.complex128], count: int) -> Batch:
        """Copies of one state."""
        states = np.repeat(start[:, None], count, axis=1)
        return cls(states, np.empty_like(states))

    def multiply(self, factors: Sequence[Factor], layer: int) -> None:
        """Multiply by the phases of one layer."""
        for factor in factors:
            self.states *= factor.of_layer(layer, out=self.spare)

    def change(self, blocks: Sequence[Block]) -> None:
        """Apply matrices on blocks of qubits."""
        self.states, self.spare = apply_blocks(self.states, self.spare, blocks, self.states.shape[1])

    def permute(self, layer: CxLayer) -> None:
        """Apply a layer of CX gates."""
        sources = sources_of(layer, num_qubits_of(len(self.states)))
        np.take(self.states, sources, axis=0, out=self.spare, mode="clip")
        self.states, self.spare = self.spare, self.states

    def move(self, operation: Change | Permute) -> None:
        """Do what does not depend on the state's own angles."""
        if isinstance(operation, Change):
            self.change(operation.blocks)
        else:
            self.permute(operation.layer)

    def move_in_place(self, operation: Change | Permute) -> None:
        """The same, with the result in the buffer that the states were in."""
        home, spare = self.states, self.spare
        self.move(operation)
        if self.states is not home:
            home[...] = self.states
        self.states, self.spare = home, spare
