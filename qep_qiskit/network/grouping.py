"""Partition of any set of Pauli strings into commuting groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from qiskit.quantum_info import PauliList

from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network.diagonalising import diagonalising_basis


def commuting_groups(
    terms: Iterable[PauliString], num_qubits: int, *, entangling: bool = False
) -> tuple[CommutingGroup, ...]:
    """Partition Pauli strings into few commuting groups: qubit-wise, or by changes of basis with two-qubit gates.

    Two methods are compared, and the partition with fewer groups is returned: first-fit with the longest Pauli strings
    first, and Qiskit's colouring of the graph of non-commuting pairs. Both give the same groups for the same Pauli
    strings, whatever their order. A qubit that no Pauli string of a group acts on is measured in Z.

    Args:
        terms: The Pauli strings; the identity and repeated ones are skipped.
        num_qubits: Number of qubits.
        entangling: Whether Pauli strings that commute, but not qubit by qubit, may share a group where that reduces the
            number of groups. A Clifford circuit then precedes the measurement, and precedes and follows every layer of
            the group.

    Returns:
        The groups, named by their letters (qubit 0 first), or by one letter where all are the same; those with a
        Clifford circuit by their number, as ``C0``.

    Example:
        >>> strings = [qep.PauliString.parse(text) for text in ("Z0", "Z0 Z1", "X1")]
        >>> [[str(string) for string in group.terms] for group in qep.commuting_groups(strings, 2)]
        [['Z0 Z1', 'Z0'], ['X1']]
    """
    distinct = sorted({string for string in terms if string.factors}, key=lambda string: (-len(string.factors), string))
    if not distinct:
        return ()
    greedy = merge_into_groups((), distinct, num_qubits)
    parts = _partition(distinct, num_qubits, PauliList.group_qubit_wise_commuting)
    coloured = [_group_of(part, num_qubits) for part in parts]
    qubit_wise = tuple(map(_named, coloured if len(coloured) < len(greedy) else greedy))
    if not entangling:
        return qubit_wise
    parts = min(_commuting(distinct), _partition(distinct, num_qubits, PauliList.group_commuting), key=len)
    if len(parts) >= len(qubit_wise):
        return qubit_wise
    return tuple(_of_commuting(number, part, num_qubits) for number, part in enumerate(parts))


def _commuting(terms: Sequence[PauliString]) -> list[list[PauliString]]:
    """Put each Pauli string into the first part that it commutes with."""
    parts: list[list[PauliString]] = []
    for string in terms:
        home = next((part for part in parts if all(map(string.commutes_with, part))), None)
        if home is None:
            parts.append([string])
        else:
            home.append(string)
    return parts


def _partition(
    terms: Sequence[PauliString], num_qubits: int, grouped: Callable[[PauliList], list[PauliList]]
) -> list[list[PauliString]]:
    """Return the parts in which a method of Qiskit's divides Pauli strings."""
    string_of = {string.label(num_qubits): string for string in terms}
    return [[string_of[label] for label in part.to_labels()] for part in grouped(PauliList(list(string_of)))]


def _of_commuting(number: int, terms: Sequence[PauliString], num_qubits: int) -> CommutingGroup:
    """Return a qubit-wise commuting group where possible, else one with a Clifford circuit."""
    letters = merge_into_groups((), terms, num_qubits)
    if len(letters) == 1:
        return _named(letters[0])
    basis = diagonalising_basis(terms, num_qubits)
    masks = (basis.mask_of(string) for string in terms)
    return CommutingGroup(name=f"C{number}", basis=basis, masks=tuple(mask for mask in masks if mask is not None))


def _group_of(terms: Sequence[PauliString], num_qubits: int) -> CommutingGroup:
    letter_of = {qubit: letter for string in terms for qubit, letter in string.factors}
    letters = "".join(letter_of.get(qubit, "Z") for qubit in range(num_qubits))
    return CommutingGroup(name=letters, basis=LocalBasis(letters), masks=tuple(string.mask for string in terms))


def _named(group: CommutingGroup) -> CommutingGroup:
    name = group.basis.name
    return replace(group, name=name[0] if len(set(name)) == 1 else name)
