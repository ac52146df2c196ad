"""Final states of layer programs by the statevector engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.memory import require_memory
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.evolution.batch import Batch, Move, Multiply, Operation, moves_between
from qep_qiskit.evolution.compiled import LayerStack, compiled_program
from qep_qiskit.evolution.operations import (
    engine_initial_state,
    engine_operations,
    leave_rotation_frame,
    rotation_initial_state,
    rotation_operations,
)
from qep_qiskit.evolution.phase_factors import Factor, individual_phase_factors, shared_phase_factors, together

_TOGETHER_UP_TO_QUBITS = 12
_AMPLITUDES_TOGETHER = 1 << 16
_AMPLITUDES_IN_TURN = 1 << 19
_STATES_TOGETHER = 512
_NUMBERS_IN_TABLES = 1 << 20


def evolve(program: LayerProgram, parameters: NDArray) -> NDArray[np.complex128]:
    """Compute the final states of a program.

    Args:
        program: The layers.
        parameters: Shape (states, parameters).

    Returns:
        State vectors, shape (states, 2^N), index bit k = qubit k, with the phases of the synthesised circuit.

    Raises:
        ResourceError: The states do not fit in memory.
    """
    require_memory(program.num_qubits, 16 * (len(parameters) + 8), "a batch of state vectors")
    states = np.empty((len(parameters), 1 << program.num_qubits), dtype=complex)
    same = (parameters == parameters[:1]).all(axis=0)
    for rows in _chunks(program, len(parameters)):
        _Work.on(program, parameters[rows], same).run(states[rows])
    return states


def _chunks(program: LayerProgram, count: int) -> Iterator[slice]:
    """Rows of the batch that are evolved together: few enough for the cache, and for tables of all layers."""
    num_qubits = program.num_qubits
    if num_qubits > _TOGETHER_UP_TO_QUBITS:
        size = _AMPLITUDES_IN_TURN >> num_qubits
    else:
        in_tables = max(1, len(program.layers)) << (num_qubits + 3) // 2
        size = min(_STATES_TOGETHER, _AMPLITUDES_TOGETHER >> num_qubits, _NUMBERS_IN_TABLES // in_tables)
    size = max(1, size)
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Work:
    """One chunk of a batch with its operations.

    Args:
        operations: Operations on the batch.
        start: Shape (2^N,), the initial state, in the basis and frame of the first operation.
        last: Changes of basis at the end.
        framed: Whether the states are in the frame of the rotation route.
        stacks: The layers of every group; stacks without multiplications are omitted.
        angles: Angles in radians of each, shape (layers, terms, states).
        shared: For each, whether all states share the angles of a term, shape (terms,).
    """

    operations: Sequence[Operation]
    start: NDArray[np.complex128]
    last: Sequence[Move]
    framed: bool
    stacks: dict[int, LayerStack]
    angles: Sequence[NDArray]
    shared: Sequence[NDArray]

    @classmethod
    def on(cls, program: LayerProgram, parameters: NDArray, same: NDArray[np.bool_]) -> _Work:
        """Prepare some rows of parameters; `same` states which parameters all states share."""
        compiled = compiled_program(program)
        angles = [stack.angles(parameters) for stack in compiled.stacks]
        shared = [stack.shared(same) for stack in compiled.stacks]
        stacks = dict(enumerate(compiled.stacks))
        if compiled.fields and all(shared[index].all() for index in compiled.fields):
            return cls(
                operations=rotation_operations(compiled, angles),
                start=rotation_initial_state(program),
                last=(),
                framed=True,
                stacks={index: stack for index, stack in stacks.items() if index not in compiled.fields},
                angles=angles,
                shared=shared,
            )
        return cls(
            operations=engine_operations(compiled),
            start=engine_initial_state(program, compiled),
            last=moves_between(compiled.last_basis, compiled.computational),
            framed=False,
            stacks=stacks,
            angles=angles,
            shared=shared,
        )

    def run(self, out: NDArray) -> None:
        """Compute the final states and write them, shape (states, 2^N)."""
        if out.shape[1] > 1 << _TOGETHER_UP_TO_QUBITS:
            self._in_turn(out)
        else:
            self._all_together(out)
        if self.framed:
            leave_rotation_frame(out)

    def _all_together(self, out: NDArray) -> None:
        """Evolve all states in one batch, for narrow registers."""
        factors = {index: together([*self._common(index), *self._own(index, slice(None))]) for index in self.stacks}
        batch = Batch.of(self.start, len(out))
        for operation in self.operations:
            if isinstance(operation, Multiply):
                batch.multiply(factors[operation.stack], operation.layer)
            else:
                batch.move(operation)
        for move in self.last:
            batch.move(move)
        out[:] = batch.states.T

    def _in_turn(self, out: NDArray) -> None:
        """Apply each operation to one state after the other, in place, for wide registers."""
        common = {index: self._common(index) for index in self.stacks}
        own = [{index: self._own(index, slice(row, row + 1)) for index in self.stacks} for row in range(len(out))]
        out[:] = self.start
        spare = np.empty((out.shape[1], 1), dtype=complex)
        for operation in [*self.operations, *self.last]:
            if isinstance(operation, Multiply):
                phases = [factor.of_layer(operation.layer) for factor in common[operation.stack]]
            for row, state in enumerate(out):
                batch = Batch(state[:, None], spare)
                if not isinstance(operation, Multiply):
                    batch.move_in_place(operation)
                    continue
                for shared in phases:
                    batch.states *= shared
                batch.multiply(own[row][operation.stack], operation.layer)

    def _common(self, index: int) -> list[Factor]:
        stack = self.stacks[index]
        return shared_phase_factors(stack.masks, self.angles[index], self.shared[index], stack.group.num_qubits)

    def _own(self, index: int, columns: slice) -> list[Factor]:
        stack, angles = self.stacks[index], self.angles[index][:, :, columns]
        return individual_phase_factors(stack.masks, angles, self.shared[index], stack.group.num_qubits)
