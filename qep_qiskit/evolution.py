"""The two-basis engine: layer programs on batches of state vectors, by the commuting groups themselves.

A layer is diagonal in the basis of its group, so it is a multiplication by phases there; moving from one group to the
next is a fast transform. Three things keep it fast in numpy:

* phases that the whole batch shares (couplings) are computed once per layer for all states;
* phases that differ from state to state but act on single qubits (inputs, biases, nudges of outputs) are built as
  products of two numbers per qubit, without a sine for every amplitude;
* a layer of single-qubit rotations that the batch shares (transverse fields) is a product of small matrices, applied
  without leaving the basis the state is in.

A batch is kept in columns, shape (2^N, states), so that every kernel runs along contiguous numbers. Two buffers serve
the whole run.

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
from qep_qiskit.program import CxLayer, Layer, LayerProgram
from qep_qiskit.transforms import apply_product_between, num_qubits_of, walsh_hadamard_of_columns

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
        states[rows] = _run(program, parameters[rows]).T
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
    return np.repeat(one[:, None], count, axis=1)


@dataclass(slots=True, eq=False)
class _Batch:
    """States in columns, shape (2^N, states), and a buffer of the same shape for the next result."""

    states: NDArray[np.complex128]
    spare: NDArray[np.complex128]

    @classmethod
    def of(cls, states: NDArray[np.complex128]) -> _Batch:
        return cls(states, np.empty_like(states))

    def apply(self, matrices: Sequence[NDArray | None]) -> None:
        """One matrix per qubit."""
        self.states, self.spare = apply_product_between(self.states, self.spare, matrices)

    def permute(self, sources: NDArray[np.int64]) -> None:
        """Amplitude x becomes what amplitude sources[x] was."""
        np.take(self.states, sources, axis=0, out=self.spare)
        self.states, self.spare = self.spare, self.states


def _run(program: LayerProgram, parameters: NDArray) -> NDArray[np.complex128]:
    frame = _real_frame(program)
    batch = _Batch.of(_initial_states(program, len(parameters)) * frame[:, None])
    for layer in program.layers:
        if isinstance(layer, CxLayer):
            batch.permute(layer.sources(program.num_qubits))
        else:
            _apply_layer(program.groups[layer.group], layer.angles(parameters), batch, framed=frame.size > 1)
    batch.states *= frame.conj()[:, None]
    return batch.states


def _real_frame(program: LayerProgram) -> NDArray[np.complex128]:
    """Phases i^popcount(x) in which rotations about X are real matrices, or 1 where the program has other layers.

    They commute with everything diagonal, so the states can stay in this frame from the first layer to the last.
    """
    fits = all(isinstance(layer, Layer) for layer in program.layers) and all(
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
        batch.apply(_rotations(group, angles[0], real=framed))
    elif set(group.basis.letters) == {"Z"}:
        _multiply_phases(group, angles, batch)
    elif framed:
        _rotate_each(group, angles, batch)
    else:
        batch.apply(group.basis.matrices())
        _multiply_phases(group, angles, batch)
        batch.apply(group.basis.matrices(inverse=True))


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


def _rotate_each(group: CommutingGroup, angles: NDArray, batch: _Batch) -> None:
    """Rotations about X that differ from state to state, in the real frame, one qubit after the other."""
    for mask, angle in zip(group.masks, angles.T, strict=True):
        source, target = (array.reshape(-1, 2, mask, len(angle)) for array in (batch.states, batch.spare))
        cosine, sine = np.cos(angle), np.sin(angle)
        target[:, 0] = cosine * source[:, 0] - sine * source[:, 1]
        target[:, 1] = sine * source[:, 0] + cosine * source[:, 1]
        batch.states, batch.spare = batch.spare, batch.states


def _multiply_phases(group: CommutingGroup, angles: NDArray, batch: _Batch) -> None:
    """Multiply by exp(-i D(theta)) in the frame of the group."""
    masks, size = np.array(group.masks), len(batch.states)
    shared = (angles == angles[0]).all(axis=0)
    single = np.array([mask.bit_count() == 1 for mask in group.masks])
    local, rest = ~shared & single, ~shared & ~single
    if (shared & (angles[0] != 0.0)).any():
        batch.states *= _phases(_diagonal(masks[shared], angles[:1, shared], size))
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
    """Diagonals of sum_a theta_a D_a in columns, shape (2^N, states)."""
    spread = np.zeros((size, len(angles)))
    spread[masks] = angles.T
    return walsh_hadamard_of_columns(spread)


def _product_phases(masks: NDArray, angles: NDArray, out: NDArray) -> NDArray:
    """prod_k exp(-i theta_k z_k) of every state, built qubit by qubit into `out` of shape (2^N, states)."""
    num_qubits, num_states = num_qubits_of(len(out)), out.shape[1]
    factors = np.ones((num_qubits, 2, num_states), dtype=complex)
    qubits = [int(mask).bit_length() - 1 for mask in masks]
    factors[qubits, 0] = np.exp(-1j * angles).T
    factors[qubits, 1] = factors[qubits, 0].conj()
    half = num_qubits // 2
    low, high = (_outer_phases(part, num_states) for part in (factors[:half], factors[half:]))
    np.multiply(high[:, None], low[None], out=out.reshape(len(high), len(low), num_states))
    return out


def _outer_phases(factors: NDArray, num_states: int) -> NDArray:
    """Products over few qubits, shape (2^qubits, states)."""
    phases = np.ones((1, num_states), dtype=complex)
    for factor in factors:
        phases = (factor[:, None] * phases[None]).reshape(-1, num_states)
    return phases


def _adjoint(
    program: LayerProgram, parameters: NDArray, groups: Sequence[CommutingGroup], coefficients: NDArray
) -> tuple[NDArray, NDArray]:
    ket = _Batch.of(_run(program, parameters))
    bra = _Batch.of(_apply_observable(groups, coefficients, ket.states))
    energies = np.einsum("xs,xs->s", ket.states.conj(), bra.states).real
    gradient = np.zeros(parameters.shape)
    for layer in reversed(program.layers):
        if isinstance(layer, CxLayer):
            ket.permute(layer.inverse.sources(program.num_qubits))
            bra.permute(layer.inverse.sources(program.num_qubits))
            continue
        group, angles = program.groups[layer.group], layer.angles(parameters)
        _add_chain_rule(gradient, layer, _angle_gradient(group, ket.states, bra.states))
        _apply_layer(group, -angles, ket)
        _apply_layer(group, -angles, bra)
    return energies, gradient


def _rotated(states: NDArray, matrices: Sequence[NDArray | None]) -> NDArray:
    """A copy of states in columns with one matrix per qubit applied."""
    batch = _Batch.of(states.copy())
    batch.apply(matrices)
    return batch.states


def _apply_observable(groups: Sequence[CommutingGroup], coefficients: NDArray, states: NDArray) -> NDArray:
    total, start = np.zeros_like(states), 0
    for group in groups:
        masks, block = np.array(group.masks), coefficients[:, start : start + group.num_generators]
        image = _diagonal(masks, block, len(states)) * _rotated(states, group.basis.matrices())
        total += _rotated(image, group.basis.matrices(inverse=True))
        start += group.num_generators
    return total


def _angle_gradient(group: CommutingGroup, states: NDArray, images: NDArray) -> NDArray:
    """dE/dtheta_a = 2 Im <image| P_a |state> for all generators at once, shape (states, generators)."""
    ket, bra = (_rotated(array, group.basis.matrices()) for array in (states, images))
    return 2.0 * walsh_hadamard_of_columns((bra.conj() * ket).imag)[list(group.masks)].T


def _add_chain_rule(gradient: NDArray, layer: Layer, by_angle: NDArray) -> None:
    free = layer.source >= 0
    np.add.at(gradient.T, layer.source[free], (by_angle[:, free] * layer.scale[free]).T)
