"""H(w, x) + beta C(y): coefficients against operators."""

import numpy as np
import pytest
from cases import NO_INPUTS, SMALL_GRAPHS, random_network
from qiskit.quantum_info import SparsePauliOp
from reference import pauli_matrix, sum_of_paulis

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.network import IsingNetwork, WeightInitialisation, chain, complete
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian


def matrix_of(hamiltonian, coefficients):
    return sum_of_paulis(hamiltonian.terms, coefficients, hamiltonian.num_qubits)


@pytest.mark.parametrize("name", SMALL_GRAPHS)
def test_coefficients_are_the_nudged_operator(name, rng):
    network, weights = random_network(SMALL_GRAPHS[name], rng, num_inputs=2)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error(network.outputs, network.num_qubits))
    inputs, targets = rng.normal(size=(3, 2)), rng.normal(size=(3, 1))
    free = hamiltonian.free_coefficients(weights, inputs)
    nudge, constants = hamiltonian.operator_nudge(targets)
    for s in range(3):
        expected = network.hamiltonian(weights, inputs[s]) + 0.3 * hamiltonian.cost.operator(targets[s])
        found = matrix_of(hamiltonian, free[s] + 0.3 * nudge[s]) + 0.3 * constants[s] * np.eye(1 << network.num_qubits)
        assert np.allclose(found, expected.to_matrix(), rtol=0, atol=1e-10)


def test_cost_with_other_paulis_opens_groups(rng):
    network, weights = random_network(chain(4), rng)
    operator = SparsePauliOp(["YIIZ", "XXII", "IZZI", "IIYX", "IIII"], rng.normal(size=5))
    hamiltonian = NudgedHamiltonian(network, OperatorCost.from_operator(operator))
    nudge, constants = hamiltonian.operator_nudge(np.zeros((1, 0)))
    found = matrix_of(hamiltonian, nudge[0]) + constants[0] * np.eye(16)
    assert np.allclose(found, operator.to_matrix(), rtol=0, atol=1e-12)
    assert len(hamiltonian.groups) > 2
    assert hamiltonian.groups_of(hamiltonian.trained_terms) == (0, 1)
    assert set(hamiltonian.cost_groups) == set(range(len(hamiltonian.groups)))
    free = matrix_of(hamiltonian, hamiltonian.free_coefficients(weights, NO_INPUTS)[0])
    assert np.allclose(free, network.hamiltonian(weights).to_matrix(), rtol=0, atol=1e-12)


def test_every_term_has_one_place(rng):
    network, _ = random_network(complete(4), rng, num_inputs=1)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.from_operator(SparsePauliOp(["YYII", "ZIIZ"])))
    assert len(set(hamiltonian.terms)) == hamiltonian.num_terms
    for group, where in zip(hamiltonian.groups, hamiltonian.group_slices, strict=True):
        assert hamiltonian.terms[where] == group.terms


def test_signals_make_the_nudging_operator(rng):
    network, _ = random_network(chain(3), rng, outputs=(0, 2))
    observables = (SparsePauliOp(["IIZ", "XXI"], [1.0, 0.5]), SparsePauliOp(["ZIY"]))
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations(observables))
    signals = rng.normal(size=(2, 2))
    for s, nudge in enumerate(hamiltonian.signal_nudge(signals)):
        expected = sum(signals[s, o] * observables[o].to_matrix() for o in range(2))
        assert np.allclose(matrix_of(hamiltonian, nudge), expected, rtol=0, atol=1e-12)


def test_readout_of_an_operator_cost_is_z_of_the_outputs(rng):
    network, _ = random_network(chain(3), rng, outputs=(0, 2))
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error((1,), 3))
    rows = [matrix_of(hamiltonian, row) for row in hamiltonian.output_map.matrix]
    assert np.allclose(rows, [pauli_matrix(word, 3) for word in ("Z0", "Z2")])
    assert not hamiltonian.output_map.constants.any()


def test_output_that_no_term_reads_has_no_readout():
    network = IsingNetwork(graph=chain(3), outputs=(0,), biases=None)
    cost = OperatorCost.from_operator(SparsePauliOp("XXI"))
    hamiltonian = NudgedHamiltonian(network, cost)
    assert hamiltonian.output_map is None
    assert hamiltonian.groups_of(hamiltonian.measured_terms) == hamiltonian.cost_groups == (1,)


def test_jacobian_is_the_derivative_of_the_coefficients(rng):
    network, weights = random_network(complete(3), rng, num_inputs=2)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.from_operator(SparsePauliOp(["YYI", "XXI"])))
    inputs, means = rng.normal(size=(4, 2)), rng.normal(size=(4, hamiltonian.num_terms))
    pulled = hamiltonian.jacobian(weights, inputs).pull_back(means)
    for i, direction in enumerate(np.eye(len(weights))):
        change = hamiltonian.free_coefficients(weights + direction, inputs)
        change -= hamiltonian.free_coefficients(weights, inputs)
        assert np.allclose(pulled[:, i], np.einsum("st,st->s", change, means), rtol=0, atol=1e-10)


def flips(num_qubits):
    return pauli_matrix(" ".join(f"X{k}" for k in range(num_qubits)), num_qubits)


@pytest.mark.parametrize(
    ("biased", "cost", "symmetric"),
    [(False, "IIZ", True), (True, "IIZ", False), (False, "IZZ", False), (False, "IYX", True), (False, "IIX", False)],
)
def test_flip_symmetry_is_commuting_with_all_flips(biased, cost, symmetric, rng):
    network, weights = random_network(chain(3), rng, outputs=(0,))
    weights[network.layout.slice_of("b")] *= biased
    hamiltonian = NudgedHamiltonian(network, OperatorCost.from_operator(SparsePauliOp(cost)))
    found = hamiltonian.flip_symmetric(weights, NO_INPUTS)
    assert found.tolist() == [symmetric]
    matrix, flip, observable = network.hamiltonian(weights).to_matrix(), flips(3), SparsePauliOp(cost).to_matrix()
    keeps = np.allclose(flip @ matrix, matrix @ flip)
    turns = np.allclose(flip @ observable, -observable @ flip)
    assert (keeps and turns) == symmetric


def test_flip_symmetry_is_told_sample_by_sample(rng):
    network, weights = random_network(chain(3), rng, num_inputs=1, biases=None)
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_spins((2,), 3))
    assert hamiltonian.flip_symmetric(weights, np.array([[0.0], [0.5]])).tolist() == [True, False]


def test_cost_and_network_have_one_size():
    network = IsingNetwork(graph=chain(3), outputs=(2,), couplings=WeightInitialisation())
    with pytest.raises(NetworkError, match="cost acts on 2 qubits, the network has 3"):
        NudgedHamiltonian(network, OperatorCost.squared_error((1,), 2))
    with pytest.raises(NetworkError, match="cost acts on 4 qubits, the network has 3"):
        NudgedHamiltonian(network, LossOnExpectations.on_spins((1,), 4))


def test_observables_of_unequal_size_are_refused(rng):
    network, _ = random_network(chain(3), rng)
    with pytest.raises(NetworkError):
        NudgedHamiltonian(network, LossOnExpectations((SparsePauliOp("IIZ"), SparsePauliOp("ZIII"))))


def test_words_are_shared_where_cost_and_network_meet(rng):
    network, _ = random_network(chain(3), rng)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.from_operator(SparsePauliOp(["IZZ", "IIX"])))
    assert hamiltonian.num_terms == len(network.terms)
    assert PauliString.parse("Z0 Z1") in hamiltonian.terms
