"""Change the basis by a Clifford circuit: any set of commuting Pauli strings is diagonal after one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import Clifford, Pauli, PauliList

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.operators import Basis
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.transforms import Block, kron_blocks, transform_rows

Gate = tuple[str, tuple[int, ...]]
"""Name and qubits."""

_WIDTH = {"h": 1, "s": 1, "sdg": 1, "x": 1, "cx": 2, "cz": 2, "swap": 2}
_INVERSE = {"s": "sdg", "sdg": "s"}
_PHASES = {"s": 1j, "sdg": -1j}
_HADAMARD = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Monomial:
    """Hold a permutation and phases: new[x] = phases[x] old[sources[x]]."""

    sources: NDArray[np.int64]
    phases: NDArray


Stage = tuple[Block, ...] | _Monomial


@short_repr
@dataclass(frozen=True, slots=True)
class CliffordBasis(Basis):
    """Change the basis by a circuit V of h, s, sdg, x, cx, cz and swap gates.

    Args:
        num_qubits: Number of qubits.
        gates: Names and qubits, in order.

    Raises:
        NetworkError: A gate is none of these, or its qubits are not there.
    """

    num_qubits: int
    gates: tuple[Gate, ...]

    def __post_init__(self) -> None:
        for name, qubits in self.gates:
            fits = len(set(qubits)) == len(qubits) and all(0 <= qubit < self.num_qubits for qubit in qubits)
            if _WIDTH.get(name) != len(qubits) or not fits:
                raise NetworkError(
                    f"Clifford basis: expected {', '.join(_WIDTH)} on qubits 0 to {self.num_qubits - 1}, "
                    f"got {name} on {qubits}"
                )

    @property
    def name(self) -> str:
        """Return the gates as text."""
        return " ".join(f"{name}{','.join(map(str, qubits))}" for name, qubits in self.gates) or "identity"

    @property
    def is_real(self) -> bool:
        """Return whether V is a real matrix."""
        return all(name not in _PHASES for name, _ in self.gates)

    @property
    def inverse_gates(self) -> tuple[Gate, ...]:
        """Return the gates of V^dagger, in order."""
        return tuple((_INVERSE.get(name, name), qubits) for name, qubits in reversed(self.gates))

    def rotate(self, states: NDArray) -> NDArray:
        """Apply V to states, shape (..., 2^N)."""
        return _applied(states, _stages(self.num_qubits, self.gates))

    def rotate_back(self, states: NDArray) -> NDArray:
        """Apply V^dagger to states, shape (..., 2^N)."""
        return _applied(states, _stages(self.num_qubits, self.inverse_gates))

    def append_to(self, circuit: QuantumCircuit) -> None:
        """Append the gates of V; a measurement in Z then measures this basis."""
        _append(circuit, self.gates)

    def append_inverse_to(self, circuit: QuantumCircuit) -> None:
        """Append the gates of V^dagger."""
        _append(circuit, self.inverse_gates)

    def string(self, mask: int) -> PauliString:
        """Return the Pauli string that V maps to the product of Z on a mask, up to its sign."""
        return _signed_string(self, mask)[0]

    def sign(self, mask: int) -> int:
        """Return s = +-1 with V^dagger (prod_{k in mask} Z_k) V = s P, P the Pauli string of the mask."""
        return _signed_string(self, mask)[1]

    def mask_of(self, string: PauliString) -> int | None:
        """Return the mask that V maps a Pauli string to, or None where the string is not diagonal in this basis."""
        if any(letter == "P" for _, letter in string.factors):
            return None
        image = Pauli(string.label(self.num_qubits)).evolve(_clifford(self), frame="s")
        return None if image.x.any() else sum(1 << int(qubit) for qubit in np.flatnonzero(image.z))


def _append(circuit: QuantumCircuit, gates: Sequence[Gate]) -> None:
    for name, qubits in gates:
        getattr(circuit, name)(*qubits)


@lru_cache(maxsize=256)
def _clifford(basis: CliffordBasis) -> Clifford:
    circuit = QuantumCircuit(basis.num_qubits)
    basis.append_to(circuit)
    return Clifford(circuit)


@lru_cache(maxsize=1 << 14)
def _signed_string(basis: CliffordBasis, mask: int) -> tuple[PauliString, int]:
    label = "".join("Z" if mask >> qubit & 1 else "I" for qubit in reversed(range(basis.num_qubits)))
    image = PauliList([label]).evolve(_clifford(basis), frame="h")[0].to_label()
    letters = reversed(image.removeprefix("-"))
    string = PauliString(tuple((qubit, letter) for qubit, letter in enumerate(letters) if letter != "I"))
    return string, -1 if image.startswith("-") else 1


@lru_cache(maxsize=128)
def _stages(num_qubits: int, gates: tuple[Gate, ...]) -> tuple[Stage, ...]:
    """Return few steps for many gates: Hadamards side by side, and permutations with phases between them."""
    stages: list[Stage] = []
    waiting: list[Gate] = []
    turned: list[NDArray | None] = [None] * num_qubits
    for name, qubits in gates:
        if name == "h":
            if turned[qubits[0]] is not None or any(qubits[0] in others for _, others in waiting):
                _close(stages, turned, waiting, num_qubits)
            turned[qubits[0]] = _HADAMARD
        else:
            waiting.append((name, qubits))
    _close(stages, turned, waiting, num_qubits)
    return tuple(stages)


def _close(stages: list[Stage], turned: list[NDArray | None], waiting: list[Gate], num_qubits: int) -> None:
    """Add Hadamards, then the gates that wait behind them; empty both lists."""
    if blocks := tuple(kron_blocks(turned)):
        stages.append(blocks)
    if waiting:
        stages.append(_permutation(waiting, num_qubits))
    turned[:] = [None] * num_qubits
    waiting.clear()


def _permutation(gates: Sequence[Gate], num_qubits: int) -> _Monomial:
    """Return gates without Hadamards as a permutation and phases."""
    place = np.arange(1 << num_qubits)  # where the amplitude of x is, gate after gate
    phases = np.ones(1 << num_qubits, dtype=complex if any(name in _PHASES for name, _ in gates) else float)
    for name, qubits in gates:
        bits = [place >> qubit & 1 for qubit in qubits]
        if name in _PHASES:
            phases[bits[0] == 1] *= _PHASES[name]
        elif name == "cz":
            phases[bits[0] & bits[1] == 1] *= -1.0
        elif name == "x":
            place ^= 1 << qubits[0]
        elif name == "cx":
            place ^= bits[0] << qubits[1]
        else:
            place ^= (bits[0] ^ bits[1]) << qubits[0] | (bits[0] ^ bits[1]) << qubits[1]
    sources = np.argsort(place)
    return _Monomial(sources, phases[sources])


def _applied(states: NDArray, stages: Sequence[Stage]) -> NDArray:
    for stage in stages:
        if isinstance(stage, _Monomial):
            states = states[..., stage.sources] * stage.phases
        else:
            states = transform_rows(states, stage)
    return states
