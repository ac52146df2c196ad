"""The problem that a study repeats: its truth, states that are kept, and signals that are known."""

from dataclasses import replace

import numpy as np
import pytest
from cases import SMALL_GRAPHS, random_network

from qep_qiskit.budget.problem import CachedStates, GradientProblem, true_gradient, with_known_signals
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, StatevectorExecutor, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.losses import CrossEntropy, SquaredError
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import AdiabaticPreparation, ExactPreparation

# Nudges beyond the gap are on purpose: they show differences through less noise.
pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")
KEY = RequestKey("test", 0)
COSTS = {
    "squared": lambda size: LossOnExpectations.on_spins((0, 2), size, SquaredError()),
    "entropy": lambda size: LossOnExpectations.on_spins((0, 2), size, CrossEntropy(gain=2.0)),
    "operator": lambda size: OperatorCost.squared_error((0, 2), size),
}


def problem_of(cost, rng, *, preparation=None, shots=50, kind="symmetric", beta=0.2):
    network, weights = random_network(SMALL_GRAPHS["complete"], rng, num_inputs=1, outputs=(0, 2))
    hamiltonian = NudgedHamiltonian(network, COSTS[cost](network.num_qubits))
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=preparation or ExactPreparation(),
        contrast=Contrast(kind=kind, beta=beta),
        shots=shots,
    )
    inputs, targets = rng.normal(size=(3, 1)), rng.dirichlet(np.ones(2), 3)
    executor = (StatevectorExecutor if preparation else VectorExecutor)(Seeds(4))
    return GradientProblem(
        estimator=estimator,
        executor=executor,
        weights=weights,
        inputs=inputs,
        targets=targets,
        trainable=network.layout.trainable(),
        truth=true_gradient(estimator, executor, weights, inputs, targets, level=0),
    )


def estimate(problem, key=KEY, **changes):
    estimator = replace(problem.estimator, **changes)
    return run_measurements(
        estimator.estimate(problem.weights, problem.inputs, problem.targets, key), problem.executor
    )[0]


class Asked:
    """Counts how often states are prepared."""

    def __init__(self, inner):
        self.inner, self.times = inner, 0

    def prepare(self, family, start):
        self.times += 1
        return self.inner.prepare(family, start)


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("kind", ["one_sided", "symmetric", "four_point"])
@pytest.mark.parametrize("preparation", [None, AdiabaticPreparation(total_time=2.0, steps=6)])
def test_kept_states_change_nothing(cost, kind, preparation, rng):
    problem = problem_of(cost, rng, preparation=preparation, kind=kind)
    kept = CachedStates(problem.estimator.preparation)
    for repeat in range(3):
        key = RequestKey("test", repeat)
        plain, again = estimate(problem, key), estimate(problem, key, preparation=kept)
        assert again.gradient == pytest.approx(plain.gradient, abs=1e-13)
        assert again.variance == pytest.approx(plain.variance, abs=1e-13)


def test_states_are_prepared_once(rng):
    """The free states, and all nudged ones of an operator cost; noisy signals make other nudges every time."""
    for cost, at_most in (("operator", 1), ("squared", 6)):
        problem = problem_of(cost, rng)
        asked = Asked(problem.estimator.preparation)
        kept = CachedStates(asked)
        for repeat in range(5):
            estimate(problem, RequestKey("test", repeat), preparation=kept)
        assert asked.times == at_most


@pytest.mark.parametrize("cost", ["squared", "entropy"])
@pytest.mark.parametrize("kind", ["one_sided", "symmetric", "four_point"])
def test_known_signals_give_the_contrast_of_an_exact_free_phase(cost, kind, rng):
    problem = problem_of(cost, rng, shots=None, kind=kind)
    known = with_known_signals(problem)
    assert isinstance(known.estimator.hamiltonian.cost, OperatorCost)
    assert estimate(known).gradient == pytest.approx(estimate(problem).gradient, abs=1e-10)


def test_known_signals_have_no_noise(rng):
    """With shots the contrast of known signals varies by its phases alone: less than with measured ones."""
    problem = problem_of("squared", rng, shots=40, beta=0.5)
    spreads = []
    for one in (problem, with_known_signals(problem)):
        found = [estimate(one, RequestKey("test", repeat)).gradient for repeat in range(200)]
        spreads.append(np.var(found, axis=0, ddof=1).sum())
    assert spreads[1] < 0.95 * spreads[0]


def test_operator_costs_have_no_signals(rng):
    problem = problem_of("operator", rng)
    assert with_known_signals(problem) is problem


@pytest.mark.parametrize("cost", COSTS)
def test_truth(cost, rng):
    problem = problem_of(cost, rng)
    hamiltonian = problem.estimator.hamiltonian
    exact = exact_gradient(hamiltonian, problem.weights, problem.inputs, problem.targets).gradient
    assert problem.truth.source == "exact"
    assert problem.truth.gradient == pytest.approx(exact, abs=1e-12)
    assert problem.true_length == pytest.approx(np.linalg.norm(exact[problem.trainable]))
    prepared = true_gradient(
        problem.estimator, problem.executor, problem.weights, problem.inputs, problem.targets, level=None
    )
    assert prepared.source == "prepared"
    assert prepared.gradient == pytest.approx(exact, abs=1e-5)


def test_only_weights_that_train_count(rng):
    problem = problem_of("squared", rng)
    mask = np.zeros_like(problem.trainable)
    mask[2] = True
    assert replace(problem, trainable=mask).true_length == pytest.approx(abs(problem.truth.gradient[2]))
