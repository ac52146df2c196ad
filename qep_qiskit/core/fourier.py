"""Transform registers from positions on a grid to momenta (centred Fourier transform).

A register of n adjacent qubits holds a grid of M = 2^n positions r_j = (j - (M - 1)/2) dx. The transform is centred,

    V_mj = exp(-i p_m r_j) / sqrt(M),      p_m = (m - (M - 1)/2) dp,      dp = 2 pi / (M dx),

so that an eigenstate of momentum p_m goes to the index m. Position before the transform and momentum after it are
linear in the Z of the register, r = -(dx/2) sum_b 2^b Z_b and p = -(dp/2) sum_b 2^b Z_b, with b = 0 the lowest qubit. V
does not depend on dx.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, SparsePauliOp

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.observables import hermitian
from qep_qiskit.core.operators import Basis
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.transforms import walsh_hadamard


@dataclass(frozen=True, slots=True, order=True)
class Register:
    """Name adjacent qubits that hold one number.

    Args:
        first: The lowest qubit; it has weight one.
        size: Number of qubits.
    """

    first: int
    size: int

    @property
    def qubits(self) -> range:
        """Return the qubits, lowest first."""
        return range(self.first, self.first + self.size)

    @property
    def mask(self) -> int:
        """Return the bit mask of the qubits."""
        return (1 << self.size) - 1 << self.first


@short_repr
@dataclass(frozen=True, slots=True)
class FourierBasis(Basis):
    """Change the basis by the centred Fourier transform of each of several registers; other qubits stay as they are.

    Args:
        num_qubits: Number of qubits.
        registers: Registers that do not overlap, the lowest first.

    Raises:
        NetworkError: There are no registers, or they overlap, are out of order or out of range.
    """

    num_qubits: int
    registers: tuple[Register, ...]

    def __post_init__(self) -> None:
        end = 0
        for register in self.registers:
            if register.first < end or register.size < 1 or register.first + register.size > self.num_qubits:
                raise NetworkError(
                    f"Fourier basis: expected registers one after the other on qubits 0 to {self.num_qubits - 1}, got "
                    f"{register.size} qubits from {register.first} on"
                )
            end = register.first + register.size
        if not self.registers:
            raise NetworkError("Fourier basis: expected at least one register")

    @property
    def name(self) -> str:
        """Return the registers as text."""
        return " ".join(["fourier", *(f"{part.first}:{part.first + part.size}" for part in self.registers)])

    @property
    def is_real(self) -> bool:
        """Return False."""
        return False

    def rotate(self, states: NDArray) -> NDArray:
        """Apply V to states, shape (..., 2^N)."""
        return self._transformed(states, inverse=False)

    def rotate_back(self, states: NDArray) -> NDArray:
        """Apply V^dagger to states, shape (..., 2^N)."""
        return self._transformed(states, inverse=True)

    def _transformed(self, states: NDArray, *, inverse: bool) -> NDArray:
        shape = states.shape
        for register in self.registers:
            split = states.reshape(-1, 1 << register.size, 1 << register.first)
            phases, factor = _phases(register.size)
            if inverse:
                found = np.fft.ifft(split * phases.conj()[:, None], axis=1, norm="ortho")
                found *= (phases.conj() * np.conj(factor))[:, None]
            else:
                found = np.fft.fft(split * phases[:, None], axis=1, norm="ortho")
                found *= (phases * factor)[:, None]
            states = found.reshape(shape)
        return states

    def append_to(self, circuit: QuantumCircuit) -> None:
        """Append the gates of V; a measurement in Z then measures momenta."""
        for register in self.registers:
            _append_centred(circuit, register)

    def append_inverse_to(self, circuit: QuantumCircuit) -> None:
        """Append the gates of V^dagger."""
        forward = QuantumCircuit(self.num_qubits)
        self.append_to(forward)
        circuit.compose(forward.inverse(), inplace=True)

    def string(self, mask: int) -> PauliString:
        """Return the letter P on the qubits of registers and Z on others."""
        moved = sum(register.mask for register in self.registers)
        qubits = (qubit for qubit in range(self.num_qubits) if mask >> qubit & 1)
        return PauliString(tuple((qubit, "P" if moved >> qubit & 1 else "Z") for qubit in qubits))

    def operator(self, masks: Sequence[int], coefficients: Sequence[float]) -> SparsePauliOp:
        """Return the sum of terms, by a dense matrix on the registers that each term acts on.

        The sum has up to 4^n Pauli strings for every product of n qubits of registers.
        """
        found: dict[tuple[Register, ...], list[tuple[int, float]]] = {}
        for mask, coefficient in zip(masks, coefficients, strict=True):
            touched = tuple(register for register in self.registers if mask & register.mask)
            found.setdefault(touched, []).append((mask, coefficient))
        empty = SparsePauliOp.from_list([("I" * self.num_qubits, 0.0)])
        return hermitian(sum((self._part(*item) for item in found.items()), empty))

    def _part(self, registers: tuple[Register, ...], terms: Sequence[tuple[int, float]]) -> SparsePauliOp:
        """Return terms that act on the same registers, and on the Z of any other qubits."""
        qubits = [qubit for register in registers for qubit in register.qubits]
        within: dict[int, NDArray[np.float64]] = {}
        for mask, coefficient in terms:
            own = sum((mask >> qubit & 1) << position for position, qubit in enumerate(qubits))
            outside = mask & ~sum(register.mask for register in registers)
            within.setdefault(outside, np.zeros(1 << len(qubits)))[own] += coefficient
        matrices = np.ones((1, 1), dtype=complex)
        for register in registers:
            matrices = np.kron(_matrix(register.size), matrices)
        total = []
        for outside, by_mask in within.items():
            others = [qubit for qubit in range(self.num_qubits) if outside >> qubit & 1]
            diagonal = walsh_hadamard(by_mask)
            dense = matrices.conj().T @ (diagonal[:, None] * matrices)
            total.append(_expanded(dense, qubits, others, self.num_qubits))
        return SparsePauliOp.sum(total)


def _expanded(dense: NDArray, qubits: Sequence[int], others: Sequence[int], num_qubits: int) -> SparsePauliOp:
    """Return a matrix on some qubits, times Z on others, as Pauli strings of all qubits."""
    pairs = hermitian(Operator(dense)).to_sparse_list() if qubits else [("", [], complex(dense[0, 0]))]
    moved = [
        (letters + "Z" * len(others), [*(qubits[position] for position in positions), *others], value.real)
        for letters, positions, value in pairs
    ]
    return SparsePauliOp.from_sparse_list(moved, num_qubits=num_qubits)


@lru_cache(maxsize=32)
def _phases(size: int) -> tuple[NDArray[np.complex128], complex]:
    """Return exp(2 pi i c j / M) with c = (M - 1)/2, and the common factor exp(-2 pi i c^2 / M)."""
    length, centre = 1 << size, ((1 << size) - 1) / 2
    phases = np.exp(2j * np.pi * centre * np.arange(length) / length)
    return phases, complex(np.exp(-2j * np.pi * centre**2 / length))


@lru_cache(maxsize=32)
def _matrix(size: int) -> NDArray[np.complex128]:
    """Return the transform of one register as a matrix."""
    basis = FourierBasis(size, (Register(0, size),))
    return basis.rotate(np.eye(1 << size)).T


def _append_centred(circuit: QuantumCircuit, register: Register) -> None:
    """Append diagonal phases, the inverse of the textbook transform, and diagonal phases."""
    length = 1 << register.size
    centre = (length - 1) / 2
    turns = [(2.0 * np.pi * centre * 2**position / length, qubit) for position, qubit in enumerate(register.qubits)]
    for angle, qubit in turns:
        circuit.p(angle, qubit)
    _append_inverse_fourier(circuit, list(register.qubits))
    for angle, qubit in turns:
        circuit.p(angle, qubit)
    circuit.global_phase -= 2.0 * np.pi * centre**2 / length


def _append_inverse_fourier(circuit: QuantumCircuit, qubits: Sequence[int]) -> None:
    """Append exp(-2 pi i m j / M) / sqrt(M); lowest qubit first."""
    size = len(qubits)
    for high in reversed(range(size)):
        circuit.h(qubits[high])
        for low in reversed(range(high)):
            circuit.cp(-np.pi / 2 ** (high - low), qubits[low], qubits[high])
    for position in range(size // 2):
        circuit.swap(qubits[position], qubits[size - 1 - position])
