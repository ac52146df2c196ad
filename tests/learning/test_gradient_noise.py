"""Mean and variance of gradients by shots, over repeats, against exact values and the reported errors."""

import numpy as np
import pytest
from cases import FAR_NUDGES, NO_INPUTS, random_network
from chi_square import LIMIT, mean_p_value, variance_p_value
from gradient_cases import CONTRASTS, exact_mean, loss_problem, operator_problem
from reference import expectation, ground, pauli_matrix

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import GradientEstimator
from qep_qiskit.learning.error_signals import SignalBatch
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import WeightInitialisation, chain
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

# Error signals read from one or two shots are strong ones, and their nudges go past the gap.
pytestmark = FAR_NUDGES

REPEATS = 300
STENCILS = [name for name in CONTRASTS if name != "chebyshev"]
every_contrast = pytest.mark.parametrize("name", CONTRASTS)


def repeated(problem, contrast, shots, repeats=REPEATS):
    """Estimates of independent repeats."""
    hamiltonian, weights, inputs, targets = problem
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=contrast, shots=shots
    )
    executor = VectorExecutor(Seeds(1))
    works = (estimator.estimate(weights, inputs, targets, RequestKey("test", r)) for r in range(repeats))
    return [run_measurements(work, executor)[0] for work in works]


def gradients_and_variances(estimates):
    return np.array([e.gradient for e in estimates]), np.array([e.variance for e in estimates])


def analytic_variance(problem, contrast, shots):
    """sum_p stencil_p^2 (1 - <P>_p^2) / shots_p, from dense matrices; every weight has one Pauli."""
    hamiltonian, weights, _, targets = problem
    network, cost = hamiltonian.network, hamiltonian.cost.operator(targets[0]).to_matrix()
    words = [str(network.terms[term]) for term in network.jacobian(weights, NO_INPUTS).term]
    total = np.zeros(len(weights))
    for (beta, share), fraction in zip(contrast.phases, contrast.shot_fractions, strict=True):
        state = ground(network.hamiltonian(weights).to_matrix() + beta * cost)[1]
        means = np.array([expectation(pauli_matrix(word, network.num_qubits), state) for word in words])
        total += share**2 * (1 - means**2) / (fraction * shots)
    return total


@pytest.mark.deep(but=["symmetric"])
@every_contrast
def test_operator_cost(name, rng):
    problem, contrast = operator_problem(rng), CONTRASTS[name]
    gradients, variances = gradients_and_variances(repeated(problem, contrast, 200))
    assert mean_p_value(gradients, exact_mean(problem, contrast), analytic_variance(problem, contrast, 200)) > LIMIT
    assert variance_p_value(gradients, analytic_variance(problem, contrast, 200)) > LIMIT
    assert mean_p_value(variances, analytic_variance(problem, contrast, 200)) > LIMIT


@pytest.mark.deep(but=["1"])
@pytest.mark.parametrize("shots", [1, 2])
def test_gradient_of_very_few_shots_is_without_bias(shots, rng):
    problem, contrast = operator_problem(rng), CONTRASTS["symmetric"]
    gradients, _ = gradients_and_variances(repeated(problem, contrast, shots, repeats=1000))
    assert mean_p_value(gradients, exact_mean(problem, contrast)) > LIMIT
    assert variance_p_value(gradients, analytic_variance(problem, contrast, shots)) > LIMIT


BATCHES = {
    "one output": {"outputs": (2,), "samples": 1},
    "a batch": {"outputs": (3,), "samples": 6, "graph": "complete"},
    "two outputs": {"outputs": (0, 2), "samples": 8},
}


@pytest.mark.deep(but=["one output-one-sided"])
@pytest.mark.parametrize(
    ("batch", "name"),
    [
        *[("one output", "one-sided"), ("one output", "chebyshev"), ("a batch", "one-sided, negative")],
        *(("two outputs", name) for name in STENCILS),
    ],
)
def test_loss_on_expectations(batch, name, rng):
    problem, contrast = loss_problem(rng, **BATCHES[batch]), CONTRASTS[name]
    gradients, variances = gradients_and_variances(repeated(problem, contrast, 2000))
    assert mean_p_value(gradients, exact_mean(problem, contrast)) > LIMIT
    assert variance_p_value(gradients, variances.mean(axis=0)) > LIMIT


@pytest.mark.deep
@pytest.mark.parametrize("name", ["one-sided", "symmetric"])
def test_more_outputs_than_samples(name, rng):
    """One output is on target: its error signal is all noise, and its response shows nowhere in the batch.

    One nudge cannot tell the response to each of two outputs; that the response follows the fluctuations of the free
    shots does. The sum is within a tenth and every weight within a quarter.
    """
    problem, contrast = loss_problem(rng, outputs=(0, 2), distance=np.array([0.25, 0.0])), CONTRASTS[name]
    gradients, variances = gradients_and_variances(repeated(problem, contrast, 2000, repeats=1000))
    assert mean_p_value(gradients, exact_mean(problem, contrast)) > LIMIT
    true, reported = gradients.var(axis=0, ddof=1), variances.mean(axis=0)
    assert 1 / 1.1 < true.sum() / reported.sum() < 1.1
    assert ((true / reported < 1.25) & (true / reported > 1 / 1.25)).all()


@pytest.mark.deep
@pytest.mark.parametrize("name", ["one-sided, negative", "symmetric"])
def test_error_bars_without_the_noise_of_the_signals_are_wrong(name, monkeypatch):
    rng, contrast = np.random.default_rng(5), CONTRASTS[name]
    problem = loss_problem(rng)
    gradients, with_signals = gradients_and_variances(repeated(problem, contrast, 2000))
    monkeypatch.setattr(SignalBatch, "is_noisy", False)
    same, without = gradients_and_variances(repeated(problem, contrast, 2000))
    assert np.array_equal(same, gradients)
    assert variance_p_value(gradients, with_signals.mean(axis=0)) > LIMIT
    assert variance_p_value(gradients, without.mean(axis=0)) < LIMIT


@pytest.mark.deep(but=["one-sided-loss"])
@pytest.mark.parametrize(
    ("name", "cost"),
    [
        *[("symmetric", "operator"), ("chebyshev", "operator")],
        *((name, "loss") for name in ("one-sided", "symmetric", "four-point")),
    ],
)
def test_one_shot_takes_its_error_from_the_spread_over_samples(name, cost, rng):
    network, weights = random_network(chain(3), rng)
    aim = OperatorCost.squared_error((2,), 3) if cost == "operator" else LossOnExpectations.on_spins((2,), 3)
    # Equal samples: then the spread is shot noise and nothing else.
    problem = NudgedHamiltonian(network, aim), weights, np.zeros((20, 0)), np.full((20, 1), 0.3)
    estimates = repeated(problem, CONTRASTS[name], 1)
    gradients, variances = gradients_and_variances(estimates)
    assert np.isfinite(variances).all()
    assert variance_p_value(gradients, variances.mean(axis=0)) > LIMIT
    costs = np.array([estimate.cost.mean for estimate in estimates])
    assert variance_p_value(costs, np.mean([e.cost.standard_error**2 for e in estimates])) > LIMIT


def test_one_shot_of_one_sample_has_no_error(rng):
    estimate = repeated(operator_problem(rng), CONTRASTS["symmetric"], 1, repeats=1)[0]
    assert np.isnan(estimate.variance).all()
    assert np.isfinite(estimate.gradient).all()


@pytest.mark.deep(but=["operator"])
@pytest.mark.parametrize("aim", ["operator", "loss"])
def test_reported_cost(aim, rng):
    problem = operator_problem(rng) if aim == "operator" else loss_problem(rng, samples=5)
    contrast = CONTRASTS["one-sided"]
    estimates = repeated(problem, contrast, 300)
    exact = exact_gradient(*problem).cost
    costs = np.array([estimate.cost.mean for estimate in estimates])
    assert mean_p_value(costs, exact) > LIMIT
    assert variance_p_value(costs, np.mean([e.cost.standard_error**2 for e in estimates])) > LIMIT


def test_weights_of_the_same_term_share_its_noise(rng):
    network, weights = random_network(chain(2), rng, num_inputs=1, biases=WeightInitialisation())
    cost = OperatorCost.squared_error((1,), 2)
    problem = NudgedHamiltonian(network, cost), weights, np.array([[0.5], [-2.0]]), np.array([[0.3], [0.1]])
    gradients, variances = gradients_and_variances(repeated(problem, CONTRASTS["symmetric"], 200))
    assert variance_p_value(gradients, variances.mean(axis=0)) > LIMIT
    assert mean_p_value(gradients, exact_mean(problem, CONTRASTS["symmetric"])) > LIMIT


def test_summary_numbers(rng):
    estimate = repeated(operator_problem(rng), CONTRASTS["symmetric"], 50, repeats=1)[0]
    assert np.allclose(estimate.standard_error**2, estimate.variance)
    assert estimate.norm == pytest.approx(np.linalg.norm(estimate.gradient))
    assert estimate.noise == pytest.approx(np.sqrt(estimate.variance.sum()))
