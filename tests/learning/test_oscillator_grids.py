"""Oscillators on registers: the anchor's gradient, masses as weights, and the noise of shared batches of positions."""

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value, variance_p_value
from oscillator_cases import CONTRAST, GRADIENT, anchor_grid

from qep_qiskit.continuous.grid_energies import GridEnergies
from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.continuous.on_grid import OnGrid
from qep_qiskit.continuous.oscillator_layers import OscillatorProduct
from qep_qiskit.continuous.oscillators import variance_of
from qep_qiskit.continuous.position_grid import PositionGrid
from qep_qiskit.continuous.split_operator import SplitOperatorPreparation
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.execution.aer import AerExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import WeightInitialisation, from_edges
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

REPEATS = 300
TRAINED = WeightInitialisation(mean=1.0, minimum=0.001)
"""Masses that train."""
SYMMETRIC = Contrast(kind="symmetric", beta=0.1)
NO_INPUTS, TARGET = np.zeros((1, 0)), np.array([[0.6]])
ANCHOR = {"k[0,1]": 1.0, "k[1,2]": 2.0, "k[0,2]": 0.5, "f[0]": 1.0}


@pytest.fixture(scope="module")
def anchored():
    """The three-oscillator network on four qubits an atom, box 9, with C = (r_2 - y)^2, and its weights."""
    atoms = SpringNetwork(
        graph=from_edges(3, [(0, 1), (1, 2), (0, 2)]),
        outputs=(2,),
        anchored=(0, 1, 2),
        forces=WeightInitialisation(),
        masses=TRAINED,
    )
    network = GridNetwork(atoms=atoms, grid=anchor_grid(4, 9.0))
    return NudgedHamiltonian(network, OperatorCost.squared_error_of(network)), network.weights_from(ANCHOR)


def estimated(hamiltonian, weights, inputs, targets, *, shots=None, preparation=None, executor=None, repeat=0):
    preparation = preparation or ExactPreparation()
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=OnGrid(preparation=preparation, grid=hamiltonian.network.grid),
        contrast=SYMMETRIC,
        shots=shots,
    )
    work = estimator.estimate(weights, inputs, targets, RequestKey("test", repeat))
    return run_measurements(work, executor or VectorExecutor(Seeds(3)))[0]


def springs(names):
    return [names.index(name) for name in ("k[0,1]", "k[1,2]", "k[0,2]")]


def test_exact_states_give_the_anchors_gradient(anchored):
    hamiltonian, weights = anchored
    found = exact_gradient(hamiltonian, weights, NO_INPUTS, TARGET)
    chosen = springs(hamiltonian.network.layout.names)
    assert found.cost == pytest.approx(0.4096356, abs=1e-6)
    assert found.gradient[chosen] == pytest.approx(GRADIENT, rel=1e-3)
    contrast = estimated(hamiltonian, weights, NO_INPUTS, TARGET).gradient
    assert contrast[chosen] == pytest.approx(CONTRAST, rel=1e-3)


def cost_of(hamiltonian, weights):
    """<(r_2 - 0.6)^2> of the Gaussian ground state, in closed form."""
    spread = variance_of(hamiltonian.network.atoms, weights, NO_INPUTS)
    return spread.widths[0, 2] ** 2 + (spread.means[0, 2] - 0.6) ** 2


@pytest.mark.parametrize("name", ["m[0]", "m[2]", "a[1]", "f[0]"])
def test_masses_anchors_and_forces_have_the_slope_of_the_gaussian_cost(anchored, name):
    hamiltonian, weights = anchored
    index = hamiltonian.network.layout.index_of(name)
    step = 1e-4 * np.eye(len(weights))[index]
    slope = (cost_of(hamiltonian, weights + step) - cost_of(hamiltonian, weights - step)) / 2e-4
    found = exact_gradient(hamiltonian, weights, NO_INPUTS, TARGET).gradient[index]
    assert found == pytest.approx(slope, rel=1e-3)


@pytest.fixture(scope="module")
def pair():
    """Two atoms between two clamped ones on three qubits each; a squared error of where the first is, and weights."""
    atoms = SpringNetwork(
        graph=from_edges(4, [(0, 1), (1, 2), (2, 3)]),
        outputs=(1,),
        clamped=(0, 3),
        inputs=((0, 0), (3, 0)),
        masses=TRAINED,
    )
    weights = atoms.weights_from({"k[1,2]": 1.3, "m[1]": 1.2})
    grid = PositionGrid.around(variance_of(atoms, weights, INPUTS), num_qubits=3)
    network = GridNetwork(atoms=atoms, grid=grid)
    return NudgedHamiltonian(network, OperatorCost.squared_error_of(network)), weights


INPUTS, Y = np.array([[0.5, -0.3]]), np.array([[0.2]])


def weight_variances(hamiltonian, weights, shots, vectors):
    """Variance of the symmetric contrast: that of dH/dw over all outcomes, at both nudges."""
    jacobian, total = hamiltonian.jacobian(weights, INPUTS), np.zeros(len(weights))
    slices = hamiltonian.group_slices
    for vector in vectors:
        for group, where in zip(hamiltonian.groups, slices, strict=True):
            probabilities = np.abs(group.basis.rotate(vector)) ** 2
            for weight in range(len(weights)):
                spread = np.zeros(hamiltonian.num_terms)
                mine = jacobian.weight == weight
                np.add.at(spread, jacobian.term[mine], jacobian.values[0, mine])
                values = group.diagonal(spread[where])
                variance = probabilities @ values**2 - (probabilities @ values) ** 2
                total[weight] += variance / (4 * SYMMETRIC.beta**2 * shots)
    return total


@pytest.mark.deep
def test_noise_of_springs_and_masses_is_that_of_their_batches(pair):
    hamiltonian, weights = pair
    nudge = hamiltonian.operator_nudge(Y)[0]
    free = hamiltonian.free_coefficients(weights, INPUTS)
    rows = np.concatenate([free - SYMMETRIC.beta * nudge, free + SYMMETRIC.beta * nudge])
    vectors = ExactPreparation().solve(hamiltonian.groups, rows).vectors
    expected = weight_variances(hamiltonian, weights, 100, vectors)
    executor = VectorExecutor(Seeds(5))
    found = [estimated(hamiltonian, weights, INPUTS, Y, shots=100, executor=executor, repeat=r) for r in range(REPEATS)]
    gradients = np.array([estimate.gradient for estimate in found])
    exact = estimated(hamiltonian, weights, INPUTS, Y).gradient
    assert variance_p_value(gradients, expected) > LIMIT
    assert mean_p_value(gradients, exact, expected) > LIMIT
    assert mean_p_value(np.array([estimate.variance for estimate in found]), expected) > LIMIT


@pytest.mark.deep
def test_shots_on_circuits_scatter_about_the_ramps_own_contrast(pair):
    hamiltonian, weights = pair
    free = hamiltonian.free_coefficients(weights, INPUTS)
    energies = GridEnergies.of(hamiltonian.network.grid, hamiltonian.groups, free)
    ramp = SplitOperatorPreparation(driver=OscillatorProduct.like(energies), total_time=2.4, steps=6)
    exact = estimated(hamiltonian, weights, INPUTS, Y, preparation=ramp, executor=AerExecutor(Seeds(4)))
    executor = AerExecutor(Seeds(7))
    found = [
        estimated(hamiltonian, weights, INPUTS, Y, shots=200, preparation=ramp, executor=executor, repeat=r)
        for r in range(100)
    ]
    gradients = np.array([estimate.gradient for estimate in found])
    assert mean_p_value(gradients, exact.gradient) > LIMIT
    assert variance_p_value(gradients, np.mean([estimate.variance for estimate in found], axis=0)) > LIMIT


def test_a_loss_reads_the_displacement_and_nudges_by_a_force(pair):
    network, weights = pair[0].network, pair[1]
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_outputs(network))
    found = exact_gradient(hamiltonian, weights, INPUTS, Y)
    spread = variance_of(network.atoms, weights, INPUTS)
    assert found.outputs == pytest.approx(spread.means[:, :1], abs=1e-3)
    contrast = estimated(hamiltonian, weights, INPUTS, Y)
    assert contrast.gradient == pytest.approx(found.gradient, abs=2e-3)
    masses = [index for index, name in enumerate(network.layout.names) if name.startswith("m")]
    assert contrast.gradient[masses] == pytest.approx(0.0, abs=1e-3)
