"""A batch of states in columns, and the operations of a program on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import NDArray

from qep_qiskit.core.arithmetic import Arithmetic, library_of, take_rows
from qep_qiskit.core.operators import Basis, LocalBasis
from qep_qiskit.core.program import CxLayer
from qep_qiskit.core.transforms import Block, apply_blocks, num_qubits_of
from qep_qiskit.evolution.compiled import Multiply, Permute, basis_change, sources_of
from qep_qiskit.evolution.phase_factors import Factor


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """An operation that applies matrices: a change of basis, or rotations that all states share."""

    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """An operation that changes to a basis that acts on several qubits, or back to the computational basis.

    Args:
        basis: The basis.
        back: Whether to change from the basis back to the computational basis.
        conjugate: Whether the states are complex conjugates.
    """

    basis: Basis
    back: bool = False
    conjugate: bool = False


Move = Change | Permute | Turn
Operation = Multiply | Move


def moves_between(before: Basis, after: Basis, arithmetic: Arithmetic) -> list[Move]:
    """Operations that change states from one basis to another."""
    if before == after:
        return []
    if isinstance(before, LocalBasis) and isinstance(after, LocalBasis):
        return [Change(in_arithmetic(basis_change(before, after), arithmetic))]
    between = LocalBasis("Z" * before.num_qubits)
    back = moves_between(before, between, arithmetic) if isinstance(before, LocalBasis) else [Turn(before, back=True)]
    forth = moves_between(between, after, arithmetic) if isinstance(after, LocalBasis) else [Turn(after)]
    return [*back, *forth]


def in_arithmetic(blocks: Sequence[Block], arithmetic: Arithmetic) -> tuple[Block, ...]:
    """Blocks with matrices in an array library and precision."""
    return tuple(Block(block.low, arithmetic.array(block.matrix)) for block in blocks)


@dataclass(slots=True, eq=False)
class Batch:
    """States in columns, shape (2^N, states).

    Args:
        states: The states; contiguous.
        spare: A buffer of the same shape. An operation may exchange the two.
    """

    states: NDArray
    spare: NDArray

    @classmethod
    def of(cls, start: NDArray, count: int) -> Batch:
        """Make a batch of copies of one state.

        Args:
            start: The state, shape (2^N,).
            count: Number of copies.
        """
        library = library_of(start)
        states = library.repeat(start[:, None], count, axis=1)
        return cls(states, library.empty_like(states))

    def multiply(self, factors: Sequence[Factor], layer: int) -> None:
        """Multiply by the phases of one layer."""
        for factor in factors:
            self.states *= factor.of_layer(layer, out=self.spare)

    def change(self, blocks: Sequence[Block]) -> None:
        """Apply matrices on blocks of qubits."""
        self.states, self.spare = apply_blocks(self.states, self.spare, blocks, self.states.shape[1])

    def permute(self, layer: CxLayer) -> None:
        """Apply a layer of CX gates."""
        take_rows(self.states, sources_of(layer, num_qubits_of(len(self.states))), self.spare)
        self.states, self.spare = self.spare, self.states

    def turn(self, operation: Turn) -> None:
        """Change to a basis that acts on several qubits, or back."""
        rows = self.states.T.conj() if operation.conjugate else self.states.T
        turned = operation.basis.rotate_back(rows) if operation.back else operation.basis.rotate(rows)
        self.spare[...] = turned.T.conj() if operation.conjugate else turned.T
        self.states, self.spare = self.spare, self.states

    def move(self, operation: Move) -> None:
        """Apply an operation that is the same for all states."""
        if isinstance(operation, Change):
            self.change(operation.blocks)
        elif isinstance(operation, Permute):
            self.permute(operation.layer)
        else:
            self.turn(operation)

    def move_in_place(self, operation: Move) -> None:
        """Apply an operation that is the same for all states, with the result in the buffer of the input."""
        home, spare = self.states, self.spare
        self.move(operation)
        if self.states is not home:
            home[...] = self.states
        self.states, self.spare = home, spare
