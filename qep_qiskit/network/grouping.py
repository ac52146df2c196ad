"""Commuting groups of any set of Pauli words, found automatically."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from qiskit.quantum_info import PauliList

from qep_qiskit.operators import CommutingGroup, LocalBasis, PauliWord, merge_into_groups

__all__ = ["commuting_groups"]


def commuting_groups(words: Iterable[PauliWord], num_qubits: int) -> tuple[CommutingGroup, ...]:
    """Partition words into few qubit-wise commuting groups.

    Two ways are tried, and the one with fewer groups is taken: placing the longest words first, each into the first
    group that it fits, and Qiskit's colouring of the graph of clashes. Both give the same groups for the same words,
    whatever their order. A qubit that no word of a group acts on is measured in Z.

    Args:
        words: The words; the identity and repeated ones are skipped.
        num_qubits: Number of qubits.

    Returns:
        The groups, named by their letters (qubit 0 first), or by one letter where all are the same.
    """
    distinct = sorted({word for word in words if word.factors}, key=lambda word: (-len(word.factors), word))
    if not distinct:
        return ()
    greedy = merge_into_groups((), distinct, num_qubits)
    coloured = _by_colouring(distinct, num_qubits)
    return tuple(map(_named, coloured if len(coloured) < len(greedy) else greedy))


def _by_colouring(words: Sequence[PauliWord], num_qubits: int) -> list[CommutingGroup]:
    labels = PauliList([word.label(num_qubits) for word in words])
    word_of = {word.label(num_qubits): word for word in words}
    found = labels.group_qubit_wise_commuting()
    return [_group_of([word_of[label] for label in part.to_labels()], num_qubits) for part in found]


def _group_of(words: Sequence[PauliWord], num_qubits: int) -> CommutingGroup:
    letter_of = {qubit: letter for word in words for qubit, letter in word.factors}
    letters = "".join(letter_of.get(qubit, "Z") for qubit in range(num_qubits))
    return CommutingGroup(name=letters, basis=LocalBasis(letters), masks=tuple(word.mask for word in words))


def _named(group: CommutingGroup) -> CommutingGroup:
    name = group.basis.name
    return replace(group, name=name[0] if len(set(name)) == 1 else name)
