"""Sort Pauli strings into groups: existing ones, and new ones that single-qubit rotations make diagonal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.pauli_strings import PauliString


def _widened(letters: list[str | None], string: PauliString) -> bool:
    """Claim the string's letters in a basis that may still be open on some qubits; return False if they conflict."""
    if any(letters[qubit] not in (None, letter) for qubit, letter in string.factors):
        return False
    for qubit, letter in string.factors:
        letters[qubit] = letter
    return True


def merge_into_groups(
    groups: Sequence[CommutingGroup], terms: Iterable[PauliString], num_qubits: int
) -> tuple[CommutingGroup, ...]:
    """Extend groups so that they hold the given Pauli strings; open new groups only where needed.

    A string goes to the first group whose basis it is diagonal in; the others are collected greedily into new
    qubit-wise commuting groups, the longest strings first.

    Args:
        groups: The existing groups; their order and terms are kept.
        terms: Pauli strings to sort; the identity and strings that a group holds already are skipped.
        num_qubits: Number of qubits.
    """
    masks = [list(group.masks) for group in groups]
    bases = [group.basis for group in groups]
    homeless: list[PauliString] = []
    for string in terms:
        if not string.factors:
            continue
        found_in = ((i, basis.mask_of(string)) for i, basis in enumerate(bases))
        home = next(((i, mask) for i, mask in found_in if mask is not None), None)
        if home is None:
            homeless.append(string)
        elif home[1] not in masks[home[0]]:
            masks[home[0]].append(home[1])
    opened: list[tuple[list[str | None], list[int]]] = []
    for string in sorted(set(homeless), key=lambda string: (-len(string.factors), string)):
        for letters, found in opened:
            if _widened(letters, string):
                found.append(string.mask)
                break
        else:
            letters = [None] * num_qubits
            _widened(letters, string)
            opened.append((letters, [string.mask]))
    extended = [replace(group, masks=tuple(found)) for group, found in zip(groups, masks, strict=True)]
    for letters, found in opened:
        text = "".join(letter or "Z" for letter in letters)
        extended.append(CommutingGroup(name=text, basis=LocalBasis(text), masks=tuple(found)))
    return tuple(extended)
