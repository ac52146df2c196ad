"""A program as a sequence of operations on a batch, along one of two routes.

* Rotation route: where all groups are diagonal or fields along X, and all states share the fields, states stay in the
  computational basis. In a frame of phases i^popcount(x), which commutes with everything diagonal, rotations about
  X are real matrices.
* Route of two bases: every layer is a multiplication by phases in the basis of its group, with a change of basis in
  between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.arithmetic import DOUBLE, Arithmetic, library_of
from qep_qiskit.core.operators import Basis
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.transforms import Block, kron_blocks, num_qubits_of
from qep_qiskit.evolution.batch import Change, Multiply, Operation, Permute, Turn, in_arithmetic, moves_between
from qep_qiskit.evolution.compiled import CompiledProgram, LayerStack

_FRAME_QUBITS = 12


def product_state(qubits: NDArray) -> NDArray[np.complex128]:
    """Product of single-qubit states of shape (N, 2), as a vector of shape (2^N,)."""
    state = np.ones(1, dtype=complex)
    for qubit in qubits:
        state = (qubit[:, None] * state).ravel()
    return state


def rotation_initial_state(program: LayerProgram) -> NDArray[np.complex128]:
    """Initial state in the frame of the rotation route, shape (2^N,)."""
    return product_state(program.initial * np.array([1.0, 1.0j]))


def leave_rotation_frame(states: NDArray[np.complex128]) -> None:
    """Remove the frame of the rotation route from states in rows, shape (states, 2^N), in place."""
    num_qubits = num_qubits_of(states.shape[1])
    low = min(num_qubits, _FRAME_QUBITS)
    view = states.reshape(len(states), -1, 1 << low)
    view *= _like(_frame(low), states)
    if num_qubits > low:
        view *= _like(_frame(num_qubits - low), states)[:, None]


def _like(phases: NDArray[np.complex128], states: NDArray) -> NDArray:
    return library_of(states).asarray(phases, dtype=states.dtype)


@lru_cache(maxsize=32)
def _frame(num_qubits: int) -> NDArray[np.complex128]:
    """Phases (-i)^popcount(x)."""
    return product_state(np.array([[1.0, 1.0j]] * num_qubits)).conj()


def rotation_operations(
    compiled: CompiledProgram, angles: Sequence[NDArray], arithmetic: Arithmetic
) -> list[Operation]:
    """Operations of the rotation route.

    Args:
        compiled: The compiled program.
        angles: For every stack, angles in radians of shape (layers, terms, states); those of fields are equal in all
            states.
        arithmetic: Array library and precision of the states.
    """
    shared = {index: np.ascontiguousarray(angles[index][:, :, 0]) for index in compiled.fields}
    rotations = {index: _kept_rotations(compiled, index, own.tobytes(), arithmetic) for index, own in shared.items()}
    return [
        Change(rotations[step.stack][step.layer]) if isinstance(step, Multiply) and step.stack in rotations else step
        for step in compiled.steps
    ]


@lru_cache(maxsize=4)
def _kept_rotations(
    compiled: CompiledProgram, index: int, angles: bytes, arithmetic: Arithmetic
) -> list[tuple[Block, ...]]:
    """Rotations of a stack; kept, because requests of a step, and of an evaluation, have the same fields."""
    stack = compiled.stacks[index]
    found = np.frombuffer(angles).reshape(stack.source.shape)
    return [in_arithmetic(layer, arithmetic) for layer in _rotations(stack, found)]


def _rotations(stack: LayerStack, angles: NDArray) -> list[list[Block]]:
    """Real matrices of the rotations of every layer, of angles of shape (layers, terms)."""
    matrices: list[NDArray | None] = [None] * stack.group.num_qubits
    cosine, sine = np.cos(angles), np.sin(angles)
    turned = np.stack([cosine, -sine, sine, cosine], axis=-1).reshape(*angles.shape, 2, 2)
    for index, mask in enumerate(stack.group.masks):
        matrices[num_qubits_of(mask)] = turned[:, index]
    blocks = kron_blocks(matrices)
    return [[Block(block.low, block.matrix[layer]) for block in blocks] for layer in range(len(angles))]


def engine_initial_state(program: LayerProgram, compiled: CompiledProgram) -> NDArray[np.complex128]:
    """Initial state in the basis of the first step, shape (2^N,)."""
    matrices = compiled.first_basis.matrices()
    rotated = [
        qubit if matrix is None else matrix @ qubit for matrix, qubit in zip(matrices, program.initial, strict=True)
    ]
    return product_state(np.array(rotated))


@lru_cache(maxsize=64)
def engine_operations(compiled: CompiledProgram, arithmetic: Arithmetic = DOUBLE) -> tuple[Operation, ...]:
    """Operations between `engine_initial_state` and the basis of the last step, `compiled.last_basis`."""
    operations: list[Operation] = []
    basis: Basis = compiled.first_basis
    for step in compiled.steps:
        if (wanted := compiled.basis_of(step)) != basis:
            operations += moves_between(basis, wanted, arithmetic)
            basis = wanted
        operations.append(step)
    return tuple(operations)


@lru_cache(maxsize=64)
def engine_basis_restoration(compiled: CompiledProgram) -> tuple[Operation, ...]:
    """Operations that invert `engine_operations` on complex conjugate vectors, with the same phases."""
    undone: list[Operation] = []
    for operation in reversed(engine_operations(compiled)):
        if isinstance(operation, Change):
            blocks = [Block(block.low, np.ascontiguousarray(block.matrix.T)) for block in reversed(operation.blocks)]
            undone.append(Change(blocks))
        elif isinstance(operation, Permute):
            undone.append(Permute(operation.layer.inverse))
        elif isinstance(operation, Turn):
            undone.append(replace(operation, back=not operation.back, conjugate=True))
        else:
            undone.append(operation)
    return tuple(undone)
