"""Commuting groups: of any words, by Clifford circuits, and few bases that together read every word."""

from itertools import combinations, product

import numpy as np
import pytest
from cases import NO_INPUTS, exact_contrast
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from reference import pauli_matrix, sum_of_paulis
from scipy.linalg import expm

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.operators import LocalBasis
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.evolution import evolve
from qep_qiskit.learning import Contrast
from qep_qiskit.network import Interaction, PauliNetwork, commuting_groups, covering_groups
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.diagonalising import diagonalising_basis
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import AdiabaticPreparation
from qep_qiskit.preparation.spectra import dense_hamiltonians


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


def commuting_words(rng, num_qubits, count=40):
    """Random words, each kept if it commutes with those before."""
    kept = []
    for _ in range(count):
        letters = rng.choice(list("IXYZ"), num_qubits)
        word = PauliString(tuple((q, str(letter)) for q, letter in enumerate(letters) if letter != "I"))
        if word.factors and word not in kept and all(map(word.commutes_with, kept)):
            kept.append(word)
    return kept


def heisenberg(size):
    return words_of(*(f"{letter}{k} {letter}{k + 1}" for k in range(size - 1) for letter in "XYZ"))


def test_words_know_whether_they_commute(rng):
    words = [word for _ in range(4) for word in commuting_words(rng, 3, 4)]
    for one, other in combinations(words, 2):
        a, b = pauli_matrix(one, 3), pauli_matrix(other, 3)
        assert one.commutes_with(other) == np.allclose(a @ b, b @ a)


@pytest.mark.parametrize("num_qubits", [1, 2, 3, 4, 5])
def test_commuting_words_become_products_of_z(num_qubits, rng):
    for _ in range(8):
        words = commuting_words(rng, num_qubits)
        basis = diagonalising_basis(words, num_qubits)
        circuit = QuantumCircuit(num_qubits)
        basis.append_to(circuit)
        change = Operator(circuit).data
        for word in words:
            rotated = change @ pauli_matrix(word, num_qubits) @ change.conj().T
            assert np.allclose(rotated, np.diag(np.diag(rotated)), rtol=0, atol=1e-12)
            assert basis.string(basis.mask_of(word)) == word


def test_words_that_clash_are_named():
    with pytest.raises(NetworkError, match="'X1' and 'Z0 Z1' do not commute"):
        diagonalising_basis(words_of("X1", "X0", "Z0 Z1"), 2)


def test_entangling_groups_are_a_partition_and_never_more(rng):
    for _ in range(20):
        words = sorted({word for _ in range(5) for word in commuting_words(rng, 4, 6)})
        plain, fewer = commuting_groups(words, 4), commuting_groups(words, 4, entangling=True)
        assert sorted(word for group in fewer for word in group.terms) == words
        assert len(fewer) <= len(plain)
        assert all(group.basis.mask_of(word) is not None for group in fewer for word in group.terms)
        assert len({group.name for group in fewer}) == len(fewer)


def test_heisenberg_chain_has_two_groups_of_bonds():
    """XX, YY and ZZ of a bond commute: every other bond in one Bell basis, where letters need three groups."""
    assert len(commuting_groups(heisenberg(6), 6)) == 3
    groups = commuting_groups(heisenberg(6), 6, entangling=True)
    assert [group.num_terms for group in groups] == [9, 6]
    assert all(sum(len(qubits) == 2 for _, qubits in group.basis.gates) <= 4 for group in groups)


def test_groups_of_letters_stay_where_circuits_save_nothing():
    words = words_of("Z0 Z1", "Z1 Z2", "X0", "X1", "X2")
    groups = commuting_groups(words, 3, entangling=True)
    assert groups == commuting_groups(words, 3)
    assert all(isinstance(group.basis, LocalBasis) for group in groups)


def networks():
    """One Hamiltonian in groups of letters and in groups with circuits: tied weights, a fixed part."""

    def operator(words, factor):
        return sparse_pauli_op([(word, factor) for word in words], 4)

    bonds = heisenberg(4)
    parts = [Interaction(operator=operator(bonds[3 * b : 3 * b + 3], 1.0), weight=f"J{b}") for b in range(3)]
    parts.append(Interaction(operator=operator(bonds[2::3], 0.7), weight="D"))
    parts.append(Interaction(operator=operator(words_of("X0 X1 X2 X3"), 0.4)))
    return [PauliNetwork(interactions=tuple(parts), entangling=way) for way in (False, True)]


WEIGHTS = np.array([0.8, -0.5, 1.1, 0.3])


def test_the_hamiltonian_is_the_same_in_groups_of_either_kind():
    plain, fewer = networks()
    assert len(fewer.groups) <= len(plain.groups)
    assert any(not group.basis.is_local for group in fewer.groups)
    expected = plain.hamiltonian(WEIGHTS).to_matrix()
    assert np.allclose(fewer.hamiltonian(WEIGHTS).to_matrix(), expected, rtol=0, atol=1e-12)
    for network in (plain, fewer):
        coefficients = network.coefficients(WEIGHTS, NO_INPUTS)
        assert np.allclose(dense_hamiltonians(network.groups, coefficients)[0], expected, rtol=0, atol=1e-12)
        assert np.allclose(sum_of_paulis(network.terms, coefficients[0], 4), expected, rtol=0, atol=1e-12)


def test_exact_contrasts_are_the_same_in_groups_of_either_kind():
    cost = LossOnExpectations((sparse_pauli_op([(word, 1.0) for word in words_of("Z0 Z3", "X0 X2")], 4),))
    found = [
        exact_contrast(NudgedHamiltonian(network, cost), WEIGHTS, Contrast(beta=0.1), NO_INPUTS, np.array([[0.3]]))
        for network in networks()
    ]
    assert found[1].gradient == pytest.approx(found[0].gradient, abs=1e-10)


def test_a_ramp_in_layers_with_circuits_is_the_product_of_its_steps():
    _, network = networks()
    coefficients = network.coefficients(WEIGHTS, NO_INPUTS)
    program = AdiabaticPreparation(total_time=3.0, steps=5).program(network.groups)
    state = np.full(16, 0.25, dtype=complex)
    for layer in program.layers:
        operator = program.groups[layer.group].operator(layer.angles(coefficients)[0])
        state = expm(-1j * operator.to_matrix()) @ state
    assert evolve(program, coefficients)[0] == pytest.approx(state, abs=1e-10)
