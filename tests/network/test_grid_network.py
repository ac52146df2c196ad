"""Atoms on registers: the Hamiltonian is that of oscillators on the grid, term by term and weight by weight."""

import numpy as np
import pytest
from oscillator_cases import anchor, anchor_grid, gaussian, transformed

from qep_qiskit.continuous.coordinate_terms import CoordinateTerm
from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.continuous.position_grid import PositionGrid
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.network import WeightInitialisation, from_edges

PLACES = np.array([[0.0], [0.2], [0.1], [0.5], [-0.3]])
INPUTS = np.array([0.3, -0.4])
HBAR = 0.8


@pytest.fixture(scope="module")
def network():
    """Atoms 0 to 2 move, 3 and 4 are clamped; two qubits an atom, boxes and centres all different."""
    atoms = SpringNetwork(
        graph=from_edges(5, [(0, 1), (1, 2), (0, 2), (2, 3), (0, 4)]),
        outputs=(2,),
        clamped=(3, 4),
        inputs=((3, 0), (4, 0)),
        anchored=(0, 1),
        forces=WeightInitialisation(),
        masses=WeightInitialisation(mean=1.0, minimum=1e-3),
        rest_positions=PLACES,
        hbar=HBAR,
    )
    grid = PositionGrid(num_qubits=2, boxes=(4.0, 5.0, 6.0), centres=(0.1, 0.2, 0.3))
    return GridNetwork(atoms=atoms, grid=grid)


@pytest.fixture
def weights(network, rng):
    return rng.uniform(0.5, 1.5, network.layout.num_weights)


def on_register(coordinate, matrix):
    parts = [matrix if i == coordinate else np.eye(4) for i in range(3)]
    return np.kron(parts[2], np.kron(parts[1], parts[0]))


def squared_momentum(network, coordinate):
    grid = network.grid
    one = PositionGrid(num_qubits=2, boxes=grid.boxes[coordinate : coordinate + 1], centres=(0.0,))
    columns = [transformed(row.astype(complex), one) for row in np.eye(4)]
    fourier = np.array(columns).T
    squares = np.diag((HBAR * one.wave_numbers(0)) ** 2)
    return on_register(coordinate, fourier.conj().T @ squares @ fourier)


def interactions(network):
    """dH/dw of every weight but masses, as matrices."""
    moving = [on_register(i, np.diag(network.grid.positions(i))) for i in range(3)]
    held = {3: (PLACES[3, 0] + INPUTS[0]) * np.eye(64), 4: (PLACES[4, 0] + INPUTS[1]) * np.eye(64)}
    r = dict(enumerate(moving)) | held
    found = {f"k[{i},{j}]": np.linalg.matrix_power(r[i] - r[j], 2) / 2 for i, j in network.atoms.edges}
    found |= {f"a[{i}]": np.linalg.matrix_power(r[i] - PLACES[i, 0] * np.eye(64), 2) / 2 for i in (0, 1)}
    return found | {f"f[{i}]": -r[i] for i in range(3)}


def test_hamiltonian_is_that_of_the_oscillators(network, weights):
    named = dict(zip(network.layout.names, weights, strict=True))
    expected = sum(named[name] * matrix for name, matrix in interactions(network).items())
    expected = expected + sum(squared_momentum(network, i) / (2 * named[f"m[{i}]"]) for i in range(3))
    assert network.hamiltonian(weights, INPUTS).to_matrix() == pytest.approx(expected, abs=1e-12)


def test_interactions_are_those_of_the_oscillators(network):
    for name, expected in interactions(network).items():
        assert network.interaction(name, INPUTS).to_matrix() == pytest.approx(expected, abs=1e-12), name
    for i in range(3):
        expected = -squared_momentum(network, i) / 2
        assert network.interaction(f"m[{i}]", INPUTS).to_matrix() == pytest.approx(expected, abs=1e-12)


def test_coefficients_are_those_of_the_hamiltonian(network, weights):
    row = network.coefficients(weights, INPUTS[None])[0]
    size = network.groups[0].num_terms
    total = network.groups[0].operator(row[:size]) + network.groups[1].operator(row[size:])
    difference = network.hamiltonian(weights, INPUTS).to_matrix() - total.to_matrix()
    assert difference == pytest.approx(difference[0, 0] * np.eye(64), abs=1e-12)


def test_jacobian_is_the_slope_of_the_coefficients(network, weights):
    inputs = np.array([INPUTS, -2 * INPUTS])
    found = network.jacobian(weights, inputs)
    step = 1e-5
    for index, shift in enumerate(step * np.eye(len(weights))):
        slope = (network.coefficients(weights + shift, inputs) - network.coefficients(weights - shift, inputs)) / 2
        expected, own = slope / step, found.weight == index
        dense = np.zeros_like(expected)
        np.add.at(dense.T, found.term[own], found.values[:, own].T)
        assert dense == pytest.approx(expected, abs=1e-8)


def test_all_springs_are_read_from_one_batch_and_masses_from_another(network, weights):
    found = network.jacobian(weights, INPUTS[None])
    of_mass = np.array([name.startswith("m") for name in network.layout.names])[found.weight]
    assert (found.term[~of_mass] < network.groups[0].num_terms).all()
    assert (found.term[of_mass] >= network.groups[0].num_terms).all()
    assert [group.name for group in network.groups] == ["r", "p"]


def test_ground_state_energy_is_the_gaussian_one():
    atoms = SpringNetwork(
        graph=from_edges(3, [(0, 1), (1, 2), (0, 2)]), outputs=(2,), anchored=(0, 1, 2), forces=WeightInitialisation()
    )
    network = GridNetwork(atoms=atoms, grid=anchor_grid(3, 6.5))
    weights = network.weights_from({"k[0,1]": 1.0, "k[1,2]": 2.0, "k[0,2]": 0.5, "f[0]": 1.0})
    matrix = network.hamiltonian(weights).to_matrix()
    assert np.linalg.eigvalsh(matrix)[0] == pytest.approx(gaussian(*anchor())[2], abs=2e-3)


def test_rest_lengths_are_refused(network):
    atoms = SpringNetwork(
        graph=from_edges(2, [(0, 1)]), outputs=(1,), anchored=(0,), rest_lengths=WeightInitialisation(mean=1.0)
    )
    with pytest.raises(NetworkError, match=r"rest_lengths: a distance is no sum of few ZZ"):
        GridNetwork(atoms=atoms, grid=PositionGrid.uniform(2, 4.0, 2))


def test_a_grid_of_another_size_is_refused(network):
    with pytest.raises(NetworkError, match="expected 3 coordinates, as many as move, got 2"):
        GridNetwork(atoms=network.atoms, grid=PositionGrid.uniform(2, 4.0, 2))


def test_a_plane_has_two_registers_an_atom():
    atoms = SpringNetwork(graph=from_edges(2, [(0, 1)]), outputs=(1,), anchored=(0,), rest_positions=np.zeros((2, 2)))
    network = GridNetwork(atoms=atoms, grid=PositionGrid.uniform(2, 4.0, 4))
    assert network.num_qubits == 8
    assert CoordinateTerm.square(0, 1) in atoms.groups[0].terms
    masks = network.groups[0].masks
    assert (0b11 in masks, 0b10001 in masks, 0b1000001 in masks) == (True, True, False)


def test_a_weight_has_each_term_once(network, weights):
    found = network.jacobian(weights, INPUTS[None])
    pairs = list(zip(found.weight.tolist(), found.term.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
