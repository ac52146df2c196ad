"""Arrangement of a sequence of gates in few layers of commuting rotations and few layers of CX gates.

Every gate moves to the earliest layer that it can reach by commutation with the later ones. A rotation commutes with
layers that are diagonal in one product basis with it, a CX with those on other qubits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.ansatz.gates import Cx, Gate, Rotation
from qep_qiskit.ansatz.pauli_states import PAULI_STATES, pauli_state
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.program import CxLayer, Layer, LayerProgram

_PAULIS = {
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1.0 + 0j, -1.0]),
}


@dataclass(slots=True)
class _Rotations:
    """A layer of rotations under construction: letters of the qubits in use, rotations by Pauli string."""

    letters: dict[int, str] = field(default_factory=dict)
    by_term: dict[PauliString, Rotation] = field(default_factory=dict)

    def commutes(self, gate: Gate) -> bool:
        if isinstance(gate, Cx):
            return gate.qubits.isdisjoint(self.letters)
        return all(self.letters.get(qubit, letter) == letter for qubit, letter in gate.string.factors)

    def takes(self, gate: Gate) -> bool:
        """Whether a gate fits in the layer; a Pauli string already in it needs the same parameter, or none."""
        if isinstance(gate, Cx) or not self.commutes(gate):
            return False
        there = self.by_term.get(gate.string)
        return there is None or min(there.source, gate.source) == -1 or there.source == gate.source

    def add(self, gate: Gate) -> None:
        assert isinstance(gate, Rotation)
        self.letters.update(gate.string.factors)
        there = self.by_term.get(gate.string, Rotation(gate.string, -1, 0.0, 0.0))
        self.by_term[gate.string] = Rotation(
            gate.string, max(there.source, gate.source), there.scale + gate.scale, there.offset + gate.offset
        )


@dataclass(slots=True)
class _Entangler:
    """A layer of CX gates under construction."""

    gates: list[Cx] = field(default_factory=list)

    def commutes(self, gate: Gate) -> bool:
        return all(gate.qubits.isdisjoint(there.qubits) for there in self.gates)

    def takes(self, gate: Gate) -> bool:
        return isinstance(gate, Cx)

    def add(self, gate: Gate) -> None:
        assert isinstance(gate, Cx)
        self.gates.append(gate)


def layer_program(
    gates: Sequence[Gate], initial: NDArray[np.complex128], parameter_names: Sequence[str]
) -> LayerProgram:
    """Build the program that applies gates in their order.

    Args:
        gates: The gates, at least one rotation among them.
        initial: Single-qubit states of the initial product state, shape (N, 2).
        parameter_names: One name for each parameter.
    """
    drafts: list[_Rotations | _Entangler] = []
    for gate in gates:
        home = _earliest(drafts, gate)
        if home is None:
            home = _Rotations() if isinstance(gate, Rotation) else _Entangler()
            drafts.append(home)
        home.add(gate)
    groups: dict[CommutingGroup, int] = {}
    layers = [_finished(draft, groups, len(initial)) for draft in drafts]
    return LayerProgram(
        groups=tuple(groups), initial=initial, layers=tuple(layers), parameter_names=tuple(parameter_names)
    )


def _earliest(drafts: list[_Rotations | _Entangler], gate: Gate) -> _Rotations | _Entangler | None:
    home = None
    for draft in reversed(drafts):
        if draft.takes(gate):
            home = draft
        if not draft.commutes(gate):
            break
    return home


def _finished(draft: _Rotations | _Entangler, groups: dict[CommutingGroup, int], num_qubits: int) -> Layer | CxLayer:
    """The layer of a draft; its group is appended to the groups if it is new."""
    if isinstance(draft, _Entangler):
        return CxLayer(tuple((gate.control, gate.target) for gate in draft.gates))
    used = set(draft.letters.values())
    free = used.pop() if len(used) == 1 else "Z"
    letters = "".join(draft.letters.get(qubit, free) for qubit in range(num_qubits))
    rotations = sorted(draft.by_term.values(), key=lambda rotation: rotation.string.mask)
    masks = tuple(rotation.string.mask for rotation in rotations)
    group = CommutingGroup(name=letters, basis=LocalBasis(letters), masks=masks)
    return Layer(
        group=groups.setdefault(group, len(groups)),
        source=np.array([rotation.source for rotation in rotations], dtype=np.int64),
        scale=np.array([rotation.scale for rotation in rotations]),
        offset=np.array([rotation.offset for rotation in rotations]),
    )


def native_pairs(gates: Sequence[Gate]) -> list[Gate]:
    """Replace rz between two equal CX gates by the two-qubit rotation ZZ.

    OpenQASM 3 has no rzz gate, so most files write it in this way.
    """
    remaining: list[Gate | None] = list(gates)
    for start, first in enumerate(gates):
        if isinstance(first, Cx) and remaining[start] is not None:
            _close_sandwich(remaining, start, first)
    return [gate for gate in remaining if gate is not None]


def _close_sandwich(gates: list[Gate | None], start: int, first: Cx) -> None:
    """Replace the pattern CX, rz, CX that begins at `start`, if there is one."""
    target_z = PauliString.of("Z", first.target)
    inside: list[tuple[int, Rotation]] = []
    for index in range(start + 1, len(gates)):
        gate = gates[index]
        if gate is None or gate.qubits.isdisjoint(first.qubits):
            continue
        if isinstance(gate, Rotation) and gate.string == target_z:
            inside.append((index, gate))
            continue
        if gate == first and inside:
            gates[start] = gates[index] = None
            for place, rotation in inside:
                gates[place] = replace(rotation, string=PauliString.of("Z", first.control, first.target))
        return


def absorb_first_gates(gates: Sequence[Gate], num_qubits: int) -> tuple[NDArray[np.complex128], list[Gate]]:
    """Apply initial fixed gates to the product state, and remove them from the program.

    A gate is absorbed only where its qubit is then in an eigenstate of X, Y or Z, so that the initial state is easy to
    prepare and to measure.

    Args:
        gates: The gates in their order.
        num_qubits: Number of qubits N.

    Returns:
        The single-qubit states of the product state, shape (N, 2), and the remaining gates.
    """
    initial = np.tile(PAULI_STATES["Z", 0], (num_qubits, 1))
    absorbed: set[int] = set()
    for qubit in range(num_qubits):
        state, passed = initial[qubit], []
        for index, gate in enumerate(gates):
            if qubit not in gate.qubits:
                continue
            if isinstance(gate, Cx) or gate.source >= 0 or len(gate.qubits) != 1:
                break
            pauli = _PAULIS[gate.string.factors[0][1]]
            state = np.cos(gate.offset) * state - 1j * np.sin(gate.offset) * (pauli @ state)
            passed.append(index)
            key = pauli_state(state)
            if key is not None:
                initial[qubit] = PAULI_STATES[key]
                absorbed.update(passed)
    return initial, [gate for index, gate in enumerate(gates) if index not in absorbed]
