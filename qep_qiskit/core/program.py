"""Define layer programs: a preparation writes layers, and they become a circuit.

A program starts from a product state and applies layers. Layer l acts in one commuting group,

    exp(-i sum_a theta_a D_a)  in the basis of the group,     theta_a = scale_a p[source_a] + offset_a ,

so its angles are affine in one small parameter vector p. For a Trotter ramp p holds the coefficients of the total
Hamiltonian; for an ansatz p holds the free angles. A layer may also be fixed: CX gates, as in hardware-efficient
circuits. A program is synthesised once to a parametrised circuit, and p changes from sample to sample. Layers use a few
rotations that every backend binds correctly, so gates that bind wrongly cannot appear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression, ParameterVector

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.operators import Basis, CommutingGroup
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.short_repr import short_repr

Angle: TypeAlias = "float | ParameterExpression"


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """Rotate by one commuting group.

    Args:
        group: Index of the group in the program.
        source: Shape (terms,), index into p for every term, or -1 for none.
        scale: Shape (terms,), factor on the parameter.
        offset: Shape (terms,), constant part of the angle in radians.
        duration: Time of the evolution that passes in the middle of the layer, in 1/energy: decoherence acts there.
            Without decoherence it has no effect.

    Example:
        >>> layer = qep.Layer(group=0, source=np.arange(2), scale=np.full(2, 0.5), offset=np.zeros(2))
        >>> layer.scale
        array([0.5, 0.5])
    """

    group: int
    source: NDArray[np.int64]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    duration: float = 0.0

    def angles(self, parameters: NDArray) -> NDArray:
        """Return angles theta in radians, shape (..., terms), of parameters of shape (..., P)."""
        picked = np.where(self.source >= 0, parameters[..., np.maximum(self.source, 0)], 0.0)
        return self.scale * picked + self.offset

    def merges_with(self, other: Layer) -> bool:
        """Return whether two adjacent layers can become one: same group, same parameters, and time passes in one."""
        same = self.group == other.group and np.array_equal(self.source, other.source)
        return same and not (self.duration and other.duration)

    def merged(self, other: Layer) -> Layer:
        """Return the one layer that does what two do."""
        return replace(
            self,
            scale=self.scale + other.scale,
            offset=self.offset + other.offset,
            duration=self.duration + other.duration,
        )


@short_repr
@dataclass(frozen=True, slots=True)
class CxLayer:
    """Apply a fixed layer of CX gates.

    Args:
        pairs: (control, target) of every gate, in order.
    """

    pairs: tuple[tuple[int, int], ...]

    @property
    def inverse(self) -> CxLayer:
        """Return the inverse layer."""
        return CxLayer(self.pairs[::-1])

    def sources(self, num_qubits: int) -> NDArray[np.int64]:
        """Return where each amplitude comes from: new[x] = old[sources[x]], shape (2^N,)."""
        index = np.arange(1 << num_qubits)
        for control, target in reversed(self.pairs):
            index ^= (index >> control & 1) << target
        return index


def _merge_neighbours(layers: Sequence[Layer | CxLayer]) -> tuple[Layer | CxLayer, ...]:
    merged: list[Layer | CxLayer] = []
    for layer in layers:
        last = merged[-1] if merged else None
        if isinstance(last, Layer) and isinstance(layer, Layer) and last.merges_with(layer):
            merged[-1] = last.merged(layer)
        else:
            merged.append(layer)
    return tuple(merged)


@short_repr
@dataclass(frozen=True, kw_only=True, eq=False)
class LayerProgram:
    """Hold a product state and layers of commuting rotations.

    Args:
        groups: The commuting groups the layers name.
        initial: Shape (N, 2) complex, the amplitudes of qubit k in row k, normalised.
        layers: Rotations and CX gates, applied in order; adjacent layers of the same group are merged.
        parameter_names: One name per entry of p.

    Example:
        >>> program = qep.hardware_efficient(2, depth=1)
        >>> program.num_qubits, program.num_parameters
        (2, 8)
    """

    groups: tuple[CommutingGroup, ...]
    initial: NDArray[np.complex128]
    layers: tuple[Layer | CxLayer, ...]
    parameter_names: tuple[str, ...]

    def __post_init__(self) -> None:
        norms = np.linalg.norm(self.initial, axis=1)
        if self.initial.shape != (self.num_qubits, 2) or not np.allclose(norms, 1.0):
            raise NetworkError("program: the initial state must be one normalised qubit state per qubit")
        object.__setattr__(self, "layers", _merge_neighbours(self.layers))

    def __eq__(self, other: object) -> bool:
        """Whether both do the same with the same parameters."""
        if not isinstance(other, LayerProgram):
            return NotImplemented
        return self is other or (self.fingerprint, self.num_parameters) == (other.fingerprint, other.num_parameters)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def num_qubits(self) -> int:
        """Return the number of qubits."""
        return self.groups[0].num_qubits

    @property
    def num_parameters(self) -> int:
        """Return the length of p."""
        return len(self.parameter_names)

    def rotations(self) -> Iterator[tuple[int, PauliString, int, float, float]]:
        """Return all rotations in order: (group, Pauli string, source, scale, offset).

        Rotations that are always zero are not among them. In a group whose basis acts on several qubits, strings and
        angles are those of the products of Z in that basis.
        """
        for layer in self.layers:
            if isinstance(layer, Layer):
                yield from self.rotations_of(layer)

    def rotations_of(self, layer: Layer) -> Iterator[tuple[int, PauliString, int, float, float]]:
        """Return the rotations of one layer."""
        group = self.groups[layer.group]
        scales, offsets = group.in_frame(layer.scale).tolist(), group.in_frame(layer.offset).tolist()
        for string, source, scale, offset in zip(
            _frame_strings(group), layer.source.tolist(), scales, offsets, strict=True
        ):
            if (source >= 0 and scale != 0.0) or offset != 0.0:
                yield layer.group, string, source, scale, offset

    @property
    def duration(self) -> float:
        """Return the time that passes in all layers, in 1/energy; zero for a program that is no evolution in time."""
        return sum(layer.duration for layer in self.layers if isinstance(layer, Layer))

    @cached_property
    def fingerprint(self) -> str:
        """Return a hash of everything that the program does.

        Equal programs have equal ones, also in another process.
        """
        digest = hashlib.sha256(self.initial.tobytes())
        for layer in self.layers:
            if isinstance(layer, CxLayer):
                digest.update(repr(layer.pairs).encode())
                continue
            group = self.groups[layer.group]
            digest.update(f"{group.basis} {group.masks}".encode())
            for array in (layer.source, layer.scale, layer.offset):
                digest.update(array.tobytes())
            if layer.duration:
                digest.update(repr(layer.duration).encode())
        return digest.hexdigest()[:16]

    @cached_property
    def _rotation_table(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return source, scale and offset of all rotations, each of shape (rotations,)."""
        rows = [(source, scale, offset) for _, _, source, scale, offset in self.rotations()]
        source, scale, offset = zip(*rows, strict=True) if rows else ((), (), ())
        return np.array(source, dtype=np.int64), np.array(scale), np.array(offset)

    def gate_angles(self, parameters: NDArray) -> NDArray:
        """Return angles of all rotations in radians in the order of `rotations`, shape (..., rotations)."""
        source, scale, offset = self._rotation_table
        picked = np.where(source >= 0, parameters[..., np.maximum(source, 0)], 0.0)
        return scale * picked + offset


def _frame_strings(group: CommutingGroup) -> tuple[PauliString, ...]:
    """Return strings as the layers of a circuit rotate them.

    They are those of the group, or products of Z between V and its inverse.
    """
    if group.basis.is_local:
        return group.terms
    qubits = range(group.num_qubits)
    return tuple(PauliString.of("Z", *(qubit for qubit in qubits if mask >> qubit & 1)) for mask in group.masks)


def _prepare_product(circuit: QuantumCircuit, initial: NDArray[np.complex128]) -> None:
    """Append gates for a product state; the states of the Z and X bases get the shortest circuits."""
    plus = np.sqrt(0.5)
    short: list[tuple[tuple[float, float], tuple[str, ...]]] = [
        ((1, 0), ()),
        ((0, 1), ("x",)),
        ((plus, plus), ("h",)),
        ((plus, -plus), ("x", "h")),
    ]
    for qubit, amplitudes in enumerate(initial):
        gates = next((g for state, g in short if _same_state(np.array(state), amplitudes)), None)
        if gates is not None:
            for gate in gates:
                getattr(circuit, gate)(qubit)
            continue
        phase = float(np.angle(amplitudes[1]) - np.angle(amplitudes[0]))
        circuit.ry(2.0 * float(np.arctan2(abs(amplitudes[1]), abs(amplitudes[0]))), qubit)
        circuit.rz(phase, qubit)


def _same_state(known: NDArray, amplitudes: NDArray) -> bool:
    """Return whether states are equal up to a phase, to rounding."""
    overlap = np.vdot(known, amplitudes)
    return bool(np.linalg.norm(amplitudes - overlap * known) < 1e-14)


def _append_rotation(circuit: QuantumCircuit, string: PauliString, angle: Angle) -> None:
    """Append exp(-i angle/2 P): native one- and two-qubit rotations, a CX ladder for longer Pauli strings."""
    qubits = [qubit for qubit, _ in string.factors]
    letters = "".join(letter for _, letter in string.factors)
    native = {"X": "rx", "Y": "ry", "Z": "rz", "XX": "rxx", "ZZ": "rzz"}.get(letters)
    if native is not None:
        getattr(circuit, native)(angle, *qubits)
        return
    _to_z_frame(circuit, string, inverse=False)
    if len(qubits) == 2:
        circuit.rzz(angle, *qubits)
    else:
        for left, right in pairwise(qubits):
            circuit.cx(left, right)
        circuit.rz(angle, qubits[-1])
        for left, right in reversed(list(pairwise(qubits))):
            circuit.cx(left, right)
    _to_z_frame(circuit, string, inverse=True)


def _to_z_frame(circuit: QuantumCircuit, string: PauliString, *, inverse: bool) -> None:
    for qubit, letter in string.factors:
        if letter == "Y" and not inverse:
            circuit.sdg(qubit)
        if letter in "XY":
            circuit.h(qubit)
        if letter == "Y" and inverse:
            circuit.s(qubit)


def _move_between(circuit: QuantumCircuit, before: Basis | None, after: Basis | None) -> None:
    """Append the change from one basis on several qubits to another; adjacent layers of one basis stay in it."""
    if before == after:
        return
    if before is not None:
        before.append_inverse_to(circuit)
    if after is not None:
        after.append_to(circuit)


def _circuit_with(program: LayerProgram, angle_of: Callable[[int, int, float, float], Angle]) -> QuantumCircuit:
    circuit = QuantumCircuit(program.num_qubits, name="program")
    _prepare_product(circuit, program.initial)
    index = count()
    inside: Basis | None = None
    for layer in program.layers:
        basis = None if isinstance(layer, CxLayer) else program.groups[layer.group].basis
        wanted = None if basis is None or basis.is_local else basis
        _move_between(circuit, inside, wanted)
        inside = wanted
        if isinstance(layer, CxLayer):
            for control, target in layer.pairs:
                circuit.cx(control, target)
            continue
        for _, string, source, scale, offset in program.rotations_of(layer):
            _append_rotation(circuit, string, angle_of(next(index), source, scale, offset))
    _move_between(circuit, inside, None)
    return circuit


def lower(program: LayerProgram) -> QuantumCircuit:
    """Return the circuit of a program with its own small parameter vector ``p``.

    This is the circuit that is sent to a device: whatever the number of layers, a binding is the vector p.

    Returns:
        A circuit on the program's qubits; rotations take twice the layer angle, as ``rz(2 theta)``.

    Example:
        >>> qep.lower(qep.hardware_efficient(2, depth=1)).count_ops()["cx"]
        1
    """
    vector = ParameterVector("p", program.num_parameters)

    def angle(_: int, source: int, scale: float, offset: float) -> Angle:
        return 2.0 * offset if source < 0 else vector[source] * (2.0 * scale) + 2.0 * offset

    return _circuit_with(program, angle)


def to_circuit_per_gate(program: LayerProgram) -> QuantumCircuit:
    """Return the same circuit with one free parameter ``g`` per rotation, to be bound to twice `gate_angles`.

    A simulator on the same machine binds it 2.5 times faster, because no symbolic expression is evaluated: numpy has
    computed all angles.
    """
    vector = ParameterVector("g", sum(1 for _ in program.rotations()))
    return _circuit_with(program, lambda index, *_: vector[index])
