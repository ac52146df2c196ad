"""Few product bases that together measure every Pauli string of a set; a Pauli string may be in several of them.

The groups of a Hamiltonian are a partition, as Trotter steps need it; a measurement needs a cover. For all two-body
Pauli strings of some spins the bases are the rows of an orthogonal array: nine for the Pauli strings of four spins,
where a greedy partition needs ten to fifteen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.pauli_strings import PauliString

_ATTEMPTS = 400
_CANDIDATES = 4
_LETTERS = "ZXY"


def covering_groups(terms: Iterable[PauliString], num_qubits: int) -> tuple[CommutingGroup, ...]:
    """Return groups that measure every Pauli string at least once, as few as a randomised search finds.

    Each group contains all given Pauli strings that its basis can measure.

    The search repeats with other random choices until the number of groups equals a lower bound: the largest number of
    Pauli strings on one set of spins, no two of which share a basis. The same Pauli strings give the same groups.

    Args:
        terms: The Pauli strings; the identity and repeated ones are skipped.
        num_qubits: Number of qubits.
    """
    distinct = sorted({string for string in terms if string.factors})
    if not distinct:
        return ()
    table = np.array([_letters(string, num_qubits) for string in distinct])
    longest = np.array([not _is_part_of_another(row, table) for row in table])
    fewest = _excluding(distinct)
    best: list[NDArray[np.int64]] = []
    generator = np.random.default_rng(len(distinct))
    for _ in range(_ATTEMPTS):
        found = _attempt(table[longest], generator)
        best = found if not best or len(found) < len(best) else best
        if len(best) <= fewest:
            break
    return tuple(_group(row, distinct, table) for row in sorted(best, key=lambda row: row.tolist()))


def _letters(string: PauliString, num_qubits: int) -> list[int]:
    """Return 1, 2, 3 for Z, X, Y on every qubit, and 0 for none."""
    letter_of = dict(string.factors)
    return [_LETTERS.index(letter_of[qubit]) + 1 if qubit in letter_of else 0 for qubit in range(num_qubits)]


def _is_part_of_another(row: NDArray, table: NDArray) -> bool:
    contained = ((row == 0) | (table == row)).all(axis=1)
    return int(contained.sum()) > 1


def _excluding(terms: Sequence[PauliString]) -> int:
    """Return the largest number of Pauli strings on one set of spins: no basis measures two of them."""
    supports = [string.mask for string in terms]
    return max(supports.count(mask) for mask in set(supports))


def _attempt(table: NDArray, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    """Return bases one after the other, each the best of a few for the Pauli strings not yet measured."""
    remaining, found = table, []
    while len(remaining):
        candidates = [_grown(remaining, generator) for _ in range(_CANDIDATES)]
        basis = max(candidates, key=lambda basis: int(_read_by(basis, remaining).sum()))
        found.append(basis)
        remaining = remaining[~_read_by(basis, remaining)]
    return found


def _grown(remaining: NDArray, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return a basis that starts from a random Pauli string and adds compatible ones in random order."""
    basis = np.zeros(remaining.shape[1], dtype=np.int64)
    for row in remaining[generator.permutation(len(remaining))]:
        if ((row == 0) | (basis == 0) | (row == basis)).all():
            basis = np.maximum(basis, row)
    return basis


def _read_by(basis: NDArray, table: NDArray) -> NDArray[np.bool_]:
    return ((table == 0) | (table == basis)).all(axis=1)


def _group(basis: NDArray, terms: Sequence[PauliString], table: NDArray) -> CommutingGroup:
    letters = "".join(_LETTERS[max(letter - 1, 0)] for letter in basis)
    known = np.array([_LETTERS.index(letter) + 1 for letter in letters])
    masks = tuple(terms[index].mask for index in np.flatnonzero(_read_by(known, table)).tolist())
    return CommutingGroup(name=letters, basis=LocalBasis(letters), masks=masks)
