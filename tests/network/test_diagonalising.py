"""Clifford circuits for commuting words, and the groups that they make possible."""

from itertools import combinations

import numpy as np
import pytest
from cases import NO_INPUTS, exact_contrast
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from reference import pauli_matrix, sum_of_paulis
from scipy.linalg import expm

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.operators import LocalBasis
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.evolution import evolve
from qep_qiskit.learning import Contrast
from qep_qiskit.network import Interaction, PauliNetwork, commuting_groups
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.diagonalising import diagonalising_basis
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import AdiabaticPreparation
from qep_qiskit.preparation.spectra import dense_hamiltonians


def words_of(*texts):
    return [PauliString.parse(text) for text in texts]


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
