"""Final states of layer programs by the statevector engine."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.arithmetic import DOUBLE, Arithmetic
from qep_qiskit.core.components import ProgramComponent, program_components
from qep_qiskit.core.jobs import current_jobs, in_threads
from qep_qiskit.core.memory import require_memory
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.transforms import num_qubits_of
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
from qep_qiskit.outcomes.known_states import VectorStates
from qep_qiskit.outcomes.product_states import ProductStates

_TOGETHER_UP_TO_QUBITS = 12
_AMPLITUDES_TOGETHER = 1 << 14
_STATES_WORTH_A_CALL = 16
_AMPLITUDES_IN_PIECE = 1 << 16
_AMPLITUDES_IN_TURN = 1 << 18
_AMPLITUDES_ON_DEVICE = 1 << 24
_STATES_TOGETHER = 512
_NUMBERS_IN_TABLES = 1 << 20


def evolve(program: LayerProgram, parameters: NDArray, arithmetic: Arithmetic = DOUBLE) -> NDArray:
    """Compute the final states of a program.

    Args:
        program: The layers.
        parameters: Shape (states, parameters).
        arithmetic: Array library and precision of the states.

    Returns:
        State vectors, shape (states, 2^N), index bit k = qubit k, with the phases of the synthesised circuit; an array
        of the library.

    Raises:
        ResourceError: The states do not fit in memory.
    """
    require_states(program.num_qubits, len(parameters), arithmetic)
    return _evolved(_Plan.on(program, parameters, arithmetic), parameters)


def require_states(num_qubits: int, count: int, arithmetic: Arithmetic) -> None:
    """Check that a number of states fits in memory, with what the jobs need to compute them; raises ResourceError."""
    arrays = count + 8 * current_jobs()
    require_memory(num_qubits, arithmetic.bytes_per_amplitude * arrays, "a batch of state vectors")


def _evolved(plan: _Plan, parameters: NDArray) -> NDArray:
    states = plan.arithmetic.empty((len(parameters), len(plan.start)))
    in_threads(lambda rows: plan.run(parameters[rows], states[rows]), _chunks(plan, len(parameters)))
    return states


def packed_batch(program: LayerProgram, parameters: NDArray, arithmetic: Arithmetic) -> bytes:
    """Return a batch for `evolve_part` in another process, with the arguments of `evolve`."""
    return pickle.dumps((_packed_program(program), parameters, arithmetic.precision))


def evolve_part(batch: bytes, rows: slice) -> NDArray:
    """Compute states of some rows of a packed batch, rounded as those of the whole batch are.

    Args:
        batch: The batch.
        rows: The rows, from the beginning of a piece on.
    """
    plan, parameters = _plan_of(batch)
    return _evolved(plan, parameters[rows])


@lru_cache(maxsize=1)
def _plan_of(batch: bytes) -> tuple[_Plan, NDArray]:
    """Return the plan of a batch, of which a worker process evolves several parts."""
    program, parameters, precision = pickle.loads(batch)
    return _Plan.on(_program_of(program), parameters, Arithmetic(precision=precision)), parameters


@lru_cache(maxsize=8)
def _packed_program(program: LayerProgram) -> bytes:
    return pickle.dumps(program)


@lru_cache(maxsize=8)
def _program_of(packed: bytes) -> LayerProgram:
    return pickle.loads(packed)


def states_in_piece(num_qubits: int) -> int:
    """Return the number of states in a piece of a batch: a piece may be evolved and measured wherever there is time.

    It does not depend on the number of jobs.
    """
    if num_qubits > _TOGETHER_UP_TO_QUBITS:
        return max(1, _AMPLITUDES_IN_PIECE >> num_qubits)
    return max(_STATES_WORTH_A_CALL, _AMPLITUDES_TOGETHER >> num_qubits)


def parts_for_jobs(num_qubits: int, count: int) -> list[slice]:
    """Return rows of a batch for each job, in whole pieces: as many for every job, and few enough for the memory."""
    piece, jobs = states_in_piece(num_qubits), current_jobs()
    pieces, most = -(-count // piece), max(1, (_AMPLITUDES_IN_TURN >> num_qubits) // piece)
    rounds = max(1, -(-pieces // (jobs * most)))
    size = piece * max(1, -(-pieces // (jobs * rounds)))
    return _slices(count, size)


def _slices(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _chunks(plan: _Plan, count: int) -> list[slice]:
    """Rows of the batch that are evolved together: few enough for the cache, and for tables of all layers.

    For narrow registers they do not depend on the number of jobs, because products of other shapes round differently,
    and a piece has a whole number of them. Wide ones are evolved in turn.
    """
    num_qubits = num_qubits_of(len(plan.start))
    if plan.arithmetic.on_device:
        return _slices(count, max(1, _AMPLITUDES_ON_DEVICE >> num_qubits))
    if num_qubits > _TOGETHER_UP_TO_QUBITS:
        return parts_for_jobs(num_qubits, count)
    in_tables = max(1, _NUMBERS_IN_TABLES // (max(1, plan.layers) << (num_qubits + 3) // 2))
    return _slices(count, min(_STATES_TOGETHER, states_in_piece(num_qubits), 1 << num_qubits_of(in_tables)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plan:
    """What all chunks of a batch have in common.

    Args:
        operations: Operations on the batch.
        start: Shape (2^N,), the initial state, in the basis and frame of the first operation.
        last: Changes of basis at the end.
        framed: Whether the states are in the frame of the rotation route.
        stacks: The layers of every group; stacks without multiplications are omitted.
        shared: For each, whether all states share the angles of a term, shape (terms,).
        common: For each, the phase factors that all states share.
        arithmetic: Array library and precision of the states.
        layers: Number of layers.
    """

    operations: Sequence[Operation]
    start: NDArray
    last: Sequence[Move]
    framed: bool
    stacks: dict[int, LayerStack]
    shared: dict[int, NDArray]
    common: dict[int, list[Factor]]
    arithmetic: Arithmetic
    layers: int

    @classmethod
    def on(cls, program: LayerProgram, parameters: NDArray, arithmetic: Arithmetic) -> _Plan:
        """Prepare a batch of parameters, shape (states, parameters)."""
        compiled = compiled_program(program)
        same = (parameters == parameters[:1]).all(axis=0)
        angles = [stack.angles(parameters[:1]) for stack in compiled.stacks]
        shared = {index: stack.shared(same) for index, stack in enumerate(compiled.stacks)}
        by_rotations = bool(compiled.fields) and all(shared[index].all() for index in compiled.fields)
        multiplied = {
            index: stack
            for index, stack in enumerate(compiled.stacks)
            if not (by_rotations and index in compiled.fields)
        }
        common = {
            index: shared_phase_factors(stack.masks, angles[index], shared[index], compiled.num_qubits, arithmetic)
            for index, stack in multiplied.items()
        }
        rest: dict[str, Any] = {
            "stacks": multiplied,
            "shared": shared,
            "common": common,
            "arithmetic": arithmetic,
            "layers": len(program.layers),
        }
        if by_rotations:
            return cls(
                operations=rotation_operations(compiled, angles, arithmetic),
                start=arithmetic.array(rotation_initial_state(program)),
                last=(),
                framed=True,
                **rest,
            )
        return cls(
            operations=engine_operations(compiled, arithmetic),
            start=arithmetic.array(engine_initial_state(program, compiled)),
            last=moves_between(compiled.last_basis, compiled.computational, arithmetic),
            framed=False,
            **rest,
        )

    def run(self, parameters: NDArray, out: NDArray) -> None:
        """Compute the final states of some rows of parameters and write them, shape (states, 2^N)."""
        if not len(out):
            return
        angles = {index: stack.angles(parameters) for index, stack in self.stacks.items()}
        if out.shape[1] > 1 << _TOGETHER_UP_TO_QUBITS and not self.arithmetic.on_device:
            self._in_turn(angles, out)
        else:
            self._all_together(angles, out)
        if self.framed:
            leave_rotation_frame(out)

    def _all_together(self, angles: dict[int, NDArray], out: NDArray) -> None:
        """Evolve all states in one batch, for narrow registers, and on a device, where large arrays cost least."""
        factors = {index: together([*self.common[index], *self._own(index, angles[index])]) for index in self.stacks}
        batch = Batch.of(self.start, len(out))
        for operation in self.operations:
            if isinstance(operation, Multiply):
                batch.multiply(factors[operation.stack], operation.layer)
            else:
                batch.move(operation)
        for move in self.last:
            batch.move(move)
        out[:] = batch.states.T

    def _in_turn(self, angles: dict[int, NDArray], out: NDArray) -> None:
        """Apply each operation to one state after the other, in place, for wide registers."""
        own = [
            {index: self._own(index, angles[index][:, :, row : row + 1]) for index in self.stacks}
            for row in range(len(out))
        ]
        out[:] = self.start
        spare, *buffers = (self.arithmetic.empty((out.shape[1], 1)) for _ in range(1 + len(self.stacks)))
        for operation in [*self.operations, *self.last]:
            if isinstance(operation, Multiply):
                common = zip(self.common[operation.stack], buffers, strict=False)
                phases = [factor.of_layer(operation.layer, out=buffer) for factor, buffer in common]
            for row, state in enumerate(out):
                batch = Batch(state[:, None], spare)
                if not isinstance(operation, Multiply):
                    batch.move_in_place(operation)
                    continue
                for shared in phases:
                    batch.states *= shared
                batch.multiply(own[row][operation.stack], operation.layer)

    def _own(self, index: int, angles: NDArray) -> list[Factor]:
        """Phase factors that differ between states, for angles of shape (layers, terms, states)."""
        stack, shared = self.stacks[index], self.shared[index]
        return individual_phase_factors(stack.masks, angles, shared, stack.group.num_qubits, self.arithmetic)


def evolve_parts(program: LayerProgram, parameters: NDArray, arithmetic: Arithmetic = DOUBLE) -> ProductStates:
    """Compute the final states of a program as products of those of its unconnected parts.

    Parts whose programs are equal, and differ in their parameters only, are evolved as one batch.

    Args:
        program: The layers.
        parameters: Shape (states, parameters).
        arithmetic: Array library and precision of the states.

    Raises:
        ResourceError: The states of the widest part do not fit in memory.
    """
    parts, count = program_components(program), len(parameters)
    alike: dict[LayerProgram, list[ProgramComponent]] = {}
    for part in parts:
        alike.setdefault(part.program, []).append(part)
    vectors: dict[tuple[int, ...], NDArray] = {}
    for own, places in alike.items():
        rows = np.concatenate([parameters[:, part.sources] for part in places])
        found = evolve(own, rows, arithmetic)
        vectors |= {part.qubits: found[k * count : (k + 1) * count] for k, part in enumerate(places)}
    unknown = np.full(count, np.nan)
    return ProductStates(
        parts=tuple(VectorStates(vectors=vectors[part.qubits], energies=unknown, gaps=unknown) for part in parts),
        qubits=tuple(part.qubits for part in parts),
    )
