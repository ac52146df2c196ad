"""Gibbs states: against matrices, against finite differences of <C>, in shots, and in the limit of zero temperature."""

import numpy as np
import pytest
from cases import SMALL_GRAPHS, random_network
from chi_square import LIMIT, counts_p_value
from classical_cases import KEY, classical, prepared
from reference import gradient
from scipy.linalg import expm

from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import GroupMeasurement, Request, VectorExecutor
from qep_qiskit.learning import Contrast, FluctuationEstimator, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import IsingNetwork, chain
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.known_states import MixedStates, SpinEnsembles
from qep_qiskit.preparation import ExactPreparation, HamiltonianFamily, ThermalPreparation, thermal_response

COSTS = {
    "operator": lambda size: OperatorCost.squared_error((0, 2), size),
    "loss": lambda size: LossOnExpectations.on_spins((0, 2), size),
}


def quantum(name, rng, cost):
    network, weights = random_network(SMALL_GRAPHS[name], rng, num_inputs=1, outputs=(0, 2))
    return NudgedHamiltonian(network, cost), weights, rng.normal(size=(3, 1)), rng.normal(size=(3, 2))


def problem(kind, name, cost, rng):
    own = COSTS[cost](SMALL_GRAPHS[name].num_spins)
    return classical(name, rng, own) if kind == "classical" else quantum(name, rng, own)


def gibbs(matrix, temperature):
    shifted = matrix - np.linalg.eigvalsh(matrix)[0] * np.eye(len(matrix))
    found = expm(-shifted / temperature)
    return found / np.trace(found).real


def cost_at(hamiltonian, inputs, targets, temperature):
    """Mean <C> or loss of Gibbs states by dense matrices, as a function of the weights."""

    def value(weights):
        total = 0.0
        for x, y in zip(inputs, targets, strict=True):
            state = gibbs(hamiltonian.network.hamiltonian(weights, x).to_matrix(), temperature)
            if isinstance(hamiltonian.cost, OperatorCost):
                total += np.trace(state @ hamiltonian.cost.operator(y).to_matrix()).real
                continue
            outputs = [np.trace(state @ o.to_matrix()).real for o in hamiltonian.cost.observables]
            total += hamiltonian.cost.loss.value(np.array(outputs)[None], y[None])[0]
        return total / len(inputs)

    return value


def by_fluctuations(hamiltonian, weights, inputs, targets, temperature, shots=None, seed=0):
    estimator = FluctuationEstimator(
        hamiltonian=hamiltonian,
        preparation=ThermalPreparation(temperature),
        contrast=Contrast(kind="fluctuations"),
        shots=shots,
    )
    return run_measurements(estimator.estimate(weights, inputs, targets, KEY), VectorExecutor(Seeds(seed)))[0]


def by_nudging(hamiltonian, weights, inputs, targets, temperature, contrast, shots=None, seed=0):
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=ThermalPreparation(temperature),
        contrast=contrast,
        shots=shots,
        measures_free_cost=True,
    )
    return run_measurements(estimator.estimate(weights, inputs, targets, KEY), VectorExecutor(Seeds(seed)))[0]


@pytest.mark.parametrize("temperature", [0.3, 2.0])
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("kind", ["quantum", "classical"])
def test_gradient_is_the_finite_difference_of_the_cost(kind, cost, temperature, rng):
    parts = problem(kind, "ring", cost, rng)
    reference = cost_at(parts[0], *parts[2:], temperature)
    expected = gradient(reference, parts[1], step=0.02)
    exact = exact_gradient(*parts, temperature=temperature)
    found = by_fluctuations(*parts, temperature)
    assert exact.cost == pytest.approx(reference(parts[1]), abs=1e-10)
    assert found.cost.mean == pytest.approx(exact.cost, abs=1e-10)
    assert exact.gradient == pytest.approx(expected, abs=1e-8)
    assert found.gradient == pytest.approx(expected, abs=1e-8)
    assert np.all(found.variance == 0)
    fine = by_nudging(*parts, temperature, Contrast(kind="four_point", beta=1e-3))
    assert fine.gradient == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("kind", ["quantum", "classical"])
def test_nudged_contrast_comes_closer_with_the_square_of_the_nudge(kind, rng):
    parts = problem(kind, "ring", "loss", rng)
    expected = by_fluctuations(*parts, 0.7).gradient
    errors = [
        np.linalg.norm(by_nudging(*parts, 0.7, Contrast(beta=beta)).gradient - expected) for beta in (0.04, 0.02, 0.01)
    ]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.02)


def test_plain_covariance_is_wrong_where_nothing_commutes(rng):
    """The transverse-field network needs Kubo and Mori: the symmetrised covariance misses the gradient."""
    parts = problem("quantum", "ring", "operator", rng)
    hamiltonian, weights, inputs, targets = parts
    temperature = 0.5
    expected = exact_gradient(*parts, temperature=temperature).gradient
    plain = np.zeros_like(expected)
    for x, y in zip(inputs, targets, strict=True):
        state = gibbs(hamiltonian.network.hamiltonian(weights, x).to_matrix(), temperature)
        cost = hamiltonian.cost.operator(y).to_matrix()
        for k in range(len(weights)):
            term = hamiltonian.network.interaction(k, x).to_matrix()
            both = np.trace(state @ (cost @ term + term @ cost)).real / 2
            plain[k] -= (both - np.trace(state @ cost).real * np.trace(state @ term).real) / temperature / len(inputs)
    assert np.linalg.norm(plain - expected) > 0.2 * np.linalg.norm(expected)


@pytest.mark.parametrize("cost", COSTS)
def test_zero_temperature_is_the_ground_state(cost, rng):
    """The gradient tends to that of exact states as exp(-gap / T): equal steps in 1/T are equal factors."""
    parts = problem("quantum", "ring", cost, rng)
    ground = exact_gradient(*parts).gradient
    gaps = ExactPreparation().solve(parts[0].groups, parts[0].free_coefficients(parts[1], parts[2])).gaps
    inverse = np.array([10.0, 12.0, 14.0]) / gaps.min()
    errors = [np.linalg.norm(exact_gradient(*parts, temperature=1 / b).gradient - ground) for b in inverse]
    rates = np.log(np.array(errors[:-1]) / errors[1:]) / np.diff(inverse)
    assert rates == pytest.approx(gaps.min(), rel=0.15)
    cold = exact_gradient(*parts, temperature=gaps.min() / 60).gradient
    assert cold == pytest.approx(ground, abs=1e-8)
    contrast = Contrast(beta=0.01)
    still = GradientEstimator(hamiltonian=parts[0], preparation=ExactPreparation(), contrast=contrast, shots=None)
    exact = run_measurements(still.estimate(*parts[1:], KEY), VectorExecutor(Seeds(0)))[0]
    nudged = by_nudging(*parts, gaps.min() / 60, contrast)
    assert nudged.gradient == pytest.approx(exact.gradient, abs=1e-8)


@pytest.mark.parametrize("kind", ["quantum", "classical"])
def test_shots_draw_from_the_mixture(kind, rng):
    hamiltonian, weights, inputs, _ = problem(kind, "edges", "operator", rng)
    family = HamiltonianFamily.of_free(hamiltonian.groups, hamiltonian.free_coefficients(weights, inputs), KEY)
    states = prepared(ThermalPreparation(0.8), family).states
    assert isinstance(states, MixedStates if kind == "quantum" else SpinEnsembles)
    for group in hamiltonian.groups:
        found = states.probabilities(group, np.arange(3))
        for row, x in zip(found, inputs, strict=True):
            matrix = gibbs(hamiltonian.network.hamiltonian(weights, x).to_matrix(), 0.8)
            turn = group.basis.rotate(np.eye(8)).T
            assert row == pytest.approx(np.diag(turn @ matrix @ turn.conj().T).real, abs=1e-12)
    measurement = GroupMeasurement(group=hamiltonian.groups[0], states=np.arange(3), shots=20_000)
    executor = VectorExecutor(Seeds(3))
    data = executor.collect(executor.submit(Request(key=KEY, prepared=states, measurements=(measurement,))))
    for counts, probabilities in zip(
        data.outcomes[0].weights, states.probabilities(hamiltonian.groups[0], np.arange(3)), strict=True
    ):
        assert counts_p_value(counts, probabilities) > LIMIT


def test_free_energy_bounds_the_cost(rng):
    """F(beta) = -T ln Z is concave, and its slope is <C>: the contrastive bounds hold at any temperature."""
    parts = problem("quantum", "ring", "operator", rng)
    found = by_nudging(*parts, 0.5, Contrast(beta=0.2))
    assert found.diagnostics.lower < found.cost.mean < found.diagnostics.upper
    assert found.diagnostics.chi > 0


def test_levels_that_agree_have_the_limit_of_their_weight():
    """Without any field all levels are equal: a nudge by Z answers with -1/T."""
    network = IsingNetwork(graph=chain(1), outputs=(0,))
    response = thermal_response(network.groups, np.zeros((1, 2)), np.array([[1.0, 0.0]]), 0.5)
    assert response == pytest.approx(np.array([[-2.0, 0.0]]), abs=1e-12)


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan, np.inf])
def test_temperature_is_above_zero(temperature):
    with pytest.raises(ConfigError, match=r"temperature: expected (more than 0|a finite number), got"):
        ThermalPreparation(temperature)


def test_too_many_qubits_are_refused():
    network = IsingNetwork(graph=chain(25), outputs=(0,))
    family = HamiltonianFamily.of_free(network.groups, np.ones((1, 74)), KEY)
    with pytest.raises(ResourceError, match="Gibbs states of 25 qubits does not fit"):
        prepared(ThermalPreparation(1.0), family)
    with pytest.raises(ResourceError, match="thermal fluctuations of 25 qubits does not fit"):
        thermal_response(network.groups, np.ones((1, 74)), np.ones((1, 74)), 1.0)
