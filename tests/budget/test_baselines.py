"""Finite differences and SPSA: exact limits, noise against theory, and what they take."""

from itertools import product

import numpy as np
import pytest
from cases import SMALL_GRAPHS, random_network
from chi_square import LIMIT, mean_p_value, variance_p_value
from reference import expectation, ground, pauli_matrix
from watched import Watched

from qep_qiskit.budget import costs
from qep_qiskit.budget.baselines import SPSA, FiniteDifferences
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, StatevectorExecutor, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import Usage, run_measurements
from qep_qiskit.network import WeightInitialisation, chain
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import AdiabaticPreparation, ExactPreparation

SEEDS = Seeds(7)
KEY = RequestKey("test", 0)


def problem_of(cost, rng, graph="edges", samples=1, num_inputs=0, **options):
    """Hamiltonian, weights, inputs and targets."""
    graph = SMALL_GRAPHS.get(graph, chain(2))
    network, weights = random_network(graph, rng, num_inputs=num_inputs, **options)
    last = network.num_qubits - 1
    aim = {
        "operator": lambda: OperatorCost.squared_error((last,), last + 1),
        "loss": lambda: LossOnExpectations.on_spins((last,), last + 1),
        "x": lambda: OperatorCost.from_operator(sparse_pauli_op([(PauliString.of("X", last), 1.0)], last + 1)),
    }[cost]()
    targets = rng.uniform(-0.5, 0.5, (samples, 0 if cost == "x" else 1))
    return NudgedHamiltonian(network, aim), weights, rng.normal(size=(samples, num_inputs)), targets


def estimated(method, problem, key=KEY, executor=None, preparation=None):
    hamiltonian, weights, inputs, targets = problem
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=preparation or ExactPreparation(), contrast=Contrast(), shots=None
    )
    work = method.estimate(estimator, weights, inputs, targets, key)
    return run_measurements(work, executor or VectorExecutor(SEEDS))[0]


def repeated(method, problem, repeats):
    executor = VectorExecutor(SEEDS)
    found = [estimated(method, problem, RequestKey("test", r), executor) for r in range(repeats)]
    return np.array([e.gradient for e in found]), np.array([e.variance for e in found])


def cost_and_variance(problem, weights):
    """Mean operator cost and the variance of one shot of it, by dense matrices."""
    hamiltonian, _, _, targets = problem
    network = hamiltonian.network
    state = ground(network.hamiltonian(weights).to_matrix())[1]
    operator = hamiltonian.cost.operator(targets[0]).to_matrix()
    mean = expectation(operator, state)
    return mean, expectation(operator @ operator, state) - mean**2


def fitted_order(errors, shifts):
    return np.polyfit(np.log(shifts), np.log(errors), 1)[0]


def sign_vectors(count):
    return np.array(list(product([-1.0, 1.0], repeat=count)))


BATCHES = {"one sample": {}, "a batch": {"samples": 3, "num_inputs": 1}}
SHIFTS = np.array([0.02, 0.04, 0.08])


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("cost", ["operator", "loss", "x"])
def test_finite_differences_approach_the_gradient(cost, batch, rng):
    problem = problem_of(cost, rng, **BATCHES[batch])
    truth = exact_gradient(*problem).gradient
    found = [estimated(FiniteDifferences(delta=delta, shots=None), problem) for delta in SHIFTS]
    errors = [np.linalg.norm(e.gradient - truth) for e in found]
    assert fitted_order(errors, SHIFTS) == pytest.approx(2.0, abs=0.1)
    assert all(not e.variance.any() and e.usage.shots == 0 for e in found)
    best = estimated(FiniteDifferences(delta=1e-4, shots=None), problem)
    assert np.allclose(best.gradient, truth, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cost", ["operator", "loss"])
def test_spsa_over_all_signs_is_the_smoothed_gradient(cost, rng, monkeypatch):
    problem = problem_of(cost, rng, graph="pair")
    hamiltonian, weights, _, targets = problem
    signs = sign_vectors(len(weights))
    monkeypatch.setattr(SPSA, "signs", lambda self, key, count: signs)
    truth, errors = exact_gradient(*problem).gradient, []

    def value(point):
        if cost == "operator":
            return cost_and_variance(problem, point)[0]
        state = ground(hamiltonian.network.hamiltonian(point).to_matrix())[1]
        return (expectation(pauli_matrix("Z1", 2), state) - targets[0, 0]) ** 2

    for shift in SHIFTS:
        method = SPSA(perturbation=shift, perturbations=len(signs), shots=None, seeds=SEEDS)
        found = estimated(method, problem).gradient
        slopes = [(value(weights + shift * d) - value(weights - shift * d)) / (2 * shift) for d in signs]
        assert np.allclose(found, np.mean(signs * np.array(slopes)[:, None], axis=0), rtol=0, atol=1e-10)
        errors.append(np.linalg.norm(found - truth))
    assert fitted_order(errors, SHIFTS) == pytest.approx(2.0, abs=0.1)


def test_averaged_spsa_scatters_about_the_smoothed_gradient(rng, monkeypatch):
    problem = problem_of("operator", rng, graph="pair")
    method = SPSA(perturbation=0.2, perturbations=16, shots=None, seeds=SEEDS)
    gradients, _ = repeated(method, problem, 300)
    signs = sign_vectors(len(problem[1]))
    monkeypatch.setattr(SPSA, "signs", lambda self, key, count: signs)
    smoothed = estimated(method, problem).gradient
    assert mean_p_value(gradients, smoothed) > LIMIT
    assert mean_p_value(gradients, smoothed * 1.5) < LIMIT


def test_variance_of_finite_differences(rng):
    problem, delta, shots = problem_of("operator", rng), 0.3, 50
    gradients, variances = repeated(FiniteDifferences(delta=delta, shots=shots), problem, 400)
    weights, shifts = problem[1], delta * np.eye(len(problem[1]))
    plus, minus = (np.array([cost_and_variance(problem, weights + s * d) for d in shifts]) for s in (1, -1))
    mean, theory = (plus[:, 0] - minus[:, 0]) / (2 * delta), (plus[:, 1] + minus[:, 1]) / (4 * delta**2 * shots)
    assert mean_p_value(gradients, mean, theory) > LIMIT
    assert variance_p_value(gradients, theory) > LIMIT
    assert mean_p_value(variances, theory) > LIMIT


def test_claimed_variance_of_a_loss_of_a_batch(rng):
    problem = problem_of("loss", rng, samples=4, num_inputs=1)
    gradients, variances = repeated(FiniteDifferences(delta=0.3, shots=400), problem, 300)
    assert variance_p_value(gradients, variances.mean(axis=0)) > LIMIT


def spsa_moments(problem, shift, shots):
    """Mean and variance of one perturbation, from all sign vectors: shape (weights,) each."""
    signs, weights = sign_vectors(len(problem[1])), problem[1]
    plus, minus = (np.array([cost_and_variance(problem, weights + s * shift * d) for d in signs]) for s in (1, -1))
    slopes = (plus[:, 0] - minus[:, 0]) / (2 * shift)
    noise = np.mean((plus[:, 1] + minus[:, 1]) / (4 * shift**2 * shots))
    each = signs * slopes[:, None]
    return each.mean(axis=0), each.var(axis=0) + noise


@pytest.mark.deep(but=["1"])
@pytest.mark.parametrize("shots", [1, 20])
def test_variance_of_spsa(shots, rng):
    problem, shift, count = problem_of("operator", rng, graph="pair"), 0.3, 64
    method = SPSA(perturbation=shift, perturbations=count, shots=shots, seeds=SEEDS)
    gradients, variances = repeated(method, problem, 400)
    mean, variance = spsa_moments(problem, shift, shots)
    assert mean_p_value(gradients, mean, variance / count) > LIMIT
    assert variance_p_value(gradients, variance / count) > LIMIT
    assert mean_p_value(variances, variance / count) > LIMIT


def test_variance_of_spsa_to_lowest_order_in_the_shift(rng):
    """(M - 1) |g|^2 from the perturbation and M V / (2 c^2 m) from the shots; both are off by a factor 1 + O(c^2)."""
    problem, shots = problem_of("operator", rng, graph="pair"), 10
    size, truth = len(problem[1]), exact_gradient(*problem).gradient
    by_signs, by_shots = (size - 1) * truth @ truth, size * cost_and_variance(problem, problem[1])[1] / (2 * shots)
    off = []
    for shift in SHIFTS:
        noiseless = spsa_moments(problem, shift, np.inf)[1].sum()
        noise = spsa_moments(problem, shift, shots)[1].sum() - noiseless
        off.append([abs(noiseless / by_signs - 1), abs(noise * shift**2 / by_shots - 1)])
    assert np.polyfit(np.log(SHIFTS), np.log(off), 1)[0] == pytest.approx([2.0, 2.0], abs=0.15)
    assert np.max(off[0]) < 0.01


@pytest.mark.deep
def test_squared_error_of_one_shot_is_another_cost(rng):
    """(Z - y)^2 of single outcomes is the operator cost, not the loss of the mean: why candidates take two shots."""
    hamiltonian, weights, inputs, targets = problem_of("loss", rng, graph="pair")
    other = NudgedHamiltonian(hamiltonian.network, OperatorCost.squared_error((1,), 2)), weights, inputs, targets
    problem, exact = (hamiltonian, weights, inputs, targets), FiniteDifferences(delta=0.3, shots=None)
    one, _ = repeated(FiniteDifferences(delta=0.3, shots=1), problem, 1000)
    two, _ = repeated(FiniteDifferences(delta=0.3, shots=2), problem, 1000)
    assert mean_p_value(one, estimated(exact, other).gradient) > LIMIT
    assert mean_p_value(one, estimated(exact, problem).gradient) < LIMIT
    assert mean_p_value(two, estimated(exact, problem).gradient) > LIMIT


def test_one_perturbation_claims_no_variance(rng):
    method = SPSA(perturbation=0.1, perturbations=1, shots=10, seeds=SEEDS)
    found = estimated(method, problem_of("operator", rng))
    assert np.isnan(found.variance).all()
    assert np.allclose(np.abs(found.gradient), np.abs(found.gradient[0]))


def test_signs_are_balanced_and_new_for_every_repeat():
    method = SPSA(perturbation=0.1, perturbations=4000, shots=1, seeds=SEEDS)
    first, second = (method.signs(RequestKey("test", step), 3) for step in (0, 1))
    assert set(np.unique(first)) == {-1.0, 1.0}
    assert mean_p_value(first, np.zeros(3), np.ones(3)) > LIMIT
    assert abs(np.mean(first * second)) < 4 / np.sqrt(first.size)
    assert np.array_equal(first, method.signs(RequestKey("test", 0), 3))


METHODS = {
    "finite differences": FiniteDifferences(delta=0.1, shots=3),
    "SPSA": SPSA(perturbation=0.1, perturbations=6, shots=3, seeds=SEEDS),
}
every_method = pytest.mark.parametrize("name", METHODS)


@every_method
def test_frozen_weights_are_left_alone(name, rng):
    problem = problem_of(
        "operator", rng, couplings=WeightInitialisation(frozen=["J[0,2]"]), biases=WeightInitialisation(frozen=True)
    )
    trainable = problem[0].network.layout.trainable()
    assert 0 < trainable.sum() < len(trainable)
    found = estimated(METHODS[name], problem)
    assert (found.gradient[~trainable] == 0).all()
    assert (found.variance[~trainable] == 0).all()
    assert found.evaluations == (2 * trainable.sum() if name == "finite differences" else 12)
    exact = estimated(FiniteDifferences(delta=1e-4, shots=None), problem)
    truth = exact_gradient(*problem).gradient
    assert np.allclose(exact.gradient[trainable], truth[trainable], rtol=0, atol=1e-6)


@every_method
@pytest.mark.parametrize("cost", ["operator", "loss"])
def test_what_it_took_is_what_was_asked_for(name, cost, rng):
    problem, executor = problem_of(cost, rng, samples=2, num_inputs=1), Watched(VectorExecutor(SEEDS))
    found = estimated(METHODS[name], problem, executor=executor)
    assert found.usage == Usage(shots=sum(executor.shots), circuits=sum(executor.circuits))
    assert found.usage.circuits == found.evaluations * 2
    assert found.usage.shots == 3 * found.usage.circuits
    assert len(executor.requests) == 1


def test_groups_without_the_cost_are_not_read(rng):
    """The outputs are Z's, but the cost is an X: one circuit an evaluation."""
    executor = Watched(VectorExecutor(SEEDS))
    found = estimated(METHODS["finite differences"], problem_of("x", rng), executor=executor)
    assert executor.circuits == [found.evaluations]


@every_method
def test_requests_in_parts(name, rng, monkeypatch):
    problem, executor = problem_of("loss", rng, samples=2, num_inputs=1), Watched(VectorExecutor(SEEDS))
    exact = {
        "finite differences": FiniteDifferences(delta=0.1, shots=None),
        "SPSA": SPSA(perturbation=0.1, perturbations=9, shots=None, seeds=SEEDS),
    }[name]
    whole = estimated(exact, problem)
    monkeypatch.setattr(costs, "_NUMBERS_PER_REQUEST", 5 * 2 * max(8, problem[0].num_terms ** 2))
    assert np.allclose(estimated(exact, problem).gradient, whole.gradient, rtol=0, atol=1e-12)
    found = estimated(METHODS[name], problem, executor=executor)
    keys = {request.key for request in executor.requests}
    assert len(keys) == len(executor.requests) == -(-found.evaluations // 5)
    assert found.usage == Usage(shots=sum(executor.shots), circuits=sum(executor.circuits))


def test_equal_points_are_prepared_once_and_measured_apart(rng):
    """Two spins of five weights have 32 sign vectors; every evaluation has shots of its own."""
    prepared = []

    class Watching(ExactPreparation):
        def prepare(self, family, start):
            prepared.append(len(family.free))
            return super().prepare(family, start)

    problem = problem_of("operator", rng, graph="pair")
    method = SPSA(perturbation=0.1, perturbations=500, shots=1, seeds=SEEDS)
    found = estimated(method, problem, preparation=Watching())
    assert prepared == [32]
    assert found.distinct_circuits == 32
    assert found.usage == Usage(shots=1000, circuits=1000)


def test_circuits_are_measured_too(rng):
    """A slow Trotter ramp has the gradient of the ground state, nearly."""
    problem = problem_of("operator", rng, graph="pair")
    ramp = AdiabaticPreparation(total_time=20.0, steps=200)
    executor = StatevectorExecutor(SEEDS)
    found = estimated(FiniteDifferences(delta=0.01, shots=None), problem, executor=executor, preparation=ramp)
    assert np.allclose(found.gradient, exact_gradient(*problem).gradient, rtol=0, atol=0.03)
    method = SPSA(perturbation=0.1, perturbations=100, shots=1, seeds=SEEDS)
    assert estimated(method, problem, executor=executor, preparation=ramp).usage.circuits == 200


def test_descriptions():
    assert METHODS["SPSA"].description == "SPSA, 6 perturbations of 0.1, 3 shots an evaluation"
    one = SPSA(perturbation=0.1, perturbations=1, shots=1, seeds=SEEDS)
    assert one.description == "SPSA, 1 perturbation of 0.1, 1 shot an evaluation"
    exact = FiniteDifferences(delta=0.05, shots=None)
    assert exact.description == "finite differences, delta 0.05, exact expectations an evaluation"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FiniteDifferences(delta=0.0, shots=1), "delta: expected a number above zero, got 0.0"),
        (lambda: FiniteDifferences(delta=np.inf, shots=1), "delta: expected a number above zero, got inf"),
        (lambda: FiniteDifferences(delta=0.1, shots=0), "shots: expected at least 1, got 0"),
        (lambda: SPSA(perturbation=-1.0, perturbations=1, shots=1, seeds=SEEDS), "perturbation: expected a number"),
        (lambda: SPSA(perturbation=1.0, perturbations=0, shots=1, seeds=SEEDS), "perturbations: expected at least 1"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ConfigError, match=message):
        build()
