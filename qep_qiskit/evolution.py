"""The two-basis engine: layer programs on batches of state vectors, by the commuting groups themselves.

A layer is diagonal in the basis of its group, so it is a multiplication by phases there; moving from one group to the
next is a fast transform. Three things keep it fast in numpy:

* phases that the whole batch shares (couplings) are computed once per layer for all states;
* phases that differ from state to state but act on single qubits (inputs, biases, nudges of outputs) are built as
  products of two numbers per qubit, without a sine for every amplitude;
* a layer of single-qubit rotations that the batch shares (transverse fields) is a product of small matrices, applied
  without leaving the basis the state is in.

Energies of final states have exact gradients with respect to all parameters by the adjoint method: one sweep
backwards, one transform per layer for all of its angles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.memory import require_memory
from qep_qiskit.operators import CommutingGroup
from qep_qiskit.program import Layer, LayerProgram
from qep_qiskit.transforms import apply_product_between, num_qubits_of, walsh_hadamard

__all__ = ["energy_and_gradient", "evolve"]

_AMPLITUDES_PER_CHUNK = 1 << 17
_PAULIS = {
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1.0 + 0j, -1.0]),
}


def evolve(program: LayerProgram, parameters: NDArray) -> NDArray[np.complex128]:
    """Final states of a program.

    Args:
        program: The layers.
        parameters: Shape (states, parameters).

    Returns:
        Shape (states, 2^N), index bit k = qubit k, phases as those of the lowered circuit.

    Raises:
        ResourceError: The states do not fit in memory.
    """
    require_memory(program.num_qubits, 16 * (len(parameters) + 6), "a batch of state vectors")
    states = np.empty((len(parameters), 1 << program.num_qubits), dtype=complex)
    for rows in _chunks(len(parameters), program.num_qubits):
        states[rows] = _run(program, parameters[rows])
    return states


def energy_and_gradient(
    program: LayerProgram, parameters: NDArray, groups: Sequence[CommutingGroup], coefficients: NDArray
) -> tuple[NDArray, NDArray]:
    """Energies of the final states, and their gradients by all parameters (adjoint method).

    Args:
        program: The layers.
        parameters: Shape (states, parameters).
        groups: Commuting groups of the observable.
        coefficients: Shape (states, terms), of the observable's terms, group after group.

    Returns:
        Energies, shape (states,), and gradients, shape (states, parameters).
    """
    energies, gradients = np.empty(len(parameters)), np.empty(parameters.shape)
    for rows in _chunks(len(parameters), program.num_qubits):
        energies[rows], gradients[rows] = _adjoint(program, parameters[rows], groups, coefficients[rows])
    return energies, gradients


def _chunks(count: int, num_qubits: int) -> Iterator[slice]:
    """Rows of the batch that are worked on together, small enough for the cache."""
    size = max(1, _AMPLITUDES_PER_CHUNK >> num_qubits)
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _initial_states(program: LayerProgram, count: int) -> NDArray[np.complex128]:
    one = reduce(lambda low, high: np.kron(high, low), program.initial)
    return np.tile(one, (count, 1))


@dataclass(slots=True, eq=False)
class _Batch:
    """States that are worked on, and a buffer of the same shape for the next result."""

    states: NDArray[np.complex128]
    spare: NDArray[np.complex128]

    @classmethod
    def of(cls, states: NDArray[np.complex128]) -> _Batch:
        return cls(states, np.empty_like(states))


def _run(program: LayerProgram, parameters: NDArray) -> NDArray[np.complex128]:
    frame = _real_frame(program)
    batch = _Batch.of(_initial_states(program, len(parameters)) * frame)
    for layer in program.layers:
        _apply_layer(program.groups[layer.group], layer.angles(parameters), batch, framed=frame.size > 1)
    batch.states *= frame.conj()
    return batch.states


def _real_frame(program: LayerProgram) -> NDArray[np.complex128]:
    """Phases i^popcount(x) in which rotations about X are real matrices, or 1 where the program has other layers.

    They commute with everything diagonal, so the states can stay in this frame from the first layer to the last.
    """
    fits = all(
        set(group.basis.letters) == {"Z"} or (set(group.basis.letters) == {"X"} and _is_product_layer(group))
        for group in program.groups
    )
    if not fits:
        return np.ones(1, dtype=complex)
    return reduce(lambda low, high: np.kron(high, low), [np.array([1.0, 1.0j])] * program.num_qubits)


def _apply_layer(group: CommutingGroup, angles: NDArray, batch: _Batch, *, framed: bool = False) -> None:
    """exp(-i sum_a theta_a P_a) on a batch.

    Args:
        group: The group of the layer.
        angles: Shape (states, generators).
        batch: The states.
        framed: Whether the states are in the frame of `_real_frame`.
    """
    if _is_product_layer(group) and (angles == angles[0]).all():
        rotations = _rotations(group, angles[0], real=framed)
        batch.states, batch.spare = apply_product_between(batch.states, batch.spare, rotations)
    elif set(group.basis.letters) == {"Z"}:
        _multiply_phases(group, angles, batch)
    elif framed:
        batch.states = _rotate_each(group, angles, batch.states)
    else:
        batch.states = group.basis.rotate(batch.states)
        _multiply_phases(group, angles, batch)
        batch.states = group.basis.rotate_back(batch.states)


def _is_product_layer(group: CommutingGroup) -> bool:
    """Whether all generators act on one qubit each, in a basis other than the computational one."""
    return set(group.basis.letters) != {"Z"} and all(mask.bit_count() == 1 for mask in group.masks)


def _rotations(group: CommutingGroup, angles: NDArray, *, real: bool) -> list[NDArray | None]:
    """One matrix exp(-i theta P) per qubit, None where there is none; real ones about X in the real frame."""
    matrices: list[NDArray | None] = [None] * group.num_qubits
    for mask, angle in zip(group.masks, angles, strict=True):
        qubit, cosine, sine = mask.bit_length() - 1, np.cos(angle), np.sin(angle)
        if real:
            matrices[qubit] = np.array([[cosine, -sine], [sine, cosine]])
        else:
            matrices[qubit] = cosine * np.eye(2) - 1j * sine * _PAULIS[group.basis.letters[qubit]]
    return matrices


def _rotate_each(group: CommutingGroup, angles: NDArray, states: NDArray) -> NDArray:
    """Rotations about X that differ from state to state, in the real frame, one qubit after the other."""
    for mask, angle in zip(group.masks, angles.T, strict=True):
        halves = states.reshape(len(states), -1, 2, mask)
        low, high = halves[:, :, 0], halves[:, :, 1]
        cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
        states = np.stack([cosine * low - sine * high, sine * low + cosine * high], axis=2).reshape(states.shape)
    return states


def _multiply_phases(group: CommutingGroup, angles: NDArray, batch: _Batch) -> None:
    """Multiply by exp(-i D(theta)) in the frame of the group."""
    masks, size = np.array(group.masks), batch.states.shape[1]
    shared = (angles == angles[0]).all(axis=0)
    single = np.array([mask.bit_count() == 1 for mask in group.masks])
    local, rest = ~shared & single, ~shared & ~single
    if (shared & (angles[0] != 0.0)).any():
        batch.states *= _phases(_diagonal(masks[shared], angles[0, shared], size))
    if local.any():
        batch.states *= _product_phases(masks[local], angles[:, local], batch.spare)
    if rest.any():
        batch.states *= _phases(_diagonal(masks[rest], angles[:, rest], size))


def _phases(diagonal: NDArray) -> NDArray[np.complex128]:
    """exp(-i D); sine and cosine on their own are faster than numpy's complex exponential."""
    phases = np.empty(diagonal.shape, dtype=complex)
    np.cos(diagonal, out=phases.real)
    np.negative(np.sin(diagonal), out=phases.imag)
    return phases


def _diagonal(masks: NDArray, angles: NDArray, size: int) -> NDArray:
    spread = np.zeros((*angles.shape[:-1], size))
    spread[..., masks] = angles
    return walsh_hadamard(spread)


def _product_phases(masks: NDArray, angles: NDArray, out: NDArray) -> NDArray:
    """prod_k exp(-i theta_k z_k) of every state, built qubit by qubit into `out` of shape (states, 2^N)."""
    num_states, num_qubits = len(out), num_qubits_of(out.shape[1])
    factors = np.ones((num_qubits, num_states, 2), dtype=complex)
    qubits = [int(mask).bit_length() - 1 for mask in masks]
    factors[qubits, :, 0] = np.exp(-1j * angles).T
    factors[qubits, :, 1] = factors[qubits, :, 0].conj()
    half = num_qubits // 2
    low, high = (_outer_phases(part, num_states) for part in (factors[:half], factors[half:]))
    np.multiply(high[:, :, None], low[:, None, :], out=out.reshape(num_states, high.shape[1], low.shape[1]))
    return out


def _outer_phases(factors: NDArray, num_states: int) -> NDArray:
    """Products over few qubits, shape (states, 2^qubits)."""
    phases = np.ones((num_states, 1), dtype=complex)
    for factor in factors:
        phases = (factor[:, :, None] * phases[:, None, :]).reshape(num_states, -1)
    return phases


def _adjoint(
    program: LayerProgram, parameters: NDArray, groups: Sequence[CommutingGroup], coefficients: NDArray
) -> tuple[NDArray, NDArray]:
    ket = _Batch.of(_run(program, parameters))
    bra = _Batch.of(_apply_observable(groups, coefficients, ket.states))
    energies = np.einsum("sx,sx->s", ket.states.conj(), bra.states).real
    gradient = np.zeros(parameters.shape)
    for layer in reversed(program.layers):
        group, angles = program.groups[layer.group], layer.angles(parameters)
        _add_chain_rule(gradient, layer, _angle_gradient(group, ket.states, bra.states))
        _apply_layer(group, -angles, ket)
        _apply_layer(group, -angles, bra)
    return energies, gradient


def _apply_observable(groups: Sequence[CommutingGroup], coefficients: NDArray, states: NDArray) -> NDArray:
    total, start = np.zeros_like(states), 0
    for group in groups:
        diagonal = group.diagonal(coefficients[:, start : start + group.num_generators])
        total += group.basis.rotate_back(diagonal * group.basis.rotate(states))
        start += group.num_generators
    return total


def _angle_gradient(group: CommutingGroup, states: NDArray, images: NDArray) -> NDArray:
    """dE/dtheta_a = 2 Im <image| P_a |state> for all generators at once, shape (states, generators)."""
    overlap = (group.basis.rotate(images).conj() * group.basis.rotate(states)).imag
    return 2.0 * walsh_hadamard(overlap)[:, list(group.masks)]


def _add_chain_rule(gradient: NDArray, layer: Layer, by_angle: NDArray) -> None:
    free = layer.source >= 0
    np.add.at(gradient.T, layer.source[free], (by_angle[:, free] * layer.scale[free]).T)
