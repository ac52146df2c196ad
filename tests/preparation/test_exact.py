"""Exact ground states and linear response against dense matrices and instances.json."""

import warnings

import numpy as np
import pytest
from cases import NO_INPUTS, SMALL_GRAPHS, exact_contrast, load_instances, random_network
from qiskit.quantum_info import SparsePauliOp
from reference import expectation, gradient, ground, ising_matrix, random_states, sum_of_paulis, without_phase

from qep_qiskit.continuous.response import linear_response
from qep_qiskit.core import memory
from qep_qiskit.core.errors import ConfigError, DegenerateGroundStateWarning, ResourceError
from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.learning import Contrast
from qep_qiskit.network import chain, complete
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation, dense_hamiltonians, term_expectations
from qep_qiskit.preparation.matrix_free import MatrixFree

INSTANCES = load_instances()
every_instance = pytest.mark.parametrize("case", INSTANCES, ids=lambda case: case.name)
TEXTS = ["Z0 Z1", "Z2", "X0", "X1", "X2 X3", "Y0 Y3", "Y1 Z2", "Z0 X1 Y2", "Z3", "Y2"]


@pytest.fixture
def with_y(rng):
    """Groups of a Hamiltonian that is not real, and random coefficients of H and of C."""
    groups = merge_into_groups((), [PauliString.parse(text) for text in TEXTS], 4)
    return groups, rng.normal(size=(2, len(TEXTS))), rng.normal(size=(2, len(TEXTS)))


def matrix_of(groups, coefficients):
    words = [word for group in groups for word in group.terms]
    return sum_of_paulis(words, coefficients, groups[0].num_qubits)


@every_instance
def test_energy_and_gap_of_the_instances(case):
    solved = ExactPreparation().solve(case.hamiltonian.groups, case.coefficients)
    assert solved.energies[0] == pytest.approx(case.record["energy"], abs=1e-10)
    assert solved.gaps[0] == pytest.approx(case.record["gap"], abs=1e-10)
    last = [str(word) for word in case.hamiltonian.terms].index(f"Z{case.network.num_qubits - 1}")
    mean = term_expectations(case.hamiltonian.groups, solved.vectors)[0, last]
    assert (1 + mean) / 2 == pytest.approx(case.record["cost_value"], abs=1e-10)


@every_instance
def test_linear_response_is_the_gradient_of_the_instances(case):
    hamiltonian = case.hamiltonian
    nudge, _ = hamiltonian.operator_nudge(NO_INPUTS)
    response = linear_response(hamiltonian.groups, case.coefficients, nudge)
    found = hamiltonian.jacobian(case.weights, NO_INPUTS).pull_back(response)[0]
    assert found == pytest.approx(np.array(case.record["gradient"]), abs=1e-8)


@pytest.mark.parametrize("kind", ["symmetric", "one_sided"])
@every_instance
def test_contrasts_of_the_instances(case, kind):
    found = exact_contrast(case.hamiltonian, case.weights, Contrast(kind=kind, beta=0.2))
    assert found.gradient == pytest.approx(np.array(case.record[f"contrast_{kind}_beta_0p2"]), abs=1e-9)
    assert not found.variance.any()


def test_instances_are_the_formula(instances):
    case = instances["chain4-0"]
    matrix = ising_matrix(case.record["edges"], case.record["J"], case.record["h"], case.record["b"])
    assert ground(matrix)[0] == pytest.approx(case.record["energy"], abs=1e-10)


def test_dense_and_matrix_free_hamiltonians(with_y, rng):
    groups, coefficients, _ = with_y
    dense = dense_hamiltonians(groups, coefficients)
    vector = random_states(rng, 16)
    for row, matrix in zip(coefficients, dense, strict=True):
        expected = matrix_of(groups, row)
        assert np.allclose(matrix, expected, rtol=0, atol=1e-10)
        assert np.allclose(
            MatrixFree.of(groups, row[None]).apply(vector[None])[0], expected @ vector, rtol=0, atol=1e-10
        )


@pytest.mark.parametrize("solver", ["dense", "lanczos"])
def test_states_energies_and_gaps_with_y(with_y, solver):
    groups, coefficients, _ = with_y
    solved = ExactPreparation(solver=solver).solve(groups, coefficients)
    for row, coefficient in enumerate(coefficients):
        energy, state, gap = ground(matrix_of(groups, coefficient))
        assert (solved.energies[row], solved.gaps[row]) == pytest.approx((energy, gap), abs=1e-10)
        assert np.allclose(without_phase(solved.vectors[row]), without_phase(state), rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", SMALL_GRAPHS)
def test_lanczos_equals_dense(name, rng):
    network, weights = random_network(SMALL_GRAPHS[name], rng, num_inputs=2)
    coefficients = network.coefficients(weights, rng.normal(size=(4, 2)))
    dense = ExactPreparation(solver="dense").solve(network.groups, coefficients)
    lanczos = ExactPreparation(solver="lanczos").solve(network.groups, coefficients)
    assert lanczos.energies == pytest.approx(dense.energies, abs=1e-10)
    assert lanczos.gaps == pytest.approx(dense.gaps, abs=1e-9)
    overlaps = np.abs(np.einsum("sx,sx->s", dense.vectors.conj(), lanczos.vectors))
    assert overlaps == pytest.approx(np.ones(4), abs=1e-10)


@pytest.mark.parametrize("num_spins", [1, 2, 3])
def test_lanczos_on_very_small_networks(num_spins, rng):
    network, weights = random_network(chain(num_spins), rng)
    coefficients = network.coefficients(weights, NO_INPUTS)
    dense = ExactPreparation(solver="dense").solve(network.groups, coefficients)
    lanczos = ExactPreparation(solver="lanczos").solve(network.groups, coefficients)
    assert (lanczos.energies, lanczos.gaps) == (pytest.approx(dense.energies), pytest.approx(dense.gaps))


def test_lanczos_of_the_same_row_again(rng):
    network, weights = random_network(chain(6), rng)
    coefficients = np.repeat(network.coefficients(weights, NO_INPUTS), 3, axis=0) * np.array([[1.0], [1.0], [2.0]])
    dense = ExactPreparation(solver="dense").solve(network.groups, coefficients)
    lanczos = ExactPreparation(solver="lanczos").solve(network.groups, coefficients)
    assert lanczos.energies == pytest.approx(dense.energies, abs=1e-10)
    assert lanczos.gaps == pytest.approx(dense.gaps, abs=1e-9)


@pytest.mark.parametrize("tolerance", [0.0, 1e-6])
def test_lanczos_sees_the_other_symmetry_sector_from_every_start(tolerance, rng):
    network, weights = random_network(chain(6), rng, biases=None)
    coefficients = network.coefficients(weights, NO_INPUTS) * np.linspace(1.0, 1.2, 5)[:, None]
    coefficients[:, :5] *= np.linspace(1.0, 1.3, 5)[:, None]
    dense = ExactPreparation(solver="dense").solve(network.groups, coefficients)
    lanczos = ExactPreparation(solver="lanczos", tolerance=tolerance).solve(network.groups, coefficients)
    assert lanczos.gaps == pytest.approx(dense.gaps, rel=max(1e-8, 10 * tolerance))


def test_many_states_are_solved_in_parts(monkeypatch, rng):
    network, weights = random_network(complete(3), rng, num_inputs=1)
    coefficients = network.coefficients(weights, rng.normal(size=(7, 1)))
    whole = ExactPreparation().solve(network.groups, coefficients)
    monkeypatch.setattr("qep_qiskit.preparation.exact._DENSE_AMPLITUDES_PER_CALL", 128)
    parts = ExactPreparation().solve(network.groups, coefficients)
    assert np.allclose(parts.energies, whole.energies, rtol=0, atol=1e-12)
    assert parts.num_states == 7


def response_by_differences(groups, row, nudge):
    """d<P>/dbeta of every term, from the ground states of H + beta C."""
    words = [word for group in groups for word in group.terms]
    size = groups[0].num_qubits
    paulis = [sum_of_paulis([word], [1.0], size) for word in words]
    h, c = matrix_of(groups, row), matrix_of(groups, nudge)

    def means(beta):
        state = ground(h + beta[0] * c)[1]
        return np.array([expectation(pauli, state) for pauli in paulis])

    return gradient(means, np.zeros(1), step=0.02)[0]


@pytest.mark.parametrize("name", ["edges", "complete", "chain"])
def test_linear_response_is_the_finite_difference(name, rng):
    network, weights = random_network(SMALL_GRAPHS[name], rng)
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error(network.outputs, network.num_qubits))
    free = hamiltonian.free_coefficients(weights, NO_INPUTS)
    nudge, _ = hamiltonian.operator_nudge(np.array([[0.3]]))
    found = linear_response(hamiltonian.groups, free, nudge)[0]
    assert found == pytest.approx(response_by_differences(hamiltonian.groups, free[0], nudge[0]), abs=1e-8)


def test_linear_response_with_y(with_y):
    groups, coefficients, nudges = with_y
    found = linear_response(groups, coefficients, nudges)
    for row in range(2):
        expected = response_by_differences(groups, coefficients[row], nudges[row])
        assert found[row] == pytest.approx(expected, abs=1e-8)


def test_linear_response_to_a_cost_with_y(rng):
    network, weights = random_network(chain(3), rng)
    cost = OperatorCost.from_operator(SparsePauliOp(["YYI", "IZX"], [0.8, -0.5]))
    hamiltonian = NudgedHamiltonian(network, cost)
    free = hamiltonian.free_coefficients(weights, NO_INPUTS)
    nudge, _ = hamiltonian.operator_nudge(NO_INPUTS)
    found = linear_response(hamiltonian.groups, free, nudge)[0]
    assert found == pytest.approx(response_by_differences(hamiltonian.groups, free[0], nudge[0]), abs=1e-8)


def test_linear_response_is_reciprocal(with_y):
    groups, coefficients, nudges = with_y
    forth = linear_response(groups, coefficients[:1], nudges[:1])[0] @ nudges[1]
    back = linear_response(groups, coefficients[:1], nudges[1:])[0] @ nudges[0]
    assert forth == pytest.approx(back, abs=1e-9)


@pytest.mark.parametrize("solver", ["dense", "lanczos"])
def test_degenerate_ground_state_is_told(solver):
    network, _ = random_network(chain(4), np.random.default_rng(0), biases=None)
    weights = network.weights_from({"J[0,1]": 1.0, "J[1,2]": 1.0, "J[2,3]": 1.0})
    coefficients = network.coefficients(weights, NO_INPUTS)
    with pytest.warns(DegenerateGroundStateWarning, match="Break the symmetry") as caught:
        ExactPreparation(solver=solver).solve(network.groups, coefficients)
    assert "\n" not in str(caught[0].message)


def test_small_gap_is_not_a_degeneracy():
    network, _ = random_network(chain(2), np.random.default_rng(0))
    weights = network.weights_from({"J[0,1]": 1.0, "b[0]": 1e-6, "h[0]": 0.1, "h[1]": 0.1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ExactPreparation().solve(network.groups, network.coefficients(weights, NO_INPUTS))


def test_what_does_not_fit_is_refused(monkeypatch, rng):
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 20)
    network, weights = random_network(chain(14), rng)
    with pytest.raises(ResourceError, match="dense diagonalisation"):
        ExactPreparation(solver="dense").solve(network.groups, network.coefficients(weights, NO_INPUTS))


def test_tolerance_is_checked():
    with pytest.raises(ConfigError, match=r"tolerance: expected at least 0, got -1"):
        ExactPreparation(tolerance=-1)
