"""The transverse-field Ising network against its formula, written out in matrices."""

import numpy as np
import pytest
from cases import GRAPHS, NO_INPUTS, SMALL_GRAPHS, random_network
from reference import ising_matrix, pauli_matrix

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.network import ClampedInputs, IsingNetwork, WeightInitialisation, chain, from_edges

LINKS = ((0, 1), (1, 0), (1, 2))


def same(operator, matrix):
    return np.allclose(operator.to_matrix(), matrix, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", SMALL_GRAPHS)
def test_hamiltonian_is_the_formula(name, rng):
    network, weights = random_network(SMALL_GRAPHS[name], rng)
    J, h, b = (weights[network.layout.slice_of(symbol)] for symbol in "Jhb")
    assert same(network.hamiltonian(weights), ising_matrix(network.graph.edges, J, h, b))


def test_clamped_inputs_are_fields(rng):
    network = IsingNetwork(graph=chain(3), outputs=(2,), inputs=ClampedInputs(count=2, links=LINKS))
    weights, x = rng.normal(size=network.layout.num_weights), rng.normal(size=2)
    J, h, b, W = (weights[network.layout.slice_of(symbol)] for symbol in "JhbW")
    driven = b.copy()
    for value, (a, k) in zip(W, LINKS, strict=True):
        driven[k] += value * x[a]
    assert same(network.hamiltonian(weights, x), ising_matrix(network.graph.edges, J, h, driven))
    assert network.layout.names[-3:] == ("W[0,1]", "W[1,0]", "W[1,2]")


def test_inputs_on_the_couplings_add_to_them(rng):
    inputs = ClampedInputs(count=2, links=LINKS)
    network = IsingNetwork(
        graph=chain(3), outputs=(2,), inputs=inputs, coupling_inputs=WeightInitialisation(distribution="normal")
    )
    weights, x = rng.normal(size=network.layout.num_weights), rng.normal(size=2)
    J, V = (weights[network.layout.slice_of(symbol)] for symbol in "JV")
    assert network.layout.names[-4:] == ("V[0,0,1]", "V[0,1,2]", "V[1,0,1]", "V[1,1,2]")
    plain = IsingNetwork(graph=chain(3), outputs=(2,), inputs=inputs)
    driven = np.concatenate([J + x @ V.reshape(2, 2), weights[len(J) : -len(V)]])
    assert same(network.hamiltonian(weights, x), plain.hamiltonian(driven, x).to_matrix())
    jacobian = network.input_jacobian(weights, x[None])
    zz = list(map(str, network.terms)).index("Z1 Z2")
    slopes = {
        int(a): value for a, t, value in zip(jacobian.weight, jacobian.term, jacobian.values[0], strict=True) if t == zz
    }
    assert slopes == {0: -V[1], 1: -V[3]}
    with pytest.raises(NetworkError, match="expected inputs and couplings"):
        IsingNetwork(graph=chain(3), outputs=(2,), coupling_inputs=WeightInitialisation())


def test_without_biases_only_driven_spins_have_a_z_term(rng):
    inputs = ClampedInputs(count=1, links=((0, 1),))
    network = IsingNetwork(graph=chain(3), outputs=(2,), inputs=inputs, biases=None)
    assert [str(word) for word in network.groups[0].terms] == ["Z0 Z1", "Z1 Z2", "Z1"]
    weights = rng.normal(size=network.layout.num_weights)
    J, h, W = (weights[network.layout.slice_of(symbol)] for symbol in "JhW")
    assert same(network.hamiltonian(weights, [0.5]), ising_matrix(network.graph.edges, J, h, [0, 0.5 * W[0], 0]))


def test_two_inputs_on_one_spin_add_up(rng):
    inputs = ClampedInputs(count=2, links=((0, 0), (1, 0)))
    network = IsingNetwork(graph=chain(1), outputs=(0,), inputs=inputs, biases=None)
    weights, x = rng.normal(size=3), rng.normal(size=2)
    assert same(network.hamiltonian(weights, x), ising_matrix([], [], weights[:1], [weights[1:] @ x]))


@pytest.mark.parametrize("name", SMALL_GRAPHS)
def test_interaction_is_the_finite_difference_of_the_hamiltonian(name, rng):
    network, weights = random_network(SMALL_GRAPHS[name], rng, num_inputs=2)
    x, step = rng.normal(size=2), 1.0
    for index, weight in enumerate(network.layout.names):
        shift = step * np.eye(len(weights))[index]
        change = (network.hamiltonian(weights + shift, x) - network.hamiltonian(weights - shift, x)) / (2 * step)
        assert (network.interaction(index, x) - change).simplify(atol=1e-10).to_list()[0][1] == 0
        assert network.interaction(weight, x) == network.interaction(index, x)


@pytest.mark.parametrize("name", GRAPHS)
def test_coefficients_of_a_batch_are_the_hamiltonians(name, rng):
    network, weights = random_network(GRAPHS[name], rng, num_inputs=2)
    inputs = rng.normal(size=(3, 2))
    table = network.coefficients(weights, inputs)
    assert table.shape == (3, len(network.terms))
    for x, row in zip(inputs, table, strict=True):
        labels = [word.label(network.num_qubits) for word in network.terms]
        expected = dict(network.hamiltonian(weights, x).to_list())
        assert [expected[label].real for label in labels] == pytest.approx(row, abs=1e-12)


def test_jacobian_of_a_coupling_a_field_and_an_input(rng):
    network, weights = random_network(chain(2), rng, num_inputs=1)
    jacobian = network.jacobian(weights, np.array([[0.3], [-2.0]]))
    values = dict(zip(network.layout.names, jacobian.values.T.tolist(), strict=True))
    assert values["J[0,1]"] == values["h[1]"] == values["b[0]"] == [-1.0, -1.0]
    assert values["W[0,1]"] == [-0.3, 2.0]


def test_variances_pull_back_like_squares(rng):
    network, weights = random_network(chain(2), rng, num_inputs=1)
    jacobian = network.jacobian(weights, np.array([[3.0]]))
    covariance = np.diag(np.arange(1.0, len(network.terms) + 1))[None]
    pulled = dict(zip(network.layout.names, jacobian.pull_back_variance(covariance)[0], strict=True))
    place = {str(word): i + 1 for i, word in enumerate(network.terms)}
    assert pulled["J[0,1]"] == place["Z0 Z1"]
    assert pulled["W[0,0]"] == 9.0 * place["Z0"]


def test_input_spins_are_driven_by_fields_that_do_not_train():
    inputs = ClampedInputs.as_fields((0, 2), strength=1.5)
    network = IsingNetwork(graph=chain(3), outputs=(1,), inputs=inputs)
    where = network.layout.slice_of("W")
    assert not network.layout.trainable()[where].any()
    weights = network.weights_from({"W[0,0]": 1.5, "W[1,2]": 1.5})
    expected = -1.5 * (0.2 * pauli_matrix("Z0", 3) - 0.4 * pauli_matrix("Z2", 3))
    assert same(network.hamiltonian(weights, [0.2, -0.4]), expected)


def test_weights_by_name(rng):
    network, weights = random_network(chain(3), rng)
    named = dict(zip(network.layout.names, weights, strict=True))
    assert np.array_equal(network.weights_from(named), weights)
    assert network.weights_from({"h[1]": 2.0}).sum() == 2.0


def test_unreached_outputs():
    graph = from_edges(4, [(0, 1), (2, 3)])
    options = {"graph": graph, "outputs": (1, 3)}
    assert IsingNetwork(**options, inputs=ClampedInputs(count=1, links=((0, 0),))).unreached_outputs() == (3,)
    assert IsingNetwork(**options).unreached_outputs() == ()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: IsingNetwork(graph=chain(2), outputs=(2,)), "outputs: spin 2 is out of range"),
        (lambda: IsingNetwork(graph=chain(2), outputs=(-1,)), "outputs: spin -1 is out of range"),
        (lambda: IsingNetwork(graph=chain(2), outputs=(1, 1)), "outputs: a spin is named twice"),
        (lambda: inputs_to((0, 2)), "inputs: spin 2 is out of range"),
        (lambda: inputs_to((1, 0)), "inputs: a link names an input out of range; there are 1"),
        (lambda: inputs_to((0, 0), (0, 0)), "inputs: an input is linked to the same spin twice"),
        (lambda: one_input().hamiltonian(np.zeros(6)), r"x: expected 1 clamped inputs, got shape \(\)"),
        (lambda: one_input().hamiltonian(np.zeros(6), [1, 2]), r"x: expected 1 clamped inputs, got shape \(2,\)"),
        (lambda: one_input().interaction("J[1,2]", [0]), r"no weight J\[1,2\]; there are J\[0,1\]"),
        (lambda: one_input().weights_from({"x": 1}), "no weight x; there are"),
    ],
)
def test_errors_are_one_line(make, words):
    with pytest.raises(NetworkError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def inputs_to(*links):
    return IsingNetwork(graph=chain(2), outputs=(0,), inputs=ClampedInputs(count=1, links=links))


def one_input():
    return inputs_to((0, 0))


def test_network_without_inputs_needs_no_x(rng):
    network = IsingNetwork(graph=chain(2), outputs=(1,), couplings=WeightInitialisation())
    weights = rng.normal(size=5)
    assert network.hamiltonian(weights) == network.hamiltonian(weights, [])
    assert network.coefficients(weights, NO_INPUTS).shape == (1, 5)
