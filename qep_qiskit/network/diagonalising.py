"""A Clifford circuit that makes commuting Pauli strings diagonal.

The Pauli strings are rows of bits, X part and Z part. Gaussian elimination of the X part selects rows and pivot qubits.
Gates then map these rows to X of their pivot alone, and Hadamards to Z: CX clears X on other qubits, CZ and S clear Z.
For commuting Pauli strings nothing else remains.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.clifford import CliffordBasis, Gate
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.pauli_strings import PauliString

Bits = NDArray[np.bool_]


def diagonalising_basis(terms: Sequence[PauliString], num_qubits: int) -> CliffordBasis:
    """Return a basis in which all Pauli strings are products of Z.

    Args:
        terms: Pauli strings that commute with each other.
        num_qubits: Number of qubits.

    Raises:
        NetworkError: Two Pauli strings do not commute.
    """
    x, z = _bits(terms, num_qubits, "XY"), _bits(terms, num_qubits, "YZ")
    clashes = (x.astype(int) @ z.T.astype(int) + z.astype(int) @ x.T.astype(int)) % 2
    if clashes.any():
        one, other = np.argwhere(clashes)[0]
        raise NetworkError(f"words '{terms[one]}' and '{terms[other]}' do not commute: no basis makes both diagonal")
    rows_x, rows_z, pivots = _reduced(x, z)
    gates: list[Gate] = []
    _clear_x(rows_x, rows_z, pivots, gates)
    _clear_z(rows_z, pivots, gates)
    gates += [("h", (pivot,)) for pivot in pivots]
    return CliffordBasis(num_qubits, tuple(gates))


def _bits(terms: Sequence[PauliString], num_qubits: int, letters: str) -> Bits:
    bits = np.zeros((len(terms), num_qubits), dtype=bool)
    for row, string in enumerate(terms):
        for qubit, letter in string.factors:
            bits[row, qubit] = letter in letters
    return bits


def _reduced(x: Bits, z: Bits) -> tuple[Bits, Bits, list[int]]:
    """Return products of Pauli strings with independent X parts, each with a pivot of its own, and the pivots."""
    x, z = x.copy(), z.copy()
    pivots: list[int] = []
    for qubit in range(x.shape[1]):
        done = len(pivots)
        below = np.flatnonzero(x[done:, qubit])
        if below.size == 0:
            continue
        for part in (x, z):
            part[[done, done + below[0]]] = part[[done + below[0], done]]
        others = np.flatnonzero(x[:, qubit])
        others = others[others != done]
        x[others] ^= x[done]
        z[others] ^= z[done]
        pivots.append(qubit)
    return x[: len(pivots)], z[: len(pivots)], pivots


def _clear_x(x: Bits, z: Bits, pivots: Sequence[int], gates: list[Gate]) -> None:
    """Append CX from every pivot to the other qubits on which its row has an X."""
    for row, pivot in enumerate(pivots):
        for qubit in np.flatnonzero(x[row]).tolist():
            if qubit != pivot:
                gates.append(("cx", (pivot, qubit)))
                x[:, qubit] ^= x[:, pivot]
                z[:, pivot] ^= z[:, qubit]


def _clear_z(z: Bits, pivots: Sequence[int], gates: list[Gate]) -> None:
    """Append CZ and S that map the rows to X of their pivot; among pivots Z is symmetric, since the rows commute."""
    row_of = {pivot: row for row, pivot in enumerate(pivots)}
    for row, pivot in enumerate(pivots):
        for qubit in np.flatnonzero(z[row]).tolist():
            if qubit == pivot:
                gates.append(("sdg", (pivot,)))
            elif row_of.get(qubit, len(pivots)) > row:
                gates.append(("cz", (pivot, qubit)))
