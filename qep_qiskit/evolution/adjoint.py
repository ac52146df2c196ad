"""Energies of final states with their exact gradients, by the adjoint method.

With |psi> the final state and |phi> = H |psi>, both are evolved back to a layer. The derivative of the energy by an
angle of that layer is then 2 Im <phi| D_a |psi>. One backward sweep gives all of them. The sweep runs on complex
conjugate vectors: the inverse of a layer then multiplies by the phases of the layer itself. The precision
is always double, because searches for a minimum follow the gradients down to small residuals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.arithmetic import DOUBLE
from qep_qiskit.core.groups import blocks_of
from qep_qiskit.core.jobs import current_jobs, in_threads
from qep_qiskit.core.memory import require_memory
from qep_qiskit.core.operators import Basis, CommutingGroup, LocalBasis
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.evolution.batch import Batch, Multiply, moves_between
from qep_qiskit.evolution.compiled import CompiledProgram, LayerStack, compiled_program
from qep_qiskit.evolution.operations import engine_basis_restoration, engine_initial_state, engine_operations
from qep_qiskit.evolution.phase_factors import (
    Factor,
    diagonals,
    individual_phase_factors,
    projections,
    shared_phase_factors,
    together,
)

_AMPLITUDES_TOGETHER = 1 << 14
_KEPT_UP_TO_QUBITS = 10
_KEPT_AMPLITUDES = 1 << 16


def energy_and_gradient(
    program: LayerProgram,
    parameters: NDArray,
    groups: Sequence[CommutingGroup],
    coefficients: NDArray,
    *,
    projectors: NDArray | None = None,
    penalties: NDArray | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute energies of the final states, and their gradients with respect to all parameters.

    With projectors the energy is <psi|H|psi> + sum_j b_j |<phi_j|psi>|^2, whose minimum is the lowest state that is
    orthogonal to all phi_j where the penalties b_j are larger than the gaps.

    Args:
        program: The layers.
        parameters: Parameters of the program, shape (states, parameters).
        groups: Commuting groups of the observable H.
        coefficients: Shape (states, terms), coefficients of the observable's terms in energy, group after group.
        projectors: Shape (states, levels, 2^N), the vectors phi_j of every state, index bit k = qubit k.
        penalties: Shape (levels,) or (states, levels), the b_j in energy; required with `projectors`.

    Returns:
        Energies, shape (states,), and gradients, shape (states, parameters).

    Raises:
        ResourceError: The vectors do not fit in memory.
    """
    require_memory(program.num_qubits, 16 * 12 * current_jobs(), "an adjoint gradient")
    energies, gradients = np.empty(len(parameters)), np.empty(parameters.shape)
    if projectors is not None:
        penalties = np.broadcast_to(np.asarray(penalties, dtype=float), projectors.shape[:2])
    size = _states_together(program)

    def write(start: int) -> None:
        rows = slice(start, start + size)
        observable = _Observable(
            groups,
            coefficients[rows],
            None if projectors is None else projectors[rows],
            None if penalties is None else penalties[rows],
        )
        energies[rows], gradients[rows] = _adjoint(program, parameters[rows], observable)

    in_threads(write, range(0, len(parameters), size))
    return energies, gradients


def _states_together(program: LayerProgram) -> int:
    """Number of states in one sweep: as many as fit in the cache, and in memory for every layer."""
    kept = _KEPT_AMPLITUDES // max(1, len(program.layers)) if program.num_qubits <= _KEPT_UP_TO_QUBITS else 0
    return max(1, min(_AMPLITUDES_TOGETHER, kept or _AMPLITUDES_TOGETHER) >> program.num_qubits)


@dataclass(frozen=True, slots=True, eq=False)
class _Observable:
    """The observable of every state: groups with coefficients (states, terms), and penalised projectors."""

    groups: Sequence[CommutingGroup]
    coefficients: NDArray
    projectors: NDArray | None
    penalties: NDArray | None

    def applied(self, states: NDArray, basis: Basis) -> NDArray[np.complex128]:
        """The observable times states in columns, with input and output in some basis."""
        total = np.zeros_like(states)
        for group, coefficients in blocks_of(self.groups, self.coefficients):
            block = np.ascontiguousarray(group.in_frame(coefficients).T)
            diagonal = diagonals(np.array(group.masks), block, group.num_qubits)
            total += _changed(diagonal * _changed(states, basis, group.basis), group.basis, basis)
        if self.projectors is not None:
            computational = LocalBasis("Z" * basis.num_qubits)
            seen = _changed(states, basis, computational).T
            overlaps = np.matmul(self.projectors.conj(), seen[:, :, None])[:, :, 0]
            image = np.matmul((self.penalties * overlaps)[:, None], self.projectors)[:, 0]
            total += _changed(np.ascontiguousarray(image.T), computational, basis)
        return total


def _changed(states: NDArray, before: Basis, after: Basis) -> NDArray[np.complex128]:
    """A copy of states in columns, changed from one basis to another."""
    if before == after:
        return states
    batch = Batch(states.copy(), np.empty_like(states))
    for move in moves_between(before, after, DOUBLE):
        batch.move(move)
    return batch.states


def _adjoint(program: LayerProgram, parameters: NDArray, observable: _Observable) -> tuple[NDArray, NDArray]:
    compiled = compiled_program(program)
    factors = _factors(compiled, parameters)
    ket = Batch.of(engine_initial_state(program, compiled), len(parameters))
    for operation in engine_operations(compiled):
        if isinstance(operation, Multiply):
            ket.multiply(factors[operation.stack], operation.layer)
        else:
            ket.move(operation)
    image = observable.applied(ket.states, compiled.last_basis)
    energies = (ket.states.conj() * image).sum(axis=0).real
    pair = np.concatenate([ket.states, image], axis=1).conj()
    by_angle = _sweep_back(compiled, factors, Batch(pair, np.empty_like(pair)))
    gradient = np.zeros(parameters.shape)
    for stack, found in zip(compiled.stacks, by_angle, strict=True):
        stack.add_chain_rule(gradient, found)
    return energies, gradient


def _factors(compiled: CompiledProgram, parameters: NDArray) -> list[list[Factor]]:
    """Phases of the layers of every stack."""
    same = (parameters == parameters[:1]).all(axis=0)
    factors = []
    for stack in compiled.stacks:
        arguments = stack.masks, stack.angles(parameters), stack.shared(same), compiled.num_qubits, DOUBLE
        factors.append(together([*shared_phase_factors(*arguments), *individual_phase_factors(*arguments)]))
    return factors


def _sweep_back(compiled: CompiledProgram, factors: Sequence[list[Factor]], pair: Batch) -> list[NDArray]:
    """Derivatives with respect to the angles of every stack, shape (layers, terms, states).

    Args:
        compiled: The compiled program.
        factors: Phases of every stack.
        pair: Conjugates of the final states and, in further columns, of the observable applied to them.
    """
    keeps = compiled.num_qubits <= _KEPT_UP_TO_QUBITS
    shape = pair.states.shape
    kept = [np.empty((len(stack.layers), *shape) if keeps else 0, dtype=complex) for stack in compiled.stacks]
    found = [
        np.empty((len(stack.layers), len(stack.masks), shape[1] // 2) if not keeps else 0) for stack in compiled.stacks
    ]
    for operation in engine_basis_restoration(compiled):
        if not isinstance(operation, Multiply):
            pair.move(operation)
            continue
        if keeps:
            kept[operation.stack][operation.layer] = pair.states
        else:
            found[operation.stack][operation.layer] = _by_angle(compiled.stacks[operation.stack], pair.states)
        _multiply_both(pair, factors[operation.stack], operation.layer)
    if keeps:
        return [_by_angle(stack, pairs) for stack, pairs in zip(compiled.stacks, kept, strict=True)]
    return found


def _multiply_both(pair: Batch, factors: Sequence[Factor], layer: int) -> None:
    """Multiply states, and the observable applied to them in further columns, by the phases of a layer."""
    both = pair.states.reshape(len(pair.states), 2, -1)
    for factor in factors:
        both *= factor.of_layer(layer)[:, None]


def _by_angle(stack: LayerStack, pairs: NDArray) -> NDArray[np.float64]:
    """2 Im <image| D_a |state> of conjugate vectors side by side in columns, shape (..., 2^N, 2 states)."""
    half = pairs.shape[-1] // 2
    state, image = pairs[..., :half], pairs[..., half:]
    density = image.imag * state.real
    density -= image.real * state.imag
    density *= 2.0
    return projections(stack.masks, density)
