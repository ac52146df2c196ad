"""Define changes of basis and commuting groups of Pauli strings: the one idea the package is built on.

A Hamiltonian is a sum of groups of commuting operators. Each group is diagonal in the computational basis after its own
change of basis V, and consists of *terms*: term a of a group is the Pauli string

    P_a = V^dagger ( prod_{k in mask_a} Z_k ) V ,

up to a sign: where V maps a Pauli string to minus a product of Z, the group holds the sign, so that the term is the
string. V acts on single qubits (`LocalBasis`), or it is a Clifford circuit (`CliffordBasis`) or a Fourier transform
(`FourierBasis`).

All other packages ask a group for its change of basis, the bit masks of its terms and their diagonals, and never for
the network it came from. Qubit 0 is the rightmost character of a Pauli label, as everywhere in Qiskit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.transforms import Block, kron_blocks, transform_rows, walsh_hadamard

_EXACT_RANGE_UP_TO_QUBITS = 12
_HADAMARD = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2.0)
_Y_TO_Z = _HADAMARD @ np.diag([1.0, -1.0j])


class Basis(ABC):
    """Change the basis by a unitary V. Two bases that do the same are equal, hash alike and have the same `repr`."""

    __slots__ = ()

    if TYPE_CHECKING:  # a field would take a property of a base class for its default

        @property
        def num_qubits(self) -> int:
            """Return the number of qubits."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Return what V does, the same text in every process: for keys and digests."""

    @property
    @abstractmethod
    def is_real(self) -> bool:
        """Return whether V and all terms are real matrices."""

    @property
    def is_local(self) -> bool:
        """Return whether V acts on single qubits only; such a basis is a `LocalBasis`."""
        return False

    @abstractmethod
    def rotate(self, states: NDArray) -> NDArray:
        """Apply V to states, shape (..., 2^N)."""

    @abstractmethod
    def rotate_back(self, states: NDArray) -> NDArray:
        """Apply V^dagger to states, shape (..., 2^N)."""

    @abstractmethod
    def append_to(self, circuit: QuantumCircuit) -> None:
        """Append the gates of V; a measurement in Z then measures this basis."""

    @abstractmethod
    def append_inverse_to(self, circuit: QuantumCircuit) -> None:
        """Append the gates of V^dagger."""

    @abstractmethod
    def string(self, mask: int) -> PauliString:
        """Return the Pauli string that V maps to the product of Z on a mask, up to its sign."""

    def sign(self, mask: int) -> int:
        """Return s = +-1 with V^dagger (prod_{k in mask} Z_k) V = s P, P the Pauli string of the mask."""
        return 1

    def mask_of(self, string: PauliString) -> int | None:
        """Return the mask that V maps a Pauli string to, or None where the string is not diagonal in this basis."""
        return string.mask if string == self.string(string.mask) else None

    def operator(self, masks: Sequence[int], coefficients: Sequence[float]) -> SparsePauliOp:
        """Return the sum of terms with coefficients, in the computational basis.

        Args:
            masks: Bit masks of the terms in the rotated basis, bit k = qubit k.
            coefficients: One for each mask.
        """
        return sparse_pauli_op(zip(map(self.string, masks), coefficients, strict=True), self.num_qubits)


@dataclass(frozen=True, slots=True)
class LocalBasis(Basis):
    """Change the basis by one single-qubit rotation per qubit.

    Args:
        letters: One of Z, X, Y per qubit, qubit 0 first: the Pauli that V maps to Z on that qubit.

    Example:
        >>> group = qep.CommutingGroup(name="X", basis=qep.LocalBasis("XX"), masks=(0b01, 0b10))
        >>> [str(string) for string in group.terms]
        ['X0', 'X1']
    """

    letters: str

    @property
    def num_qubits(self) -> int:
        """Return the number of qubits."""
        return len(self.letters)

    @property
    def name(self) -> str:
        """Return the letters."""
        return self.letters

    @property
    def is_local(self) -> bool:
        """Return True."""
        return True

    @property
    def is_real(self) -> bool:
        """Return whether V and all its Paulis are real matrices (no Y)."""
        return "Y" not in self.letters

    def matrices(self, *, inverse: bool = False) -> list[NDArray | None]:
        """Return the single-qubit matrices of V (or its inverse), None for the identity."""
        forward: dict[str, NDArray | None] = {"Z": None, "X": _HADAMARD, "Y": _Y_TO_Z}
        matrices = [forward[letter] for letter in self.letters]
        if inverse:
            return [None if matrix is None else matrix.conj().T for matrix in matrices]
        return matrices

    def rotate(self, states: NDArray) -> NDArray:
        """Apply V to states, shape (..., 2^N)."""
        return transform_rows(states, _blocks_of(self, inverse=False))

    def rotate_back(self, states: NDArray) -> NDArray:
        """Apply V^dagger to states, shape (..., 2^N)."""
        return transform_rows(states, _blocks_of(self, inverse=True))

    def append_to(self, circuit: QuantumCircuit) -> None:
        """Append the gates of V; a measurement in Z then measures this basis."""
        for qubit, letter in enumerate(self.letters):
            if letter == "Y":
                circuit.sdg(qubit)
            if letter in "XY":
                circuit.h(qubit)

    def append_inverse_to(self, circuit: QuantumCircuit) -> None:
        """Append the gates of V^dagger."""
        for qubit, letter in enumerate(self.letters):
            if letter in "XY":
                circuit.h(qubit)
            if letter == "Y":
                circuit.s(qubit)

    def string(self, mask: int) -> PauliString:
        """Return V^dagger (prod_{k in mask} Z_k) V as a Pauli string."""
        return PauliString(tuple((k, self.letters[k]) for k in range(self.num_qubits) if mask >> k & 1))

    def mask_of(self, string: PauliString) -> int | None:
        """Return the qubits of a Pauli string, or None where it is not diagonal in this basis."""
        is_diagonal = all(self.letters[qubit] == letter for qubit, letter in string.factors)
        return string.mask if is_diagonal else None


@lru_cache(maxsize=256)
def _blocks_of(basis: LocalBasis, *, inverse: bool) -> tuple[Block, ...]:
    """Return V in blocks of a few qubits; cached, because a solver asks for them thousands of times."""
    return tuple(kron_blocks(basis.matrices(inverse=inverse)))


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class CommutingGroup:
    """Hold commuting Paulis that one change of basis makes diagonal and one shot batch measures.

    Args:
        name: Short name for circuits, metrics and error messages, such as ``"Z"``.
        basis: The change of basis V.
        masks: Bit mask of every term in the rotated basis, bit k = qubit k; distinct and non-zero.
        bounded: Whether the spectra are those of the operators meant. Positions are unbounded but for their grid.

    Example:
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("ZZ"), masks=(0b01, 0b11))
        >>> [str(string) for string in group.terms]
        ['Z0', 'Z0 Z1']
    """

    name: str
    basis: Basis
    masks: tuple[int, ...]
    bounded: bool = True

    def __post_init__(self) -> None:
        limit = 1 << self.num_qubits
        if len(set(self.masks)) != len(self.masks) or not all(0 < mask < limit for mask in self.masks):
            raise NetworkError(f"group {self.name}: generators must be distinct, not the identity, and fit")

    @property
    def num_qubits(self) -> int:
        """Return the number of qubits."""
        return self.basis.num_qubits

    @property
    def num_terms(self) -> int:
        """Return the number of terms."""
        return len(self.masks)

    @property
    def terms(self) -> tuple[PauliString, ...]:
        """Return the terms as Pauli strings."""
        return _terms_of(self)

    @property
    def signs(self) -> NDArray[np.float64] | None:
        """Return the signs, shape (terms,): term a is sign_a V^dagger Z_mask V; None where all signs are +1."""
        return None if self.basis.is_local else _signs_of(self)

    def operator(self, coefficients: Sequence[float] | NDArray) -> SparsePauliOp:
        """Return ``sum_a c_a P_a`` in the computational basis, of coefficients of shape (terms,)."""
        return self.basis.operator(self.masks, np.asarray(coefficients, dtype=float).tolist())

    def in_frame(self, coefficients: NDArray) -> NDArray:
        """Return coefficients of the products of Z that V maps the terms to, shape (..., terms)."""
        signs = self.signs
        return coefficients if signs is None else coefficients * signs

    @property
    def is_classical(self) -> bool:
        """Return whether its outcomes are those of the spins Z themselves."""
        return isinstance(self.basis, LocalBasis) and set(self.basis.letters) == {"Z"}

    @property
    def sites(self) -> tuple[tuple[int, ...], ...]:
        """Return the qubits whose outcomes give each term."""
        every = range(self.num_qubits)
        return tuple(tuple(qubit for qubit in every if mask >> qubit & 1) for mask in self.masks)

    def picked(self, name: str, terms: Sequence[int]) -> CommutingGroup:
        """Return some of the terms as a group of its own."""
        chosen = tuple(self.masks[term] for term in terms)
        return replace(self, name=f"{self.name} {name}", masks=chosen)

    def ranges(self, coefficients: NDArray) -> NDArray[np.float64]:
        """Return largest minus smallest eigenvalue of operators, coefficients of shape (operators, terms).

        For large groups it is an upper bound; NaN where the group is not bounded.
        """
        if not self.bounded:
            return np.where(coefficients.any(axis=1), np.nan, 0.0)
        used = np.flatnonzero(coefficients.any(axis=0))
        if all(self.masks[term].bit_count() == 1 for term in used) or self.num_qubits > _EXACT_RANGE_UP_TO_QUBITS:
            return 2.0 * np.abs(coefficients).sum(axis=1)
        return np.ptp(self.diagonal(coefficients), axis=1)

    def diagonal(self, coefficients: NDArray) -> NDArray:
        """Return the diagonals of ``sum_a c_a D_a`` in the rotated basis.

        Args:
            coefficients: Shape (..., terms).

        Returns:
            Shape (..., 2^N), entry x is the eigenvalue at the bit string x (bit k = qubit k).
        """
        spread = np.zeros((*coefficients.shape[:-1], 1 << self.num_qubits))
        spread[..., list(self.masks)] = self.in_frame(coefficients)
        return walsh_hadamard(spread)

    def expectations(self, states: NDArray) -> NDArray:
        """Return exact means of all terms.

        Args:
            states: Shape (..., 2^N), normalised.

        Returns:
            Shape (..., terms).
        """
        rotated = self.basis.rotate(states)
        return self.means_of((rotated * rotated.conj()).real)

    def means_of(self, probabilities: NDArray) -> NDArray:
        """Return means of all terms, shape (..., terms), from probabilities in the rotated basis, (..., 2^N)."""
        return self.in_frame(walsh_hadamard(probabilities)[..., list(self.masks)])


@lru_cache(maxsize=256)
def _terms_of(group: CommutingGroup) -> tuple[PauliString, ...]:
    return tuple(group.basis.string(mask) for mask in group.masks)


@lru_cache(maxsize=256)
def _signs_of(group: CommutingGroup) -> NDArray[np.float64] | None:
    signs = [group.basis.sign(mask) for mask in group.masks]
    return np.array(signs, dtype=float) if -1 in signs else None


def paulis_of(groups: Sequence[object]) -> tuple[CommutingGroup, ...]:
    """Return groups that are groups of qubits, or raise.

    Raises:
        NetworkError: They are not.
    """
    found = tuple(group for group in groups if isinstance(group, CommutingGroup))
    if len(found) < len(groups):
        raise NetworkError("expected groups of commuting Paulis, got functions of positions, which no circuit reads")
    return found
