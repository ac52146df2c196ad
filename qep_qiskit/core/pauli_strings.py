"""Pauli strings and sums of them. Qubit 0 is the rightmost character of a label, as everywhere in Qiskit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.core.checks import whole_number
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.short_repr import short_repr


@short_repr
@dataclass(frozen=True, slots=True, order=True)
class PauliString:
    """Name a product of Paulis on qubits, such as ``X0 X4``.

    Args:
        factors: (qubit, letter) pairs, sorted by qubit; letters X, Y or Z. Empty is the identity. Terms after a Fourier
            transform have the letter P, the Z that is measured after it; their operators are sums of many Pauli
            strings.

    Example:
        >>> string = qep.PauliString.parse("Z0 X2")
        >>> str(string), string.max_qubit
        ('Z0 X2', 2)
    """

    factors: tuple[tuple[int, str], ...]

    @classmethod
    def parse(cls, text: str) -> PauliString:
        """Parse a Pauli string such as ``"Z0 Z3"``; ``"I"`` is the identity.

        Raises:
            NetworkError: A factor is not X, Y or Z with a qubit index, or a qubit comes twice.
        """
        factors = []
        for part in text.split():
            if part.upper() == "I":
                continue
            letter, index = part[0].upper(), part[1:]
            if letter not in "XYZ" or not index.isdecimal():
                raise NetworkError(
                    f"Pauli string '{text}': expected factors like X0 or Z12 separated by spaces, got '{part}'"
                )
            factors.append((int(index), letter))
        if len({qubit for qubit, _ in factors}) != len(factors):
            raise NetworkError(f"Pauli string '{text}': a qubit appears twice; write each qubit once")
        return cls(tuple(sorted(factors)))

    @classmethod
    def of(cls, letter: str, *qubits: int) -> PauliString:
        """Return the string with the same letter on every given qubit.

        Args:
            letter: X, Y, Z or P.
            *qubits: Qubit indices.

        Raises:
            NetworkError: A qubit is no whole number from zero on.
        """
        for qubit in qubits:
            whole_number(f"qubit of {letter}", qubit, 0, error=NetworkError)
        return cls(tuple(sorted((qubit, letter) for qubit in qubits)))

    @property
    def mask(self) -> int:
        """Return the bit mask of the qubits acted on."""
        return sum(1 << qubit for qubit, _ in self.factors)

    @property
    def max_qubit(self) -> int:
        """Return the highest qubit acted on, -1 for the identity."""
        return max((qubit for qubit, _ in self.factors), default=-1)

    @property
    def is_identity(self) -> bool:
        """Return whether it is the identity, a constant."""
        return not self.factors

    @property
    def is_odd(self) -> bool:
        """Return whether the flip of all spins (prod X) changes its sign."""
        return sum(letter != "X" for _, letter in self.factors) % 2 == 1

    def commutes_with(self, other: PauliString) -> bool:
        """Return whether two strings commute: they differ on an even number of qubits that both act on."""
        own = dict(self.factors)
        return sum(own.get(qubit, letter) != letter for qubit, letter in other.factors) % 2 == 0

    def label(self, num_qubits: int) -> str:
        """Return the Qiskit label, qubit 0 rightmost.

        Raises:
            NetworkError: A letter is P.
        """
        if any(letter == "P" for _, letter in self.factors):
            raise NetworkError(f"'{self}' is read after a Fourier transform: it is no Pauli string")
        letters = ["I"] * num_qubits
        for qubit, letter in self.factors:
            letters[num_qubits - 1 - qubit] = letter
        return "".join(letters)

    def __str__(self) -> str:
        return " ".join(f"{letter}{qubit}" for qubit, letter in self.factors) or "I"


def sparse_pauli_op(terms: Iterable[tuple[PauliString, float]], num_qubits: int) -> SparsePauliOp:
    """Return the operator of (Pauli string, coefficient) pairs; an empty sum is zero times the identity."""
    pairs = [(string.label(num_qubits), coefficient) for string, coefficient in terms]
    return SparsePauliOp.from_list(pairs or [("I" * num_qubits, 0.0)])
