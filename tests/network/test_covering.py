"""Few bases that together read every word."""

from itertools import combinations, product

import pytest

from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network import commuting_groups, covering_groups


def words_of(*texts):
    return [PauliString.parse(text) for text in texts]


def two_body(pairs):
    return [PauliString(((a, one), (b, other))) for a, b in pairs for one, other in product("XYZ", repeat=2)]


def sensor():
    """The 51 words of the phase sensor: sensor spins 8 and 9, spins 0 and 1 of the ring."""
    singles = [PauliString.of(letter, spin) for letter in "XYZ" for spin in (8, 9)]
    return [*singles, *two_body([(0, 8), (0, 9), (1, 8), (1, 9), (8, 9)])]


def test_nine_bases_read_the_phase_sensor():
    """The rows of an orthogonal array: each two-body word once, each letter of a sensor spin three times."""
    words = sensor()
    assert len(words) == 51
    groups = covering_groups(words, 10)
    assert len(groups) == 9
    read = [word for group in groups for word in group.terms]
    assert {word: read.count(word) for word in words} == {word: 3 if len(word.factors) == 1 else 1 for word in words}
    assert len(read) == 63
    assert len(commuting_groups(words, 10)) >= 10


@pytest.mark.parametrize(("num_qubits", "fewest"), [(2, 9), (3, 9), (4, 9)])
def test_all_two_body_words_of_up_to_four_spins_need_nine(num_qubits, fewest):
    assert len(covering_groups(two_body(combinations(range(num_qubits), 2)), num_qubits)) == fewest


@pytest.mark.deep
def test_every_word_is_read_wherever_it_can_be(rng):
    for _ in range(10):
        texts = [
            " ".join(f"{rng.choice(list('XYZ'))}{k}" for k in rng.permutation(4)[: rng.integers(1, 4)])
            for _ in range(15)
        ]
        words = set(words_of(*texts))
        groups = covering_groups([*words, PauliString(())], 4)
        assert {word for group in groups for word in group.terms} == words
        assert len(groups) <= len(commuting_groups(words, 4))
        for group in groups:
            assert set(group.terms) == {word for word in words if group.basis.mask_of(word) is not None}


def test_the_same_words_give_the_same_bases(rng):
    words = sensor()
    shuffled = [words[place] for place in rng.permutation(len(words))]
    assert covering_groups(shuffled, 10) == covering_groups(words, 10)


@pytest.mark.parametrize("words", [[], [PauliString(())]])
def test_nothing_needs_no_basis(words):
    assert covering_groups(words, 3) == ()
