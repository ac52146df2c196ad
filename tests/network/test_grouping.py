"""Commuting groups of any words."""

from itertools import combinations, product

import pytest

from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network import commuting_groups


def words_of(*texts):
    return [PauliString.parse(text) for text in texts]


def random_words(rng, num_qubits, count):
    texts = [
        " ".join(f"{rng.choice(list('XYZ'))}{k}" for k in rng.permutation(num_qubits)[: rng.integers(1, 4)])
        for _ in range(count)
    ]
    return words_of(*texts)


def test_groups_are_a_partition_into_commuting_words(rng):
    for _ in range(20):
        words = random_words(rng, 5, 25)
        groups = commuting_groups([*words, PauliString(())], 5)
        transpiled_program = [word for group in groups for word in group.terms]
        assert len(transpiled_program) == len(set(transpiled_program))
        assert set(transpiled_program) == set(words)
        assert all(group.basis.mask_of(word) is not None for group in groups for word in group.terms)
        assert len({group.name for group in groups}) == len(groups)


def test_groups_do_not_depend_on_the_order_of_the_words(rng):
    words = random_words(rng, 6, 40)
    expected = commuting_groups(words, 6)
    for _ in range(5):
        assert commuting_groups([words[index] for index in rng.permutation(len(words))], 6) == expected


def test_the_better_of_two_ways_is_taken(rng):
    """Neither is always better: of 40 random sets each wins some."""
    wins = {"placing": 0, "colouring": 0}
    for _ in range(40):
        words = random_words(rng, 5, 25)
        transpiled_program, found = len(merge_into_groups((), words, 5)), len(commuting_groups(words, 5))
        assert found <= transpiled_program
        wins["placing" if found == transpiled_program else "colouring"] += 1
    assert min(wins.values()) > 0


def test_all_words_of_one_letter_are_one_group():
    for letter in "XYZ":
        words = [PauliString.of(letter, *spins) for size in (1, 2) for spins in combinations(range(4), size)]
        (group,) = commuting_groups(words, 4)
        assert (group.name, group.basis.letters) == (letter, letter * 4)


def test_all_words_of_two_spins_need_nine_groups():
    words = [PauliString(tuple(enumerate(letters))) for letters in product("XYZ", repeat=2)]
    words += [PauliString.of(letter, spin) for letter in "XYZ" for spin in range(2)]
    assert len(commuting_groups(words, 2)) == 9


@pytest.mark.parametrize("words", [[], [PauliString(())]])
def test_nothing_needs_no_group(words):
    assert commuting_groups(words, 3) == ()
